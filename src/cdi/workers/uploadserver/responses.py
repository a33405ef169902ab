"""Refusals, as they are answered over HTTP."""

from __future__ import annotations

from aiohttp import web

from cdi.workers.uploadserver.answers import Refused


def to(refused: Refused) -> web.Response:
    """What whoever sent a request is told that is not carried out."""
    return web.json_response(refused.body, status=refused.status, headers=refused.headers)
