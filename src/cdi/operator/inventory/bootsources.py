"""
What runs `cdi bootsources` on a cluster: account, roles, Deployment.

It is no part of an installation, and the operator does not make it: a HyperConverged operator, who
installs CDI's operator, too, does the same work, and there must be one of them. Whoever has none
adds this by hand.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Final

from cdi.api import labels
from cdi.kube.objects import Object, Objects
from cdi.operator.inventory import access, deployments, marks, rules, services
from cdi.operator.settings import Settings

NAME: Final = "cdi-bootsources"
_JUDGING: Final = "cdi-bootsources-rules"  # what the API server needs for the webhooks
_DEFAULTS: Final = "cdi-bootsources-defaults"  # what the controllers look at besides
IMAGES: Final = "cdi-boot-images"  # the ConfigMap with templates
_IMAGES_DIR: Final = "/etc/cdi/boot-images"
_LABELS: Final = {**marks.COMMON, labels.MANAGED_BY: "cdi-manifests"}
_IMAGES_DIGEST: Final = "cdi.kubevirt.io/boot-images-digest"


def boot_sources(settings: Settings, images: Mapping[str, str] | None = None) -> Objects:
    """All of it. `images`, texts by file name, take the place of the templates that are shipped."""
    namespace = settings.namespace
    account = [access.account_of(NAME, namespace)]
    found = [
        marks.named("v1", "ServiceAccount", NAME, _LABELS, namespace),
        access.cluster_role(NAME, rules.BOOT_SOURCES_CLUSTER, _LABELS),
        access.cluster_binding(NAME, NAME, account, _LABELS),
        access.cluster_role(_JUDGING, rules.BOOT_SOURCES_RULES, _LABELS),
        access.cluster_binding(
            _JUDGING, _JUDGING, [access.account_of(access.API_SERVER, namespace)], _LABELS
        ),
        access.cluster_role(_DEFAULTS, rules.BOOT_SOURCES_DEFAULTS, _LABELS),
        access.cluster_binding(
            _DEFAULTS, _DEFAULTS, [access.account_of(access.CONTROLLER, namespace)], _LABELS
        ),
        access.role(NAME, rules.BOOT_SOURCES_NAMESPACE, namespace, _LABELS),
        access.binding(NAME, NAME, account, namespace, _LABELS),
    ]
    if images is not None:
        data = dict(images)
        found.append(marks.named("v1", "ConfigMap", IMAGES, _LABELS, namespace, data=data))
    return [*found, _deployment(settings, images)]


def _deployment(settings: Settings, images: Mapping[str, str] | None) -> Object:
    command = ["cdi", "bootsources", "--leader-elect", f"--listen=0.0.0.0:{services.POD_PORT}"]
    mounts: tuple[deployments.Mount, ...] = ()
    noted: dict[str, str] = {}
    if images is not None:
        command.append(f"--boot-images={_IMAGES_DIR}")
        mounts = (deployments.Mount(IMAGES, _IMAGES_DIR, secret=False),)
        # They are read at the start alone: others are another pod.
        noted = {_IMAGES_DIGEST: _digest(images)}
    component = deployments.Component(
        name=NAME,
        account=NAME,
        image=settings.images.controller,
        command=tuple(command),
        environment=[],
        mounts=mounts,
        probe=deployments.READY_PROBE,
        replicas=1,
        ports=(deployments.METRICS_PORT,),
        pod_labels={labels.PROMETHEUS: "true"},
        pod_annotations=noted,
    )
    return deployments.deployment_of(component, settings, None, _LABELS, "")


def _digest(images: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(dict(images), sort_keys=True).encode()).hexdigest()
