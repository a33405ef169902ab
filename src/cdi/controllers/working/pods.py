"""The parts of a worker pod that are the same whatever the worker does: fragments of its spec."""

from collections.abc import Iterable
from typing import Final

from cdi.api import annotations
from cdi.api.workersettings import REQUIRE_WALLS, STALL_TIMEOUT
from cdi.controllers import metadata
from cdi.controllers.settings import Settings
from cdi.controllers.working import mounts
from cdi.controllers.working.context import Context
from cdi.controllers.working.mounts import Mount
from cdi.kube import objects
from cdi.kube.objects import Object

_USER: Final = 107  # qemu's, who also owns the disks of running machines


def placement_for(claim: Object, context: Context) -> Object:
    """Where the pod may run: as the CDI object says; a prime's, where its consumer will be."""
    placement = context.placement
    spec: Object = {key: placement.get(key) for key in ("nodeSelector", "tolerations", "affinity")}
    if metadata.has(claim, annotations.POPULATOR_KIND):
        spec["nodeName"] = objects.annotations(claim).get(annotations.SELECTED_NODE)
    return {key: value for key, value in spec.items() if value}


def identity_for(claim: Object) -> Object:
    """Its priority, and as whom it runs."""
    given = objects.annotations(claim)
    spec = {
        "priorityClassName": given.get(annotations.PRIORITY_CLASS),
        "serviceAccountName": given.get(annotations.SERVICE_ACCOUNT),
    }
    return {key: value for key, value in spec.items() if value}


def pull_secrets(context: Context) -> list[Object]:
    """Those of the installation, for the image of our workers."""
    return list(objects.get(context.config, "status", "imagePullSecrets", default=[]))


def security_for(mounted: Iterable[Mount]) -> Object:
    """The security context of the pod."""
    found: Object = {"seccompProfile": {"type": "RuntimeDefault"}}
    # Whoever may run may write to an emptyDir; volumes are what belongs to somebody.
    if any(not mount.device and mount.name != mounts.STATE for mount in mounted):
        found["fsGroup"] = _USER
    return found


def container(name: str, image: str, context: Context) -> Object:
    """What every container of ours has."""
    resources = objects.get(context.config, "status", "defaultPodResourceRequirements", default={})
    found: Object = {
        "name": name,
        "image": image,
        "imagePullPolicy": context.settings.pull_policy,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    known = {key: resources[key] for key in ("limits", "requests") if resources.get(key)}
    return found | ({"resources": known} if known else {})


def worker_settings(settings: Settings) -> list[Object]:
    """Variables by which whoever runs the controllers sets workers."""
    found: list[Object] = []
    if settings.stall_timeout is not None:
        found.append({"name": STALL_TIMEOUT, "value": f"{settings.stall_timeout:g}"})
    if settings.require_walls:
        found.append({"name": REQUIRE_WALLS, "value": "true"})
    return found
