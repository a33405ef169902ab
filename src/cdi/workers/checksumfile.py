"""
Which version of a file a web server has: by a file of checksums beside it, or by what the server
says of it.

    SHA256SUMS      <hex>  name     <hex> *name     SHA256 (name) = <hex>     <hex>

A version is `sha256:<hex>`, or `uid:<hex>` of any other length: digits of sha512, sha1 or md5, or
64 of them that stand for what the server said. Raises SourceRefused.
"""

from __future__ import annotations

import hashlib
import re
import urllib.parse
from collections.abc import Iterator

from cdi.images import digest, errors
from cdi.images.sources.http import HttpSource

LIMIT = 4 << 20  # bytes of a file of checksums
_SHA256 = digest.HEX_DIGITS["sha256"]
_GNU = re.compile(r"([0-9a-fA-F]{32,128})(?:\s+\*?(\S.*))?")
_BSD = re.compile(r"[A-Z0-9]+ \((.+)\) = ([0-9a-fA-F]{32,128})")


def url_for(image: str, file: str) -> str:
    """The URL of a file of checksums, which may be given relative to the image's."""
    return urllib.parse.urljoin(image, file)


def read(listing: HttpSource) -> str:
    """The text of a file of checksums."""
    pieces, length = [], 0
    for piece in listing.stream():
        pieces.append(piece)
        length += len(piece)
        if length > LIMIT:
            raise errors.SourceRefused(f"{listing.shown} is larger than a file of checksums is")
    return b"".join(pieces).decode("utf-8", "replace")


def version_in(listing: str, image: str) -> str:
    """The version of the image that a file of checksums names."""
    name = urllib.parse.unquote(urllib.parse.urlsplit(image).path).rpartition("/")[2]
    found = list(_entries(listing))
    for each, digits in found:
        if each.rpartition("/")[2] == name:
            return _version(digits)
    alone = [digits for each, digits in found if not each]
    if len(found) == len(alone) == 1:
        return _version(alone[0])
    raise errors.SourceRefused(
        f"the file of checksums does not name {name}; check the address of both"
    )


def version_of_file(file: HttpSource) -> str:
    """The version of a file by what its server says of it: ETag, time and length.

    Of a mirror only time and length count: those are the same on all of them, and ETags are not.
    """
    said = file.found.validators
    words = [said.modified] if file.redirected and said.modified else [said.etag, said.modified]
    if not any(words):
        raise errors.SourceRefused(
            f"{file.shown}: the server says neither when the file changed nor its ETag; name a "
            "file of checksums beside it"
        )
    known = "\n".join((file.shown, *words, str(file.size)))
    return "uid:" + hashlib.sha256(known.encode()).hexdigest()


def _version(digits: str) -> str:
    kind = "sha256" if len(digits) == _SHA256 else "uid"
    return f"{kind}:{digits.lower()}"


def _entries(listing: str) -> Iterator[tuple[str, str]]:
    """Names and digits; the name is empty where a line holds nothing else."""
    for line in listing.splitlines():
        if found := _BSD.fullmatch(line.strip()):
            yield found[1], found[2]
        elif (found := _GNU.fullmatch(line.strip())) and len(found[1]) in (
            digest.HEX_DIGITS.values()
        ):
            yield found[2] or "", found[1]
