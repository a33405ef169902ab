"""
The framing of a body that comes in chunks, each with its length in front (RFC 9112, 7.1).

Strict, as what could be read in two ways is refused. Raises what reading a connection raises.
"""

from __future__ import annotations

import re

from cdi.images.http.connection import Connection

_LINE_MOST = 4096
_TRAILERS_MOST = 200
_SIZE = re.compile(rb"[0-9A-Fa-f]{1,15}")


def next_size(connection: Connection, *, between: bool) -> int | None:
    """Return the length of the next chunk, 0 at the end of the body, None where it is broken.

    `between` says that the data of another chunk came before. At the end, trailers are passed
    over.
    """
    if between and _line(connection) != b"":
        return None
    size = (_line(connection) or b"").partition(b";")[0].strip()
    if not _SIZE.fullmatch(size):
        return None
    length = int(size, 16)
    return length if length or _passed_trailers(connection) else None


def _passed_trailers(connection: Connection) -> bool:
    for _ in range(_TRAILERS_MOST):
        trailer = _line(connection)
        if not trailer:
            return trailer is not None
    return False


def _line(connection: Connection) -> bytes | None:
    data = b""
    while b"\n" not in data:
        more = connection.take(_LINE_MOST) if len(data) < _LINE_MOST else b""
        if not more:
            return None
        data += more
    found, _, rest = data.partition(b"\n")
    connection.give_back(rest)
    return found.rstrip(b"\r")
