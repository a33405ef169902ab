"""All objects that one HostPathProvisioner stands for, in the order in which they are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cdi.hostpath.csi.identity import DRIVER
from cdi.hostpath.operator.inventory import access, daemonsets, marks, monitoring, openshift
from cdi.hostpath.operator.inventory.pools import is_legacy
from cdi.hostpath.operator.settings import Settings
from cdi.kube.objects import Object, Objects


@dataclass(frozen=True, slots=True)
class Facts:
    """What the cluster has, as far as it matters to what is wanted."""

    has_constraints: bool = False
    has_monitoring: bool = False


NO_FACTS: Final = Facts()


def installed(settings: Settings, provisioner: Object, facts: Facts = NO_FACTS) -> Objects:
    """Everything, what pods need before the pods."""
    legacy = is_legacy(provisioner)
    found = [*access.driver_access(settings)]
    if legacy:
        found += access.legacy_access(settings)
    if facts.has_constraints:
        found.append(openshift.driver_constraints(settings))
        if legacy:
            found.append(openshift.legacy_constraints(settings))
    found.append(_csi_driver(settings))
    found.append(monitoring.metrics_service(settings))
    if facts.has_monitoring:
        found += monitoring.monitoring(settings)
    found.append(daemonsets.driver(settings, provisioner))
    if legacy:
        found.append(daemonsets.legacy(settings, provisioner))
    return found


def _csi_driver(settings: Settings) -> Object:
    return marks.named(
        "storage.k8s.io/v1",
        "CSIDriver",
        DRIVER,
        settings,
        namespaced=False,
        spec={
            "attachRequired": False,
            "podInfoOnMount": True,
            "fsGroupPolicy": "File",
            "requiresRepublish": False,
            "storageCapacity": True,
            "volumeLifecycleModes": ["Persistent", "Ephemeral"],
        },
    )
