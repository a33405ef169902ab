"""What OpenShift needs besides: a SecurityContextConstraints and a Route."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cdi.kube.objects import Object
from cdi.operator.inventory import access, marks, services

CONSTRAINTS: Final = "containerized-data-importer"
ROUTE: Final = "cdi-uploadproxy"

_VOLUMES: Final = (
    "configMap",
    "downwardAPI",
    "emptyDir",
    "persistentVolumeClaim",
    "projected",
    "secret",
    "csi",
    "ephemeral",
)


def security_constraints(
    namespace: str, given: Mapping[str, str], users: tuple[str, ...] = ()
) -> Object:
    """What worker pods may do; `users` that others have added stay."""
    ours = tuple(
        f"system:serviceaccount:{namespace}:{account}"
        for account in (access.CONTROLLER, access.CRON_JOB)
    )
    return marks.named(
        "security.openshift.io/v1",
        "SecurityContextConstraints",
        CONSTRAINTS,
        given,
        priority=None,
        users=[*users, *(each for each in ours if each not in users)],
        runAsUser={"type": "MustRunAsNonRoot"},
        seLinuxContext={"type": "MustRunAs"},
        supplementalGroups={"type": "MustRunAs"},
        seccompProfiles=["runtime/default"],
        requiredDropCapabilities=["ALL"],
        defaultAddCapabilities=None,
        volumes=list(_VOLUMES),
        # OpenShift wants what is forbidden to be said.
        allowedCapabilities=None,
        allowHostDirVolumePlugin=False,
        allowHostIPC=False,
        allowHostNetwork=False,
        allowHostPID=False,
        allowHostPorts=False,
        allowPrivilegeEscalation=False,
        allowPrivilegedContainer=False,
        readOnlyRootFilesystem=False,
    )


def upload_route(namespace: str, given: Mapping[str, str], authority: str) -> Object:
    """The way to the upload proxy from outside; `authority` is the PEM that its router trusts."""
    made = marks.named(
        "route.openshift.io/v1",
        "Route",
        ROUTE,
        given,
        namespace,
        spec={
            "to": {"kind": "Service", "name": services.UPLOAD_PROXY},
            "tls": {
                "termination": "reencrypt",
                "insecureEdgeTerminationPolicy": "Redirect",
                "destinationCACertificate": authority,
            },
        },
    )
    made["metadata"]["annotations"] = {"haproxy.router.openshift.io/timeout": "60m"}
    return made
