"""
Resumable uploads by tus 1.0.0, as far as the proxy has a say in them.

What a chunk means is between the client and the server of the claim. The proxy says what is
supported, as that is the same everywhere, and what the bytes are, as the claim knows it.
"""

from __future__ import annotations

import base64
from typing import Final

VERSION: Final = "1.0.0"
SUPPORTED: Final = {
    "Tus-Resumable": VERSION,
    "Tus-Version": VERSION,
    "Tus-Extension": "creation,creation-with-upload,termination,checksum",
    "Tus-Checksum-Algorithm": "sha256,sha1,md5",
}
METADATA: Final = "Upload-Metadata"
_CONTENT_TYPE: Final = "contentType"


def metadata_for(said: str, content_type: str) -> str:
    """The header METADATA with the content type of the claim, whatever the client said of it."""
    kept = [pair.strip() for pair in said.split(",") if pair.strip()]
    kept = [pair for pair in kept if pair.partition(" ")[0] != _CONTENT_TYPE]
    value = base64.b64encode(content_type.encode()).decode()
    return ",".join([*kept, f"{_CONTENT_TYPE} {value}"])
