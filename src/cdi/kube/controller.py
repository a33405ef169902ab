"""
The loop around a reconciler: keys from a queue, one outcome for each, settled in one place.

Here: workers, the mapping from watched objects to keys, and `settle`, which alone decides what
an outcome means for retry, back-off, metric and log. Elsewhere: what a reconciler does; it is a
coroutine function from a key to a result, and a test calls it directly.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias

from cdi.kube import errors, logs, objects, tasks
from cdi.kube.cache import Change
from cdi.kube.clock import Clock, SystemClock, within
from cdi.kube.informer import Informer
from cdi.kube.objects import Key, Object
from cdi.kube.queue import ShutDownError, WorkQueue

log = logging.getLogger(__name__)

# Reconciling is a few requests. Whatever takes this long hangs, and holds a worker.
LONGEST_RECONCILE = 300.0


@dataclass(frozen=True, slots=True)
class Result:
    """It went well; `again_in` seconds from now the key wants another look, if not None."""

    again_in: float | None = None


class TerminalError(Exception):
    """It went wrong, and no retry helps until something changes. The next event tries anew."""


Reconcile: TypeAlias = Callable[[Key], Awaitable[Result | None]]
KeysOf: TypeAlias = Callable[[Object], Iterable[Key]]


class Outcome(StrEnum):
    DONE = "done"
    AGAIN = "again"  # done for now; it asked for another look
    CONFLICT = "conflict"  # our picture was old; retried, and not worth a line in the log
    RETRY = "retry"  # went wrong; retried with back-off
    TERMINAL = "terminal"  # went wrong for good


class Metrics(Protocol):
    """What a controller reports about itself; implemented by whoever publishes metrics."""

    def reconciled(self, controller: str, outcome: Outcome, seconds: float) -> None: ...

    def queued(self, controller: str, ready: int, delayed: int) -> None: ...


class NoMetrics:
    def reconciled(self, controller: str, outcome: Outcome, seconds: float) -> None:
        """Nobody is interested."""

    def queued(self, controller: str, ready: int, delayed: int) -> None:
        """Nobody is interested."""


def outcome_of(ended: Result | BaseException | None) -> Outcome:
    """What a reconciler's return value or exception means."""
    match ended:
        case None | Result(again_in=None):
            return Outcome.DONE
        case Result():
            return Outcome.AGAIN
        case TerminalError():
            return Outcome.TERMINAL
        case errors.Conflict() | errors.AlreadyExists():
            return Outcome.CONFLICT
        case _:
            return Outcome.RETRY


def own_key(obj: Object) -> tuple[Key]:
    """The mapping for the kind that a controller is about: an object is its own key."""
    return (objects.key(obj),)


def always(_: Change) -> bool:
    return True


class Controller:
    """Calls `reconcile` for every key that a watched change leads to, from `workers` tasks."""

    def __init__(
        self,
        name: str,
        reconcile: Reconcile,
        *,
        workers: int = 1,
        queue: WorkQueue[Key] | None = None,
        metrics: Metrics | None = None,
        clock: Clock | None = None,
        longest: float = LONGEST_RECONCILE,
    ) -> None:
        self.name = name
        self._clock = clock or SystemClock()
        # Not `or`: an empty queue has no truth value worth asking for.
        self.queue = queue if queue is not None else WorkQueue[Key](self._clock)
        self._reconcile = reconcile
        self._workers = workers
        self._metrics = metrics or NoMetrics()
        self._longest = longest

    def watch(
        self,
        informer: Informer,
        keys_of: KeysOf = own_key,
        *,
        when: Callable[[Change], bool] = always,
    ) -> None:
        """Look at the keys that `keys_of` names whenever an object of `informer` changes.

        The old state is mapped as well as the new one, so that whoever loses an object, because
        a label or an owner was taken off it, hears of it too.
        """

        def note(change: Change) -> None:
            if when(change):
                for state in change.states:
                    for key in keys_of(state):
                        self.queue.add(key)

        informer.on_change(note)

    async def ready(self) -> None:
        """A controller works as soon as it runs."""

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; keys in hand are finished first."""
        workers = [asyncio.ensure_future(self._work()) for _ in range(self._workers)]
        try:
            await tasks.until(stop, _first_failure(workers))
            self.queue.shut_down()
            await asyncio.gather(*workers)
        finally:
            self.queue.shut_down()
            await tasks.cancel(*workers)

    async def process(self, key: Key) -> Outcome:
        """Reconcile one key and settle the outcome. Raises nothing but cancellation."""
        with logs.bound(controller=self.name, namespace=key.namespace, object=key.name):
            began = self._clock.now()
            ended: Result | Exception | None
            try:
                ended = await within(self._clock, self._longest, _called(self._reconcile, key))
            except Exception as error:  # noqa: BLE001 settled below, in the one place for it
                ended = error
            return self._settle(key, ended, self._clock.now() - began)

    def _settle(self, key: Key, ended: Result | Exception | None, seconds: float) -> Outcome:
        outcome = outcome_of(ended)
        if outcome in (Outcome.RETRY, Outcome.CONFLICT):
            pause = self.queue.add_rate_limited(key)
            self._log_retry(outcome, ended, self.queue.failures(key), pause)
        else:
            self.queue.forget(key)
        if isinstance(ended, Result) and ended.again_in is not None:
            self.queue.add_after(key, ended.again_in)
        if outcome is Outcome.TERMINAL:
            log.error("reconciling failed for good", extra={"cause": str(ended)})
        self._metrics.reconciled(self.name, outcome, seconds)
        return outcome

    def _log_retry(self, outcome: Outcome, cause: object, failures: int, pause: float) -> None:
        # A traceback helps against our own bugs, not against a server that is away.
        expected = isinstance(cause, errors.KubeError | TimeoutError)
        # What is wrong for long is worth a line now and then: after 1, 2, 4, 8, ... failures.
        news = failures & (failures - 1) == 0 and outcome is not Outcome.CONFLICT
        log.log(
            logging.WARNING if news else logging.DEBUG,
            "reconciling failed and will be retried",
            extra={"cause": str(cause), "failures": failures, "pause": round(pause, 3)},
            exc_info=None if expected or not isinstance(cause, Exception) else cause,
        )

    async def _work(self) -> None:
        while True:
            try:
                key = await self.queue.get()
            except ShutDownError:
                return
            try:
                await self.process(key)
            finally:
                self.queue.done(key)
                self._metrics.queued(self.name, len(self.queue), self.queue.delayed)


async def _called(reconcile: Reconcile, key: Key) -> Result | None:
    return await reconcile(key)


async def _first_failure(workers: Sequence[asyncio.Future[None]]) -> None:
    """Return when a worker ends, which none does on its own; raise what ended it."""
    done, _ = await asyncio.wait(workers, return_when=asyncio.FIRST_COMPLETED)
    for worker in done:
        worker.result()
