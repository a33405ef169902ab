"""
Bodies within limits, and errors in Kubernetes' shape, for everything that the API server serves.

Sizes are in bytes and times in seconds.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from cdi.web import statuses
from cdi.web.statuses import Refused

log = logging.getLogger(__name__)

# A review of an update holds two objects, each of which Kubernetes takes up to 3 MiB of.
LARGEST_BODY: Final = 8 << 20
BODY_TIMEOUT: Final = 10.0  # Kubernetes' API server sends it at once
# Larger ones, and those of unknown size, are held a few at a time, so that memory is bounded; the
# others never wait for a stranger who sends slowly.
SMALL_BODY: Final = 256 << 10
LARGE_AT_ONCE: Final = 8

JSON: Final = "application/json"
_NOSNIFF: Final = {"X-Content-Type-Options": "nosniff"}


class Bodies:
    """Reads the JSON bodies of requests."""

    def __init__(self, timeout: float = BODY_TIMEOUT) -> None:
        self._timeout = timeout
        self._room = asyncio.Semaphore(LARGE_AT_ONCE)

    async def document(self, request: web.Request) -> Any:
        """The value that a request carries. Raises Refused."""
        # Who says nothing means JSON, as for Kubernetes: `kubectl create --raw` does.
        if "Content-Type" in request.headers and request.content_type != JSON:
            raise statuses.unsupported_media_type()
        return _parsed(await self._read(request))

    async def _read(self, request: web.Request) -> bytes:
        length = request.content_length
        try:
            async with asyncio.timeout(self._timeout):
                if length is not None and length <= SMALL_BODY:
                    return await request.read()
                async with self._room:
                    return await request.read()
        except TimeoutError as error:
            raise statuses.too_slow() from error
        except web.HTTPRequestEntityTooLarge as error:
            raise statuses.too_large(LARGEST_BODY) from error


def _parsed(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise statuses.bad_request(f"the body is not valid JSON: {error}") from error


def document(value: Any, content_type: str = JSON) -> web.Response:
    """An answer with a JSON value."""
    return web.Response(
        body=msgspec.json.encode(value), headers={"Content-Type": content_type, **_NOSNIFF}
    )


@web.middleware
async def as_statuses(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every error leaves as a Status."""
    headers = dict(_NOSNIFF)
    try:
        return await handler(request)
    except Refused as error:
        refused = error
    except web.HTTPNotFound:
        refused = statuses.not_found()
    except web.HTTPMethodNotAllowed as error:
        refused = statuses.method_not_allowed()
        headers["Allow"] = ",".join(sorted(error.allowed_methods))
    except web.HTTPException as error:
        refused = Refused(error.status, "", error.reason)
    except (ConnectionError, asyncio.CancelledError):
        raise
    except Exception as error:
        log.exception("request failed", extra={"method": request.method, "path": request.path})
        refused = statuses.internal(type(error).__name__)
    return web.json_response(refused.body(), status=refused.code, headers=headers)
