"""
An image that a person names on a command line, with what container tools of the same person use.

User and password are taken from where `podman login` and `docker login` leave them, unless they
are given. Platforms are written as `arm64` or `linux/arm/v7`.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cdi.images import errors
from cdi.images.http.options import HttpOptions
from cdi.images.sources.registry import image, platforms
from cdi.images.sources.registry.credentials import Credentials
from cdi.images.sources.spec import SourceSpec


@contextmanager
def prepare(
    place: str,
    options: HttpOptions,
    environment: Mapping[str, str],
    platform: str,
    halt: threading.Event,
) -> Iterator[SourceSpec]:
    """Yield the disk in the image that `place` names; see `image.open_image`."""
    if options.headers or options.secret_headers:
        raise errors.InvalidRequest("a registry is asked without extra headers; leave them out")
    wanted = image.Wanted(
        url=place,
        options=dataclasses.replace(options, user="", password=""),
        credentials=Credentials(options.user, options.password),
        auth_file=auth_file(environment),
        platform=platforms.parse_platform(platform) if platform else None,
    )
    yield image.open_image(wanted, halt)


def auth_file(environment: Mapping[str, str]) -> Path | None:
    """Return the file in which container tools of this user keep their credentials."""
    if named := environment.get("REGISTRY_AUTH_FILE"):
        return Path(named)
    return next((path for path in _usual(environment) if path.is_file()), None)


def _usual(environment: Mapping[str, str]) -> Iterator[Path]:
    if folder := environment.get("DOCKER_CONFIG"):
        yield Path(folder) / "config.json"
    if folder := environment.get("XDG_RUNTIME_DIR"):
        yield Path(folder) / "containers" / "auth.json"
    if home := environment.get("HOME"):
        yield Path(home) / ".config" / "containers" / "auth.json"
        yield Path(home) / ".docker" / "config.json"
