"""Rules for secrets, config maps, leases, roles and priority classes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cdi.standalone.schema import causes, names
from cdi.standalone.schema.causes import FieldError

Object = dict[str, Any]

DATA_LIMIT = 1024 * 1024
"""Bytes of all values of one secret or config map."""

_FROZEN = "field is immutable when `immutable` is set"

_TLS_KEYS = ("tls.crt", "tls.key")
_REQUIRED_KEYS = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": _TLS_KEYS,
}


def secret(obj: Object, old: Object | None) -> Iterator[FieldError]:
    """Keys, size, what the type asks for, and what never changes."""
    data = obj.get("data") or {}
    yield from _keys("data", data)
    # Three bytes are four characters of base64.
    if sum(len(text or "") * 3 // 4 for text in data.values()) > DATA_LIMIT:
        yield causes.too_long("data", "", DATA_LIMIT)
    for key in _REQUIRED_KEYS.get(obj.get("type", ""), ()):
        if key not in data:
            yield causes.required(f"data[{key}]")
    if obj.get("type") == "kubernetes.io/basic-auth" and not {"username", "password"} & set(data):
        yield causes.required("data[username]")
        yield causes.required("data[password]")
    if old is not None:
        if obj.get("type") != old.get("type"):
            yield causes.invalid("type", obj.get("type"), "field is immutable")
        yield from _frozen(obj, old, ("data",))


def config_map(obj: Object, old: Object | None) -> Iterator[FieldError]:
    """Keys, which are in one of both maps, and size."""
    data, binary = obj.get("data") or {}, obj.get("binaryData") or {}
    yield from _keys("data", data)
    yield from _keys("binaryData", binary)
    for key in data:
        if key in binary:
            yield causes.invalid(f"data[{key}]", key, "duplicate of key present in binaryData")
    size = sum(len((text or "").encode()) for text in data.values())
    if size + sum(len(text or "") * 3 // 4 for text in binary.values()) > DATA_LIMIT:
        yield causes.too_long("", "", DATA_LIMIT)
    if old is not None:
        yield from _frozen(obj, old, ("data", "binaryData"))


def _keys(path: str, data: Object) -> Iterator[FieldError]:
    for key in data:
        yield from (causes.invalid(f"{path}[{key}]", key, each) for each in names.config_key(key))


def _frozen(obj: Object, old: Object, fields: tuple[str, ...]) -> Iterator[FieldError]:
    if not old.get("immutable"):
        return
    if not obj.get("immutable"):
        yield causes.forbidden("immutable", _FROZEN)
    for key in fields:
        if (obj.get(key) or {}) != (old.get(key) or {}):
            yield causes.forbidden(key, _FROZEN)


def lease(obj: Object, old: Object | None) -> Iterator[FieldError]:
    """A lease lasts for a time, and changes hands no less than never."""
    del old
    spec = obj.get("spec") or {}
    if (duration := spec.get("leaseDurationSeconds")) is not None and duration <= 0:
        yield causes.invalid("spec.leaseDurationSeconds", duration, "must be greater than 0")
    if (transitions := spec.get("leaseTransitions")) is not None and transitions < 0:
        detail = "must be greater than or equal to 0"
        yield causes.invalid("spec.leaseTransitions", transitions, detail)


def role(obj: Object, old: Object | None) -> Iterator[FieldError]:
    """Every rule has verbs, and groups and resources, or paths."""
    del old
    namespaced = bool((obj.get("metadata") or {}).get("namespace"))
    for index, rule in enumerate(obj.get("rules") or ()):
        path = f"rules[{index}]"
        if not rule.get("verbs"):
            yield causes.required(f"{path}.verbs", "verbs must contain at least one value")
        if urls := rule.get("nonResourceURLs"):
            if namespaced:
                detail = "namespaced rules cannot apply to non-resource URLs"
                yield causes.invalid(f"{path}.nonResourceURLs", urls, detail)
            continue
        if not rule.get("apiGroups"):
            detail = "resource rules must supply at least one api group"
            yield causes.required(f"{path}.apiGroups", detail)
        if not rule.get("resources"):
            detail = "resource rules must supply at least one resource"
            yield causes.required(f"{path}.resources", detail)


def role_binding(obj: Object, old: Object | None) -> Iterator[FieldError]:
    """Whom a binding binds may change, to what it binds may not."""
    for index, subject in enumerate(obj.get("subjects") or ()):
        path = f"subjects[{index}]"
        kind = subject.get("kind")
        if kind == "ServiceAccount" and not subject.get("namespace"):
            yield causes.required(f"{path}.namespace")
        elif kind and kind not in ("ServiceAccount", "User", "Group"):
            yield causes.unsupported(f"{path}.kind", kind, ("ServiceAccount", "User", "Group"))
    role_ref = obj.get("roleRef") or {}
    if old is not None and role_ref != (old.get("roleRef") or {}):
        yield causes.invalid("roleRef", role_ref, "cannot change roleRef")


_HIGHEST_USER_PRIORITY = 1_000_000_000


def priority_class(obj: Object, old: Object | None) -> Iterator[FieldError]:
    """Users' priorities stay below those of the system, and never change."""
    value = obj.get("value", 0)
    name = (obj.get("metadata") or {}).get("name", "")
    if not name.startswith("system-") and value > _HIGHEST_USER_PRIORITY:
        detail = f"maximum allowed value of a user defined priority is {_HIGHEST_USER_PRIORITY}"
        yield causes.forbidden("value", detail)
    if old is not None and value != old.get("value", 0):
        yield causes.forbidden("value", "may not be changed in an update.")
    if old is not None and obj.get("preemptionPolicy") != old.get("preemptionPolicy"):
        policy = obj.get("preemptionPolicy")
        yield causes.invalid("preemptionPolicy", policy, "field is immutable")
