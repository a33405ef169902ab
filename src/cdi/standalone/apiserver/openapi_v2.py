"""
/openapi/v2: a document without a single definition, in the one form that kubectl reads.

kubectl looks at the kinds in /openapi/v3, but before it applies a `List` it still fetches this
document, and gives up where it is missing. A kind that it does not find here it leaves to the
server to validate, which it does anyway. The form is a protobuf message.
"""

import cdi

CONTENT_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_TITLE = "CDI on one machine"
_BYTES = 2  # wire type
# Field numbers of Document and of its Info.
_SWAGGER, _INFO, _PATHS = 1, 2, 8
_INFO_TITLE, _INFO_VERSION = 1, 2


def document() -> bytes:
    """The document as protobuf."""
    info = _field(_INFO_TITLE, _TITLE.encode()) + _field(_INFO_VERSION, cdi.__version__.encode())
    return _field(_SWAGGER, b"2.0") + _field(_INFO, info) + _field(_PATHS, b"")


def as_json() -> dict[str, object]:
    """The same for those who ask for JSON."""
    info = {"title": _TITLE, "version": cdi.__version__}
    return {"swagger": "2.0", "info": info, "paths": {}, "definitions": {}}


def _field(number: int, content: bytes) -> bytes:
    """A field of the message; all of ours are short enough for a length of one byte."""
    return bytes([number << 3 | _BYTES, len(content)]) + content
