"""
The labels and annotations by which what a cron has made is known, and its last use.

A mark is renewed when something else has been used since, and once for every poll: not on every
look, which would follow from itself.
"""

from datetime import UTC, datetime
from typing import Final

from cdi.api import annotations, labels
from cdi.controllers import metadata
from cdi.controllers.dataimportcron.seen import Seen
from cdi.kube import objects
from cdi.kube.objects import Object

NEVER: Final = datetime.min.replace(tzinfo=UTC)


def labels_for(seen: Seen) -> dict[str, str | None]:
    """Labels of everything that is made for a cron; None takes one off."""
    found: dict[str, str | None] = {
        **metadata.recommended_labels(seen.settings),
        **labels.travelling(objects.labels(seen.cron)),
        labels.DATA_IMPORT_CRON: seen.name,
        labels.DATA_IMPORT_CRON_CLEANUP: annotations.TRUE if seen.cleanup else None,
    }
    return found


def given_labels(seen: Seen) -> dict[str, str]:
    """The same, for an object that is made anew."""
    return {key: value for key, value in labels_for(seen).items() if value is not None}


def used(obj: Object, seen: Seen) -> Object:
    """A copy of an object that carries the cron's labels and was used just now, if need be."""
    stamped = {} if _is_fresh(obj, seen) else {annotations.LAST_USE_TIME: moment(seen.now)}
    return metadata.changed(obj, annotations=stamped, labels=labels_for(seen))


def moment(now: datetime) -> str:
    """A time with nanoseconds, as far as a clock has them."""
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"


def last_use(obj: Object) -> datetime:
    """When an object was used last; long ago where nothing says so."""
    return parsed(objects.annotations(obj).get(annotations.LAST_USE_TIME, ""))


def parsed(text: str) -> datetime:
    """A time as anybody may have written it; long ago for nonsense."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return NEVER
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _is_fresh(obj: Object, seen: Seen) -> bool:
    at = last_use(obj)
    polled = parsed(objects.annotations(seen.cron).get(annotations.LAST_CRON_TIME, ""))
    others = (
        last_use(each)
        for product in seen.products.values()
        if product.name != objects.name(obj)
        for each in product.there
    )
    return at > NEVER and at >= polled and all(at > each for each in others)
