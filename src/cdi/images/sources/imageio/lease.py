"""
The right to read one image for a while: a transfer that is kept alive, and replaced if need be.

A transfer ends by itself when nobody reads for a minute, when its host goes down, or when somebody
cancels it. It is then replaced only where the bytes are certain to be the same: a snapshot's are.
A disk that is not a snapshot is locked by its transfer and may change as soon as that has ended:
then the work begins anew, which SourceChanged asks for.

Leaving the `with` block ends the transfer: finalized after success, cancelled otherwise. What is
left open, by a process that was killed, the engine ends a minute later; the disk stays locked for
that time. A run that starts before that takes up the transfer that its journal names: a disk whose
transfer never ended is the same disk, even if it is no snapshot.
"""

from __future__ import annotations

import contextlib
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

from cdi.images import errors
from cdi.images.http import retry
from cdi.images.http.options import HttpOptions
from cdi.images.sources.imageio import catalog, transfers
from cdi.images.sources.imageio.catalog import Image, WantedDisk
from cdi.images.sources.imageio.daemon import Abilities, Daemon, Extents
from cdi.images.sources.imageio.engine import Engine
from cdi.images.sources.imageio.patience import Patience
from cdi.images.sources.imageio.transfers import Pause, Transfer
from cdi.images.sources.source import Identity

log = logging.getLogger(__name__)

T = TypeVar("T")

_BY_TRANSFER = "transfer "  # of a version that lasts as long as the transfer of that id

_UNREACHABLE = (errors.SourceUnavailable, errors.ConnectionLost, errors.Stalled)


@contextmanager
def leased(
    url: str,
    wanted: WantedDisk,
    options: HttpOptions,
    cancel: threading.Event,
    patience: Patience | None = None,
    wait: Callable[[float], bool] | None = None,
    noted: Identity | None = None,
) -> Iterator[Lease]:
    """Log in to the engine at `url` and lease what `wanted` names; see the module.

    `noted` is what an interrupted run has read, by its journal.
    """
    with Engine(url, options, cancel, wait=wait) as engine:
        lease = Lease(engine, catalog.find(engine, wanted), options, cancel, patience or Patience())
        success = False
        try:
            lease.begin(engine.pause, noted)
            with lease.kept_alive():
                yield lease
            success = True
        finally:
            lease.end(success=success)


class Lease:
    """One image, and the transfer through which it can be read just now."""

    def __init__(
        self,
        engine: Engine,
        image: Image,
        options: HttpOptions,
        cancel: threading.Event,
        patience: Patience,
    ) -> None:
        self.image = image
        self.patience = patience
        # What the daemon is spoken to with: it knows tickets, and no users.
        self.options = replace(
            options, user="", password="", headers=(), secret_headers=(), secret_path=True
        )
        self.abilities = Abilities()
        self.url = ""
        self.moved = 0  # bytes that arrived; only whether it grows matters
        self._engine, self._cancel = engine, cancel
        self._daemon = Daemon(self.options, cancel)
        self._transfer: Transfer | None = None
        self._lock = threading.Lock()

    @property
    def raw(self) -> bool:
        """Whether the bytes are a raw disk for certain: engines before 4.3 do not convert."""
        return self._transfer is not None and self._transfer.format == "raw"

    @property
    def version(self) -> str:
        """Equal for two leases of the same bytes; see `source.Identity`."""
        if self.image.version or self._transfer is None:
            return self.image.version
        return f"{_BY_TRANSFER}{self._transfer.id}"

    def begin(self, pause: Pause, noted: Identity | None = None) -> None:
        """Have a transfer begun, or take up the `noted` one; find out where its bytes are."""
        with self._lock:
            if not self._take_up(noted, pause):
                self._begin(pause)

    def restart(self, pause: Pause) -> None:
        """Begin another transfer if this one has ended."""
        with self._lock:
            found = self._look()
            if found is None or not found.lives:
                self._begin(pause)

    def renew(self, url: str, pause: Pause) -> str:
        """Make up for a ticket that the daemon refuses; return the URL to go on with.

        Raises SourceChanged where that could be other bytes.
        """
        with self._lock:
            if self.url != url:
                return self.url  # another thread was faster
            found = self._look()
            if found is not None and found.lives:
                ready = transfers.until_ready(self._engine, found, self.patience, pause)
                transfers.act(self._engine, ready.id, "extend")
                if self.url not in ready.urls:
                    self._choose(ready, pause)
            elif self.image.version:
                log.warning("The image transfer has ended too early, another one is begun")
                self._begin(pause)
            else:
                raise errors.SourceChanged(
                    f"{self.image.location}: its image transfer ended too early; the disk is no "
                    "snapshot and may have changed since; start again"
                )
            return self.url

    def extents(self, pause: Pause) -> Extents | None:
        """Return which parts of a raw disk matter, None where the daemon does not tell."""
        if not self.abilities.extents:
            return None
        return self._repeated(lambda: self._daemon.extents(self.url), pause)

    def end(self, *, success: bool) -> None:
        """Finalize or cancel the transfer; log why if that fails."""
        self._daemon.close()
        transfer, self._transfer = self._transfer, None
        if transfer is None:
            return
        haste = self._cancel.is_set()
        told = self._end(transfer, success=success, haste=haste)
        log.info(
            "The image transfer has ended" if told else "The image transfer is left to the engine",
            extra={"transfer": transfer.id, "success": success},
        )

    @contextmanager
    def kept_alive(self) -> Iterator[None]:
        """Show the engine and the daemon signs of life while the block runs."""
        over = threading.Event()
        keeper = threading.Thread(
            target=self._keep, args=(over,), name="imageio-keeper", daemon=True
        )
        keeper.start()
        try:
            yield
        finally:
            over.set()
            keeper.join(self.patience.ending_in_haste / 2)

    def _begin(self, pause: Pause) -> None:
        transfer = transfers.ask_for(self._engine, self.image, self.patience, pause)
        self._transfer = transfer  # to be ended, whatever becomes of it
        log.info("An image transfer begins", extra={"transfer": transfer.id})
        ready = transfers.until_ready(self._engine, transfer, self.patience, pause)
        self._check_format(ready)
        self._choose(ready, pause)

    def _take_up(self, noted: Identity | None, pause: Pause) -> bool:
        """Go on with the transfer of an interrupted run; return whether that is possible."""
        name = noted.version.removeprefix(_BY_TRANSFER) if noted else ""
        if noted is None or noted.location != self.image.location or name == noted.version:
            return False
        found = transfers.look(self._engine, name)
        if found is None or not found.lives:
            return False
        log.info("The image transfer of an earlier run goes on", extra={"transfer": found.id})
        self._transfer = found
        self._choose(transfers.until_ready(self._engine, found, self.patience, pause), pause)
        return True

    def _check_format(self, transfer: Transfer) -> None:
        if self.image.delta and transfer.format not in {"", "cow"}:
            raise errors.SourceRefused(
                f"{self.image.location}: the engine transfers it as {transfer.format}, which does "
                "not tell what changed since the previous checkpoint; give none, to copy all of it"
            )

    def _choose(self, transfer: Transfer, pause: Pause) -> None:
        """Take the first URL that can be reached: the host's own, else the engine's proxy."""
        if not transfer.urls:
            raise errors.SourceRefused(
                f"the image transfer {transfer.id} has no URL; check the engine's version"
            )

        def reach() -> tuple[str, Abilities]:
            *others, last = transfer.urls
            for url in others:
                try:
                    return url, self._daemon.abilities(url)
                except _UNREACHABLE as error:
                    log.info("An imageio daemon cannot be reached", extra={"cause": str(error)})
            return last, self._daemon.abilities(last)

        self.url, self.abilities = self._repeated(reach, pause)
        self._transfer = transfer

    def _repeated(self, work: Callable[[], T], pause: Pause) -> T:
        policy = self.options.retries
        budget = retry.Budget(policy, policy.opening_tries, random.random)
        return retry.repeated(work, _UNREACHABLE, budget, lambda _, delay: pause(delay))

    def _look(self) -> Transfer | None:
        if self._transfer is None:
            return None
        return transfers.look(self._engine, self._transfer.id)

    def _keep(self, over: threading.Event) -> None:
        moved = -1
        while not over.wait(self.patience.keep):
            transfer, url = self._transfer, self.url
            if transfer is None or self._cancel.is_set():
                return
            with contextlib.suppress(errors.TransferError):
                transfers.act(self._engine, transfer.id, "extend")
            if moved == self.moved:
                with contextlib.suppress(errors.TransferError):
                    self._daemon.touch(url)
            moved = self.moved

    def _end(self, transfer: Transfer, *, success: bool, haste: bool) -> bool:
        """Speak to the engine in a conversation of its own: the other one may be cancelled."""
        patience = self.patience
        never = threading.Event()
        stall = patience.ending_in_haste if haste else 2 * patience.ending_pause + 5
        until = time.monotonic() + patience.ending_in_haste if haste else None

        def pause(seconds: float) -> None:
            if until is None:
                stopped = self._cancel.wait(seconds)
            else:
                stopped = time.monotonic() + seconds > until or never.wait(seconds)
            if stopped:
                raise errors.Cancelled("no time is left to end the transfer")

        with self._engine.again(never, stall) as engine:
            told = transfers.end(
                engine, transfer.id, success=success, patience=patience, pause=pause
            )
            engine.log_out()
            return told
