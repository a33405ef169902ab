"""What an answer means that is not the range that was asked for. Raises SourceChanged."""

from __future__ import annotations

from cdi.images import errors
from cdi.images.http import response
from cdi.images.http.response import Response
from cdi.images.sources.http import findings
from cdi.images.sources.http.whole import Asker


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


def _no_such_range(source: Asker, answer: Response) -> errors.SourceError:
    """The error for a server that says that a range lies beyond the object's end."""
    part = response.parse_content_range(answer.headers.get("Content-Range"))
    if part is not None and part.total not in {None, source.found.size}:
        return findings.changed(source.shown, "it no longer has all its bytes")
    return errors.SourceRefused(
        f"{source.shown}: the server refuses a range that lies within the file (416); "
        "its ranges are broken"
    )
