"""
The sending end of a copy over the network: `python -m cdi.workers.clonesource`.

It reads one volume and sends it to the upload server of another one. To a server of ours a disk
goes in ranges (`ranged`): what has data, several at once, resumable, compared by digest; a few
files beside it come along. To any other one, and without a disk, it goes as one chunked POST
(`clonestream`). Both ends name themselves by certificates. What the server answers decides;
anything but a 2xx ends with 1, and the container is started again.

Sizes in bytes, durations in seconds.
"""

from __future__ import annotations

import contextlib
import fnmatch
import functools
import logging
import os
import socket
import ssl
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

from cdi.api import reasons
from cdi.api.termination import Termination
from cdi.api.workersettings import WorkerSettings
from cdi.api.workorder import CloneOrder
from cdi.images import errors
from cdi.images.sources.disk import DiskSource
from cdi.images.transfer.meter import Meter
from cdi.workers import report, starting
from cdi.workers.attended import CLONED, Attended
from cdi.workers.contents import DISK, JOURNALS, LOST_AND_FOUND
from cdi.workers.ranged import greeting
from cdi.workers.ranged.files import Files
from cdi.workers.ranged.sender import Sender

log = logging.getLogger(__name__)

PATIENCE: Final = 600.0  # for one piece to be taken, or an answer: a server may be writing it out
COMING_UP: Final = 60.0  # for a server to be there: both ends are started side by side
PAUSE: Final = 0.02  # between two looks for it


def main(env: Mapping[str, str]) -> int:
    """Carry out the order in `env`; write how it ended and return the exit status."""
    return starting.start(env, CloneOrder.from_env, _run)


def _run(order: CloneOrder, settings: WorkerSettings) -> int:
    work = Sending(order, settings).run
    return report.write(Attended(settings, order.owner_uid, CLONED, work).run(), settings)


class Sending:
    """One copy, sent. `run` is all there is to do."""

    def __init__(self, order: CloneOrder, settings: WorkerSettings) -> None:
        self._order, self._settings = order, settings
        self._place = settings.local(order.mount_point)
        self._context = functools.cache(self._made_context)

    def run(self, meter: Meter, cancel: threading.Event) -> Termination:
        """Send all of it. Raises TransferError."""
        disk = self._disk()
        files = self._beside() if disk is not None else None
        in_ranges = disk is not None and (files is not None or not self._others())
        line = self._awaited(self._more_protocols if in_ranges else self._protocols, cancel)
        if disk is not None and line.selected_alpn_protocol() == greeting.PROTOCOL:
            self._send_in_ranges(disk, files, line, meter, cancel)
        else:
            # Not at the top: what speaks HTTP takes longer to load than a small disk to copy.
            from cdi.workers import clonestream

            clonestream.Streaming(self._order, self._place, self._url).run(line, meter, cancel)
        applied = f", {reasons.PREALLOCATION_APPLIED_MESSAGE}"
        message = reasons.CLONE_COMPLETE_MESSAGE + (applied if self._order.preallocation else "")
        return Termination(message=message, preallocation_applied=self._order.preallocation)

    def _send_in_ranges(
        self,
        path: Path,
        files: Files | None,
        line: ssl.SSLSocket,
        meter: Meter,
        cancel: threading.Event,
    ) -> None:
        connect = functools.partial(self._connected, self._more_protocols)
        with DiskSource(path) as disk:
            sender = Sender(disk, connect, self._shown, is_device=self._is_block, files=files)
            sender.run(line, meter, cancel)

    # Reading.

    @property
    def _is_block(self) -> bool:
        return self._order.volume_mode == "block"

    def _disk(self) -> Path | None:
        """Return the disk, if there is one."""
        if self._is_block:
            return self._place
        disk = self._place / DISK
        return disk if disk.is_file() and not disk.is_symlink() else None

    def _others(self) -> list[str]:
        """Return what else there is in the volume that has to come along."""
        if self._is_block:
            return []
        names = {each.name for each in self._place.iterdir()} - {LOST_AND_FOUND, DISK}
        return sorted(name for name in names if not fnmatch.fnmatch(name, JOURNALS))

    def _beside(self) -> Files | None:
        """Return the files beside the disk, if there are some, and few."""
        others = self._others()
        return Files.of(self._place, others) if others else None

    # Sending.

    _protocols = (greeting.HTTP,)
    _more_protocols = (greeting.PROTOCOL, greeting.HTTP)

    @property
    def _shown(self) -> str:
        return self._url.netloc

    @functools.cached_property
    def _url(self) -> SplitResult:
        return urlsplit(self._order.upload_url)

    def _awaited(self, protocols: tuple[str, ...], cancel: threading.Event) -> ssl.SSLSocket:
        """Connect to the server, which may still be on its way up."""
        until = time.monotonic() + COMING_UP
        while True:
            try:
                return self._connected(protocols)
            except errors.ConnectionLost as error:
                unknown = isinstance(error.__cause__, ssl.SSLCertVerificationError)
                if unknown or time.monotonic() > until:
                    raise
                log.info("the server is waited for", extra={"cause": str(error)})
            if cancel.wait(PAUSE):
                raise errors.Cancelled("the copy was asked to stop")

    def _connected(self, protocols: tuple[str, ...]) -> ssl.SSLSocket:
        """Connect to the server, which chooses one of the protocols. Raises ConnectionLost."""
        host, port = self._url.hostname or "", self._url.port or 443
        try:
            plain = socket.create_connection((host, port), timeout=PATIENCE)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return self._context(protocols).wrap_socket(plain, server_hostname=host)
        except OSError as error:
            raise errors.ConnectionLost(f"{self._shown} is not reached: {error}") from error

    def _made_context(self, protocols: tuple[str, ...]) -> ssl.SSLContext:
        order = self._order
        context = ssl.create_default_context(cadata=order.server_ca)
        context.set_alpn_protocols(list(protocols))
        with tempfile.TemporaryDirectory() as place:
            certificate, key = Path(place) / "tls.crt", Path(place) / "tls.key"
            certificate.write_text(order.client_cert, encoding="ascii")
            key.touch(mode=0o600)
            key.write_text(order.client_key, encoding="ascii")
            context.load_cert_chain(certificate, key)
        return context


if __name__ == "__main__":
    status = main(os.environ)
    logging.shutdown()
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    # Threads that are stuck in the network or on a disk must not hold up the end.
    os._exit(status)
