"""
A note that the volume is filled, which stays until somebody has been told.

A worker may be killed between its last byte and its last message, and the message may be lost.
The next start finds the note and says what the first one wanted to say; without it, the finished
disk would make way for a new one. It counts for one order of one claim, and for this very disk, as
long as that holds what it held: every doubt means that nothing was filled.

It lies where the journal lay, and is removed once the message is written. A start that is killed
between these two says the same once more.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cdi.api.termination import Termination
from cdi.api.workorder import UploadOrder, WorkOrder
from cdi.images import target as targets
from cdi.images.transfer import documents

log = logging.getLogger(__name__)

# How it is reached may change on the way, and secrets have no place in a volume.
_NOT_WHAT = frozenset(
    {
        "access_key_id", "secret_key", "session_token", "extra_headers",
        "http_proxy", "https_proxy", "no_proxy",
        "client_name", "deadline", "listen_address", "listen_port", "tls_key_file",
        "tls_cert_file", "client_cert_file", "tls_ciphers", "tls_min_version",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Note:
    """The note at `path` about `disk`, a file, device or directory that `order` wants filled."""

    path: Path
    disk: Path
    order: WorkOrder | UploadOrder

    def write(self, ended: Termination) -> None:
        """Note how it ended, durably. Without room for that, the disk is as good.

        The disk may be about to get its name: the note counts as soon as it has.
        """
        try:
            at = targets.path_of_work(self.disk)
            disk = at if at.exists() else self.disk
            told = self._key(disk) | {"samples": _samples(disk), "message": ended.to_message()}
            documents.save(self.path, told)
        except OSError as error:
            log.warning("completion is not noted", extra={"cause": str(error)})

    def read(self) -> Termination | None:
        """Return how an earlier start ended that filled the disk; None if in doubt."""
        told = documents.load(self.path)
        if told is None or not self._is_of_one_claim:
            return None
        key = self._key(self.disk)
        if key["disk"] is None or {name: told.get(name) for name in key} != key:
            return None
        ended = Termination.from_message(str(told.get("message")))
        holds = targets.still_holds(self.disk, [tuple(each) for each in told["samples"]])
        return ended if holds and ended.says_complete else None

    @property
    def _is_of_one_claim(self) -> bool:
        """Whether the order tells one claim from another; an upload server has one for its life."""
        return isinstance(self.order, UploadOrder) or bool(self.order.owner_uid)

    def remove(self) -> None:
        """Somebody has been told, or another disk is made."""
        with contextlib.suppress(OSError):  # one that stays is about this disk and no other
            self.path.unlink(missing_ok=True)

    def _key(self, disk: Path) -> dict[str, Any]:
        return {
            "order": _digest_of(self.order),
            "disk": targets.tag_of(disk, complete=True),
            "size": _size(disk),
        }


def _size(disk: Path) -> int | None:
    try:
        with disk.open("rb") as file:
            return file.seek(0, os.SEEK_END)
    except OSError:
        return None


def _samples(disk: Path) -> list[tuple[int, int]]:
    if disk.is_dir():
        return []
    with disk.open("rb") as file:
        return targets.samples_of(file.fileno(), [(0, file.seek(0, os.SEEK_END))])


def _digest_of(order: WorkOrder | UploadOrder) -> str:
    wanted = {name: str(value) for name, value in vars(order).items() if name not in _NOT_WHAT}
    return hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()
