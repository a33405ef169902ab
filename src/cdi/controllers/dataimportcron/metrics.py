"""
Which crons are outdated, for `kubevirt_cdi_dataimportcron_outdated` and the alert over it.

A cron that waits for nothing but a default storage class is `pending`: there is another alert for
that, and this one stays silent.
"""

from typing import Protocol

from cdi.api import annotations
from cdi.api.reasons import Condition, Status
from cdi.kube import objects
from cdi.kube.objects import Key, Object


class Outdated(Protocol):
    """Publishes the metric; implemented by whoever shows metrics."""

    def cron_outdated(self, namespace: str, name: str, *, outdated: bool, pending: bool) -> None:
        """A cron is, or is not, outdated; what was said of it before is void."""

    def cron_gone(self, namespace: str, name: str) -> None:
        """There is no such cron any more."""


class NotCounted:
    """Nobody is interested."""

    def cron_outdated(self, namespace: str, name: str, *, outdated: bool, pending: bool) -> None:
        """Forget it."""

    def cron_gone(self, namespace: str, name: str) -> None:
        """Forget it."""


def note(metrics: Outdated, key: Key, cron: Object | None, *, has_default: bool = True) -> None:
    """Publish how a cron stands now; None for one that is gone. `has_default`: a class that
    imports of its kind are on where they name none."""
    if cron is None or objects.is_deleting(cron):
        metrics.cron_gone(*key)
    else:
        metrics.cron_outdated(
            *key, outdated=is_outdated(cron), pending=is_pending(cron, has_default=has_default)
        )


def is_outdated(cron: Object) -> bool:
    """Whether the newest version is not imported, or nobody knows."""
    found: list[Object] = objects.get(cron, "status", "conditions", default=[])
    current = next((each for each in found if each.get("type") == Condition.UP_TO_DATE), {})
    return bool(current.get("status") != Status.TRUE)


def is_pending(cron: Object, *, has_default: bool = True) -> bool:
    """Whether an outdated cron waits for a default storage class: there has never been one, or
    there is none any more."""
    template = objects.get(cron, "spec", "template", "spec", default={})
    form = template.get("pvc") or template.get("storage") or {}
    relies_on_default = form.get("storageClassName") is None
    noted = objects.annotations(cron).get(annotations.STORAGE_CLASS)
    return is_outdated(cron) and relies_on_default and not (noted and has_default)
