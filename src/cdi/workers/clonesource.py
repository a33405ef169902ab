"""
The sending end of a copy over the network: `python -m cdi.workers.clonesource`.

It reads one volume and sends it to the upload server of another one. To a server of ours a disk
goes in ranges (`ranged`): what has data, several at once, resumable, compared by digest; a few
files beside it come along. To any other one, and without a disk, it goes as one chunked POST: the
device as it is (`blockdevice-clone`), or a file system as a tar with sparse members
(`filesystem-clone`), framed by snappy; that wire is the one of upload.md and clone.md of the API.
Both ends name themselves by certificates. What the server answers decides; anything but a 2xx ends
with 1, and the container is started again.

Sizes in bytes, durations in seconds.
"""

from __future__ import annotations

import contextlib
import fnmatch
import functools
import http.client
import logging
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

import cramjam

from cdi.api import reasons
from cdi.api.termination import Termination
from cdi.api.workersettings import WorkerSettings
from cdi.api.workorder import CloneOrder
from cdi.images import errors
from cdi.images.sources.disk import DiskSource
from cdi.images.transfer.meter import Meter
from cdi.workers import report, starting, volume
from cdi.workers.attended import Attended
from cdi.workers.copier import LOST_AND_FOUND, METRIC
from cdi.workers.ranged import greeting
from cdi.workers.ranged.files import Files, tree
from cdi.workers.ranged.sender import Sender

log = logging.getLogger(__name__)

PIECE: Final = 1 << 20
PATIENCE: Final = 600.0  # for one piece to be taken, or an answer: a server may be writing it out
COMING_UP: Final = 60.0  # for a server to be there: both ends are started side by side
PAUSE: Final = 0.05  # between two looks for it
CONTENT_TYPE: Final = "x-cdi-content-type"
_JOURNALS: Final = ".*cdi-*"  # of workers: none is part of a volume


def main(env: Mapping[str, str]) -> int:
    """Carry out the order in `env`; write how it ended and return the exit status."""
    return starting.start(env, CloneOrder.from_env, _run)


def _run(order: CloneOrder, settings: WorkerSettings) -> int:
    work = Sending(order, settings).run
    return report.write(Attended(settings, order.owner_uid, METRIC, work).run(), settings)


class Sending:
    """One copy, sent. `run` is all there is to do."""

    def __init__(self, order: CloneOrder, settings: WorkerSettings) -> None:
        self._order, self._settings = order, settings
        self._place = settings.local(order.mount_point)

    def run(self, meter: Meter, cancel: threading.Event) -> Termination:
        """Send all of it. Raises TransferError."""
        disk = self._disk()
        files = self._beside() if disk is not None else None
        in_ranges = disk is not None and (files is not None or not self._others())
        line = self._awaited(self._more_protocols if in_ranges else self._protocols, cancel)
        if disk is not None and line.selected_alpn_protocol() == greeting.PROTOCOL:
            self._send_in_ranges(disk, files, line, meter, cancel)
        else:
            self._send_at_once(line, meter, cancel)
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

    def _send_at_once(self, line: ssl.SSLSocket, meter: Meter, cancel: threading.Event) -> None:
        pieces = self._device() if self._is_block else self._files()
        kind = "blockdevice-clone" if self._is_block else "filesystem-clone"
        meter.total = self._expected(is_block=self._is_block)
        self._post(line, kind, _framed(_counted(pieces, meter, cancel)))

    # Reading.

    @property
    def _is_block(self) -> bool:
        return self._order.volume_mode == "block"

    def _disk(self) -> Path | None:
        """Return the disk, if there is one."""
        if self._is_block:
            return self._place
        disk = self._place / volume.DISK
        return disk if disk.is_file() and not disk.is_symlink() else None

    def _others(self) -> list[str]:
        """Return what else there is in the volume that has to come along."""
        if self._is_block:
            return []
        names = {each.name for each in self._place.iterdir()} - {LOST_AND_FOUND, volume.DISK}
        return sorted(name for name in names if not fnmatch.fnmatch(name, _JOURNALS))

    def _beside(self) -> Files | None:
        """Return the files beside the disk, if there are some, and few."""
        others = self._others()
        return Files.of(self._place, others) if others else None

    def _device(self) -> Iterator[bytes]:
        try:
            with self._place.open("rb", buffering=0) as device:
                while piece := device.read(PIECE):
                    yield piece
        except OSError as error:
            raise errors.SourceUnavailable(f"{self._place} cannot be read: {error}") from error

    def _files(self) -> Iterator[bytes]:
        """Yield a tar of everything in the file system."""
        sparse = [] if self._order.preallocation else ["--sparse"]
        names = sorted(each.name for each in self._place.iterdir() if each.name != LOST_AND_FOUND)
        command = [
            "tar", "--create", *sparse, "--directory", str(self._place),
            "--exclude", _JOURNALS, "--no-recursion", "--null", "--files-from=-",
        ]  # fmt: skip
        with tempfile.TemporaryFile() as listed, tempfile.TemporaryFile() as said:
            listed.write(b"".join(os.fsencode(x) + b"\0" for x in tree(self._place, names)))
            listed.seek(0)
            child = subprocess.Popen(command, stdin=listed, stdout=subprocess.PIPE, stderr=said)
            try:
                yield from _read(child)
            finally:
                if child.poll() is None and sys.exception() is not None:
                    child.kill()
            if child.wait() != 0:
                said.seek(0)
                why = said.read(500).decode(errors="replace")
                raise errors.SourceUnavailable(f"tar has failed: {why.strip()}")

    def _expected(self, *, is_block: bool) -> int:
        """How many bytes are read before they are framed, more or less."""
        if is_block:
            with self._place.open("rb") as device:
                return device.seek(0, os.SEEK_END)
        found = (path.lstat() for path in self._place.rglob("*"))
        if self._order.preallocation:
            return sum(each.st_size for each in found)
        return sum(each.st_blocks * 512 for each in found)

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

    def _post(self, line: ssl.SSLSocket, kind: str, body: Iterator[bytes]) -> None:
        connection = http.client.HTTPSConnection(self._url.hostname or "", self._url.port)
        connection.sock = line
        try:
            with contextlib.closing(connection):
                status, text = _answer(connection, self._url.path, kind, body)
        except (OSError, http.client.HTTPException) as error:
            raise errors.ConnectionLost(f"{self._shown} is not reached: {error}") from error
        if not 200 <= status < 300:
            raise errors.ConnectionLost(f"{self._shown} answers {status}: {text}")

    def _context(self, protocols: tuple[str, ...]) -> ssl.SSLContext:
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


def _answer(
    connection: http.client.HTTPSConnection, path: str, kind: str, body: Iterator[bytes]
) -> tuple[int, str]:
    """Send a body and return the status and the text of the answer.

    A server that refuses may stop reading and answer, so a broken pipe is no answer yet.
    """
    try:
        headers = {CONTENT_TYPE: kind, "Transfer-Encoding": "chunked"}
        connection.request("POST", path, body=body, headers=headers, encode_chunked=True)
    except (BrokenPipeError, ConnectionResetError):
        log.info("the server has stopped reading")
    answer = connection.getresponse()
    return answer.status, answer.read(2000).decode(errors="replace").strip()


def _read(child: subprocess.Popen[bytes]) -> Iterator[bytes]:
    stream = child.stdout
    while stream is not None and (piece := stream.read(PIECE)):
        yield piece


def _counted(pieces: Iterator[bytes], meter: Meter, cancel: threading.Event) -> Iterator[bytes]:
    for piece in pieces:
        if cancel.is_set():
            raise errors.Cancelled("the copy was asked to stop")
        meter.received(len(piece))
        meter.reached(meter.fetched)
        yield piece


def _framed(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the same in snappy's framing format; an empty row of pieces is a beginning only."""
    compressor = cramjam.snappy.Compressor()
    for piece in pieces:
        compressor.compress(piece)
        yield bytes(compressor.flush())
    yield bytes(compressor.finish())


if __name__ == "__main__":
    status = main(os.environ)
    logging.shutdown()
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    # Threads that are stuck in the network or on a disk must not hold up the end.
    os._exit(status)
