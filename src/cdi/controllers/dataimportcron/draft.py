"""What a pass over a DataImportCron has decided so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cdi.api.reasons import Condition, Status
from cdi.controllers import kinds, plan
from cdi.controllers.dataimportcron.seen import Seen
from cdi.controllers.metadata import changed
from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.storage.conditions import with_condition


@dataclass(slots=True)
class Draft:
    """Grows during a pass; `finished` is what comes of it."""

    seen: Seen
    annotations: dict[str, str | None] = field(default_factory=dict)  # of the cron
    status: Object = field(default_factory=dict)
    before: list[plan.Step] = field(default_factory=list)  # imports and what polls
    after: list[plan.Step] = field(default_factory=list)  # what goes, once the DataSource moved
    events: list[plan.Event] = field(default_factory=list)
    again_in: float | None = None
    said: dict[Condition, tuple[Status, str, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, seen: Seen) -> Draft:
        return cls(seen, status=dict(seen.cron.get("status") or {}))

    def annotation(self, key: str) -> str:
        """The value as it will be; empty where there is none."""
        if key in self.annotations:
            return self.annotations[key] or ""
        return objects.annotations(self.seen.cron).get(key, "")

    def say(self, condition: Condition, status: Status, reason: str, message: str) -> None:
        self.said[condition] = status, reason, message

    def look_again(self, seconds: float) -> None:
        self.again_in = plan.sooner(self.again_in, seconds)

    def finished(self) -> plan.Plan:
        """All steps in order; the cron itself comes last."""
        return plan.Plan(
            (*self.before, *self.after, *self._cron_step()), tuple(self.events), self.again_in
        )

    def _cron_step(self) -> tuple[plan.Step, ...]:
        cron = self.seen.cron
        conditions: list[Any] = self.status.get("conditions") or []
        for condition, (status, reason, message) in self.said.items():
            conditions = with_condition(
                conditions, condition.value, status.value, reason, message, stamp(self.seen.now)
            )
        if conditions:
            self.status["conditions"] = conditions
        wanted = changed(cron, annotations=self.annotations)
        if self.status or cron.get("status"):
            wanted["status"] = self.status
        return () if wanted == cron else (plan.Change(kinds.DATA_IMPORT_CRONS, cron, wanted),)


def stamp(moment: datetime) -> str:
    """A time as Kubernetes writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
