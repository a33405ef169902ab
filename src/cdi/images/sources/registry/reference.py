"""
Names of images: `docker://[host[:port]/]repository[:tag][@digest]` and `oci-archive:/path[:tag]`.

As everywhere with containers, a name without a host is one of docker.io, a name of a single word
there is in `library/`, and the tag is `latest` where neither tag nor digest is given. A digest
wins over a tag. No I/O; raises InvalidRequest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from cdi.images import errors

DOCKER, ARCHIVE = "docker://", "oci-archive:"

_HUB = "docker.io"
_HUB_NAMES = frozenset({_HUB, "index.docker.io"})
_HUB_HOST = "registry-1.docker.io"  # where its images are served
_LATEST = "latest"

_HOST = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(?::[0-9]{1,5})?", re.IGNORECASE
)
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_LONGEST = 255


@dataclass(frozen=True, slots=True)
class Reference:
    """An image in a registry."""

    host: str  # as written, lower case, with its port if one was given
    repository: str
    tag: str
    digest: str = ""

    @property
    def server(self) -> str:
        """Host and port that serve it."""
        return _HUB_HOST if self.host == _HUB else self.host

    @property
    def version(self) -> str:
        """What a manifest is asked for by."""
        return self.digest or self.tag

    @property
    def name(self) -> str:
        return f"{self.host}/{self.repository}"

    def __str__(self) -> str:
        return f"{self.name}@{self.digest}" if self.digest else f"{self.name}:{self.tag}"


@dataclass(frozen=True, slots=True)
class ArchiveReference:
    """An image in an OCI archive; without a tag it is the only one."""

    path: Path
    tag: str = ""

    def __str__(self) -> str:
        return f"{self.path}:{self.tag}" if self.tag else str(self.path)


def parse(url: str) -> Reference | ArchiveReference:
    """Read the name of an image. Messages do not repeat it: it may hold a password."""
    url = url.strip()
    if url.lower().startswith(DOCKER):
        return parse_reference(url[len(DOCKER) :])
    if url.lower().startswith(ARCHIVE):
        return _parse_archive(url[len(ARCHIVE) :])
    raise errors.InvalidRequest(
        "an image is named docker://host/repository:tag or oci-archive:/path:tag"
    )


def parse_reference(name: str) -> Reference:
    """Read a name as container tools take it, without a scheme."""
    rest, at, digest = name.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        raise _wrong("what stands behind the @ is no digest like sha256:<64 hex digits>")
    host, rest = _split_host(rest)
    repository, colon, tag = rest.rpartition(":") if ":" in rest else (rest, "", "")
    if host == _HUB and "/" not in repository:
        repository = f"library/{repository}"
    if not _REPOSITORY.fullmatch(repository) or len(repository) > _LONGEST:
        raise _wrong("a repository is made of lower-case words, digits and . _ - between slashes")
    if colon and not _TAG.fullmatch(tag):
        raise _wrong("a tag is made of at most 128 letters, digits and . _ -")
    return Reference(host, repository, tag or _LATEST, digest)


def is_digest(text: str) -> bool:
    return _DIGEST.fullmatch(text) is not None


def _split_host(name: str) -> tuple[str, str]:
    """Return the host and the rest; a first word without dot or colon is no host."""
    first, slash, rest = name.partition("/")
    if not slash or not (set(first) & set(".:") or first == "localhost"):
        return _HUB, name
    if not _HOST.fullmatch(first):
        raise _wrong("the host's name holds characters that none may have")
    host = first.lower()
    return (_HUB, rest) if host in _HUB_NAMES else (host, rest)


def _parse_archive(text: str) -> ArchiveReference:
    path, colon, tag = text.rpartition(":")
    if not colon or "/" in tag:
        path, tag = text, ""
    if not path.startswith("/") or "\0" in path:
        raise _wrong("an archive is named by an absolute path: oci-archive:/path:tag")
    return ArchiveReference(Path(path), tag)


def _wrong(why: str) -> errors.InvalidRequest:
    return errors.InvalidRequest(f"the image's name cannot be understood: {why}")
