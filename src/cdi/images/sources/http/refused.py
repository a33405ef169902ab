"""What an answer means that is not the range that was asked for. Raises SourceChanged."""

from __future__ import annotations

import http
import logging
from collections.abc import Callable

from cdi.images import errors
from cdi.images.http import failures, response, urls
from cdi.images.http.response import Response
from cdi.images.sources.http import findings
from cdi.images.sources.http.patience import Restraint
from cdi.images.sources.http.whole import Asker

log = logging.getLogger(__name__)

# How often a redirector is asked for another mirror. Some send to one that lacks the file yet.
_MIRRORS = 4


def error_for(source: Asker, answer: Response) -> errors.SourceError:
    """The error for an answer of another status than 206."""
    if answer.status == 416:
        return _no_such_range(source, answer)
    if answer.status == 412:
        return findings.changed(source.shown, "its ETag is another one")
    if answer.status != 200:
        return source.service.refusal(source.shown, answer)
    source.check_same(answer)
    # Another server behind the same name, most likely; the next one may do better.
    return errors.SourceUnavailable(f"{source.shown}: the server no longer serves ranges")


def note(source: Asker, answer: Response, restraint: Restraint | None) -> None:
    """Remember what an answer without the range says of its server; asked under `restraint`."""
    by_rate = answer.status == http.HTTPStatus.TOO_MANY_REQUESTS
    source.doubtful = source.doubtful or by_rate or answer.status not in failures.BUSY
    if by_rate:
        source.patience.refused_by_rate(restraint)


def other_range(shown: str) -> errors.SourceRefused:
    """The error for a range that is answered, and is not the one that was asked for."""
    return errors.SourceRefused(
        f"{shown}: the server answers another range than the one asked for; its ranges are broken"
    )


def asked_anew(
    ask: Callable[[], tuple[Response, urls.Route]], start: urls.Route
) -> tuple[Response, urls.Route]:
    """`ask` at the `start`, after a place that it has redirected to had nothing (any more)."""
    for left in reversed(range(_MIRRORS)):
        log.info("Where the source redirects to has nothing (any more): it is asked anew")
        answer, arrived = ask()
        if answer.status not in response.EXPIRED or arrived.location == start.location:
            break
        if left:
            answer.close()
    return answer, arrived


def _no_such_range(source: Asker, answer: Response) -> errors.SourceError:
    """The error for a server that says that a range lies beyond the object's end."""
    part = response.parse_content_range(answer.headers.get("Content-Range"))
    if part is not None and part.total not in {None, source.found.size}:
        return findings.changed(source.shown, "it no longer has all its bytes")
    return errors.SourceRefused(
        f"{source.shown}: the server refuses a range that lies within the file (416); "
        "its ranges are broken"
    )
