"""
What an image is read from: a registry, or an archive.
"""

from __future__ import annotations

import hashlib
import threading
from typing import Protocol

from cdi.images import errors
from cdi.images.sources.registry.manifest import Descriptor, Document
from cdi.images.sources.source import Source


class Store(Protocol):
    """Objects by their digests, and the one that a name stands for. Raises SourceError."""

    @property
    def shown(self) -> str:
        """The image's name, for messages."""

    def root(self) -> Document:
        """Return the manifest or index that the name stands for."""

    def document(self, descriptor: Descriptor) -> Document:
        """Return a manifest or an index by its digest, verified."""

    def config(self, descriptor: Descriptor) -> bytes:
        """Return a configuration, verified."""

    def blob(self, descriptor: Descriptor, halt: threading.Event) -> Source:
        """Open a layer; whoever reads it verifies it. Waits end when `halt` is set."""

    def close(self) -> None:
        """Let go of connections; what is asked for afterwards makes new ones."""


def insist_digest(body: bytes, digest: str) -> None:
    """Raise ChecksumMismatch unless `body` is what the digest promises."""
    algorithm, _, want = digest.partition(":")
    got = hashlib.new(algorithm, body).hexdigest()
    if got != want:
        raise errors.ChecksumMismatch(algorithm, want, got)


def digest_of(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def insist_small(descriptor: Descriptor, limit: int) -> None:
    if descriptor.size > limit:
        raise errors.SourceRefused(
            f"a part of the image's description has {descriptor.size} bytes, while {limit} "
            "are allowed"
        )
