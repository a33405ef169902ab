"""
Our copy of whom the cluster's proxy makes everybody trust: made, kept right, and taken away. Pure.

OpenShift names a ConfigMap in a namespace of its own; importers are given the copy in the
installation's (spec/storage.md, section 8.7).
"""

from __future__ import annotations

from collections.abc import Mapping

from cdi.api import labels, reasons
from cdi.controllers import plan
from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.kube.resource import CONFIG_MAPS
from cdi.storage import proxy
from cdi.storage.proxy import CertificateCopies


def copied(
    copies: CertificateCopies,
    named_by: Object | None,
    original: Object | None,
    there: Mapping[str, Object],
    namespace: str,
) -> plan.Plan:
    """What makes the copies right; `there` are the ConfigMaps of the namespace, by name."""
    former = there.get(copies.delete) if copies.delete else None
    planned = plan.Plan()
    if former is not None and labels.COMPONENT in objects.labels(former):
        planned = plan.Plan((plan.Remove(CONFIG_MAPS, former),))  # ours; no administrator's
    if not copies.keep or named_by is None:
        return planned
    text = objects.get(original, "data", proxy.CA_KEY)
    if not text:
        where = f"{proxy.CA_NAMESPACE}/{copies.keep}"
        why = f"ConfigMap {where} has no {proxy.CA_KEY}" if original else f"no ConfigMap {where}"
        message = f"the certificates that the cluster's proxy names cannot be copied: {why}"
        told = plan.warning(named_by, reasons.ERR_RESOURCE_MISSING, message)
        return planned.with_events(told)
    found = there.get(copies.keep)
    content = {proxy.COPY_KEY: text}
    if found is None:
        made = {
            "apiVersion": CONFIG_MAPS.api_version,
            "kind": CONFIG_MAPS.kind,
            "metadata": {
                "name": copies.keep,
                "namespace": namespace,
                "labels": {labels.COMPONENT: "", labels.APP: labels.APP_VALUE},
            },
            "data": content,
        }
        return planned.with_steps(plan.Create(CONFIG_MAPS, made))
    if found.get("data") == content:
        return planned
    return planned.with_steps(plan.Change(CONFIG_MAPS, found, {**found, "data": content}))
