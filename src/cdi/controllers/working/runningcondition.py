"""
The annotations about condition Running: what a pod's report says to whoever reads the claim.

A failure that will be tried again says when; one that is final says what to do, in the
worker's own words.
"""

from datetime import UTC, datetime
from typing import Final

from cdi.api import annotations, failures, reasons
from cdi.api.counts import parse_count
from cdi.api.termination import Termination
from cdi.controllers.working.report import CRASH_LOOP, Ended, Report

# Parts of messages of workers, past and present, that all mean one thing to clients.
_TOO_SMALL: Final = (
    "is larger than the reported available",
    "no space left on device",
    "file largest block is bigger than maxblock",
    "disk quota exceeded",
)
_NEXT: Final = "next attempt at"


def running_for(
    report: Report, stored_restarts: str | None, stored_message: str = ""
) -> dict[str, str | None]:
    """The annotations to set. Nothing as long as nothing is known of the containers."""
    if report.restarts is None:
        if report.lost:
            return _not_running(report.lost, reasons.ERROR)
        return {}
    restarts = {annotations.POD_RESTARTS: _most(report.restarts, stored_restarts)}
    return restarts | _state(report, stored_message)


def simplified(message: str) -> str:
    """A message as clients know it."""
    if any(part in message.lower() for part in _TOO_SMALL):
        return f"{reasons.TOO_SMALL_MESSAGE}: {message}"
    return message


def failure_of(termination: Termination) -> str:
    """What a failed worker said, in words that clients know, with its precise reason."""
    return failures.with_reason(simplified(termination.message), termination.reason)


def at_moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def with_next_attempt(message: str, moment: datetime | None) -> str:
    return message if moment is None else f"{message}; {_NEXT} {at_moment(moment)}"


def without_next_attempt(message: str) -> str:
    """The part of a message that says what happened; that of two attempts may be the same."""
    return message.partition(f"; {_NEXT}")[0]


def _state(report: Report, stored_message: str) -> dict[str, str | None]:
    if report.running:
        return {
            annotations.RUNNING: annotations.TRUE,
            annotations.RUNNING_MESSAGE: "",
            annotations.RUNNING_REASON: reasons.POD_RUNNING,
        }
    if fatal := report.fatal:
        message = with_next_attempt(failure_of(fatal.termination), report.next_attempt)
        return _not_running(message, failures.word_for(fatal.termination.reason))
    if report.failed_pull:
        return _not_running(_pull_message(report, stored_message), reasons.IMAGE_PULL_FAILED)
    if report.waiting_reason and report.waiting_reason != CRASH_LOOP:
        return _not_running(simplified(report.waiting_message), report.waiting_reason)
    if report.lost:
        return _not_running(simplified(report.lost), reasons.ERROR)
    if report.ended is not None:
        return _after(report.ended, report)
    return {annotations.RUNNING: annotations.FALSE}


def _pull_message(report: Report, stored: str) -> str:
    """Clients know the beginning; between two tries the cause of the last one stays."""
    message = f"{reasons.IMAGE_PULL_MESSAGE}: {report.failed_pull}"
    if report.pull_cause:
        return f"{message}: {report.pull_cause}"
    return stored if stored.startswith(f"{message}: ") else message


def _after(ended: Ended, report: Report) -> dict[str, str | None]:
    if ended.termination.scratch_space_required:
        return _not_running(reasons.SCRATCH_REQUIRED_MESSAGE, reasons.SCRATCH_REQUIRED)
    message = with_next_attempt(failure_of(ended.termination), report.next_attempt)
    found = _not_running(message, _reason(ended, ended.termination.message))
    if ended.termination.preallocation_applied:
        found[annotations.PREALLOCATION] = annotations.TRUE
    return found


def _reason(ended: Ended, message: str) -> str:
    if ended.termination.exit_code > 0 and reasons.IMAGE_PULL_MESSAGE in message:
        return reasons.IMAGE_PULL_FAILED
    return ended.reason or reasons.ERROR


def _not_running(message: str, reason: str) -> dict[str, str | None]:
    return {
        annotations.RUNNING: annotations.FALSE,
        annotations.RUNNING_MESSAGE: message,
        annotations.RUNNING_REASON: reason,
    }


def _most(restarts: int, stored: str | None) -> str:
    return str(max(restarts, parse_count(stored) or 0))
