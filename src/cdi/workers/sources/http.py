"""
An http(s) source, with everything that its order may say of it.

Reads the files of secret headers; raises InvalidRequest for those that cannot be read. Nothing
here is ever logged.
"""

from __future__ import annotations

import os
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cdi.api.workersettings import WorkerSettings
from cdi.api.workorder import WorkOrder
from cdi.images import digest, errors
from cdi.images.http.options import HttpOptions
from cdi.images.sources.http import HttpSource
from cdi.images.sources.spec import SourceSpec
from cdi.workers.sources.limits import CONNECTIONS


@contextmanager
def prepare(
    order: WorkOrder, settings: WorkerSettings, halt: threading.Event
) -> Iterator[SourceSpec]:
    """Yield what the order's URL serves; see `sources`."""
    del halt  # nothing is asked of the server before the source is opened
    options = options_for(order, settings)
    yield SourceSpec(
        open=lambda halt: open_http(order.endpoint, options, halt),
        checksum=checksum_of(order),
        # A fragment is never sent to a server: it names a part of what the server gives.
        disk=urllib.parse.unquote(urllib.parse.urlsplit(order.endpoint).fragment) or None,
    )


def open_http(url: str, options: HttpOptions, halt: threading.Event) -> HttpSource:
    """Open the source. Raises SourceError, InvalidRequest."""
    scheme = url.partition("://")[0].strip().lower()
    if scheme not in {"http", "https"}:
        # The rest of the URL is not repeated: it may hold a password.
        raise errors.InvalidRequest(f"{scheme!r} is not a scheme of an http source")
    return HttpSource(url, options, cancel=halt)


def options_for(order: WorkOrder, settings: WorkerSettings) -> HttpOptions:
    """Return credentials, headers, trust and proxies of the order."""
    return HttpOptions(
        user=order.access_key_id,
        password=order.secret_key,
        headers=order.extra_headers,
        secret_headers=secret_headers(settings.extra_headers_dir),
        ca_dirs=(settings.local(order.cert_dir),) if order.cert_dir else (),
        proxy_ca_dirs=(settings.proxy_cert_dir,),
        insecure=order.insecure_tls,
        proxies={
            "http_proxy": order.http_proxy,
            "https_proxy": order.https_proxy,
            "no_proxy": order.no_proxy,
        },
        connections=CONNECTIONS,
        stall=settings.stall_timeout,
    )


def secret_headers(directory: Path) -> tuple[str, ...]:
    """Return the header lines in a directory: one in each file, in the order of their paths."""
    return tuple(_line_in(path) for path in sorted(_files_beneath(directory)))


def _files_beneath(directory: Path) -> Iterator[Path]:
    # Kubernetes keeps the versions of a mounted Secret in directories with a leading dot, and
    # the names that count are links into them.
    for folder, folders, names in os.walk(directory, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(folder) / name
            if not name.startswith(".") and path.is_file():
                yield path


def _line_in(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise errors.InvalidRequest(
            f"the secret header in {path} cannot be read: {type(error).__name__}"
        ) from error


def checksum_of(order: WorkOrder) -> tuple[str, str] | None:
    """Return the digest that the order promises. Raises InvalidRequest."""
    try:
        return digest.parse_checksum(order.checksum) if order.checksum else None
    except ValueError as error:
        raise errors.InvalidRequest(str(error)) from error
