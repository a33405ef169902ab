"""How a worker starts: it is told in its environment what to do, and answers even to nonsense."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from typing import TypeVar

from cdi.api.termination import Termination
from cdi.api.workersettings import WorkerSettings
from cdi.api.workorder import InvalidVariable
from cdi.images import errors
from cdi.images.confined import walls
from cdi.images.transfer import threads
from cdi.workers import ending, logs, report

Order = TypeVar("Order")


def start(
    env: Mapping[str, str],
    order_of: Callable[[Mapping[str, str]], Order],
    run: Callable[[Order, WorkerSettings], int],
) -> int:
    """Read settings and order, and have it `run`; return the exit status.

    An order that makes no sense ends at once, with a termination message that says so.
    """
    logs.start()
    threads.keep_buffers()
    try:
        settings = WorkerSettings.from_env(env)
    except InvalidVariable as error:
        return report.write(wrong(error), WorkerSettings())
    walls.require(required=settings.require_walls)
    try:
        order = order_of(env)
    except InvalidVariable as error:
        return report.write(wrong(error), settings)
    gc.freeze()  # all that was loaded: looking through it again and again takes a while
    return run(order, settings)


def wrong(error: Exception) -> Termination:
    """How a worker ends that cannot do what it is told."""
    return ending.failed(errors.InvalidRequest(str(error)), "", connecting=False)
