"""
The secured line of an upload server, and the name of who is at its other end.

A client is asked for a certificate and need not show one; what it shows has to be signed by the
authority of clients, or the handshake fails. Files are read once, at the start: the server makes
way for another one before they grow old. Raises OSError, of which ssl.SSLError is one.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Mapping
from typing import Any, Final

from cdi.api.workersettings import WorkerSettings
from cdi.api.workorder import UploadOrder

log = logging.getLogger(__name__)

_VERSIONS: Final = {
    "VersionTLS12": ssl.TLSVersion.TLSv1_2,
    "VersionTLS13": ssl.TLSVersion.TLSv1_3,
}


def context_for(
    order: UploadOrder, settings: WorkerSettings, protocol: str = "http/1.1"
) -> ssl.SSLContext:
    """Return the context that an order describes; older versions than TLS 1.2 are not spoken."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS.get(order.tls_min_version, ssl.TLSVersion.TLSv1_2)
    _limit(context, order.tls_ciphers)
    context.load_cert_chain(settings.local(order.tls_cert_file), settings.local(order.tls_key_file))
    context.load_verify_locations(settings.local(order.client_cert_file))
    context.verify_mode = ssl.CERT_OPTIONAL
    context.set_alpn_protocols([protocol])
    return context


def name_in(shown: Mapping[str, Any] | None) -> str | None:
    """Return the common name in a certificate that was verified; None if none was shown."""
    if not shown:
        return None
    names = [value for part in shown["subject"] for name, value in part if name == "commonName"]
    return names[0] if names else ""


def _limit(context: ssl.SSLContext, ciphers: tuple[str, ...]) -> None:
    """Suites of TLS 1.3 are all good and cannot be chosen; the others are as they were ordered."""
    chosen = [name for name in ciphers if not name.startswith("TLS_")]
    if ciphers and not chosen:
        context.minimum_version = ssl.TLSVersion.TLSv1_3
    if chosen:
        try:
            context.set_ciphers(":".join(chosen))
        except ssl.SSLError:
            log.warning("no cipher of the order is known", extra={"ciphers": chosen})
            context.minimum_version = ssl.TLSVersion.TLSv1_3
