"""
One pass over a DataImportCron, in its order.

    let go of              a cron that is being deleted goes no further
    whose DataSource       another cron that had it first keeps it
    polling                which version is wanted
    relocation             on which storage class
    the import under way   and whether it is good
    the next import        if it is time for one
    the DataSource         follows what is good
    collecting             and only then does anything go
"""

from dataclasses import dataclass

from cdi.api import annotations, reasons
from cdi.controllers import plan
from cdi.controllers.dataimportcron import (
    cleanup,
    collecting,
    conditions,
    formats,
    importing,
    managed,
    marks,
    polling,
    relocation,
)
from cdi.controllers.dataimportcron.draft import Draft, stamp
from cdi.controllers.dataimportcron.importing import Progress
from cdi.controllers.dataimportcron.seen import Seen
from cdi.kube import objects

__all__ = ["NoProfile", "Seen", "decide"]


@dataclass
class NoProfile(plan.NotYet):
    """The StorageProfile of a new class takes a moment."""

    name: str

    def __str__(self) -> str:
        return f"StorageProfile {self.name} does not exist yet"


def decide(seen: Seen) -> plan.Plan:
    """Choose the next steps. No I/O, no clock."""
    if (released := cleanup.released(seen)) is not None:
        return released
    if objects.is_deleting(seen.cron):
        return plan.NOTHING
    if seen.class_name and seen.profile is None:
        return plan.Plan(failure=NoProfile(seen.class_name))
    draft = Draft.of(seen)
    if seen.rival:
        _give_way(draft)
        return draft.finished()
    polling.poll(draft)
    if relocation.relocate(draft):
        conditions.outdated(draft)
    else:
        _import(draft)
    _note_poll(draft)
    return draft.finished()


def _import(draft: Draft) -> None:
    found = importing.progress(draft)
    if found.done and formats.must_import_again(draft, found):
        _import_again(draft, found)
        return
    if found.done:
        importing.use(draft, found.product)
        importing.succeed(draft, found)
    if not found.over:
        importing.begin_next(draft, found)
    if found.done and _is_wanted(draft, found):
        formats.keep(draft, found)
    managed.follow(draft)
    if found.done:
        collecting.collect(draft, found.product.name)


def _import_again(draft: Draft, found: Progress) -> None:
    """What is there in the wrong form stays until it is there in the right one."""
    importing.again(draft, found)
    managed.follow(draft)


def _is_wanted(draft: Draft, found: Progress) -> bool:
    digest = draft.annotation(annotations.DESIRED_DIGEST)
    return found.current is not None and found.current.get("Digest") == digest


def _give_way(draft: Draft) -> None:
    seen = draft.seen
    message = (
        f"DataSource {seen.managed} is already managed by DataImportCron {seen.rival}; "
        "delete that one, or let one of them manage another DataSource"
    )
    conditions.held_up(draft, reasons.ERR_DATA_SOURCE_MANAGED, message)
    if draft.finished().steps:
        event = plan.warning(seen.cron, reasons.ERR_DATA_SOURCE_MANAGED, message)
        draft.events.append(event)


def _note_poll(draft: Draft) -> None:
    if last := draft.annotation(annotations.LAST_CRON_TIME):
        draft.status["lastExecutionTimestamp"] = stamp(marks.parsed(last))
