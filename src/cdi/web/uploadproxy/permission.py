"""
Who may upload: the bearer token of a request, and what it allows.

A session of a resumable upload is its own permission: whoever opened it had a token, and nobody
else knows its name.
"""

from __future__ import annotations

import re
from typing import Final

from cdi.web.tokens.payload import UploadPayload, WrongPayload
from cdi.web.tokens.signing import NotGenuine, Tokens
from cdi.web.uploadproxy.refusals import Refused

_BEARER: Final = re.compile(r"Bearer +([A-Za-z0-9\-._~+/]+=*)", re.IGNORECASE)


def permission_in(header: str | None, tokens: Tokens) -> UploadPayload:
    """What the header `Authorization` allows. Raises Refused."""
    if not header:
        raise Refused(400, "TokenMissing", "an upload token is needed: Authorization: Bearer TOKEN")
    found = _BEARER.fullmatch(header.strip())
    if found is None:
        raise Refused(400, "TokenMalformed", "the header Authorization is not: Bearer TOKEN")
    try:
        return tokens.read_upload(found[1])
    except NotGenuine as error:
        raise Refused(401, "TokenRejected", f"{error}; ask for a new upload token") from error
    except WrongPayload as error:
        raise Refused(400, "TokenWrong", str(error)) from error
