"""
Which certificates a connection trusts: the system's, and those a user added.

Raises InvalidRequest for a place that cannot be read; a file without certificates is only worth
a warning, as the directory may hold keys and notes too.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Iterator
from pathlib import Path

from cdi.images import errors
from cdi.images.http.options import HttpOptions

log = logging.getLogger(__name__)


def context_for(options: HttpOptions) -> ssl.SSLContext:
    """Return a client context: TLS 1.2 or later, verifying unless `insecure`."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    # As existing installations expect: whatever was added is trusted as it is, be it a server's
    # own certificate, an intermediate one, or an authority without the newer extensions.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if options.insecure:
        log.warning("The certificate of the source is not verified, as was asked for")
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    for path in _authorities(options):
        _add(context, path)
    return context


def is_extended(options: HttpOptions) -> bool:
    """Whether something was added that is worth checking before the first connection."""
    return bool(options.ca_files or options.ca_dirs)


def _authorities(options: HttpOptions) -> Iterator[Path]:
    yield from options.ca_files
    for directory in options.ca_dirs:
        yield from _files(directory)
    for directory in options.proxy_ca_dirs:
        # Mounted only where a proxy has an authority of its own.
        if directory.is_dir():
            yield from _files(directory)


def _files(directory: Path) -> list[Path]:
    try:
        entries = sorted(directory.iterdir())
    except OSError as failure:
        raise errors.InvalidRequest(
            f"cannot read the certificates in {directory}: {failure.strerror}"
        ) from failure
    # Kubernetes keeps the versions of a mounted map in names with a leading dot.
    return [entry for entry in entries if not entry.name.startswith(".") and entry.is_file()]


def _add(context: ssl.SSLContext, path: Path) -> None:
    try:
        context.load_verify_locations(cafile=path)
    except ssl.SSLError:
        log.warning("A certificate file holds no certificates", extra={"path": str(path)})
    except OSError as failure:
        raise errors.InvalidRequest(
            f"cannot read the certificate file {path}: {failure.strerror}"
        ) from failure
