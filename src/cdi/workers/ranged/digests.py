"""
The digest by which both ends of a copy compare a range: GMAC, with a key of the copy's own.

128 bits, at a tenth of what SHA-256 costs (28 against 2 GiB/s with the AES and carry-less
multiplication of current processors). The key is random and known to both ends only, so that no
two contents collide but by chance. NIST SP 800-38D.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cdi.images.writes import Buffer

_NONCE = bytes(12)  # the tags stay between the two ends, within TLS


class Digest:
    """Computes digests with one key, given in hexadecimal. Any thread may call."""

    def __init__(self, key: str) -> None:
        self._cipher = AESGCM(bytes.fromhex(key))

    def __call__(self, data: Buffer) -> bytes:
        return self._cipher.encrypt(_NONCE, b"", data)
