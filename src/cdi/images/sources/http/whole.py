"""
An object of a server without ranges, read whole.

When the connection breaks it is fetched again from its start, and what had been delivered is
thrown away: the price of a server that cannot do better. Raises SourceError, Cancelled.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

from cdi.images import errors
from cdi.images.codecs import codec
from cdi.images.http import response
from cdi.images.http.client import Fields, Service
from cdi.images.http.response import Response
from cdi.images.sources.http import codings, findings
from cdi.images.sources.http.findings import Findings
from cdi.images.sources.http.patience import Patience
from cdi.images.sources.source import PIECE

# Statuses of servers, and of what stands before them, that choke on the Range and may serve the
# whole. Asking once more costs a server that means it one request.
_WITHOUT_RANGE = frozenset({400, 403, 405, 406, 409, 412, 416, 501})

# What another try may cure. SourceChanged is transient too, but not for this run.
RETRIED = (errors.SourceUnavailable, errors.ConnectionLost, errors.Stalled)


def opened(shown: str, answer: Response, service: Service) -> Findings:
    """Return what the answer to a plain GET tells. Raises SourceError."""
    try:
        return _forward(shown, answer, service)
    except BaseException:
        answer.close()
        raise


def opened_instead(
    shown: str, answer: Response, ask: Callable[[Fields], Response], service: Service
) -> Findings:
    """Return what is told of an object whose server has not answered the range it was asked for."""
    if answer.status not in _WITHOUT_RANGE | {206}:
        return opened(shown, answer, service)
    answer.close()
    return opened(shown, ask(()), service)


def smaller(answer: Response) -> int:
    """Return how long an object is that is shorter than what was asked for; 0 otherwise."""
    part = response.parse_content_range(answer.headers.get("Content-Range"))
    total = part.total if part and answer.status == 416 else None
    return total if total and total < findings.HEAD else 0


def _forward(shown: str, answer: Response, service: Service) -> Findings:
    if answer.status != 200:
        raise service.refusal(shown, answer)
    coding = codings.check(shown, answer, service, seen=answer.look(codec.HEAD))
    size = response.parse_length(answer.headers.get("Content-Length"))
    validators = response.validators_of(answer.headers)
    kind = answer.headers.get("Content-Type", "")
    return Findings(size, validators, kind, body=answer, coding=coding)


class Asker(Protocol):
    """Whoever asks for the object: an `HttpSource`."""

    shown: str
    service: Service
    found: Findings
    patience: Patience
    doubtful: bool

    def ask(self, fields: Fields) -> Response: ...
    def check_same(self, answer: Response) -> response.ContentRange | None: ...


def pieces(source: Asker, body: Response | None) -> Iterator[bytes]:
    """Yield all of a source, whose first answer may be at hand unread, over every break."""
    budget = source.patience.budget()
    delivered = _Delivered(summed=not source.found.validators.strong)
    while True:
        try:
            with body or _ask_again(source, delivered) as answer:
                while piece := answer.read(PIECE):
                    delivered.add(piece)
                    budget.progressed(len(piece))
                    yield piece
            _check_end(source, answer)
        except RETRIED as failure:
            body = None
            source.patience.pause(budget, failure)
        else:
            return


def _ask_again(source: Asker, delivered: _Delivered) -> Response:
    """Fetch a source without ranges anew, and read up to where its reader is."""
    answer = source.ask(())
    try:
        _check_whole(source, answer)
        _skip(source, answer, delivered)
    except BaseException:
        answer.close()
        raise
    return answer


def _check_whole(source: Asker, answer: Response) -> None:
    if answer.status != 200:
        raise source.service.refusal(source.shown, answer)
    codings.check(source.shown, answer, source.service, known=source.found.coding)
    source.check_same(answer)


def _skip(source: Asker, answer: Response, delivered: _Delivered) -> None:
    again = _Delivered(delivered.summed)
    while again.count < delivered.count:
        piece = answer.read(min(delivered.count - again.count, PIECE))
        if not piece:
            raise answer.ended_early()
        again.add(piece)
    if again.checksum != delivered.checksum:
        raise findings.changed(source.shown, "its first bytes are others")


def _check_end(source: Asker, answer: Response) -> None:
    if answer.surplus:
        raise errors.SourceRefused(
            f"{source.shown}: the server sends more bytes than it announced as "
            "Content-Length; one of the two is wrong, ask its operator"
        )


class _Delivered:
    """What a reader has got so far; summed up only if nothing else tells versions apart."""

    def __init__(self, summed: bool) -> None:
        self.summed = summed
        self.count = 0
        self.checksum = 0

    def add(self, piece: bytes) -> None:
        self.count += len(piece)
        if self.summed:
            self.checksum = zlib.crc32(piece, self.checksum)
