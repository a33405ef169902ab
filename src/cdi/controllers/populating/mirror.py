"""Events of a prime claim, told again on its target, where users look."""

from collections.abc import Iterable

from cdi.api import reasons
from cdi.api.reasons import EventType
from cdi.controllers import boundcondition, plan
from cdi.kube import objects
from cdi.kube.objects import Object


def mirrored(
    prime: Object, target: Object, of_prime: Iterable[Object], of_target: Iterable[Object]
) -> list[plan.Event]:
    """The events to tell: what is not told yet, with the prime's name before it."""
    prefix = boundcondition.prefix_of(objects.name(prime))
    known = {str(event.get("message") or "") for event in of_target}
    fresh: dict[str, plan.Event] = {}
    for event in of_prime:
        message = str(event.get("message") or "")
        reason = str(event.get("reason") or "")
        if reason == reasons.CLAIM_MISBOUND or not reason:
            continue
        if message in known or prefix + message in known:
            continue
        kind = EventType.WARNING if event.get("type") == EventType.WARNING else EventType.NORMAL
        fresh[message] = plan.Event(target, kind, reason, prefix + message)
    return list(fresh.values())
