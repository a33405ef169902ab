"""SecurityContextConstraints: what pods may do on OpenShift."""

from __future__ import annotations

from typing import Final

from cdi.hostpath.operator.inventory import access, marks
from cdi.hostpath.operator.settings import Settings
from cdi.kube.objects import Object

DRIVER: Final = "hostpath-provisioner-csi"
LEGACY: Final = "hostpath-provisioner"
REQUIRED: Final = "openshift.io/required-scc"  # annotation of pods
_ANY: Final = {"type": "RunAsAny"}


def driver_constraints(settings: Settings) -> Object:
    """The driver mounts for pods, and makes devices."""
    return _constraints(
        DRIVER,
        access.DRIVER,
        settings,
        allowPrivilegedContainer=True,
        requiredDropCapabilities=None,
        volumes=["*"],
    )


def legacy_constraints(settings: Settings) -> Object:
    """The legacy provisioner makes directories."""
    return _constraints(
        LEGACY,
        access.LEGACY,
        settings,
        allowPrivilegedContainer=False,
        requiredDropCapabilities=["KILL", "MKNOD", "SETUID", "SETGID"],
        volumes=["hostPath", "secret", "projected"],
    )


def _constraints(name: str, account: str, settings: Settings, **content: object) -> Object:
    return marks.named(
        "security.openshift.io/v1",
        "SecurityContextConstraints",
        name,
        settings,
        namespaced=False,
        allowHostDirVolumePlugin=True,
        allowHostIPC=False,
        allowHostNetwork=False,
        allowHostPID=False,
        allowHostPorts=False,
        readOnlyRootFilesystem=False,
        # Null where there is none: OpenShift wants each of these to be said.
        priority=None,
        allowedCapabilities=None,
        defaultAddCapabilities=None,
        runAsUser=dict(_ANY),
        seLinuxContext=dict(_ANY),
        fsGroup=dict(_ANY),
        supplementalGroups=dict(_ANY),
        users=[f"system:serviceaccount:{settings.namespace}:{account}"],
        **content,
    )
