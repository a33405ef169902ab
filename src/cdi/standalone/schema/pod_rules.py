"""Rules for pods and pod templates."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from cdi.standalone.schema import causes, names
from cdi.standalone.schema.causes import FieldError
from cdi.standalone.schema.quantities import InvalidQuantity, parse_quantity
from cdi.standalone.schema.service_rules import HIGHEST_PORT, PORT_RULE

Object = dict[str, Any]

_UPDATE_RULE = (
    "pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only "
    "additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be "
    "set to 1 if it was previously negative)"
)


def pod(obj: Object, old: Object | None) -> Iterator[FieldError]:
    """A pod's spec, of which an update may change next to nothing."""
    spec = obj.get("spec") or {}
    yield from pod_spec(spec, "spec")
    if old is not None:
        yield from _update(spec, old.get("spec") or {})


def pod_spec(spec: Object, path: str) -> Iterator[FieldError]:
    """Also for the templates of other kinds."""
    volumes: set[str] = set()
    for index, volume in enumerate(spec.get("volumes") or ()):
        yield from _volume(volume, f"{path}.volumes[{index}]", volumes)
    if not spec.get("containers"):
        yield causes.required(f"{path}.containers")
    taken: set[str] = set()
    for key in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(key) or ()):
            yield from _container(container, f"{path}.{key}[{index}]", volumes, taken)
    if (deadline := spec.get("activeDeadlineSeconds")) is not None and deadline <= 0:
        detail = "must be between 1 and 2147483647, inclusive"
        yield causes.invalid(f"{path}.activeDeadlineSeconds", deadline, detail)
    yield from _account(spec, path)


def _account(spec: Object, path: str) -> Iterator[FieldError]:
    for key in ("serviceAccountName", "nodeName"):
        name = spec.get(key)
        for objection in names.subdomain(name) if name else ():
            yield causes.invalid(f"{path}.{key}", name, objection)


def _named(name: str, path: str, taken: set[str]) -> Iterator[FieldError]:
    """A name of its own, with the shape of a label."""
    if not name:
        yield causes.required(f"{path}.name")
    elif objections := names.label(name):
        yield from (causes.invalid(f"{path}.name", name, each) for each in objections)
    elif name in taken:
        yield causes.duplicate(f"{path}.name", name)
    taken.add(name)


def _volume(volume: Object, path: str, taken: set[str]) -> Iterator[FieldError]:
    yield from _named(volume.get("name", ""), path, taken)
    sources = [key for key, value in volume.items() if key != "name" and value is not None]
    if not sources:
        yield causes.required(path, "must specify a volume type")
    for extra in sources[1:]:
        yield causes.forbidden(f"{path}.{extra}", "may not specify more than 1 volume type")
    claim = volume.get("persistentVolumeClaim")
    if claim is not None and not claim.get("claimName"):
        yield causes.required(f"{path}.persistentVolumeClaim.claimName")


def _container(
    container: Object, path: str, volumes: set[str], taken: set[str]
) -> Iterator[FieldError]:
    yield from _named(container.get("name", ""), path, taken)
    image = container.get("image", "")
    if not image:
        yield causes.required(f"{path}.image")
    elif image != image.strip():
        detail = "must not have leading or trailing whitespace"
        yield causes.invalid(f"{path}.image", image, detail)
    yield from _ports(container, path)
    for index, variable in enumerate(container.get("env") or ()):
        yield from _variable(variable, f"{path}.env[{index}]")
    yield from _mounts(container, path, volumes)
    yield from _resources(container.get("resources") or {}, f"{path}.resources")


def _ports(container: Object, path: str) -> Iterator[FieldError]:
    taken: set[str] = set()
    for index, port in enumerate(container.get("ports") or ()):
        where = f"{path}.ports[{index}]"
        number = port.get("containerPort", 0)
        if not number:
            yield causes.required(f"{where}.containerPort")
        elif not 1 <= number <= HIGHEST_PORT:
            yield causes.invalid(f"{where}.containerPort", number, PORT_RULE)
        name = port.get("name")
        if name and name in taken:
            yield causes.duplicate(f"{where}.name", name)
        taken.add(name)


def _variable(variable: Object, path: str) -> Iterator[FieldError]:
    name = variable.get("name", "")
    if not name:
        yield causes.required(f"{path}.name")
    else:
        yield from (causes.invalid(f"{path}.name", name, each) for each in names.env_name(name))
    source = variable.get("valueFrom")
    if source is None:
        return
    if variable.get("value"):
        detail = "may not be specified when `value` is not empty"
        yield causes.invalid(f"{path}.valueFrom", "", detail)
    elif len(source) != 1:
        detail = (
            "may not have more than one field specified at a time"
            if source
            else "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or "
            "`secretKeyRef`"
        )
        yield causes.invalid(f"{path}.valueFrom", "", detail)


def _mounts(container: Object, path: str, volumes: set[str]) -> Iterator[FieldError]:
    places: set[str] = set()
    for key, place_key in (("volumeMounts", "mountPath"), ("volumeDevices", "devicePath")):
        for index, mount in enumerate(container.get(key) or ()):
            where = f"{path}.{key}[{index}]"
            name, place = mount.get("name", ""), mount.get(place_key, "")
            if not name:
                yield causes.required(f"{where}.name")
            elif name not in volumes:
                yield causes.not_found(f"{where}.name", name)
            if not place:
                yield causes.required(f"{where}.{place_key}")
            elif place in places:
                yield causes.invalid(f"{where}.{place_key}", place, "must be unique")
            places.add(place)


def _resources(resources: Object, path: str) -> Iterator[FieldError]:
    limits = resources.get("limits") or {}
    for word in ("limits", "requests"):
        for name, value in (resources.get(word) or {}).items():
            try:
                number = parse_quantity(value)
            except InvalidQuantity:
                yield causes.invalid(f"{path}.{word}[{name}]", value, "must be a quantity")
                continue
            if number < 0:
                detail = "must be greater than or equal to 0"
                yield causes.invalid(f"{path}.{word}[{name}]", value, detail)
            elif word == "requests" and name in limits and number > parse_quantity(limits[name]):
                detail = f"must be less than or equal to {name} limit of {limits[name]}"
                yield causes.invalid(f"{path}.requests", value, detail)


def _update(spec: Object, before: Object) -> Iterator[FieldError]:
    if _fixed_part(spec) != _fixed_part(before):
        yield causes.forbidden("spec", _UPDATE_RULE)
        return
    kept = spec.get("tolerations") or []
    if any(each not in kept for each in before.get("tolerations") or ()):
        detail = "existing toleration can not be modified except its tolerationSeconds"
        yield causes.forbidden("spec.tolerations", detail)


def _fixed_part(spec: Object) -> Object:
    """The spec less what an update may change. The scheduler's part comes through a binding."""
    fixed = copy.deepcopy(spec)
    for key in ("activeDeadlineSeconds", "tolerations", "ephemeralContainers"):
        fixed.pop(key, None)
    if fixed.get("schedulingGates"):
        fixed.pop("schedulingGates")
    for key in ("containers", "initContainers"):
        for container in fixed.get(key) or ():
            container.pop("image", None)
    return fixed
