"""What one look at a transfer comes to: a step, a wait, an error or the end. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cdi.controllers import plan


@dataclass(frozen=True, slots=True)
class Outcome:
    """`message` is the state in words that clients know, `why` what is behind it."""

    message: str = ""
    why: str = ""
    steps: plan.Plan = plan.NOTHING
    data: Mapping[str, str] = field(default_factory=dict)  # to remember besides what is known
    failed: bool = False
    complete: bool = False


def waits(message: str, why: str = "") -> Outcome:
    return Outcome(message, why)


def does(*steps: plan.Step) -> Outcome:
    return Outcome(steps=plan.Plan(tuple(steps)))


def fails(why: str) -> Outcome:
    return Outcome("Error", why, failed=True)
