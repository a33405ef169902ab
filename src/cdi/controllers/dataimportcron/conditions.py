"""Conditions Progressing and UpToDate, in the words that clients know."""

from typing import Final

from cdi.api import annotations, phases, reasons
from cdi.api.reasons import Condition, Status
from cdi.controllers.dataimportcron.draft import Draft
from cdi.kube import objects
from cdi.kube.objects import Object


def progress_of(draft: Draft, volume: Object) -> None:
    """What the DataVolume of an import is doing."""
    phase = objects.get(volume, "status", "phase", default="")
    match phase:
        case phases.DataVolume.IMPORT_SCHEDULED:
            _progressing(draft, reasons.CRON_IMPORT_SCHEDULED, "Import is scheduled")
        case phases.DataVolume.IMPORT_IN_PROGRESS:
            draft.say(
                Condition.PROGRESSING,
                Status.TRUE,
                reasons.CRON_IMPORT_PROGRESSING,
                "Import is progressing",
            )
        case _:
            _progressing(draft, phase, f"Import DataVolume phase {phase}{_why(volume)}")


def idle(draft: Draft) -> None:
    """Nothing is being imported; if nobody could say what is newest, that is what is said."""
    if why := draft.annotation(annotations.LAST_POLL_FAILURE):
        message = f"Polling failed, and the last image stays: {why}"
        _progressing(draft, reasons.POLL_FAILED, message)
    else:
        _progressing(draft, reasons.NO_IMPORT, "No current import")


def held_up(draft: Draft, reason: str, message: str) -> None:
    """Something is to be imported and cannot be."""
    _progressing(draft, reason, message)


def up_to_date(draft: Draft) -> None:
    _current(draft, Status.TRUE, reasons.UP_TO_DATE, "Latest import is up to date")


def outdated(draft: Draft) -> None:
    _current(draft, Status.FALSE, reasons.OUTDATED, "Source digest updated since last import")


def under_way(draft: Draft) -> None:
    _current(draft, Status.FALSE, reasons.CRON_IMPORT_PROGRESSING, "Import is progressing")


def snapshot_under_way(draft: Draft, trouble: str) -> None:
    message = "Snapshot of imported data is progressing"
    if trouble:
        message = f"{message}; {trouble}"
    _current(draft, Status.FALSE, reasons.CRON_IMPORT_PROGRESSING, message)


def no_digest(draft: Draft) -> None:
    _current(draft, Status.FALSE, reasons.NO_DIGEST, "No source digest")


_SHOWN: Final = (phases.DataVolume.FAILED, phases.DataVolume.PENDING)


def _why(volume: Object) -> str:
    """What the DataVolume says of itself, where it does not go on."""
    if objects.get(volume, "status", "phase") not in _SHOWN:
        return ""
    conditions: list[Object] = objects.get(volume, "status", "conditions", default=[])
    texts = (
        str(each.get("message"))
        for kind in (Condition.RUNNING, Condition.BOUND)
        for each in conditions
        if each.get("type") == kind and each.get("message")
    )
    text = next(texts, "")
    return f": {text}" if text else ""


def _progressing(draft: Draft, reason: str, message: str) -> None:
    draft.say(Condition.PROGRESSING, Status.FALSE, reason, message)


def _current(draft: Draft, status: Status, reason: str, message: str) -> None:
    draft.say(Condition.UP_TO_DATE, status, reason, message)
