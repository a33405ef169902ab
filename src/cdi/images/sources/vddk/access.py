"""
Where a vSphere is, who asks it, and whom the answers are believed from.

The certificate of the server is verified before the first byte of a login: against a thumbprint
where one is given (SHA-1, SHA-256 or SHA-512, with or without colons), against authorities where
some are given, and against the system's if there is neither. Raises InvalidRequest; a connection
raises CertificateInvalid.
"""

from __future__ import annotations

import hashlib
import http.client
import ssl
import urllib.parse
from dataclasses import dataclass, field

from cdi.images import errors
from cdi.images.http import tls
from cdi.images.http.options import HttpOptions

HTTPS = 443
_DIGESTS = {40: hashlib.sha1, 64: hashlib.sha256, 128: hashlib.sha512}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a vCenter or an ESXi host answers."""

    host: str
    port: int
    path: str = "/sdk"


def parse_address(url: str) -> Address:
    """Read `https://HOST[:PORT]`, with or without `/sdk`. Raises InvalidRequest."""
    try:
        parts = urllib.parse.urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urllib.parse.urlsplit("")
    if not host or parts.scheme != "https":
        # The rest of the URL is not repeated: it may hold a password.
        raise errors.InvalidRequest("the address of vSphere is to be https://HOST")
    path = parts.path.rstrip("/").removesuffix("/sdk") + "/sdk"
    return Address(host, port or HTTPS, path)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who asks, and whom the answers are believed from."""

    user: str
    password: str = field(repr=False)
    thumbprint: str = ""
    trusted: HttpOptions = field(default_factory=HttpOptions)


def context_for(credentials: Credentials) -> ssl.SSLContext:
    """Return a client context; a thumbprint is not part of it, see `pinned`."""
    context = tls.context_for(credentials.trusted)
    if credentials.thumbprint and not tls.is_extended(credentials.trusted):
        # The thumbprint says more than any authority: it names this one certificate.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def digits_of(thumbprint: str) -> str:
    """Return the hexadecimal digits of a thumbprint in lower case."""
    digits = thumbprint.replace(":", "").strip().lower()
    if digits and (len(digits) not in _DIGESTS or set(digits) - set("0123456789abcdef")):
        raise errors.InvalidRequest(
            "the thumbprint is neither SHA-1 nor SHA-256: 40 or 64 hexadecimal digits, "
            "with or without colons"
        )
    return digits


def pinned(digits: str, shown: str) -> type[http.client.HTTPSConnection]:
    """Connections that go no further with a certificate that has another thumbprint."""

    class Pinned(http.client.HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            if not digits:
                return
            certificate = self.sock.getpeercert(binary_form=True)
            seen = _DIGESTS[len(digits)](certificate or b"").hexdigest()
            if seen != digits:
                self.close()
                raise errors.CertificateInvalid(
                    f"{shown}: the certificate has another thumbprint than the one given: "
                    f"{_spelt(seen)}; check it with the host's operator"
                )

    return Pinned


def _spelt(digits: str) -> str:
    pairs = [digits[at : at + 2] for at in range(0, len(digits), 2)]
    return ":".join(pairs).upper()
