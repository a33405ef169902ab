"""
Resumable uploads by tus 1.0.0, as far as the proxy has a say in them.

What a chunk means is between the client and the server of the claim. The proxy says what is
supported, as that is the same everywhere, and what the bytes are, as the claim knows it. Once the
volume is full there is no server: the claim says which session it was that filled it.
"""

from __future__ import annotations

import base64
from typing import Final

from aiohttp import web

from cdi.web.uploadproxy.readiness import Finished
from cdi.web.uploadproxy.refusals import Refused

VERSION: Final = "1.0.0"
SUPPORTED: Final = {
    "Tus-Resumable": VERSION,
    "Tus-Version": VERSION,
    "Tus-Extension": "creation,creation-with-upload,termination,checksum",
    "Tus-Checksum-Algorithm": "sha256,sha1,md5",
}
METADATA: Final = "Upload-Metadata"
OVERRIDE: Final = "X-HTTP-Method-Override"
_CONTENT_TYPE: Final = "contentType"


def metadata_for(said: str, content_type: str) -> str:
    """The header METADATA with the content type of the claim, whatever the client said of it."""
    kept = [pair.strip() for pair in said.split(",") if pair.strip()]
    kept = [pair for pair in kept if pair.partition(" ")[0] != _CONTENT_TYPE]
    value = base64.b64encode(content_type.encode()).decode()
    return ",".join([*kept, f"{_CONTENT_TYPE} {value}"])


def after_the_end(request: web.Request, finished: Finished) -> web.Response:
    """Answer for a session whose claim has its content. Raises Refused.

    Whoever has sent all of it hears that it is complete, as often as it asks; whoever has not, that
    it will never go on.
    """
    session = finished.session
    if session is None or not session.is_at(request.match_info["session"]):
        raise Refused(
            410, finished.reason, f"{finished.message}; this upload is not what filled it"
        )
    method = request.headers.get(OVERRIDE, request.method)
    said = {"Tus-Resumable": VERSION, "Upload-Offset": str(session.length)}
    if method == "HEAD":
        more = {"Upload-Length": str(session.length), "Cache-Control": "no-store"}
        return web.Response(headers=said | more)
    if method == "PATCH" and request.headers.get("Upload-Offset") == str(session.length):
        return web.Response(status=204, headers=said)
    raise Refused(409, finished.reason, f"{finished.message}, by this upload")
