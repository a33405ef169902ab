"""
Who may upload: the bearer token of a request, and what it allows.

A session of a resumable upload is its own permission: whoever opened it had a token, and nobody
else knows its name.
"""

from __future__ import annotations

import re
from typing import Final

from cdi.api import names
from cdi.web.tokens.payload import UploadPayload, WrongPayload
from cdi.web.tokens.signing import NotGenuine, Tokens
from cdi.web.uploadproxy.refusals import Refused

_BEARER: Final = re.compile(r"Bearer +([A-Za-z0-9\-._~+/]+=*)", re.IGNORECASE)


_NAME: Final = re.compile(r"[a-z0-9](?:[-.a-z0-9]*[a-z0-9])?")


def is_name(text: str) -> bool:
    """Whether a namespace or an object can be called so, and nothing else can be meant by it."""
    return len(text) <= names.LONGEST_NAME and _NAME.fullmatch(text) is not None


def bearer_in(header: str | None) -> str:
    """The token in the header `Authorization`. Raises Refused."""
    if not header:
        raise Refused(400, "TokenMissing", "a token is needed: Authorization: Bearer TOKEN")
    found = _BEARER.fullmatch(header.strip())
    if found is None:
        raise Refused(400, "TokenMalformed", "the header Authorization is not: Bearer TOKEN")
    return found[1]


def permission_in(header: str | None, tokens: Tokens) -> UploadPayload:
    """What the header `Authorization` allows. Raises Refused."""
    token = bearer_in(header)
    try:
        return tokens.read_upload(token)
    except NotGenuine as error:
        raise Refused(401, "TokenRejected", f"{error}; ask for a new upload token") from error
    except WrongPayload as error:
        raise Refused(400, "TokenWrong", str(error)) from error
