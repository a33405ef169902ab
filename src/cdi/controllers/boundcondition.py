"""
Condition Bound of a claim that waits: the newest event about it, as annotations of the claim.

That is how the words of a provisioner reach the DataVolume, and virtctl.
"""

from collections.abc import Iterable

from cdi.api import annotations, phases, reasons
from cdi.kube import objects
from cdi.kube.objects import Object

KEYS = (annotations.BOUND, annotations.BOUND_MESSAGE, annotations.BOUND_REASON)


def prefix_of(prime: str) -> str:
    """What stands before the words of a prime's event where they are told on its target."""
    return f"[{prime}] : "


def bound_annotations(claim: Object, events: Iterable[Object]) -> dict[str, str | None]:
    """The annotations to change on a claim, given the events about it."""
    given = objects.annotations(claim)
    phase = objects.get(claim, "status", "phase")
    if phase == phases.Claim.BOUND:
        if given.get(annotations.BOUND_REASON) == reasons.CREATING_SCRATCH:
            return {}  # says something else, and goes when the scratch claim is there
        return {key: None for key in KEYS if key in given}
    if phase != phases.Claim.PENDING:
        return {}
    message = newest_message(events, given.get(annotations.PVC_PRIME))
    if message is None:
        return {}
    return {
        annotations.BOUND: annotations.FALSE,
        annotations.BOUND_MESSAGE: message,
        annotations.BOUND_REASON: reasons.CLAIM_PENDING,
    }


def newest_message(events: Iterable[Object], prime: str | None) -> str | None:
    """The text of the newest event; of a claim with a prime, only what is told of the prime.

    That a volume was made is no reason to wait for one: it is bound in the next moment.
    """
    wanted = prefix_of(prime) if prime else ""
    found = [
        (last_seen(event), len(message), message.removeprefix(wanted))
        for event in events
        if (message := str(event.get("message") or "")).startswith(wanted)
        and event.get("reason") != reasons.PROVISIONING_SUCCEEDED
    ]
    return max(found)[2] if found else None


def last_seen(event: Object) -> str:
    # One format, in UTC: text order is time order.
    times = ("lastTimestamp", "eventTime", "firstTimestamp")
    found = next((event[key] for key in times if event.get(key)), None)
    return str(found or objects.metadata(event).get("creationTimestamp") or "")
