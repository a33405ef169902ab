"""
A certificate for one process: self-signed, made at the start and never stored.

Scrapers do not verify it; it is there so that progress does not travel in clear.
"""

from __future__ import annotations

import datetime
import ssl

from cdi import pki

_VALID = datetime.timedelta(days=365)


def server_context() -> ssl.SSLContext:
    """Return a server's context with a new key and certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    now = datetime.datetime.now(datetime.UTC)
    pki.load_pair(context, pki.make_authority("cdi-worker", now, _VALID))
    return context
