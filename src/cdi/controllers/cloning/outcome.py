"""What one phase of a clone has come to: done, or what it does next and then waits for."""

from __future__ import annotations

from dataclasses import dataclass

from cdi.controllers import plan

SOON = 2.0  # seconds until something is looked at again that no watch tells about


class CannotClone(plan.NotYet):
    """A phase cannot go on. The text is for people and says what helps."""


class SourceMissing(CannotClone):
    """There is nothing to clone (yet)."""


class CopyFailed(CannotClone):
    """The copy has failed, and another attempt would fail in the same way."""


class TooSmall(CannotClone):
    """The target is smaller than its source."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """`wanted` is carried out before the target shows that it is in this phase."""

    done: bool = False
    wanted: plan.Plan = plan.NOTHING
    note: str = ""  # what it waits for, where users may want to know
    progress: str | None = None
    failed: CannotClone | None = None  # it is tried again, with growing pauses
    fatal: bool = False  # nobody tries again


DONE = Outcome(done=True)


def step(*steps: plan.Step, note: str = "") -> Outcome:
    """Do this, and wait for what comes of it."""
    return Outcome(wanted=plan.Plan(steps), note=note)


def wait(note: str = "", again_in: float | None = None, *events: plan.Event) -> Outcome:
    """Nothing to do now; a watch brings us back, or the clock."""
    return Outcome(wanted=plan.Plan(events=events, again_in=again_in), note=note)
