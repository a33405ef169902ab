"""What requests of the protocol say, as values. Raises Refused for what makes no sense."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cdi.api.workorder import ARCHIVE
from cdi.workers.uploadserver.answers import Refused

VERSION: Final = "1.0.0"
EXTENSIONS: Final = "creation,creation-with-upload,termination,checksum"
ALGORITHMS: Final = ("sha256", "sha1", "md5")
CHUNK: Final = "application/offset+octet-stream"
WRONG: Final = "InvalidRequest"
_LONGEST: Final = 1 << 62  # bytes of an upload
_SHA256_DIGITS: Final = 64

# Which methods the protocol has, for whoever can send only some of them.
OVERRIDE: Final = "X-HTTP-Method-Override"


@dataclass(frozen=True, slots=True)
class Creation:
    """An upload that is announced: its length in bytes, and what is said of it."""

    length: int
    metadata: str = ""  # as it was sent
    sha256: str = ""  # of all bytes, lower-case hexadecimal
    is_archive: bool = False


def insist_version(headers: Mapping[str, str]) -> None:
    """Refuse other versions of the protocol."""
    if headers.get("Tus-Resumable") != VERSION:
        raise Refused(
            412, "UnsupportedVersion", f"want Tus-Resumable: {VERSION}",
            headers={"Tus-Version": VERSION},
        )  # fmt: skip


def creation_of(headers: Mapping[str, str]) -> Creation:
    """Read the announcement of an upload."""
    if "Upload-Length" not in headers:
        raise Refused(400, WRONG, "want Upload-Length: a length that is told later is not taken")
    if "Upload-Concat" in headers:
        # What was part of a disk would become all of it.
        raise Refused(400, WRONG, "an upload is not put together from others: send it in one")
    metadata = headers.get("Upload-Metadata", "")
    said = _pairs(metadata)
    sha256 = said.get("sha256", "").lower()
    if sha256 and (len(sha256) != _SHA256_DIGITS or set(sha256) - set("0123456789abcdef")):
        raise Refused(400, WRONG, f"metadata sha256: want {_SHA256_DIGITS} hexadecimal digits")
    return Creation(
        _number(headers, "Upload-Length"), metadata, sha256, said.get("contentType") == ARCHIVE
    )


def offset_of(headers: Mapping[str, str]) -> int:
    """Read where a chunk belongs."""
    return _number(headers, "Upload-Offset")


def checksum_of(headers: Mapping[str, str]) -> tuple[str, bytes] | None:
    """Read the algorithm and the digest of a chunk; None if it has none."""
    text = headers.get("Upload-Checksum")
    if text is None:
        return None
    algorithm, _, digest = text.strip().partition(" ")
    if algorithm not in ALGORITHMS:
        raise Refused(400, WRONG, f"Upload-Checksum: want one of {', '.join(ALGORITHMS)}")
    try:
        return algorithm, base64.b64decode(digest.strip(), validate=True)
    except binascii.Error as error:
        raise Refused(400, WRONG, "Upload-Checksum: the digest is not in Base64") from error


def _number(headers: Mapping[str, str], name: str) -> int:
    text = headers.get(name, "")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1
    if not 0 <= number <= _LONGEST:
        raise Refused(400, WRONG, f"{name}: want a number of bytes")
    return number


def _pairs(metadata: str) -> dict[str, str]:
    said: dict[str, str] = {}
    for pair in filter(None, map(str.strip, metadata.split(","))):
        key, _, value = pair.partition(" ")
        try:
            said[key] = base64.b64decode(value.strip(), validate=True).decode()
        except ValueError as error:
            raise Refused(400, WRONG, f"Upload-Metadata: {key} is not text in Base64") from error
    return said
