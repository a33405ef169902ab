"""
One connection of HTTP, and what is said on it about bytes that are no request.

aiohttp repeats in its answer, and in the log, what it could not read, which may be a token. And it
leaves whoever reads a body waiting in which a chunk is malformed. Here both get a sentence of ours.
"""

from __future__ import annotations

import logging
from typing import Final

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

log = logging.getLogger(__name__)

MALFORMED: Final = "MalformedRequest"
_REQUEST: Final = "this is no request of HTTP/1.1"
_TOO_LONG: Final = "a line of the request's head is too long"
BODY: Final = "the body is malformed: it does not have the chunks, or the length, that it claims"


class Connection(web.RequestHandler):
    """What aiohttp calls the protocol of a connection."""

    __slots__ = ()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        request = self._current_request
        if request is None or request.content.is_eof() or not self._messages:
            return
        # There can be no next request before the end of this one's body: it is an error.
        self._messages.clear()
        request.content.set_exception(web.RequestPayloadError(BODY))
        request.content.feed_eof()
        self.close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no request; what failed on our side stays with aiohttp."""
        if status != 400:
            return super().handle_error(request, status, exc, message)
        log.info("not a request", extra={"peer": request.remote, "cause": type(exc).__name__})
        return malformed(_TOO_LONG if isinstance(exc, LineTooLong) else _REQUEST)


def malformed(message: str) -> web.Response:
    """The answer to a request that cannot be read; the connection ends with it."""
    response = web.json_response({"reason": MALFORMED, "message": message}, status=400)
    response.force_close()
    return response
