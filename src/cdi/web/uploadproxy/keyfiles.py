"""
The keys by which the proxy believes tokens: one that it is told at start, and those mounted.

A key is exchanged while proxies run: the one that signs next and the one that signed before are
beside it in the mounted directory, by the names of `api.signingkey`, and files that change there
count at once. Without a directory the one key stays. Raises keys.BadKeys at start.
"""

from __future__ import annotations

import logging
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa

from cdi import pki
from cdi.api import signingkey
from cdi.web.tokens.keys import BadKeys

log = logging.getLogger(__name__)

_Stamp = tuple[tuple[int, int], ...]


class PublicKeys:
    """Believes; signs nothing."""

    def __init__(self, told: str, directory: Path) -> None:
        """`told` is a PEM text, or empty."""
        self._told = (_parsed(told),) if told.strip() else ()
        self._directory = directory
        self._stamp: _Stamp = ()
        self._mounted: tuple[rsa.RSAPublicKey, ...] = ()

    def signing(self) -> rsa.RSAPrivateKey:
        raise BadKeys("the upload proxy has no key to sign with")

    def believed(self) -> tuple[rsa.RSAPublicKey, ...]:
        """Those mounted, as they are now; else the one that was told."""
        stamp = tuple(_stamp_of(self._directory / name) for name in signingkey.BELIEVED)
        if stamp != self._stamp:
            self._stamp = stamp
            self._read()
        return self._mounted or self._told

    def _read(self) -> None:
        texts = [_text_of(self._directory / name) for name in signingkey.BELIEVED]
        try:
            self._mounted = tuple(_parsed(text) for text in texts if text)
        except BadKeys as error:
            log.warning("mounted keys cannot be used", extra={"cause": str(error)})


def _parsed(text: str) -> rsa.RSAPublicKey:
    try:
        return pki.parse_rsa_public(text)
    except pki.BrokenPem as error:
        raise BadKeys(f"the public key of tokens: {error}") from error


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return ""


def _stamp_of(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_ino, found.st_mtime_ns
