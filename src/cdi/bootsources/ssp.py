"""
The SSP object: as a HyperConverged wants it, and what it says to whoever makes boot images. Pure.

Raises patching.InvalidPatch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cdi.api import annotations, names
from cdi.bootsources import kinds, patching
from cdi.bootsources.nodes import Architectures
from cdi.bootsources.settings import Settings
from cdi.bootsources.templates import InEffect
from cdi.kube import objects
from cdi.kube.objects import Object

_TEMPLATES_NAMESPACE: Final = "openshift"
_VALIDATORS: Final = 2


def ssp_for(
    hyperconverged: Object,
    settings: Settings,
    templates: Sequence[InEffect],
    architectures: Architectures,
) -> Object:
    """The SSP object, as a merge patch."""
    made: Object = {
        "apiVersion": kinds.SSPS.api_version,
        "kind": kinds.SSPS.kind,
        "metadata": {"name": names.SSP, "namespace": objects.namespace(hyperconverged)},
        "spec": {
            "commonTemplates": {
                "namespace": settings.templates_namespace or _TEMPLATES_NAMESPACE,
                "dataImportCronTemplates": [each.template for each in templates],
            },
            "templateValidator": {"replicas": _VALIDATORS},
            "cluster": {
                "workloadArchitectures": list(architectures.workloads),
                "controlPlaneArchitectures": list(architectures.control_plane),
            },
            "enableMultipleArchitectures": settings.multi_arch,
            "tlsSecurityProfile": settings.tls_profile,
        },
    }
    return patching.patched(made, hyperconverged, annotations.SSP_JSON_PATCH)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an SSP asks for."""

    templates: tuple[InEffect, ...] = ()
    architectures: tuple[str, ...] = ()  # of the cluster, the default one first
    multi_arch: bool = False
    paused: bool = False


def wanted_by(ssp: Object) -> Wanted:
    """Read an SSP."""
    cluster = objects.get(ssp, "spec", "cluster", default={})
    known = Architectures(
        tuple(cluster.get("controlPlaneArchitectures") or ()),
        tuple(cluster.get("workloadArchitectures") or ()),
    )
    given = objects.get(ssp, "spec", "commonTemplates", "dataImportCronTemplates", default=[])
    return Wanted(
        templates=tuple(InEffect(each) for each in given),
        architectures=known.all,
        multi_arch=objects.get(ssp, "spec", "enableMultipleArchitectures") is True,
        paused=objects.annotations(ssp).get(annotations.PAUSED) == annotations.TRUE,
    )
