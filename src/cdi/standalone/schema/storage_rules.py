"""Rules for volumes, claims, classes, drivers and snapshots."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cdi.standalone.schema import causes, definitions, names
from cdi.standalone.schema.causes import FieldError
from cdi.standalone.schema.quantities import InvalidQuantity, parse_quantity

Object = dict[str, Any]

_IMMUTABLE = "field is immutable"
_CLAIM_IMMUTABLE = (
    "spec is immutable after creation except resources.requests and volumeAttributesClassName "
    "for bound claims"
)


def claim(obj: Object, old: Object | None) -> Iterator[FieldError]:
    """A claim's spec; once made, only its size may grow and the binder may name the volume."""
    spec = obj.get("spec") or {}
    yield from claim_spec(spec, "spec")
    if old is not None:
        yield from _claim_update(obj, old)


def claim_spec(spec: Object, path: str) -> Iterator[FieldError]:
    """Also for the claim templates of other kinds."""
    modes = spec.get("accessModes") or []
    if not modes:
        yield causes.required(f"{path}.accessModes", "at least 1 access mode is required")
    if "ReadWriteOncePod" in modes and len(modes) > 1:
        detail = "may not use ReadWriteOncePod with other access modes"
        yield causes.forbidden(f"{path}.accessModes", detail)
    yield from _storage_request(spec, path)
    if name := spec.get("storageClassName"):
        for objection in names.subdomain(name):
            yield causes.invalid(f"{path}.storageClassName", name, objection)
    yield from _data_sources(spec, path)


def _storage_request(spec: Object, path: str) -> Iterator[FieldError]:
    where = f"{path}.resources[storage]"
    size = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    if size is None:
        yield causes.required(where)
        return
    try:
        if parse_quantity(size) <= 0:
            yield causes.invalid(where, size, "must be greater than zero")
    except InvalidQuantity:
        yield causes.invalid(where, size, "must be a quantity")


def _data_sources(spec: Object, path: str) -> Iterator[FieldError]:
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    for key, given in (("dataSource", source), ("dataSourceRef", reference)):
        if given is not None:
            yield from _data_source(given, f"{path}.{key}")
    if source and reference and not reference.get("namespace"):
        left = {key: source.get(key) or None for key in ("apiGroup", "kind", "name")}
        right = {key: reference.get(key) or None for key in ("apiGroup", "kind", "name")}
        if left != right:
            yield causes.invalid(path, spec, "must match dataSourceRef")


def _data_source(given: Object, path: str) -> Iterator[FieldError]:
    for field in ("kind", "name"):
        if not given.get(field):
            yield causes.required(f"{path}.{field}")
    if not given.get("apiGroup") and given.get("kind") not in (None, "", "PersistentVolumeClaim"):
        detail = "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
        yield causes.invalid(path, given["kind"], detail)


def _claim_update(obj: Object, old: Object) -> Iterator[FieldError]:
    before, after = old.get("spec") or {}, obj.get("spec") or {}
    bound = (old.get("status") or {}).get("phase") == "Bound"
    if _fixed_part(before, after, bound) != _fixed_part(after, after, bound):
        yield causes.forbidden("spec", _CLAIM_IMMUTABLE)
        return
    was = parse_quantity(_size(before) or "0")
    now = parse_quantity(_size(after) or "0")
    if now < was:
        capacity = ((old.get("status") or {}).get("capacity") or {}).get("storage")
        floor = was if capacity is None else parse_quantity(capacity)
        if now < floor or not bound:
            detail = "field can not be less than status.capacity"
            yield causes.forbidden("spec.resources.requests.storage", detail)
    elif now > was and not bound:
        yield causes.forbidden("spec", _CLAIM_IMMUTABLE)


def _size(spec: Object) -> Any:
    return ((spec.get("resources") or {}).get("requests") or {}).get("storage")


def _fixed_part(spec: Object, after: Object, bound: bool) -> Object:
    """What may not change. A volume's name may be set once, as may a class left open."""
    fixed = dict(spec)
    resources = {**(fixed.get("resources") or {}), "requests": {}}
    fixed["resources"] = resources
    for once in ("volumeName", "storageClassName"):
        if not fixed.get(once):
            fixed[once] = after.get(once)
    if bound:
        fixed["volumeAttributesClassName"] = None
    return {key: value for key, value in fixed.items() if value not in (None, "", {}, [])}


_NOT_SOURCES = frozenset(
    (
        "accessModes",
        "capacity",
        "claimRef",
        "mountOptions",
        "nodeAffinity",
        "persistentVolumeReclaimPolicy",
        "storageClassName",
        "volumeAttributesClassName",
        "volumeMode",
    )
)


def _sources(spec: Object) -> Object:
    known = definitions.schema_of("core/v1", "PersistentVolumeSpec")["properties"]
    return {
        key: value
        for key, value in spec.items()
        if key in known and key not in _NOT_SOURCES and value is not None
    }


def volume(obj: Object, old: Object | None) -> Iterator[FieldError]:
    """A volume has modes, a size and exactly one source, which never changes."""
    spec = obj.get("spec") or {}
    if not spec.get("accessModes"):
        yield causes.required("spec.accessModes")
    yield from _capacity(spec.get("capacity") or {})
    sources = _sources(spec)
    if not sources:
        yield causes.required("spec", "must specify a volume type")
    for extra in sorted(sources)[1:]:
        yield causes.forbidden(f"spec.{extra}", "may not specify more than 1 volume type")
    if "local" in sources and not spec.get("nodeAffinity"):
        yield causes.required("spec.nodeAffinity", "Local volume requires node affinity")
    if old is None:
        return
    before = old.get("spec") or {}
    if _sources(before) != sources:
        detail = "spec.persistentvolumesource is immutable after creation"
        yield causes.forbidden("spec.persistentvolumesource", detail)
    if before.get("volumeMode") != spec.get("volumeMode"):
        yield causes.invalid("spec.volumeMode", spec.get("volumeMode"), _IMMUTABLE)
    if before.get("nodeAffinity") and before["nodeAffinity"] != spec.get("nodeAffinity"):
        yield causes.invalid("spec.nodeAffinity", spec.get("nodeAffinity"), _IMMUTABLE)


def _capacity(capacity: Object) -> Iterator[FieldError]:
    if not capacity:
        yield causes.required("spec.capacity")
    elif set(capacity) != {"storage"}:
        yield causes.unsupported("spec.capacity", capacity, ("storage",))
    for key, size in capacity.items():
        try:
            if parse_quantity(size) <= 0:
                yield causes.invalid(f"spec.capacity[{key}]", size, "must be greater than zero")
        except InvalidQuantity:
            yield causes.invalid(f"spec.capacity[{key}]", size, "must be a quantity")


def storage_class(obj: Object, old: Object | None) -> Iterator[FieldError]:
    """A class names its provisioner, and what provisioning depends on never changes."""
    provisioner = obj.get("provisioner") or ""
    for objection in names.qualified(provisioner.lower()) if provisioner else ():
        yield causes.invalid("provisioner", provisioner, objection)
    for key in obj.get("parameters") or {}:
        if not key:
            yield causes.invalid("parameters", "", "field can not be empty.")
    if old is None:
        return
    for key in ("parameters", "provisioner", "reclaimPolicy"):
        if (obj.get(key) or None) != (old.get(key) or None):
            yield causes.forbidden(key, f"updates to {key} are forbidden.")
    if obj.get("volumeBindingMode") != old.get("volumeBindingMode"):
        yield causes.invalid("volumeBindingMode", obj.get("volumeBindingMode"), _IMMUTABLE)


def csi_driver(obj: Object, old: Object | None) -> Iterator[FieldError]:
    """How a driver attaches and when it was told to keep state never changes."""
    if old is None:
        return
    before, after = old.get("spec") or {}, obj.get("spec") or {}
    for key in ("attachRequired", "volumeLifecycleModes"):
        if before.get(key) != after.get(key):
            yield causes.invalid(f"spec.{key}", after.get(key), _IMMUTABLE)


def snapshot(obj: Object, old: Object | None) -> Iterator[FieldError]:
    """A snapshot has exactly one source, which never changes."""
    source = (obj.get("spec") or {}).get("source") or {}
    if len(source) != 1:
        detail = (
            "exactly one of volumeSnapshotContentName and persistentVolumeClaimName must be set"
        )
        yield causes.invalid("spec.source", source, detail)
    for key in ("persistentVolumeClaimName", "volumeSnapshotContentName"):
        before = ((old or {}).get("spec") or {}).get("source") or {}
        if key in before and before.get(key) != source.get(key):
            yield causes.invalid(f"spec.source.{key}", source.get(key), f"{key} is immutable")


def snapshot_class(obj: Object, old: Object | None) -> Iterator[FieldError]:
    """A class of snapshots never changes what it does with them."""
    for key in ("driver", "deletionPolicy", "parameters"):
        if old is not None and obj.get(key) != old.get(key):
            yield causes.invalid(key, obj.get(key), f"{key} is immutable once set")
