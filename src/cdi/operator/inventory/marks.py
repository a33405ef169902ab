"""
What every object of an installation bears: labels by which it is found and counted.

Here: labels that are part of what is wanted. Elsewhere: what tells a managed object from others
(`cdi.operator.managed`): versions, owner, what was applied last.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cdi.api import labels
from cdi.kube import objects
from cdi.kube.objects import Object

OPERATOR_NAME: Final = "cdi-operator"

COMMON: Final[Mapping[str, str]] = {
    labels.COMPONENT: "",
    labels.APP: labels.APP_VALUE,
    labels.MANAGED_BY: OPERATOR_NAME,
    labels.APP_COMPONENT: "storage",
}


def common_labels(cdi: Object | None) -> dict[str, str]:
    """Labels of everything: ours, and those with which the installer has marked the CDI object."""
    marked = objects.labels(cdi or {})
    handed_on = {key: marked[key] for key in (labels.PART_OF, labels.VERSION) if marked.get(key)}
    return {**COMMON, **handed_on}


def named(
    api_version: str,
    kind: str,
    name: str,
    given: Mapping[str, str],
    namespace: str = "",
    **content: object,
) -> Object:
    """An object with name and labels."""
    metadata: Object = {"name": name, "labels": dict(given)}
    if namespace:
        metadata["namespace"] = namespace
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}
