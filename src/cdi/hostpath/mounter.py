"""
The claim of a pool, mounted on a node where the driver finds it.

It is looked at now and then: whoever takes the mount away by hand has it back. The mount outlives
the process, as volumes on it are in use; only `let_go` takes it away. Blocking calls but `run`.
Raises OSError.
"""

from __future__ import annotations

import asyncio
import logging
import stat
from pathlib import Path
from typing import Final

from cdi.hostpath.pools import MARKER
from cdi.kube.clock import Clock, wait_for
from cdi.volumes import formatting, mounts

log = logging.getLogger(__name__)

_INTERVAL: Final = 5.0  # seconds between two looks


class Mounter:
    """Keeps one claim, seen at `source` as a directory or a device, at `target`. A part for a
    manager."""

    name = "mount"

    def __init__(self, claim: str, source: Path, target: Path, clock: Clock) -> None:
        self._claim, self._source, self._target = claim, source, target
        self._clock = clock
        self._size = 0  # of the device, when it was looked at last
        self.mounted = False

    async def ready(self) -> None:
        """Nobody waits for it."""

    async def run(self, stop: asyncio.Event) -> None:
        """Keep the claim mounted until `stop`; troubles are told once."""
        trouble = ""
        while not stop.is_set():
            try:
                await asyncio.to_thread(self.ensure)
                trouble, self.mounted = "", True
            except OSError as error:
                self.mounted = False
                if str(error) != trouble:
                    log.warning("the claim is not mounted", extra={"cause": str(error)})
                trouble = str(error)
            await wait_for(self._clock, _INTERVAL, stop)

    def ensure(self) -> None:
        """Have the claim mounted. Raises Different where something else is, and OSError for a
        device with something on it that is no file system."""
        self._target.mkdir(mode=0o755, parents=True, exist_ok=True)
        if stat.S_ISBLK(self._source.stat().st_mode):
            self._ensure_device()
        else:
            mounts.bind(self._source, self._target, read_only=False)
        self._mark()

    def _ensure_device(self) -> None:
        size = formatting.size_of(self._source)
        if mounts.at(self._target) is None and formatting.ensure_formatted(self._source):
            log.info("the claim was blank and has a file system now", extra={"claim": self._claim})
        mounts.mount(self._source, self._target)
        if self._size < size and mounts.kind_at(self._target) == "xfs":
            formatting.grow(self._target)
        self._size = size

    def _mark(self) -> None:
        """By this file the driver sees that the claim is there, and not the directory beneath."""
        marker = self._target / MARKER
        if marker.exists():
            return
        marker.write_text(f"{self._claim}\n", encoding="utf-8")


def let_go(target: Path) -> None:
    """Take the mount of a claim away. Pods that have volumes on it keep them."""
    if mounts.at(target) is None:
        return
    if mounts.let_go(target):
        log.warning("volumes are in use; the mount goes with the last of them")
