"""
What a HyperConverged says, at whichever of its places. Pure.

Settings have moved with the releases; of several places that say something the newest counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cdi.api.kinds.hyperconverged import IMPORT_GATE, MULTI_ARCH_GATE
from cdi.kube import objects
from cdi.kube.objects import Object

_GOLDEN: Final = "kubevirt-os-images"
# Where OpenShift Virtualization has its HyperConverged, and its boot images.
_OPENSHIFT: Final = {"openshift-cnv": "openshift-virtualization-os-images"}


def golden_namespace(home: str) -> str:
    """The namespace of boot images, by that of the HyperConverged."""
    return _OPENSHIFT.get(home, _GOLDEN)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings that count here."""

    imports_common: bool = True
    multi_arch: bool = False
    templates: tuple[Object, ...] = ()
    namespace: str = ""  # of common boot images, where it is not the usual one
    templates_namespace: str = ""  # of the templates of machines
    scratch_class: str | None = None
    overhead: Object | None = None
    insecure_registries: tuple[str, ...] = ()
    resources: Object | None = None
    infra: Object | None = None
    workloads: Object | None = None
    certificates: Object | None = None
    tls_profile: Object | None = None
    verbosity: int | None = None
    uninstall: str | None = None


def settings_of(hyperconverged: Object) -> Settings:
    """Read a HyperConverged."""
    spec = hyperconverged.get("spec") or {}
    sources, storage = spec.get("workloadSources") or {}, spec.get("storage") or {}
    switched = _first(
        sources.get("enableCommonBootImageImport"),
        spec.get("enableCommonBootImageImport"),
        _gate(spec, IMPORT_GATE),
    )
    multi_arch = _first(sources.get("enableMultiArchBootImageImport"), _gate(spec, MULTI_ARCH_GATE))
    templates = _first(
        sources.get("dataImportCronTemplates"), spec.get("dataImportCronTemplates"), []
    )
    registries = _first(
        objects.get(storage, "storageImport", "insecureRegistries"),
        objects.get(spec, "storageImport", "insecureRegistries"),
        [],
    )
    namespace = _first(
        sources.get("commonBootImageNamespace"), spec.get("commonBootImageNamespace")
    )
    machines = _first(sources.get("commonTemplatesNamespace"), spec.get("commonTemplatesNamespace"))
    return Settings(
        imports_common=switched is not False,
        multi_arch=multi_arch is True,
        templates=tuple(templates),
        namespace=str(namespace or ""),
        templates_namespace=str(machines or ""),
        scratch_class=_first(
            storage.get("scratchSpaceStorageClass"), spec.get("scratchSpaceStorageClass")
        ),
        overhead=_first(storage.get("filesystemOverhead"), spec.get("filesystemOverhead")),
        insecure_registries=tuple(registries),
        resources=_first(
            storage.get("workloadResourceRequirements"),
            objects.get(spec, "resourceRequirements", "storageWorkloads"),
        ),
        infra=objects.get(spec, "infra", "nodePlacement"),
        workloads=objects.get(spec, "workloads", "nodePlacement"),
        certificates=spec.get("certConfig"),
        tls_profile=spec.get("tlsSecurityProfile"),
        verbosity=objects.get(spec, "logVerbosityConfig", "cdi"),
        uninstall=spec.get("uninstallStrategy"),
    )


def _gate(spec: Object, name: str) -> bool | None:
    """A feature gate: a member of an object, or of a list."""
    gates = spec.get("featureGates")
    if isinstance(gates, Mapping):
        said = gates.get(name)
        return said if isinstance(said, bool) else None
    if isinstance(gates, list):
        listed = (each for each in gates if _gate_name(each) == name)
        found = next(listed, None)
        if isinstance(found, Mapping):
            return str(found.get("state", "Enabled")) != "Disabled"
        return True if found is not None else None
    return None


def _gate_name(gate: Any) -> str:
    return str(gate.get("name") if isinstance(gate, Mapping) else gate)


def _first(*said: Any) -> Any:
    """The first that says anything."""
    return next((each for each in said if each is not None), None)
