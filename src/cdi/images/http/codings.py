"""
How a body is coded: in chunks, each with its length in front (RFC 9112, 7.1), or compressed.

Strict, as what could be read in two ways is refused. Raises what reading a connection raises.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from cdi.images.http.connection import Connection
from cdi.images.http.response import Head, Response

_LINE_MOST = 4096
_TRAILERS_MOST = 200
_SIZE = re.compile(rb"[0-9A-Fa-f]{1,15}")


# Content codings that are an object's own compression, by its name.
_GZIP = (".gz", ".tgz")
_BZIP2 = (".bz2", ".tbz2")
_XZ = (".xz", ".txz")
_SUFFIXES = {
    "gzip": _GZIP,
    "x-gzip": _GZIP,
    "bzip2": _BZIP2,
    "x-bzip2": _BZIP2,
    "xz": _XZ,
    "x-xz": _XZ,
    "zstd": (".zst", ".tzst"),
}


class ChunkedResponse(Response):
    """A response whose length nobody knew when it began."""

    def __init__(
        self,
        connection: Connection,
        head: Head,
        ended: Callable[[bool], None],
        shown: str,
    ) -> None:
        super().__init__(connection, head, None, ended, shown)
        self._keeps = head.keeps_alive
        self._in_chunk = 0  # bytes of its data that are still to come
        self._between = False  # at the end of a chunk's data

    def _take(self, limit: int) -> bytes:
        if self._over or not (self._in_chunk or self._next_chunk()):
            return b""
        piece = self._connection.take(min(limit, self._in_chunk))
        self._in_chunk -= len(piece)
        if not piece:
            self.close()
        return piece

    def _next_chunk(self) -> bool:
        """Go to the next chunk; False at the end of the body, however it ended."""
        size = _next_size(self._connection, between=self._between)
        if size is None:
            self.close()
            return False
        self._in_chunk, self._between = size, True
        if not size:
            self._finish()
        return size > 0


def _next_size(connection: Connection, *, between: bool) -> int | None:
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


def unwanted(coding: str, path: str) -> str:
    """Return the content coding (RFC 9110, 8.4) that the server added although asked not to.

    Some servers put `gzip` on every file called *.gz: it then tells what the file is.
    """
    own = coding in {"", "identity"} or path.lower().endswith(_SUFFIXES.get(coding, ()))
    return "" if own else coding
