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
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from cdi.images import errors
from cdi.images.sources.disk import DiskSource
from cdi.images.sources.nbd.transport import TICK, Transport, Watch
from cdi.images.transfer.meter import Meter
from cdi.workers.ranged import greeting
from cdi.workers.ranged.digests import Digest
from cdi.workers.ranged.export import Export, serve
from cdi.workers.ranged.greeting import Answer, Hello
from cdi.workers.ranged.keepalive import keep_alive

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

    def __init__(self, disk: DiskSource, connect: Connect, shown: str, *, is_device: bool) -> None:
        """`connect` makes a connection that may or may not speak PROTOCOL."""
        self._disk, self._connect, self._shown = disk, connect, shown
        self._is_device = is_device
        self._moved_at = time.monotonic()

    def run(self, first: ssl.SSLSocket, meter: Meter, cancel: threading.Event) -> None:
        """Send all of it; `first` is a connection that speaks PROTOCOL."""
        export = Export(self._disk)
        meter.total = export.size

        def sent(offset: int, length: int) -> None:
            meter.received(length)
            meter.reached(offset + length)
            self._moved_at = time.monotonic()

        control: ssl.SSLSocket | None = first
        while True:
            try:
                self._once(control or self._connected(), export, sent, cancel)
            except (OSError, greeting.Nonsense, errors.ConnectionLost, Refused) as error:
                self._pause_after(error, cancel)
            else:
                meter.reached(export.size)
                return
            control = None

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
        export: Export,
        sent: Callable[[int, int], None],
        cancel: threading.Event,
    ) -> None:
        """Send it, if nothing goes wrong. Raises Refused, Nonsense, TransferError, OSError."""
        version = f"{self._disk.identity.version} of {export.size} bytes"
        hello = Hello(
            secrets.token_hex(16), secrets.token_hex(16), version, self._is_device, carries=False
        )
        over = threading.Event()
        with contextlib.closing(control):
            control.sendall(hello.line())
            self._insist(_answer(control, ANSWER, cancel))
            carrying = replace(hello, carries=True)
            threads = [
                threading.Thread(
                    target=self._carry, args=(carrying, export, sent, over), daemon=True
                )
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

    def _carry(
        self, hello: Hello, export: Export, sent: Callable[[int, int], None], over: threading.Event
    ) -> None:
        """Answer over one connection after the other until the copy is over."""
        digest = Digest(hello.key)
        while not over.is_set():
            try:
                line = self._connected()
                line.sendall(hello.line())
                watch = Watch(over, STALL, time.monotonic)
                with Transport(line, watch, self._shown) as transport:
                    serve(transport, export, digest, sent)
            except errors.Cancelled:
                return
            except (OSError, errors.TransferError) as error:
                log.info("a connection of the copy ended", extra={"cause": str(error)})
            over.wait(TICK)


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
