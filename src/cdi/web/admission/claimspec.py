"""
What the claim in a DataVolume's spec may say: `pvc`, word for word, or `storage`.

Every rule is a function that returns causes, none if it is kept. `root` is the path of the
DataVolume's spec.
"""

from collections.abc import Mapping
from typing import Final

from cdi.api import quantity
from cdi.api.core.claims import PersistentVolumeClaimSpec
from cdi.api.core.metadata import TypedLocalObjectReference, TypedObjectReference
from cdi.api.kinds.datavolume import DataVolumeSpec, StorageSpec
from cdi.api.names import LONGEST_NAME
from cdi.storage import modes, sizes
from cdi.web.admission.decision import Cause

Claim = PersistentVolumeClaimSpec | StorageSpec
Reference = TypedLocalObjectReference | TypedObjectReference

_CLAIM_KIND: Final = "PersistentVolumeClaim"  # the one kind whose apiGroup may be empty


def claim_of(spec: DataVolumeSpec) -> Claim | None:
    """Return whichever of the two is given."""
    return spec.pvc if spec.pvc is not None else spec.storage


def is_populated_externally(spec: DataVolumeSpec) -> bool:
    """Tell whether somebody else fills the claim."""
    claim = claim_of(spec)
    return claim is not None and (
        claim.data_source is not None or claim.data_source_ref is not None
    )


def is_clone(spec: DataVolumeSpec) -> bool:
    """Tell whether the size can be taken from what is cloned."""
    source = spec.source
    return spec.source_ref is not None or (
        source is not None and (source.pvc is not None or source.snapshot is not None)
    )


def is_measured(spec: DataVolumeSpec) -> bool:
    """Tell whether the size can be read at the source of an import."""
    return _measurable(spec) and not _why_not_measured(spec)


def _measurable(spec: DataVolumeSpec) -> bool:
    source = spec.source
    return source is not None and any(
        getattr(source, kind) is not None for kind in sizes.MEASURABLE
    )


def _why_not_measured(spec: DataVolumeSpec) -> str:
    """Say why a source that usually does, does not say how large its content is."""
    if spec.content_type == modes.ARCHIVE:
        return "an archive does not say how much it unpacks to"
    registry = spec.source.registry if spec.source is not None else None
    if registry is not None and registry.image_stream is not None:
        return "only the node that pulls it knows the image of an image stream"
    return ""


def _why_needed(spec: DataVolumeSpec) -> str:
    told = "set resources.requests.storage"
    if not _measurable(spec):
        return told
    if why := _why_not_measured(spec):
        return f"{told}: {why}"
    return f"{told}, or use storage instead of pvc: then it is read from the source"


def one_given(spec: DataVolumeSpec, root: str) -> list[Cause]:
    """Exactly one of `pvc` and `storage`."""
    if claim_of(spec) is None:
        return [Cause("Missing Data volume PVC; give either pvc or storage", f"{root}.PVC")]
    if spec.pvc is not None and spec.storage is not None:
        message = "Both pvc and storage are given; give one of them"
        return [Cause(message, f"{root}.PVC.Storage")]
    return []


def size_large_enough(spec: DataVolumeSpec, root: str) -> list[Cause]:
    """A size, unless it can be taken from a source; not less than 1 MiB."""
    claim = claim_of(spec)
    block = "PVC" if spec.pvc is not None else "Storage"
    field = f"{root}.{block}.resources.requests.size"
    asked = None
    if claim is not None and claim.resources is not None:
        asked = (claim.resources.requests or {}).get("storage")
    if asked is None:
        if spec.storage is not None and (is_clone(spec) or is_measured(spec)):
            return []
        return [Cause(f"PVC size is missing; {_why_needed(spec)}", field)]
    try:
        size = quantity.parse(asked)
        in_bytes = size.value()
    except quantity.InvalidQuantity as error:
        return [Cause(f"PVC size is not valid: {error}", field)]
    if size.number <= 0:
        return [Cause("PVC size can't be equal or less than zero", field)]
    if in_bytes < sizes.SMALLEST:
        return [Cause(f"PVC size is {asked}: it has to be at least 1Mi", field)]
    return []


def class_name_short_enough(spec: DataVolumeSpec, _root: str) -> list[Cause]:
    """A class name is the name of an object."""
    claim = claim_of(spec)
    name = (claim.storage_class_name if claim is not None else None) or ""
    if len(name) <= LONGEST_NAME:
        return []
    message = f"Storage class name has {len(name)} characters: at most {LONGEST_NAME} are possible"
    return [Cause(message, "")]


def access_modes_known(spec: DataVolumeSpec, root: str) -> list[Cause]:
    """`pvc` has exactly one access mode, `storage` any number; all of them exist."""
    field = f"{root}.PVC.accessModes"
    claim = claim_of(spec)
    given = (claim.access_modes if claim is not None else None) or []
    if spec.pvc is not None and not given:
        return [Cause("Required value: at least 1 access mode is required", field)]
    if spec.pvc is not None and len(given) > 1:
        return [Cause("PVC multiple accessModes; give one", field)]
    known = ", ".join(f'"{mode}"' for mode in modes.ACCESS_MODES)
    return [
        Cause(f'Unsupported value: "{mode}": supported values: {known}', field)
        for mode in given
        if mode not in modes.ACCESS_MODES
    ][:1]


def external_population(spec: DataVolumeSpec, root: str) -> list[Cause]:
    """Whoever else fills the claim does so alone, and is named in full. All causes are told."""
    claim = claim_of(spec)
    if claim is None:
        return []
    causes: list[Cause] = []
    if spec.source is not None or spec.source_ref is not None:
        message = "External population is incompatible with Source and SourceRef"
        causes.append(Cause(message, f"{root}.source"))
    source, reference = claim.data_source, claim.data_source_ref
    if source is not None and reference is not None and not _point_alike(source, reference):
        causes.append(Cause("dataSource and dataSourceRef must point to the same object", ""))
    if source is not None:
        causes += _named_in_full(source, f"{root}.dataSource")
    if reference is not None:
        if reference.namespace:
            message = "dataSourceRef in another namespace is not supported"
            causes.append(Cause(message, f"{root}.dataSourceRef.namespace"))
        causes += _named_in_full(reference, f"{root}.dataSourceRef")
    return causes


def _point_alike(one: Reference, other: Reference) -> bool:
    return (one.api_group or "", one.kind, one.name) == (
        other.api_group or "",
        other.kind,
        other.name,
    )


def _named_in_full(reference: Reference, field: str) -> list[Cause]:
    wanted: Mapping[str, str | None] = {"name": reference.name, "kind": reference.kind}
    if reference.kind != _CLAIM_KIND:
        wanted = {**wanted, "apiGroup": reference.api_group}
    return [
        Cause(f"Required value: {key} is empty", f"{field}.{key}")
        for key, value in wanted.items()
        if not value
    ]
