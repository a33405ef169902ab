"""
Which paths the proxy has, and what a request for one becomes at the server of its claim.

| path                                          | at the server                                 |
| --------------------------------------------- | --------------------------------------------- |
| `/VERSION/upload`, `upload-async`             | the same, or `upload-archive` for an archive  |
| `/VERSION/upload-form`, `upload-form-async`   | the same                                      |
| `/v1beta1/upload-tus`                         | the same                                      |
| `/v1beta1/upload-tus/NAMESPACE/CLAIM/SESSION` | `/v1beta1/upload-tus/SESSION`                 |

VERSION is v1beta1 or v1alpha1. A session is known to its server alone; where that is, the path of
the proxy says, so that the proxy need not remember.
"""

from __future__ import annotations

import urllib.parse
from typing import Final

VERSIONS: Final = ("v1beta1", "v1alpha1")
PLAIN: Final = tuple(
    f"/{version}/{kind}"
    for version in VERSIONS
    for kind in ("upload", "upload-async", "upload-form", "upload-form-async")
)
RESUMABLE: Final = "/v1beta1/upload-tus"
# Nothing in it can lead a request anywhere else.
_NAME: Final = "[a-z0-9](?:[-.a-z0-9]*[a-z0-9])?"
SESSION: Final = f"{RESUMABLE}/{{namespace:{_NAME}}}/{{claim:{_NAME}}}/{{session:[-_A-Za-z0-9]+}}"

ARCHIVE: Final = "archive"  # content types of claims, as their annotation has them
DISK: Final = "kubevirt"


def at_server(path: str, content_type: str) -> str:
    """Where an upload to one of PLAIN goes.

    A form is opened by the server before it knows what is inside, so its path says only that.
    """
    if content_type != ARCHIVE:
        return path
    version = "v1alpha1" if "alpha" in path else "v1beta1"
    return f"/{version}/upload-archive"


def session_at_server(session: str) -> str:
    """Where a session is, at the server that has it."""
    return f"{RESUMABLE}/{session}"


def session_here(namespace: str, claim: str, location: str) -> str:
    """The path of the proxy for the session that a server has put at `location`."""
    session = urllib.parse.urlsplit(location).path.rstrip("/").rpartition("/")[2]
    return f"{RESUMABLE}/{namespace}/{claim}/{session}"
