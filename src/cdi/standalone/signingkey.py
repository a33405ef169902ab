"""
The key with which tokens are signed on one machine: a file, made when the first token is.

Most machines never clone between namespaces and are never uploaded to.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa

from cdi import pki
from cdi.standalone.apiserver.certificates import write_private


class SigningKey:
    """The key at `path`. Raises pki.BrokenPem if the file holds something else."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def signing(self) -> rsa.RSAPrivateKey:
        """The key, made now if there is none."""
        return self._key

    def believed(self) -> tuple[rsa.RSAPublicKey, ...]:
        """None where nothing was ever signed."""
        return (self._key.public_key(),) if self._path.exists() else ()

    @cached_property
    def _key(self) -> rsa.RSAPrivateKey:
        if not self._path.exists():
            private, _ = pki.make_rsa_pair()
            write_private(self._path, private.encode())
        return pki.parse_rsa_private(self._path.read_text(encoding="ascii"))
