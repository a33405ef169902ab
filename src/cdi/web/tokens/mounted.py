"""
The keys of tokens as a pod gets them: the entries of the Secret as files of one directory.

Kubernetes exchanges the files when the Secret changes, so they are looked at whenever a key is
asked for, and read again where one is new. Raises keys.BadKeys; without files no token is good.
"""

from __future__ import annotations

import base64
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa

from cdi.api import signingkey
from cdi.web.tokens import keys
from cdi.web.tokens.keys import KeySet

_ENTRIES = (signingkey.PRIVATE, *signingkey.BELIEVED)


class MountedKeys:
    """The keys in one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._known: dict[str, int] = {}
        self._keys = KeySet(None, ())

    def signing(self) -> rsa.RSAPrivateKey:
        """The key to sign with. Raises BadKeys if there is none."""
        return self._now().signing()

    def believed(self) -> tuple[rsa.RSAPublicKey, ...]:
        """The keys whose signatures count."""
        return self._now().believed()

    def _now(self) -> KeySet:
        paths = {name: self._directory / name for name in _ENTRIES}
        found = {name: path.stat().st_mtime_ns for name, path in paths.items() if path.exists()}
        if found != self._known:
            data = {name: base64.b64encode(paths[name].read_bytes()).decode() for name in found}
            self._keys = keys.parse_secret(data) if data else KeySet(None, ())
            self._known = found
        return self._keys
