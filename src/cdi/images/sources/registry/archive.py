"""
An image in an OCI archive: a tar file of `oci-layout`, `index.json` and `blobs/`, on this machine.

The archive is not unpacked: its entries are found once, and blobs are read where they lie.
Raises InvalidRequest for a file that is no such archive, NotFound for what it does not hold.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

from cdi.images import errors
from cdi.images.codecs.codec import HEAD, codec_for
from cdi.images.formats import tar
from cdi.images.sources import source
from cdi.images.sources.file import FileSource
from cdi.images.sources.registry import manifest, platforms, store
from cdi.images.sources.registry.manifest import Descriptor, Document, Platform
from cdi.images.sources.registry.reference import ArchiveReference
from cdi.images.sources.source import Identity, read

_NAME = "org.opencontainers.image.ref.name"
_ENTRIES = 100_000


class Slice:
    """Part of a file as a source of its own; see `source.Source`."""

    ranged = True

    def __init__(self, path: ArchiveReference, start: int, descriptor: Descriptor) -> None:
        self._file = FileSource(path.path)
        self._start = start
        self.size = descriptor.size
        self.identity = Identity(self._file.identity.location, descriptor.size, descriptor.digest)

    def stream(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        start, end = source.checked_range(self.identity.location, self.size, start, end)
        return self._file.stream(self._start + start, self._start + end)

    def close(self) -> None:
        self._file.close()


class Archive:
    """One image of an archive; see `store.Store`."""

    def __init__(self, image: ArchiveReference, platform: Platform) -> None:
        self._image, self._platform = image, platform
        self._places = dict(_entries(image))

    @property
    def shown(self) -> str:
        return str(self._image)

    def root(self) -> Document:
        if "index.json" not in self._places:
            raise errors.InvalidRequest(
                f"{self._image.path} is no OCI archive: it has no index.json; make one with "
                "skopeo copy ... oci-archive:PATH"
            )
        body = self._read("index.json", manifest.LIMIT)
        top = manifest.parse(Document("application/vnd.oci.image.index.v1+json", body, ""))
        assert isinstance(top, manifest.Index)  # noqa: S101 - it is parsed as what it is called
        return self.document(self._chosen(top))

    def document(self, descriptor: Descriptor) -> Document:
        return Document(descriptor.media_type, self.config(descriptor), descriptor.digest)

    def config(self, descriptor: Descriptor) -> bytes:
        store.insist_small(descriptor, manifest.LIMIT)
        body = self._read(_path_of(descriptor), manifest.LIMIT)
        store.insist_digest(body, descriptor.digest)
        return body

    def blob(self, descriptor: Descriptor, halt: threading.Event) -> Slice:
        del halt  # nothing is waited for
        start, size = self._place(_path_of(descriptor))
        if size != descriptor.size:
            raise errors.CorruptImage(
                f"{self.shown}: a layer has {size} bytes instead of {descriptor.size}"
            )
        return Slice(self._image, start, descriptor)

    def close(self) -> None:
        """Nothing is kept open."""

    def _chosen(self, top: manifest.Index) -> Descriptor:
        """Return the image with the wanted tag, or the only one."""
        tag = self._image.tag
        named = [each for each in top.manifests if not tag or _is_called(each, tag)]
        if not named:
            raise errors.NotFound(f"{self._image.path} holds no image called {tag!r}")
        if len(named) == 1:
            return named[0]
        if any(each.platform for each in named):
            return platforms.choose(named, self._platform)
        names = ", ".join(sorted(each.annotations.get(_NAME, "(no name)") for each in named))
        raise errors.InvalidRequest(
            f"{self._image.path} holds several images ({names}); say which: oci-archive:PATH:TAG"
        )

    def _read(self, name: str, limit: int) -> bytes:
        start, size = self._place(name)
        if size > limit:
            raise errors.SourceRefused(f"{name} in {self.shown} has {size} bytes, too many")
        file = FileSource(self._image.path)
        try:
            return read(file, start, size)
        finally:
            file.close()

    def _place(self, name: str) -> tuple[int, int]:
        if name not in self._places:
            raise errors.NotFound(f"{self.shown} lacks {name}; the archive is incomplete")
        return self._places[name]


def _entries(image: ArchiveReference) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield name, start and size of every file in an archive."""
    file = FileSource(image.path)
    try:
        if codec_for(read(file, 0, min(HEAD, file.size))) is not None:
            raise errors.UnsupportedFormat(f"{image.path} is compressed; unpack it first")
        for entry in tar.walk_at(lambda at, n: read(file, at, n), file.size, entries=_ENTRIES):
            if entry.kind is tar.Kind.FILE and entry.extents is None:
                yield entry.name.removeprefix("./"), (entry.start, entry.size)
    finally:
        file.close()


def _path_of(descriptor: Descriptor) -> str:
    return "blobs/" + descriptor.digest.replace(":", "/")


def _is_called(descriptor: Descriptor, tag: str) -> bool:
    name = descriptor.annotations.get(_NAME, "")
    return name == tag or name.endswith(f":{tag}")
