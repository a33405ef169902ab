"""What ends an image transfer, by its phase and by how the import went."""

from __future__ import annotations

import pytest

from cdi.images.sources.imageio.transfers import Step, Transfer, step_to_end

CANCELLED = ["initializing", "resuming", "unknown", "paused_system", "paused_user", ""]
OVER = [
    "cancelled", "cancelled_system", "cancelled_user", "finalizing_success", "finalizing_failure",
    "finalizing_cleanup", "finished_success", "finished_failure", "finished_cleanup",
]  # fmt: skip
STEPS = [
    ("transferring", True, False, Step.FINALIZE),
    ("transferring", True, True, Step.CANCEL),
    ("transferring", False, False, Step.CANCEL),
    *((phase, True, False, Step.CANCEL) for phase in CANCELLED),
    *((phase, success, True, Step.NONE) for phase in OVER for success in (True, False)),
]


@pytest.mark.parametrize(("phase", "success", "trouble", "step"), STEPS)
def test_the_next_step(phase: str, success: bool, trouble: bool, step: Step) -> None:
    transfer = Transfer("t", phase)
    assert step_to_end(transfer, success=success, trouble=trouble) is step


def test_a_transfer_that_is_gone_needs_nothing() -> None:
    assert step_to_end(None, success=True, trouble=False) is Step.NONE
