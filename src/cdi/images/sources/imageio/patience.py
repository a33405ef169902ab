"""How long an engine and its transfers are waited for. All durations are in seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """The defaults suit an engine in use; tests have less."""

    # A locked disk is in use by another operation of the engine, often the taking of a snapshot,
    # or the transfer of a run that was killed, which ends a minute after its last request.
    locked: float = 600.0
    locked_first: float = 2.0  # the first pause; each further one is longer by half
    locked_most: float = 15.0
    # From `initializing` to `transferring`: a host is chosen and attaches the disk.
    beginning: float = 300.0
    look: float = 1.0  # between two looks at a transfer that changes its phase
    # Engine and daemon give a transfer up that has been idle for this long.
    inactivity: int = 60
    keep: float = 20.0  # between two signs of life: two may be lost
    # An end that is not heard of blocks the disk until the engine gives up.
    ending_tries: int = 10
    ending_pause: float = 2.0
    # After a signal the process has 4 s in all.
    ending_in_haste: float = 2.5
    # Refused by the daemon so often in a row, a ticket is not coming back.
    renewals: int = 5
