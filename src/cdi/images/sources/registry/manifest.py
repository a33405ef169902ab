"""
Manifests and indexes of container images: what registries hand out first, as values.

Docker's schema 2 and manifest lists, OCI's manifests and indexes; artifacts too, whose layers
are files rather than file systems. No I/O. Raises SourceRefused for nonsense, UnsupportedFormat
for kinds that are not read. Sizes in bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from cdi.images import errors
from cdi.images.sources.registry import reference

LIMIT = 4 << 20  # of a manifest, as registries have it; and of a configuration

_DOCKER = "application/vnd.docker.distribution.manifest."
_OCI = "application/vnd.oci.image."
INDEXES = frozenset({f"{_DOCKER}list.v2+json", f"{_OCI}index.v1+json"})
MANIFESTS = frozenset({f"{_DOCKER}v2+json", f"{_OCI}manifest.v1+json"})
ACCEPTED = (*sorted(INDEXES), *sorted(MANIFESTS))
CONFIGS = frozenset({"application/vnd.docker.container.image.v1+json", f"{_OCI}config.v1+json"})
_OLD = (f"{_DOCKER}v1+json", f"{_DOCKER}v1+prettyjws")

_MOST_LAYERS, _MOST_MANIFESTS = 1000, 10_000

Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Document:
    """A manifest or an index as it came; its digest is that of `body`."""

    media_type: str  # as the server says, without parameters
    body: bytes
    digest: str


@dataclass(frozen=True, slots=True)
class Platform:
    """Operating system and processor, in Go's names."""

    os: str
    architecture: str
    variant: str = ""


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What one object refers to another one by."""

    media_type: str
    digest: str
    size: int
    annotations: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    platform: Platform | None = None

    @property
    def checksum(self) -> tuple[str, str]:
        """Algorithm and hex digits of the digest."""
        algorithm, _, digits = self.digest.partition(":")
        return algorithm, digits


@dataclass(frozen=True, slots=True)
class Index:
    """Images for several platforms under one name."""

    manifests: tuple[Descriptor, ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    """One image: its layers from the bottom to the top."""

    config: Descriptor
    layers: tuple[Descriptor, ...]
    artifact_type: str = ""


def parse(document: Document) -> Index | Manifest:
    """Read a manifest or an index, whichever it is."""
    fields = parse_object(document.body, "the manifest")
    kind = _media_type(document, fields)
    if kind in _OLD or fields.get("schemaVersion") == 1:
        raise errors.UnsupportedFormat(
            "the image has a manifest of Docker's schema 1, which cannot be verified; "
            "push it again with a tool of today"
        )
    if kind in INDEXES or (not kind and "manifests" in fields):
        return Index(_descriptors(fields, "manifests", _MOST_MANIFESTS))
    if kind in MANIFESTS or (not kind and "layers" in fields):
        return Manifest(
            config=_descriptor(fields.get("config")),
            layers=_descriptors(fields, "layers", _MOST_LAYERS),
            artifact_type=_text(fields.get("artifactType")),
        )
    raise errors.UnsupportedFormat(
        f"the name stands for an object of type {kind or 'unknown'!r}, which is no image"
    )


def parse_object(body: bytes, what: str) -> Fields:
    """Read a JSON object."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _nonsense(f"{what} is no JSON object")
    return found


def _media_type(document: Document, fields: Fields) -> str:
    """Return the type that server and manifest agree on; empty where neither says one."""
    known = {*ACCEPTED, *_OLD}
    said = document.media_type if document.media_type in known else ""
    own = _text(fields.get("mediaType"))
    if said and own and said != own:
        raise _nonsense(f"the server calls the manifest {said}, and it calls itself {own}")
    if "manifests" in fields and "layers" in fields:
        # Two readers would see two different images.
        raise _nonsense("the manifest is an index as well")
    return said or own


def _descriptors(fields: Fields, key: str, most: int) -> tuple[Descriptor, ...]:
    found = fields.get(key)
    if not isinstance(found, list) or len(found) > most:
        raise _nonsense(f"the manifest has no list of {key}, or one that is absurdly long")
    return tuple(_descriptor(each) for each in found)


def _descriptor(found: Any) -> Descriptor:
    if not isinstance(found, dict):
        raise _nonsense("the manifest refers to something without saying to what")
    digest, size = found.get("digest"), found.get("size")
    if not isinstance(digest, str) or not reference.is_digest(digest):
        raise _nonsense("the manifest refers to something by what is no digest")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 1 << 62:
        raise _nonsense("the manifest refers to something of an impossible size")
    return Descriptor(
        media_type=_text(found.get("mediaType")),
        digest=digest,
        size=size,
        annotations=texts(found.get("annotations")),
        platform=_platform(found.get("platform")),
    )


def _platform(found: Any) -> Platform | None:
    if not isinstance(found, dict):
        return None
    return Platform(*(_text(found.get(key)) for key in ("os", "architecture", "variant")))


def texts(found: Any) -> dict[str, str]:
    """Return those entries of a JSON object that are texts."""
    if not isinstance(found, dict):
        return {}
    return {key: value for key, value in found.items() if isinstance(value, str)}


def _text(found: Any) -> str:
    return found if isinstance(found, str) else ""


def _nonsense(why: str) -> errors.SourceRefused:
    return errors.SourceRefused(f"the image makes no sense: {why}; push it again")
