"""
TLS of a server, each handshake with what holds at that moment.

Certificate files, the authority of clients and the TLS profile may change at any time. Nobody is
told: whoever connects next gets a context made of what is there then, connections that exist keep
theirs. Files that cannot be used, half-written ones for instance, leave the last good ones in
effect; as long as there never were any, handshakes fail and the server is not ready.
"""

from __future__ import annotations

import logging
import ssl
import warnings
from asyncio import sslproto
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol, Self

from cdi import pki
from cdi.storage.tlsprofile import INTERMEDIATE, TLSProfile

log = logging.getLogger(__name__)

_VERSIONS: Final = {
    "VersionTLS10": ssl.TLSVersion.TLSv1,
    "VersionTLS11": ssl.TLSVersion.TLSv1_1,
    "VersionTLS12": ssl.TLSVersion.TLSv1_2,
    "VersionTLS13": ssl.TLSVersion.TLSv1_3,
}
_YEARS: Final = timedelta(days=3650)
SMALL_BUFFER: Final = 32 << 10


def keep_connections_small() -> None:
    """Let each connection over TLS read SMALL_BUFFER bytes at once, in all of this process.

    asyncio gives each one 256 KiB for as long as it lasts. Whenever certificates are exchanged, an
    API server comes over new connections and keeps the old ones for a minute and a half: dozens of
    them, for requests of a few KiB.
    """
    sslproto.SSLProtocol.max_size = SMALL_BUFFER


class Certificate(Protocol):
    """Where a server's certificate and its key come from."""

    def stamp(self) -> Hashable:
        """Equal as long as they are the same ones; asked before every handshake."""

    def load_into(self, context: ssl.SSLContext) -> None:
        """Raises OSError, of which ssl.SSLError is one."""


@dataclass(frozen=True, slots=True)
class Files:
    """Two PEM files, as a Secret is mounted."""

    certificate: Path
    key: Path

    def stamp(self) -> Hashable:
        return tuple(_stamp_of(path) for path in (self.certificate, self.key))

    def load_into(self, context: ssl.SSLContext) -> None:
        context.load_cert_chain(self.certificate, self.key)


class SelfSigned:
    """A certificate that proves nothing, for those who want no more than that nobody listens."""

    def __init__(self, name: str) -> None:
        now = datetime.now(UTC)
        self._pair = pki.make_authority(name, now, _YEARS)

    def stamp(self) -> Hashable:
        return ""

    def load_into(self, context: ssl.SSLContext) -> None:
        pki.load_pair(context, self._pair)


def _intermediate() -> TLSProfile:
    return INTERMEDIATE


def _nobody() -> str:
    return ""


@dataclass(frozen=True, slots=True)
class ServerTls:
    """What a server shows and what it asks for; the functions are asked before every handshake."""

    certificate: Certificate
    profile: Callable[[], TLSProfile] = _intermediate
    # Authorities of client certificates as PEM. A client need not show one; if it does, it has to
    # be theirs. Empty: none is asked for.
    client_authorities: Callable[[], str] = _nobody


class LiveContext(ssl.SSLContext):
    """Looks like a context to a server, and hands every handshake to one that is up to date."""

    def __new__(cls, tls: ServerTls) -> Self:
        del tls
        return super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)

    def __init__(self, tls: ServerTls) -> None:
        self._tls = tls
        self._made: ssl.SSLContext | None = None
        self._made_of: Hashable = None
        self._tried: Hashable = None

    def current(self) -> ssl.SSLContext:
        """The context for the next handshake. Raises ssl.SSLError while there is none."""
        wanted = (
            self._tls.certificate.stamp(),
            self._tls.profile(),
            self._tls.client_authorities(),
        )
        if wanted not in (self._made_of, self._tried):
            self._renew(wanted, self._tls.profile(), self._tls.client_authorities())
        if self._made is None:
            raise ssl.SSLError("there is no certificate to show yet")
        return self._made

    @property
    def is_usable(self) -> bool:
        """Whether handshakes can succeed."""
        try:
            self.current()
        except ssl.SSLError:
            return False
        return True

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        """What servers call for each connection."""
        return self.current().wrap_bio(*args, **kwargs)

    def _renew(self, wanted: Hashable, profile: TLSProfile, authorities: str) -> None:
        self._tried = wanted
        try:
            self._made = context_of(self._tls.certificate, profile, authorities)
        except (OSError, ValueError) as error:
            log.warning("TLS files cannot be used", extra={"cause": str(error)})
            return
        if self._made_of is not None:
            log.info("TLS follows a change")
        self._made_of = wanted


def context_of(
    certificate: Certificate, profile: TLSProfile, authorities: str = ""
) -> ssl.SSLContext:
    """A context for servers. Raises OSError, ValueError where certificates cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _limit(context, profile)
    certificate.load_into(context)
    context.set_alpn_protocols(["http/1.1"])
    if authorities:
        context.load_verify_locations(cadata=authorities)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


def _limit(context: ssl.SSLContext, profile: TLSProfile) -> None:
    """Suites of TLS 1.3 are all good and cannot be chosen; the others are as the profile says."""
    minimum = _VERSIONS.get(profile.minimum, ssl.TLSVersion.TLSv1_2)
    chosen = [name for name in profile.ciphers if not name.startswith("TLS_")]
    if profile.ciphers and not chosen:
        minimum = ssl.TLSVersion.TLSv1_3
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # whoever asks for TLS 1.0 gets it
        context.minimum_version = minimum
    if chosen:
        # The library takes TLS 1.0 and 1.1 for insecure at its usual level, which they are.
        old = minimum < ssl.TLSVersion.TLSv1_2
        try:
            context.set_ciphers(":".join(chosen) + (":@SECLEVEL=0" if old else ""))
        except ssl.SSLError:
            log.warning("no cipher of the TLS profile is known", extra={"ciphers": chosen})
            context.minimum_version = ssl.TLSVersion.TLSv1_3


def _stamp_of(path: Path) -> Hashable:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
