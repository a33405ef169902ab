"""
The first request to a source, which finds out what its server can do.

One small GET with a Range tells all that HEAD would, of servers that forbid HEAD too, and its
body is not wasted: the head of a ranged source, or the whole stream of another one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from cdi.images.codecs import codec
from cdi.images.http import response
from cdi.images.http.client import PLAIN, Service
from cdi.images.http.response import Response
from cdi.images.sources.http import codings, whole
from cdi.images.sources.http.findings import HEAD, Findings

log = logging.getLogger(__name__)

# Statuses of servers, and of what stands before them, that choke on the Range and may serve the
# whole. Asking once more costs a server that means it one request.
_WITHOUT_RANGE = frozenset({400, 403, 405, 406, 409, 412, 416, 501})


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
    except BaseException:
        answer.close()
        raise
    if found is None:
        if answer.status not in _WITHOUT_RANGE | {206}:
            return whole.opened(shown, answer, service)
        answer.close()
        return whole.opened(shown, ask(()), service)
    answer.close()
    return found


def _ranged(shown: str, answer: Response, service: Service) -> Findings | None:
    part = response.parse_content_range(answer.headers.get("Content-Range"))
    if part is None or part.total is None or part.start != 0:
        return None
    if answer.status == 416 and part.total == 0:
        return Findings(0, response.validators_of(answer.headers), ranged=True)
    if answer.status != 206:
        return None
    packed = "Content-Encoding" in answer.headers
    coding = codings.check(shown, answer, service, seen=answer.look(codec.HEAD)) if packed else ""
    length = response.parse_length(answer.headers.get("Content-Length"))
    if coding and length != part.end - part.start:
        return None  # packed on its way: offsets count something else than what comes
    head = read_exactly(answer, min(part.end, HEAD))
    validators = response.validators_of(answer.headers)
    kind = answer.headers.get("Content-Type", "")
    return Findings(part.total, validators, kind, ranged=True, head=head, coding=coding)


def _smaller(answer: Response) -> int:
    """Return how long an object is that is shorter than what was asked for; 0 otherwise."""
    part = response.parse_content_range(answer.headers.get("Content-Range"))
    total = part.total if part and answer.status == 416 else None
    return total if total and total < HEAD else 0


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


def warn_of_text(shown: str, kind: str) -> None:
    """Tell of an object that its server says is text."""
    if kind.startswith("text/"):
        # Existing installations look for this text, with the type inside it. Servers say
        # text/plain of every name they do not know: no reason to alarm anybody.
        level = logging.INFO if kind.startswith("text/plain") else logging.WARNING
        text = "Unexpected content type '%s'. Content might not be a KubeVirt image."
        log.log(level, text, kind.partition(";")[0], extra={"url": shown})
