"""
The key with which tokens are signed on one machine: a file, made when the first token is.

Most machines never clone between namespaces and are never uploaded to.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from cdi.standalone.apiserver.certificates import write_private

_KEY_BITS = 2048


class SigningKey:
    """The key at `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def exists(self) -> bool:
        """Whether anything was ever signed."""
        return self._path.exists()

    @cached_property
    def private(self) -> rsa.RSAPrivateKey:
        """The key, made now if there is none. Raises TypeError if the file holds another kind."""
        if not self._path.exists():
            made = rsa.generate_private_key(65537, _KEY_BITS)
            pem = made.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            write_private(self._path, pem)
        key = serialization.load_pem_private_key(self._path.read_bytes(), None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise TypeError(f"{self._path} does not hold an RSA key")
        return key
