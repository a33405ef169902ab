"""The CDI object as a HyperConverged wants it. Pure. Raises InvalidPatch."""

import json
from collections.abc import Mapping
from typing import Any, Final

import jsonpatch

from cdi.api import annotations
from cdi.bootsources import kinds
from cdi.bootsources.settings import Settings
from cdi.kube import objects
from cdi.kube.objects import Object

NAME: Final = "cdi-kubevirt-hyperconverged"
_GATES: Final = ("HonorWaitForFirstConsumer", "DataVolumeClaimAdoption")
_CERTIFICATES: Final = {
    "ca": {"duration": "48h0m0s", "renewBefore": "24h0m0s"},
    "server": {"duration": "24h0m0s", "renewBefore": "12h0m0s"},
    "client": {"duration": "24h0m0s", "renewBefore": "12h0m0s"},
}


class InvalidPatch(ValueError):
    """The JSON patch in an annotation makes no sense."""


def cdi_for(hyperconverged: Object, settings: Settings, name: str = NAME) -> Object:
    """The CDI object, as a merge patch: what does not stand here stays as it is."""
    made: Object = {
        "apiVersion": kinds.CDIS.api_version,
        "kind": kinds.CDIS.kind,
        "metadata": {"name": name, "annotations": {annotations.CONFIG_AUTHORITY: ""}},
        "spec": _spec(settings),
    }
    patch = objects.annotations(hyperconverged).get(annotations.CDI_JSON_PATCH)
    return _patched(made, patch) if patch else made


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


def _patched(made: Object, text: str) -> Object:
    try:
        found: Object = jsonpatch.JsonPatch(json.loads(text)).apply(made)
    except (ValueError, TypeError, jsonpatch.JsonPatchException) as error:
        raise InvalidPatch(
            f"annotation {annotations.CDI_JSON_PATCH} is no JSON patch that fits: {error}"
        ) from error
    return found
