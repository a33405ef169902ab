"""
Digests that can be stopped and continued in another process.

The standard library's hash objects cannot be stored. OpenSSL's older per-algorithm functions keep
the whole state in a plain structure, which can; they run the same assembly. Where libcrypto does
not offer them (a FIPS build, another TLS library), hashing still works and only loses the ability
to continue: `state()` is then None, and a resumed transfer fetches the source again.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
from typing import Any, Protocol

# Room for OpenSSL's SHA512_CTX, the largest of the four (216 bytes), with some to spare.
_CONTEXT_BYTES = 512

# By name, since asking the linker's tools for it starts several processes.
_LIBRARIES = ("libcrypto.so.3", "libcrypto.so.1.1")

HEX_DIGITS = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}


class Digest(Protocol):
    """A running digest over bytes given in order."""

    def update(self, data: bytes) -> None: ...
    def hexdigest(self) -> str: ...
    def state(self) -> bytes | None:
        """Everything `resume` needs to continue, or None where that is not possible."""


def parse_checksum(text: str) -> tuple[str, str]:
    """Split `<algorithm>:<hex digits>` (any case) into its two parts, in lower case.

    Raises ValueError for an unknown algorithm or digits that do not fit it.
    """
    algorithm, colon, digits = text.strip().lower().partition(":")
    if not colon or algorithm not in HEX_DIGITS:
        raise ValueError(
            f"checksum {text!r} is not <algorithm>:<hex digits> with one of {', '.join(HEX_DIGITS)}"
        )
    if len(digits) != HEX_DIGITS[algorithm] or set(digits) - set("0123456789abcdef"):
        raise ValueError(f"checksum {text!r}: {algorithm} has {HEX_DIGITS[algorithm]} hex digits")
    return algorithm, digits


def new(algorithm: str, state: bytes | None = None) -> Digest:
    """Start a digest, or continue one from `state`. Raises ValueError if that cannot be."""
    functions = _functions(algorithm)
    if functions is not None:
        return _OpenSslDigest(functions, state)
    if state is not None:
        raise ValueError(f"a {algorithm} digest cannot be continued on this system")
    return _PlainDigest(algorithm)


class _PlainDigest:
    def __init__(self, algorithm: str) -> None:
        self._hash = hashlib.new(algorithm, usedforsecurity=False)

    def update(self, data: bytes) -> None:
        self._hash.update(data)

    def hexdigest(self) -> str:
        return self._hash.hexdigest()

    def state(self) -> bytes | None:
        return None


class _Functions:
    def __init__(self, library: ctypes.CDLL, prefix: str, size: int) -> None:
        self.size = size
        self.init: Any = getattr(library, f"{prefix}_Init")
        self.update: Any = getattr(library, f"{prefix}_Update")
        self.final: Any = getattr(library, f"{prefix}_Final")
        self.init.argtypes = [ctypes.c_void_p]
        self.update.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
        self.final.argtypes = [ctypes.c_char_p, ctypes.c_void_p]


class _OpenSslDigest:
    def __init__(self, functions: _Functions, state: bytes | None) -> None:
        self._functions = functions
        self._context = ctypes.create_string_buffer(_CONTEXT_BYTES)
        if state is None:
            functions.init(self._context)
        elif len(state) == _CONTEXT_BYTES:
            self._context.raw = state
        else:
            raise ValueError("a stored digest state has the wrong length")

    def update(self, data: bytes) -> None:
        self._functions.update(self._context, data, len(data))

    def hexdigest(self) -> str:
        last = ctypes.create_string_buffer(self._context.raw, _CONTEXT_BYTES)  # final() spoils it
        digest = ctypes.create_string_buffer(self._functions.size)
        self._functions.final(digest, last)
        return digest.raw.hex()

    def state(self) -> bytes | None:
        return self._context.raw


@functools.cache
def _functions(algorithm: str) -> _Functions | None:
    for library in _LIBRARIES:
        try:
            functions = _Functions(
                ctypes.CDLL(library), algorithm.upper(), HEX_DIGITS[algorithm] // 2
            )
        except (OSError, AttributeError):
            continue
        probe = _OpenSslDigest(functions, None)
        probe.update(b"abc")
        if probe.hexdigest() == hashlib.new(algorithm, b"abc", usedforsecurity=False).hexdigest():
            return functions
    return None
