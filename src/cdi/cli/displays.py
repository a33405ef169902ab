"""How a running import is shown: what every display promises, and how it tells of a failure."""

from __future__ import annotations

import os
from typing import Final, Protocol

from cdi.images import errors
from cdi.images.transfer.meter import Meter
from cdi.images.transfer.result import Result

EXIT_TRANSIENT: Final = 1
EXIT_PERMANENT: Final = 3


class Display(Protocol):
    """Shows one import. Used as a context manager while it runs."""

    interval: float  # seconds between two calls of `progress`

    def __enter__(self) -> Display: ...
    def __exit__(self, *_: object) -> None: ...
    def progress(self, meter: Meter) -> None: ...
    def done(self, result: Result, seconds: float) -> None: ...
    def failed(self, reason: str, message: str, *, permanent: bool) -> None: ...


def tell_failure(display: Display, error: BaseException | None, number: int) -> int:
    """Show why an import has no result, and return its exit status.

    A signal of that `number` has stopped it, if it is not 0. Raises errors that are no
    TransferError. Does not return where a thread is stuck.
    """
    if number:
        display.failed("Cancelled", "stopped; run again to continue", permanent=False)
        if error is None:
            os._exit(128 + number)  # a thread is stuck in the network, or in the disk
        return 128 + number
    if not isinstance(error, errors.TransferError):
        raise error or RuntimeError("the transfer ended without a result")
    permanent = error.kind is errors.Kind.PERMANENT
    display.failed(error.reason, str(error), permanent=permanent)
    return EXIT_PERMANENT if permanent else EXIT_TRANSIENT
