"""
User and password for a registry, out of the file that container tools keep them in.

Both forms of the file are read, Docker's (`config.json`, the `.dockerconfigjson` of a Secret) and
that of podman and skopeo (`auth.json`), in which a key may name a part of a registry as well.
Programs that such a file names are never run. Raises InvalidRequest; no message repeats a secret.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cdi.images import errors
from cdi.images.sources.registry.reference import Reference

_LIMIT = 1 << 20
_HUB_KEYS = ("docker.io", "index.docker.io", "registry-1.docker.io")


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user and a password, or neither."""

    user: str = ""
    password: str = field(default="", repr=False)

    def __bool__(self) -> bool:
        return bool(self.user and self.password)


def read_file(path: Path, image: Reference) -> Credentials:
    """Return what the file has for the registry of an image."""
    try:
        with path.open("rb") as file:
            content = file.read(_LIMIT + 1)
    except OSError as error:
        raise errors.InvalidRequest(
            f"the registry credentials in {path} cannot be read: {error.strerror}"
        ) from error
    if len(content) > _LIMIT:
        raise errors.InvalidRequest(f"{path} is too large for a file of registry credentials")
    try:
        return find(json.loads(content), image)
    except (ValueError, RecursionError):
        raise errors.InvalidRequest(
            f"{path} holds no registry credentials: want JSON with a member `auths`"
        ) from None


def find(config: Any, image: Reference) -> Credentials:
    """Return what fits an image best; nothing where nothing does. Raises ValueError."""
    # Secrets of the older type kubernetes.io/dockercfg are the inner object alone.
    auths = config.get("auths", config) if isinstance(config, dict) else None
    if not isinstance(auths, dict):
        raise ValueError  # noqa: TRY004 - of a document, not of an argument
    known = {_bare(key): entry for key, entry in auths.items() if isinstance(entry, dict)}
    for key in _keys(image):
        if key in known:
            return _credentials(known[key])
    return Credentials()


def _keys(image: Reference) -> Iterator[str]:
    """Yield what may stand for an image, from the whole name to the host."""
    path = image.repository.split("/")
    for length in range(len(path), 0, -1):
        yield "/".join([image.host, *path[:length]])
    yield from _HUB_KEYS if image.host in _HUB_KEYS else (image.host,)


def _bare(key: str) -> str:
    key = key.partition("://")[2] or key
    for suffix in ("/", "/v1", "/v2"):
        key = key.removesuffix(suffix)
    return key.lower()


def _credentials(entry: dict[str, Any]) -> Credentials:
    if entry.get("username"):
        user, password = str(entry["username"]), str(entry.get("password") or "")
        return Credentials(user.rstrip("\r\n"), password.rstrip("\r\n"))
    if not entry.get("auth"):
        return Credentials()
    try:
        text = base64.b64decode(str(entry["auth"]), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise ValueError from None
    user, _, password = text.strip("\0\r\n").partition(":")
    return Credentials(user, password)
