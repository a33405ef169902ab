"""
What ends a request in the proxy: a status, a reason for programs, and a sentence for people.

Plain clients get the sentence as text, which `virtctl` prints; whoever asks for JSON gets
`{"reason", "message"}`. The reason is in header `Cdi-Reason` in either case. What comes from
objects of users is escaped, as browsers may show it.
"""

from __future__ import annotations

import html
from typing import Final

from aiohttp import web

REASON_HEADER: Final = "Cdi-Reason"
_JSON: Final = "application/json"


class Refused(Exception):
    """The request ends here; `retry_after` in seconds, None where repeating it is useless."""

    def __init__(
        self, status: int, reason: str, message: str, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after


def answer(refused: Refused, *, as_json: bool) -> web.Response:
    """What the client gets."""
    message = html.escape(refused.message)
    headers = {REASON_HEADER: refused.reason, "X-Content-Type-Options": "nosniff"}
    if refused.retry_after is not None:
        headers["Retry-After"] = str(refused.retry_after)
    if refused.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if as_json:
        body = {"reason": refused.reason, "message": message}
        return web.json_response(body, status=refused.status, headers=headers)
    return web.Response(text=f"{message}\n", status=refused.status, headers=headers)


def wants_json(request: web.Request) -> bool:
    """Whether a program reads the answer, and says so."""
    return _JSON in request.headers.get("Accept", "") or "Tus-Resumable" in request.headers
