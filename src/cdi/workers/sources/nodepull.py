"""
A disk in a container image that the node has pulled: a server in the image's own container hands
it out, over loopback.

The server says by a file that it is ready, or why it refuses; how long that takes depends on the
image's size and the node, so it is waited for until somebody stops the importer. A file from us
tells it that no more is wanted: after success, and after what no other start would cure.

Credentials, certificates and proxies of the order are not used: the node has its own.
"""

from __future__ import annotations

import json
import logging
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cdi.api.workersettings import WorkerSettings
from cdi.api.workorder import WorkOrder
from cdi.images import errors
from cdi.images.http.options import HttpOptions
from cdi.images.sources.http import HttpSource
from cdi.images.sources.registry import labels
from cdi.images.sources.spec import SourceSpec
from cdi.workers.sources import http
from cdi.workers.sources.limits import CONNECTIONS

log = logging.getLogger(__name__)

REFUSED = ".refused"  # behind the ready file's name: why there is nothing to serve

_LOOK_AGAIN = 0.25  # seconds
_ANY_FILE = "disk.img"  # stands in the URL for the name that the ready file gives
_INFO = "info"
_INFO_LIMIT = 1 << 20
_LONGEST_TEXT = 4096
_PULL_FAILED = "failed to pull image: "


@contextmanager
def prepare(
    order: WorkOrder, settings: WorkerSettings, halt: threading.Event
) -> Iterator[SourceSpec]:
    """Yield what the server beside us has; see `sources`."""
    done = settings.local(order.done_file)
    try:
        name = _ready(settings.local(order.ready_file), halt)
        url = _url(order.endpoint, settings)
        options = HttpOptions(connections=CONNECTIONS, stall=settings.stall_timeout)
        disk = urllib.parse.urljoin(url, urllib.parse.quote(name))
        yield SourceSpec(
            open=lambda stop: HttpSource(disk, options, cancel=stop),
            checksum=http.checksum_of(order),
            labels=labels.labels_of(_environment(urllib.parse.urljoin(url, _INFO), options, halt)),
        )
    except errors.TransferError as error:
        if error.kind is not errors.Kind.TRANSIENT:
            done.touch()
        raise
    done.touch()


def _ready(file: Path, halt: threading.Event) -> str:
    """Wait for the server; return the name of the file that it has."""
    refused = file.with_name(file.name + REFUSED)
    while not file.exists():
        if refused.exists():
            raise _refusal(_text(refused))
        if halt.wait(_LOOK_AGAIN):
            raise errors.Cancelled("the transfer was asked to stop")
    name = _text(file)
    if not name or "/" in name:
        raise errors.SourceRefused(f"the image's server names no file, but {name!r}")
    return name


def _refusal(text: str) -> errors.TransferError:
    if text.startswith(_PULL_FAILED):
        return errors.ImagePullFailed(text.removeprefix(_PULL_FAILED))
    return errors.UnsupportedFormat(text or "the image's server refuses it")


def _url(endpoint: str, settings: WorkerSettings) -> str:
    """Return the endpoint, whose host is this pod itself, without the name of a file."""
    parts = urllib.parse.urlsplit(endpoint)
    if parts.scheme != "http" or parts.hostname != "localhost":
        raise errors.InvalidRequest("a pulled image is served at http://localhost")
    host = f"{settings.loopback}:{parts.port or 80}"
    return f"http://{host}{parts.path.removesuffix(_ANY_FILE)}"


def _environment(url: str, options: HttpOptions, halt: threading.Event) -> list[str]:
    """Return the environment of the image, nothing if it cannot be had."""
    try:
        with HttpSource(url, options, cancel=halt) as source:
            if source.size is None or source.size > _INFO_LIMIT:
                raise ValueError("it is too long")
            found: Any = json.loads(b"".join(source.stream()).decode("utf-8", "replace"))
        return [str(line) for line in found["env"]]
    except errors.Cancelled:
        raise
    except (errors.TransferError, ValueError, LookupError, TypeError, RecursionError) as error:
        log.warning("the image's environment cannot be read", extra={"cause": str(error)})
        return []


def _text(file: Path) -> str:
    with file.open("rb") as opened:
        return opened.read(_LONGEST_TEXT).decode("utf-8", "surrogateescape").rstrip("\n")
