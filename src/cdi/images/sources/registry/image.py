"""
From the name of a container image to the disk in it.

    name -> manifest or index -> the image for the platform -> its configuration
         -> an image: the layer that holds /disk, and where in it
         -> an artifact: the layer that is the disk

Everything up to there is small, or read once; the disk itself streams out of its layer when the
transfer asks for it, and the layer's digest is verified on the way. Raises ImagePullFailed where
there is no manifest, NoSuchPlatform, SourceError, ContentError, Cancelled.
"""

from __future__ import annotations

import functools
import logging
import re
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from cdi.images import errors
from cdi.images.http.options import HttpOptions
from cdi.images.sources.registry import (
    archive,
    client,
    config,
    credentials,
    labels,
    manifest,
    platforms,
    reference,
    search,
)
from cdi.images.sources.registry.config import Config
from cdi.images.sources.registry.credentials import Credentials
from cdi.images.sources.registry.layers import Layer
from cdi.images.sources.registry.manifest import Descriptor, Document, Manifest, Platform
from cdi.images.sources.registry.store import Store
from cdi.images.sources.spec import SourceSpec

log = logging.getLogger(__name__)

_FILE = "disk.img"  # a disk that has no name of its own
_DEEPEST = 3  # indexes within indexes
_TITLE = "org.opencontainers.image.title"
_DISK = re.compile(
    r"(?:.*/)?(?:disk\.[^/]+|[^/]+\.(?:qcow2|raw|img|iso|vmdk|vdi|vhd|vhdx|qed)(?:\.[a-z0-9]+)?)",
    re.IGNORECASE,
)
_NO_DISK = re.compile(r"text/.*|application/(?:vnd\.oci\.empty\.v1\+json|[^;]*\b(?:json|yaml|pdf))")
# What people push beside a disk, by its name: tools give every file the same media type.
_NO_DISK_TITLE = re.compile(
    r"(?:.*/)?(?:(?:readme|licen[sc]e|copying|notice|changelog|[^/]*sums?)(?:\.[^/]*)?"
    r"|[^/]+\.(?:md|txt|rst|adoc|html?|json|ya?ml|xml|ovf|mf|md5|sha\d+|asc|sig|crt|pem|log|pdf))",
    re.IGNORECASE,
)
_ARCHIVE_TITLE = re.compile(r".*\.(?:tar(?:\.[a-z0-9]+)?|tgz|txz|zip|7z)", re.IGNORECASE)
_UNPACK = "io.deis.oras.content.unpack"  # "true" of a folder that was packed for the push


@dataclass(frozen=True)
class Wanted:
    """Which image, and how to reach it. `options` hold no user; `credentials` do."""

    url: str
    options: HttpOptions = field(default_factory=HttpOptions)
    credentials: Credentials = field(default_factory=Credentials)
    auth_file: Path | None = None  # of a container tool; for what `credentials` do not say
    platform: Platform | None = None  # None: this machine's, and not insisted on


@dataclass(frozen=True)
class Found:
    """The disk of an image: how to get it, the name of its file, and the image's environment."""

    spec: SourceSpec
    name: str
    environment: tuple[str, ...]


def open_image(
    wanted: Wanted,
    cancel: threading.Event,
    *,
    wait: Callable[[float], bool] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> SourceSpec:
    """Find the disk in an image. Waits end with Cancelled when `cancel` is set.

    `wait` and `clock` as for `http.HttpSource`.
    """
    with closing(_store(wanted, cancel, wait, clock)) as store:
        return _found(store, wanted, cancel).spec


def look_into(wanted: Wanted, cancel: threading.Event) -> Found:
    """Find the disk in an image, and what else a container of it would see."""
    with closing(_store(wanted, cancel)) as store:
        return _found(store, wanted, cancel)


def digest_behind(wanted: Wanted, cancel: threading.Event) -> str:
    """Return the digest of what the image's name stands for now: a manifest, or an index."""
    with closing(_store(wanted, cancel)) as store:
        return _pulled(store.root).digest


def _found(store: Store, wanted: Wanted, cancel: threading.Event) -> Found:
    image, named = _manifest(store, wanted.platform or platforms.of_this_machine())
    about = _config(store, image)
    config.insist_disk(about)
    if wanted.platform is not None and not named and about.architecture:
        config.insist_architecture(about, wanted.platform.architecture)
    layer, part, name = disk_of(image), None, _FILE
    if layer is None:
        place = search.find_disk(_layers(store, image, cancel))
        layer, part, name = place.layer.descriptor, place.part, place.entry.name
    log.info(
        "the image has a disk", extra={"image": store.shown, "layer": layer.digest, "file": name}
    )
    spec = SourceSpec(
        open=functools.partial(store.blob, layer),
        checksum=layer.checksum,
        part=part,
        labels=labels.labels_of(about.environment),
    )
    return Found(spec, name.rpartition("/")[2], about.environment)


def disk_of(image: Manifest) -> Descriptor | None:
    """Return the layer that is a disk itself; None for an image of file systems.

    Raises UnsupportedFormat where it could be any of several.
    """
    layers = image.layers
    is_image = not image.artifact_type and image.config.media_type in {*manifest.CONFIGS, ""}
    files = [each for each in layers if _may_be_disk(each, titled=not is_image)]
    if is_image and not files:
        return None
    titled = [each for each in layers if _is_titled_disk(each.annotations.get(_TITLE, ""))]
    candidates = titled or files
    if len(candidates) > 1:
        names = ", ".join(each.annotations.get(_TITLE) or each.media_type for each in candidates)
        raise errors.UnsupportedFormat(
            f"the artifact holds several files that may be the disk: {names}; push one alone"
        )
    return candidates[0] if candidates else None


def _is_titled_disk(title: str) -> bool:
    return bool(_DISK.fullmatch(title)) and not _NO_DISK_TITLE.fullmatch(title)


def _may_be_disk(layer: Descriptor, *, titled: bool) -> bool:
    """Whether a layer is a file that is neither an archive nor text; by its title if it counts."""
    title = layer.annotations.get(_TITLE, "")
    if titled and title:
        if layer.annotations.get(_UNPACK) == "true" or _ARCHIVE_TITLE.fullmatch(title):
            return False
        return not _NO_DISK_TITLE.fullmatch(title) and not _NO_DISK.match(layer.media_type)
    return not _is_tar(layer) and not _NO_DISK.match(layer.media_type)


def _is_tar(layer: Descriptor) -> bool:
    kind = layer.media_type
    if "+encrypted" in kind:
        raise errors.UnsupportedFormat("the image is encrypted, which is not read here")
    return kind == "" or "rootfs" in kind or ".tar" in kind or kind == "application/x-tar"


def _store(
    wanted: Wanted,
    cancel: threading.Event,
    wait: Callable[[float], bool] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Store:
    image = reference.parse(wanted.url)
    if isinstance(image, reference.ArchiveReference):
        return archive.Archive(image, wanted.platform or platforms.of_this_machine())
    who = wanted.credentials
    if not who and wanted.auth_file is not None:
        who = credentials.read_file(wanted.auth_file, image)
    return client.Registry(image, wanted.options, who, cancel=cancel, wait=wait, clock=clock)


def _manifest(store: Store, platform: Platform) -> tuple[Manifest, bool]:
    """Return the manifest for a platform, and whether an index said that it is for that."""
    document, named = _pulled(store.root), False
    for _ in range(_DEEPEST + 1):
        found = manifest.parse(document)
        if isinstance(found, Manifest):
            return found, named
        chosen = platforms.choose(found.manifests, platform)
        named = chosen.platform is not None
        document = _pulled(functools.partial(store.document, chosen))
    raise errors.UnsupportedFormat("the image is an index within an index, too many times")


def _pulled(get: Callable[[], Document]) -> Document:
    """Get a manifest; failures have a name of their own, by which clients know them."""
    try:
        return get()
    except (errors.Cancelled, errors.InvalidRequest, errors.ContentError):
        raise
    except errors.SourceError as error:
        raise errors.ImagePullFailed(str(error), error.kind, mendable=error.mendable) from error


def _config(store: Store, image: Manifest) -> Config:
    if image.config.media_type not in manifest.CONFIGS:
        return Config()  # an artifact's says something else, or nothing
    return config.parse_config(store.config(image.config))


def _layers(store: Store, image: Manifest, cancel: threading.Event) -> list[Layer]:
    return [
        Layer(each, functools.partial(store.blob, each, cancel))
        for each in image.layers
        if _is_tar(each)
    ]
