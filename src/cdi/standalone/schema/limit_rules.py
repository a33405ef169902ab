"""Rules for quotas and limit ranges: names, scopes and amounts that make sense, and together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cdi.api import quantity
from cdi.api.quantity import InvalidQuantity, Quantity
from cdi.standalone.schema import causes, names, usage
from cdi.standalone.schema.causes import FieldError

Object = dict[str, Any]

_COUNTS = usage.COUNTED | {"pods", "services.loadbalancers", "services.nodeports"}
_COMPUTE = frozenset(
    f"{prefix}{name}"
    for prefix in ("", "requests.", "limits.")
    for name in ("cpu", "memory", "ephemeral-storage")
)
_STANDARD = _COUNTS | _COMPUTE | {"requests.storage"}
_PREFIXES = ("hugepages-", "requests.hugepages-")
_SCOPES = frozenset(
    {
        "BestEffort",
        "CrossNamespacePodAffinity",
        "NotBestEffort",
        "NotTerminating",
        "PriorityClass",
        "Terminating",
        "VolumeAttributesClass",
    }
)
_OPPOSITES = (("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating"))
_TYPES = ("Pod", "Container", "PersistentVolumeClaim")


def resource_quota(obj: Object, old: Object | None) -> Iterator[FieldError]:
    """Names that a quota can be about, amounts that can be reached, scopes that fit both."""
    spec = obj.get("spec") or {}
    for name, text in (spec.get("hard") or {}).items():
        yield from _check_name(name, f"spec.hard[{name}]")
        yield from _check_amount(name, text, f"spec.hard[{name}]")
    yield from _check_scopes(spec)
    if old is not None and spec.get("scopes") != (old.get("spec") or {}).get("scopes"):
        yield causes.invalid("spec.scopes", spec.get("scopes"), "field is immutable")


def _check_name(name: str, path: str) -> Iterator[FieldError]:
    if objections := names.qualified(name):
        yield from (causes.invalid(path, name, objection) for objection in objections)
    elif "/" not in name and name not in _STANDARD and not name.startswith(_PREFIXES):
        detail = "must be a standard resource type or fully qualified"
        yield causes.invalid(path, name, detail)
        yield causes.invalid(path, name, "must be a standard resource for quota")


def _check_amount(name: str, text: Any, path: str) -> Iterator[FieldError]:
    try:
        amount = quantity.parse(text)
    except InvalidQuantity:
        yield causes.invalid(path, text, "must be a quantity")
        return
    if amount < usage.NONE:
        yield causes.invalid(path, str(amount), "must be greater than or equal to 0")
    counts = name in _COUNTS or name.startswith("count/")
    if counts and amount.number != amount.number.to_integral_value():
        yield causes.invalid(path, str(amount), "must be an integer")


def _check_scopes(spec: Object) -> Iterator[FieldError]:
    scopes = spec.get("scopes") or []
    if not scopes:
        return
    for scope in scopes:
        if scope not in _SCOPES:
            yield causes.invalid("spec.scopes", scopes, "unsupported scope")
        elif any(not _fits(scope, name) for name in spec.get("hard") or {}):
            yield causes.invalid("spec.scopes", scopes, "unsupported scope applied to resource")
    if any(set(pair) <= set(scopes) for pair in _OPPOSITES):
        yield causes.invalid("spec.scopes", scopes, "conflicting scopes")


def _fits(scope: str, name: str) -> bool:
    """Whether a scope can choose among what a name counts."""
    if scope == "BestEffort":
        return name == "pods"
    if scope == "VolumeAttributesClass":
        return name in ("persistentvolumeclaims", "requests.storage") or usage.OF_CLASS in name
    return name == "pods" or name in _COMPUTE


def limit_range(obj: Object, old: Object | None) -> Iterator[FieldError]:
    """Each kind once, and bounds in the order of their size."""
    del old
    seen: set[str] = set()
    for index, item in enumerate((obj.get("spec") or {}).get("limits") or ()):
        path, kind = f"spec.limits[{index}]", item.get("type", "")
        if kind not in _TYPES and "/" not in kind:
            detail = "must be a standard limit type or fully qualified"
            yield causes.invalid(f"{path}.type", kind, detail)
            continue
        if kind in seen:
            yield causes.duplicate(f"{path}.type", kind)
        seen.add(kind)
        yield from _check_item(item, path)


def _check_item(item: Object, path: str) -> Iterator[FieldError]:
    kind = item.get("type")
    if kind == "Pod":
        for key in ("default", "defaultRequest"):
            if item.get(key):
                detail = "may not be specified when `type` is 'Pod'"
                yield causes.forbidden(f"{path}.{key}", detail)
    if kind == "PersistentVolumeClaim" and not any(
        "storage" in (item.get(key) or {}) for key in ("min", "max")
    ):
        detail = "either minimum or maximum storage value is required, but neither was provided"
        yield causes.required(f"{path}.limits", detail)
    keys = ("min", "max", "default", "defaultRequest", "maxLimitRequestRatio")
    named = {name for key in keys for name in item.get(key) or {}}
    for name in sorted(named):
        given = {key: quantity.parse(item[key][name]) for key in keys if name in item.get(key, {})}
        yield from _check_order(name, given, path)


# Each bound with one that it may not exceed, where the objection stands, and how both are called.
_ORDER = (
    ("min", "max", "min", "min", "max"),
    ("min", "defaultRequest", "defaultRequest", "min", "default request"),
    ("defaultRequest", "max", "defaultRequest", "default request", "max"),
    ("defaultRequest", "default", "defaultRequest", "default request", "default limit"),
    ("min", "default", "default", "min", "default"),
    ("default", "max", "default", "default", "max"),
)


def _check_order(name: str, given: dict[str, Quantity], path: str) -> Iterator[FieldError]:
    for low, high, place, low_word, high_word in _ORDER:
        if low in given and high in given and given[low] > given[high]:
            # Of the default limit Kubernetes shows the bound that it breaks.
            shown = given[high] if place == "default" and high == "max" else given[place]
            shown = given[low] if place == "default" and low == "min" else shown
            detail = (
                f"{low_word} value {given[low]} is greater than {high_word} value {given[high]}"
            )
            yield causes.invalid(f"{path}.{place}[{name}]", str(shown), detail)
    ratio = given.get("maxLimitRequestRatio")
    if ratio is not None and ratio < usage.ONE:
        detail = f"ratio {ratio} is less than 1"
        yield causes.invalid(f"{path}.maxLimitRequestRatio[{name}]", str(ratio), detail)
