"""
The sender's end of one copy: it says what it has, and answers over several connections.

A connection that breaks is made again. A copy that breaks is begun again, for as long as PATIENCE
without a byte: the upload server goes on where its journal says, also a new one in place of one
that was killed. Durations in seconds. Raises TransferError.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from cdi.images import errors
from cdi.images.sources.disk import DiskSource
from cdi.images.sources.nbd.transport import TICK, Transport, Watch
from cdi.images.transfer.meter import Meter
from cdi.workers.ranged import greeting, sealed
from cdi.workers.ranged.digests import Digest
from cdi.workers.ranged.export import Export, serve
from cdi.workers.ranged.files import Files
from cdi.workers.ranged.greeting import Answer, Hello
from cdi.workers.ranged.keepalive import keep_alive
from cdi.workers.ranged.sealed import Seal, Sealed

log = logging.getLogger(__name__)

PATIENCE: Final = 120.0  # without a byte: a server's pod may have to be made anew
STALL: Final = 600.0  # for the next request: the server may be writing out what it has
PAUSE: Final = 1.0  # between two attempts
ANSWER: Final = 60.0  # for the first answer: another sender may have to be seen to be gone
_TEMPORARY: Final = (408, 409, 503)  # statuses after which the same may go well

Connect = Callable[[], ssl.SSLSocket]


class Refused(errors.SourceError):
    """The upload server does not take the copy."""

    reason = "CopyRefused"

    def __init__(self, answer: Answer, shown: str) -> None:
        super().__init__(f"{shown} answers {answer.status}: {answer.reason}: {answer.message}")
        self.status = answer.status


class Sender:
    """Sends one disk. `run` is all there is to do."""

    def __init__(
        self,
        disk: DiskSource,
        connect: Connect,
        shown: str,
        *,
        is_device: bool,
        files: Files | None = None,
    ) -> None:
        """`connect` makes a connection that may or may not speak PROTOCOL; `files` are those that
        there are beside the disk."""
        self._disk, self._connect, self._shown = disk, connect, shown
        self._files = files
        self._is_device = is_device
        self._moved_at = time.monotonic()

    def run(self, first: ssl.SSLSocket, meter: Meter, cancel: threading.Event) -> None:
        """Send all of it; `first` is a connection that speaks PROTOCOL."""
        meter.total = self._disk.size
        exports = self._exports(meter)
        control: ssl.SSLSocket | None = first
        while True:
            try:
                self._once(control or self._connected(), exports, cancel)
            except (OSError, greeting.Nonsense, errors.ConnectionLost, Refused) as error:
                self._pause_after(error, cancel)
            else:
                meter.reached(self._disk.size)
                return
            control = None

    def _exports(self, meter: Meter) -> dict[str, Export]:
        """What can be asked for; progress is that of the disk."""

        def moved(_offset: int, length: int) -> None:
            meter.received(length)
            self._moved_at = time.monotonic()

        def sent(offset: int, length: int) -> None:
            moved(offset, length)
            meter.reached(offset + length)

        found = {greeting.DISK: Export(self._disk, sent)}
        if self._files is not None:
            found[greeting.FILES] = Export(self._files, moved)
        return found

    def _pause_after(self, error: Exception, cancel: threading.Event) -> None:
        final = isinstance(error, Refused) and error.status not in _TEMPORARY
        if final or time.monotonic() - self._moved_at > PATIENCE:
            if isinstance(error, errors.TransferError):
                raise error
            raise errors.ConnectionLost(f"{self._shown} is not reached: {error}") from error
        log.info("the copy is begun again", extra={"cause": str(error)})
        if cancel.wait(PAUSE):
            raise errors.Cancelled("the copy was asked to stop") from error

    def _connected(self) -> ssl.SSLSocket:
        line = self._connect()
        if line.selected_alpn_protocol() != greeting.PROTOCOL:
            line.close()
            raise errors.ConnectionLost(f"{self._shown} does not speak {greeting.PROTOCOL} now")
        keep_alive(line)
        return line

    def _once(
        self,
        control: ssl.SSLSocket,
        exports: Mapping[str, Export],
        cancel: threading.Event,
    ) -> None:
        """Send it, if nothing goes wrong. Raises Refused, Nonsense, TransferError, OSError."""
        version = f"{self._disk.identity.version} of {self._disk.size} bytes"
        hello = Hello(
            secrets.token_hex(16),
            secrets.token_hex(16),
            version,
            self._is_device,
            carries=False,
            files=self._files is not None,
        )
        over = threading.Event()
        with contextlib.closing(control):
            control.sendall(hello.line())
            self._insist(_answer(control, ANSWER, cancel))
            carrying = replace(hello, carries=True)
            threads = [
                threading.Thread(target=self._carry, args=(carrying, exports, over), daemon=True)
                for _ in range(greeting.CONNECTIONS)
            ]
            try:
                for each in threads:
                    each.start()
                self._insist(_answer(control, None, cancel))
            finally:
                over.set()

    def _insist(self, answer: Answer) -> None:
        if not answer.is_good:
            raise Refused(answer, self._shown)

    def _carry(self, hello: Hello, exports: Mapping[str, Export], over: threading.Event) -> None:
        """Answer over one connection after the other until the copy is over."""
        digest = Digest(hello.key)
        while not over.is_set():
            try:
                with self._greeted(hello, over) as transport:
                    serve(transport, exports, digest)
            except errors.Cancelled:
                return
            except (OSError, greeting.Nonsense, errors.TransferError) as error:
                log.info("a connection of the copy ended", extra={"cause": str(error)})
            over.wait(TICK)

    def _greeted(self, hello: Hello, over: threading.Event) -> Transport:
        """Make a connection of the copy. Raises Refused, Nonsense, TransferError, OSError."""
        line, watch = self._connected(), Watch(over, STALL, time.monotonic)
        try:
            seal = sealed.key_for(line)
            line.sendall(replace(hello, seal=seal).line())
            self._insist(_answer(line, ANSWER, over))
        except BaseException:
            line.close()
            raise
        if not seal:
            return Transport(line, watch, self._shown)
        keys = Seal(seal, sealed.SENDER), Seal(seal, sealed.SERVER)
        return Sealed(sealed.after_tls(line), watch, self._shown, *keys)


def _answer(line: ssl.SSLSocket, patience: float | None, cancel: threading.Event) -> Answer:
    """Read one line, without an end of patience if that is None."""
    line.settimeout(TICK)
    until = None if patience is None else time.monotonic() + patience
    found = b""
    while not found.endswith(b"\n"):
        if cancel.is_set():
            raise errors.Cancelled("the copy was asked to stop")
        if until is not None and time.monotonic() > until:
            raise TimeoutError("no answer")
        try:
            piece = line.recv(1)
        except TimeoutError:
            continue
        if not piece or len(found) > greeting.LINE_MOST:
            raise errors.ConnectionLost("the upload server has broken off")
        found += piece
    return greeting.answer_of(found)
