"""
The first request to a source, which finds out what its server can do.

One small GET with a Range tells all that HEAD would, of servers that forbid HEAD too, and its
body is not wasted: the head of a ranged source, or the whole stream of another one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from cdi.images import errors
from cdi.images.codecs import codec
from cdi.images.http import response
from cdi.images.http.client import PLAIN, Service
from cdi.images.http.response import Response

log = logging.getLogger(__name__)

# The headers of all disk formats, and most of the small tables that follow them.
HEAD = 64 * 1024

# Statuses of servers, and of what stands before them, that choke on the Range and may serve the
# whole. Asking once more costs a server that means it one request.
_WITHOUT_RANGE = frozenset({400, 403, 405, 406, 409, 412, 416, 501})


# Content codings that are decompressed here, as the object itself may be.
_CODECS = {"gzip": "gz", "x-gzip": "gz", "xz": "xz", "x-xz": "xz", "zstd": "zst", "bzip2": "bz2"}


@dataclass(slots=True)
class Findings:
    """What the first answer told. Either `head` (ranged) or `body` (forward only) is of use."""

    size: int | None
    validators: response.Validators
    ranged: bool = False
    head: bytes = b""
    body: Response | None = None
    coding: str = ""  # of every answer, where the object comes compressed though nobody asked


def probe(
    shown: str, ask: Callable[[tuple[tuple[str, str], ...]], Response], service: Service = PLAIN
) -> Findings:
    """Ask for the head of the source. The caller closes `body`. Raises SourceError."""
    answer = ask((("Range", f"bytes=0-{HEAD - 1}"),))
    try:
        found = _ranged(shown, answer, service)
        if found is None and (small := _smaller(answer)):
            # imageio daemons insist on ranges that lie within the disk.
            answer.close()
            answer = ask((("Range", f"bytes=0-{small - 1}"),))
            found = _ranged(shown, answer, service)
        if found is None and answer.status not in _WITHOUT_RANGE | {206}:
            return _forward(shown, answer, service)
    except BaseException:
        answer.close()
        raise
    answer.close()
    return found or whole(shown, ask(()), service)


def _ranged(shown: str, answer: Response, service: Service) -> Findings | None:
    part = response.parse_content_range(answer.headers.get("Content-Range"))
    if part is None or part.total is None or part.start != 0:
        return None
    if answer.status == 416 and part.total == 0:
        return Findings(0, response.validators_of(answer.headers), ranged=True)
    if answer.status != 206:
        return None
    coding = check_coding(shown, answer, service, seen=answer.look(codec.HEAD))
    length = response.parse_length(answer.headers.get("Content-Length"))
    if coding and length != part.end - part.start:
        return None  # packed on its way: offsets count something else than what comes
    _warn_of_text(shown, answer)
    head = read_exactly(answer, min(part.end, HEAD))
    validators = response.validators_of(answer.headers)
    return Findings(part.total, validators, ranged=True, head=head, coding=coding)


def _smaller(answer: Response) -> int:
    """Return how long an object is that is shorter than what was asked for; 0 otherwise."""
    part = response.parse_content_range(answer.headers.get("Content-Range"))
    total = part.total if part and answer.status == 416 else None
    return total if total and total < HEAD else 0


def whole(shown: str, answer: Response, service: Service) -> Findings:
    """Return what the answer to a plain GET tells. Raises SourceError."""
    try:
        return _forward(shown, answer, service)
    except BaseException:
        answer.close()
        raise


def _forward(shown: str, answer: Response, service: Service) -> Findings:
    if answer.status != 200:
        raise service.refusal(shown, answer)
    coding = check_coding(shown, answer, service, seen=answer.look(codec.HEAD))
    _warn_of_text(shown, answer)
    size = response.parse_length(answer.headers.get("Content-Length"))
    validators = response.validators_of(answer.headers)
    return Findings(size, validators, body=answer, coding=coding)


def check_coding(
    shown: str, answer: Response, service: Service = PLAIN, *, seen: bytes = b"", known: str = ""
) -> str:
    """Return in which coding the object comes that it should not have, if it can be read so.

    That is one whose first bytes, `seen`, are what they should be, so that it is decompressed
    like any other; or the one `known` of an answer before. Raises SourceRefused for others.
    """
    coding = service.unwanted_coding(answer.headers, shown.partition("?")[0])
    if not coding or coding == known:
        return coding
    found = codec.codec_for(seen) if coding in _CODECS else None
    if found is None or found.name != _CODECS[coding]:
        raise errors.SourceRefused(
            f"{shown}: the server compresses its answer ({coding}) although asked not to; "
            "switch Content-Encoding off for this file"
        )
    return coding


def read_exactly(answer: Response, length: int) -> bytes:
    """Read `length` bytes of a body. Raises ConnectionLost if it ends before."""
    pieces: list[bytes] = []
    while length:
        piece = answer.read(length)
        if not piece:
            raise answer.ended_early()
        pieces.append(piece)
        length -= len(piece)
    return b"".join(pieces)


def _warn_of_text(shown: str, answer: Response) -> None:
    kind = answer.headers.get("Content-Type", "")
    if kind.startswith("text/"):
        # Existing installations look for this text, with the type inside it. Servers say
        # text/plain of every name they do not know: no reason to alarm anybody.
        level = logging.INFO if kind.startswith("text/plain") else logging.WARNING
        text = "Unexpected content type '%s'. Content might not be a KubeVirt image."
        log.log(level, text, kind.partition(";")[0], extra={"url": shown})
