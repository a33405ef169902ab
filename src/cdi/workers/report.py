"""The last thing that a worker does: one message to its termination log."""

from __future__ import annotations

import logging
from pathlib import Path

from cdi.api.termination import Termination
from cdi.api.workersettings import WorkerSettings
from cdi.workers import ending

log = logging.getLogger(__name__)


def write(ended: Termination, settings: WorkerSettings) -> int:
    """Write how a worker ended; return its exit status."""
    message = ended.to_message()
    log.info("ends", extra={"status": ended.exit_code, "termination": message})
    try:
        settings.termination_log.write_text(message, encoding="utf-8")
    except OSError as error:
        log.error("the termination message is lost", extra={"cause": str(error)})  # noqa: TRY400
        return ended.exit_code or ending.FAILED  # an end that nobody can read is no success
    return ended.exit_code


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader finds all of it or nothing."""
    partial = path.with_name(path.name + ".new")
    partial.write_text(text, encoding="ascii")
    partial.replace(path)
