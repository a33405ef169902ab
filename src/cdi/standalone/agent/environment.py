"""
A container's environment: plain values, references to other objects, and `$(NAME)`.

What is not in the container's list is not in its environment, except for what a process on this
machine needs to run at all; and of the list, a worker gets what its order knows (`roles`). Raises
Missing for a reference that leads nowhere.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from cdi.kube import objects
from cdi.kube.objects import Object

# A worker has neither our proxies nor our credentials; those it needs are in its order.
INHERITED = (
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)

_REFERENCE = re.compile(r"\$\$|\$\(([-._a-zA-Z][-._a-zA-Z0-9]*)\)")

# Returns the Secret or ConfigMap of a name, or None.
Lookup = Callable[[str, str], Awaitable[Object | None]]


class Missing(Exception):
    """Something that a container refers to does not exist."""


async def environment_for(container: Object, pod: Object, lookup: Lookup) -> dict[str, str]:
    """Return what the list `env` of a container comes to. `envFrom` is not used by workers."""
    found: dict[str, str] = {}
    for entry in container.get("env") or []:
        name = str(entry["name"])
        if source := entry.get("valueFrom"):
            value = await _referred(source, container, pod, lookup)
            if value is not None:
                found[name] = value
        else:
            found[name] = expanded(str(entry.get("value") or ""), found)
    return found


def expanded(text: str, known: Mapping[str, str]) -> str:
    """Replace `$(NAME)` by a variable that stands before, and `$$` by `$`."""

    def replaced(match: re.Match[str]) -> str:
        name = match[1]
        return "$" if name is None else known.get(name, match[0])

    return _REFERENCE.sub(replaced, text)


async def _referred(
    source: Mapping[str, Any], container: Object, pod: Object, lookup: Lookup
) -> str | None:
    if reference := source.get("secretKeyRef"):
        return await _key_of("secret", reference, lookup)
    if reference := source.get("configMapKeyRef"):
        return await _key_of("configmap", reference, lookup)
    if reference := source.get("fieldRef"):
        return field_of(pod, str(reference.get("fieldPath", "")))
    if reference := source.get("resourceFieldRef"):
        path = str(reference.get("resource", "")).split(".", 1)
        return str(objects.get(container, "resources", *path, default="0"))
    return ""


async def _key_of(kind: str, reference: Mapping[str, Any], lookup: Lookup) -> str | None:
    name, key = str(reference.get("name", "")), str(reference.get("key", ""))
    found = await lookup(kind, name)
    optional = bool(reference.get("optional"))
    if found is None:
        if optional:
            return None
        raise Missing(f'{kind} "{name}" not found')
    data = data_of(kind, found)
    if key not in data:
        if optional:
            return None
        namespace = objects.namespace(found)
        raise Missing(f"couldn't find key {key} in {_KINDS[kind]} {namespace}/{name}")
    return data[key].decode("utf-8", "replace")


_KINDS = {"secret": "Secret", "configmap": "ConfigMap"}


def data_of(kind: str, obj: Object) -> dict[str, bytes]:
    """Return the entries of a Secret or a ConfigMap as bytes."""
    if kind == "secret":
        return {key: _decoded(text) for key, text in (obj.get("data") or {}).items()}
    plain = {key: str(text).encode() for key, text in (obj.get("data") or {}).items()}
    binary = {key: _decoded(text) for key, text in (obj.get("binaryData") or {}).items()}
    return plain | binary


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except (binascii.Error, ValueError) as error:
        raise Missing("a Secret or ConfigMap holds an entry that is not base64") from error


def field_of(pod: Object, path: str) -> str:
    """Return a field of the pod by its downward path, such as `metadata.name`."""
    found = re.fullmatch(r"metadata\.(labels|annotations)\['([^']+)'\]", path)
    if found:
        return str(objects.get(pod, "metadata", found[1], found[2], default=""))
    return str(objects.get(pod, *path.split("."), default=""))
