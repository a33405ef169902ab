"""
The upload by one request: for a proxy that knows nothing else. From the first byte on, each time.

What is asked is what `virtctl` asks: HEAD whether the asynchronous path is there, then POST. An
answer that would be the same again ends it at once. Raises Failed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import aiohttp

from cdi.cli.uploads.failure import Failed
from cdi.cli.uploads.progress import Bar
from cdi.cli.uploads.proxy import Route
from cdi.cli.uploads.source import Source
from cdi.cli.uploads.transport import Answer, answer_of
from cdi.kube.backoff import Backoff
from cdi.kube.clock import Clock, SystemClock

_ASYNC: Final = "/v1beta1/upload-async"
_SYNC: Final = "/v1beta1/upload"
_PAUSES: Final = Backoff(first=0.5, longest=15.0)
_REFRESHES: Final = 3  # of the token
_AGAIN: Final = frozenset({401, 408, 409, 423, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Parties:
    """Who takes part."""

    http: aiohttp.ClientSession
    route: Route
    token: Callable[[], Awaitable[str]]
    bar: Bar
    clock: Clock = field(default_factory=SystemClock)


async def upload(parties: Parties, source: Source, attempts: int) -> None:
    """Return once the server has taken all bytes."""
    token = await parties.token()
    refreshed, last = 0, ""
    for number in range(1, max(1, attempts) + 1):
        try:
            answer = await _attempt(parties, source, token)
        except aiohttp.ClientSSLError as error:
            raise Failed(
                f"{parties.route.base} shows a certificate that is not believed: {error}; "
                "--insecure does without"
            ) from error
        except aiohttp.ClientError as error:
            last = str(error) or type(error).__name__
        else:
            if answer.status == 200:
                parties.bar.done()
                return
            last = f"unexpected return value {answer.status}, {answer.text.strip()}"
            if answer.status not in _AGAIN:
                raise Failed(f"error uploading image: {last}")
            if answer.status == 401:
                refreshed += 1
                if number == 1 or refreshed > _REFRESHES:
                    raise Failed(f"authentication failed: {last}")
                token = await parties.token()
                continue
        await parties.clock.sleep(_PAUSES.pause(number))
    raise Failed(f"error uploading image after {max(1, attempts)} retries: {last}")


async def _attempt(parties: Parties, source: Source, token: str) -> Answer:
    headers = {"Authorization": f"Bearer {token}"}
    async with parties.http.head(parties.route.url(_ASYNC), headers=headers) as probed:
        path = _ASYNC if probed.status == 200 else _SYNC
    headers |= {"Content-Type": "application/octet-stream", "Content-Length": str(source.size)}
    async with parties.http.post(
        parties.route.url(path),
        headers=headers,
        data=source.blocks(0, source.size, parties.bar.at),
        allow_redirects=False,
    ) as response:
        return await answer_of(response)
