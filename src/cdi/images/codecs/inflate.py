"""
Deflate (RFC 1951) by the system's zlib, which can stop between two blocks, say what it has to know
to begin there, and do so: the bytes before that place are not needed any more.

What it says is small and harmless: it may lie where others can write. Python's own binding has
none of this. Raises InflateError for damaged input; OSError where there is no such library. Facts:
zlib.h.
"""

from __future__ import annotations

import ctypes
import functools
from typing import Any, Final

_LIBRARY: Final = "libz.so.1"
_RAW: Final = -15  # no header and no trailer; a window of 32 KiB
_OK, _STREAM_END, _BUFFER_ERROR = 0, 1, -5
_NO_FLUSH, _BLOCK = 0, 5
_LAST_BLOCK, _BETWEEN_BLOCKS = 0x40, 0x80  # in z_stream.data_type
_BITS: Final = 7
WINDOW: Final = 32 << 10
_BYTE: Final = 8


class InflateError(Exception):
    """The bytes are not deflated data."""


class _Stream(ctypes.Structure):
    _fields_ = (
        ("next_in", ctypes.c_void_p),
        ("avail_in", ctypes.c_uint),
        ("total_in", ctypes.c_ulong),
        ("next_out", ctypes.c_void_p),
        ("avail_out", ctypes.c_uint),
        ("total_out", ctypes.c_ulong),
        ("msg", ctypes.c_char_p),
        ("state", ctypes.c_void_p),
        ("zalloc", ctypes.c_void_p),
        ("zfree", ctypes.c_void_p),
        ("opaque", ctypes.c_void_p),
        ("data_type", ctypes.c_int),
        ("adler", ctypes.c_ulong),
        ("reserved", ctypes.c_ulong),
    )


@functools.cache
def _library() -> Any:
    found = ctypes.CDLL(_LIBRARY)
    stream, size = ctypes.POINTER(_Stream), ctypes.c_uint
    found.zlibVersion.restype = ctypes.c_char_p
    found.inflateInit2_.argtypes = [stream, ctypes.c_int, ctypes.c_char_p, ctypes.c_int]
    found.inflate.argtypes = [stream, ctypes.c_int]
    found.inflatePrime.argtypes = [stream, ctypes.c_int, ctypes.c_int]
    found.inflateSetDictionary.argtypes = [stream, ctypes.c_char_p, size]
    found.inflateGetDictionary.argtypes = [stream, ctypes.c_void_p, ctypes.POINTER(size)]
    found.inflateEnd.argtypes = [stream]
    return found


def is_there() -> bool:
    """Whether this system has the library."""
    try:
        _library()
    except OSError:
        return False
    return True


class Inflater:
    """One stream of deflated data. `give` it bytes, and `take` what they unfold to."""

    def __init__(self, output: int, *, bits: int = 0, rest: int = 0, window: bytes = b"") -> None:
        """Give at most `output` bytes at a time. The others are as `place` said them."""
        if not 0 <= bits <= _BITS or not 0 <= rest < 1 << bits or len(window) > WINDOW:
            raise ValueError("this is no place in deflated data")
        self._zlib = _library()
        self._stream = _Stream()
        version = self._zlib.zlibVersion()
        self._call(self._zlib.inflateInit2_, _RAW, version, ctypes.sizeof(_Stream))
        self._buffer = ctypes.create_string_buffer(output)
        self._input: Any = None
        self._given = 0
        self._last = 0  # the last byte that was used up
        self.ended = False
        if bits:
            self._call(self._zlib.inflatePrime, bits, rest)
        if window:
            self._call(self._zlib.inflateSetDictionary, window, len(window))

    def __del__(self) -> None:
        if hasattr(self, "_zlib"):
            self._zlib.inflateEnd(ctypes.byref(self._stream))

    def _call(self, function: Any, *rest: Any) -> int:
        result: int = function(ctypes.byref(self._stream), *rest)
        if result not in (_OK, _STREAM_END, _BUFFER_ERROR):
            raise InflateError((self._stream.msg or b"it makes no sense").decode())
        return result

    @property
    def left(self) -> int:
        """How many of the bytes that were given last have not been used."""
        return int(self._stream.avail_in)

    def give(self, data: bytes) -> None:
        """Take the next bytes, when nothing is left of those before."""
        self._input, self._given = data, len(data)  # kept, as the library has its address
        self._stream.next_in = ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value
        self._stream.avail_in = len(data)

    def take(self, *, to_block_end: bool) -> bytes:
        """Return what there is, nothing if more bytes are needed; do not pass the end of a block
        if that is wanted."""
        stream, size = self._stream, len(self._buffer)
        stream.next_out, stream.avail_out = ctypes.addressof(self._buffer), size
        result = self._call(self._zlib.inflate, _BLOCK if to_block_end else _NO_FLUSH)
        self.ended = result == _STREAM_END
        if used := self._given - self.left:
            self._last = self._input[used - 1]
        return ctypes.string_at(self._buffer, size - stream.avail_out)

    @property
    def place(self) -> tuple[int, int, bytes] | None:
        """Between two blocks: bits of the last byte that belong to the next one, which these are,
        and the window. None elsewhere."""
        kind = self._stream.data_type
        if self.ended or kind & _LAST_BLOCK or not kind & _BETWEEN_BLOCKS:
            return None
        bits = kind & _BITS
        window, length = ctypes.create_string_buffer(WINDOW), ctypes.c_uint(0)
        self._call(self._zlib.inflateGetDictionary, window, ctypes.byref(length))
        return bits, self._last >> (_BYTE - bits), window.raw[: length.value]
