"""What a claim that waits says about it: the newest event that is a reason to wait."""

import pytest

from cdi.controllers.boundcondition import newest_message
from cdi.kube.objects import Object

PRIME = "[prime-c] : "


def event(reason: str, message: str, at: str = "2030-01-01T00:00:00Z") -> Object:
    return {"reason": reason, "message": message, "lastTimestamp": at}


MADE = event("ProvisioningSucceeded", f"{PRIME}volume v was made", "2030-01-01T00:00:09Z")


@pytest.mark.parametrize(
    ("events", "message"),
    [
        pytest.param([], None, id="none"),
        pytest.param([event("ProvisioningFailed", f"{PRIME}no room")], "no room", id="one"),
        pytest.param(
            [event("A", f"{PRIME}old"), event("B", f"{PRIME}new", "2030-01-02T00:00:00Z")],
            "new",
            id="the-newest",
        ),
        pytest.param([event("A", "of the target itself")], None, id="not-of-the-prime"),
        pytest.param([MADE], None, id="that-a-volume-was-made-is-no-reason"),
        pytest.param(
            [event("ProvisioningFailed", f"{PRIME}no room"), MADE], "no room", id="what-was-before"
        ),
    ],
)
def test_the_newest_reason_to_wait(events: list[Object], message: str | None) -> None:
    assert newest_message(events, "prime-c") == message
