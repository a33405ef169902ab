"""The CDI object as a HyperConverged wants it. Pure. Raises patching.InvalidPatch."""

from collections.abc import Mapping
from typing import Any, Final

from cdi.api import annotations
from cdi.bootsources import kinds, patching
from cdi.bootsources.settings import Settings
from cdi.kube.objects import Object

NAME: Final = "cdi-kubevirt-hyperconverged"
_GATES: Final = ("HonorWaitForFirstConsumer", "DataVolumeClaimAdoption")
_CERTIFICATES: Final = {
    "ca": {"duration": "48h0m0s", "renewBefore": "24h0m0s"},
    "server": {"duration": "24h0m0s", "renewBefore": "12h0m0s"},
    "client": {"duration": "24h0m0s", "renewBefore": "12h0m0s"},
}


def cdi_for(hyperconverged: Object, settings: Settings, name: str = NAME) -> Object:
    """The CDI object, as a merge patch: what does not stand here stays as it is."""
    made: Object = {
        "apiVersion": kinds.CDIS.api_version,
        "kind": kinds.CDIS.kind,
        "metadata": {"name": name, "annotations": {annotations.CONFIG_AUTHORITY: ""}},
        "spec": _spec(settings),
    }
    return patching.patched(made, hyperconverged, annotations.CDI_JSON_PATCH)


def _spec(settings: Settings) -> Object:
    """What is not said is taken off: None does that in a merge patch."""
    return {
        "uninstallStrategy": settings.uninstall,
        "certConfig": _certificates(settings.certificates),
        "infra": settings.infra,
        "workload": settings.workloads,
        "config": {
            "featureGates": list(_GATES),
            "scratchSpaceStorageClass": settings.scratch_class,
            "filesystemOverhead": settings.overhead,
            "insecureRegistries": list(settings.insecure_registries) or None,
            "podResourceRequirements": settings.resources,
            "tlsSecurityProfile": settings.tls_profile,
            "logVerbosity": settings.verbosity,
        },
    }


def _certificates(said: Mapping[str, Any] | None) -> Object:
    return {
        part: {**usual, **((said or {}).get(part) or {})} for part, usual in _CERTIFICATES.items()
    }
