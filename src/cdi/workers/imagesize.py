"""
How large the disk in a volume is: `python -m cdi.workers.imagesize -image-path /data/disk.img`.

The last message is the number of bytes, and nothing else. A disk in a volume is raw: its length is
its size. What its guest has written is not looked at, however much it may resemble a header.

    exit status   0 measured   1 called wrongly   2 no plain file   3 no such path
                  4 the answer could not be written   5 anything else
"""

from __future__ import annotations

import logging
import os
import stat
import sys
from collections.abc import Mapping, Sequence
from enum import IntEnum

from cdi.api.workersettings import WorkerSettings
from cdi.api.workorder import InvalidVariable
from cdi.workers import logs

log = logging.getLogger(__name__)

_FLAG = "-image-path"


class Exit(IntEnum):
    """How it ended."""

    MEASURED = 0
    BAD_ARGUMENTS = 1
    INVALID_FILE = 2
    INVALID_PATH = 3
    BAD_TERMINATION_LOG = 4
    UNKNOWN = 5


def main(arguments: Sequence[str], env: Mapping[str, str]) -> int:
    """Measure the disk; return the exit status."""
    logs.start()
    try:
        settings = WorkerSettings.from_env(env)
        path = _path_in(arguments)
    except (InvalidVariable, ValueError) as error:
        log.error("called wrongly", extra={"cause": str(error)})  # noqa: TRY400
        return Exit.BAD_ARGUMENTS
    status, text = _measured(settings, path)
    log.info("ends", extra={"status": int(status), "termination": text})
    try:
        settings.termination_log.write_text(text, encoding="utf-8")
    except OSError as error:
        log.error("the answer is lost", extra={"cause": str(error)})  # noqa: TRY400
        return Exit.BAD_TERMINATION_LOG
    return status


def _path_in(arguments: Sequence[str]) -> str:
    if len(arguments) == 2 and arguments[0].lstrip("-") == _FLAG.lstrip("-") and arguments[1]:
        return arguments[1]
    raise ValueError(f"want {_FLAG} and a path")


def _measured(settings: WorkerSettings, path: str) -> tuple[Exit, str]:
    try:
        found = os.lstat(settings.local(path))
    except FileNotFoundError:
        return Exit.INVALID_PATH, f"{path} does not exist"
    except OSError as error:
        return Exit.UNKNOWN, f"{path} cannot be looked at: {error.strerror}"
    if not stat.S_ISREG(found.st_mode) or found.st_size == 0:
        return Exit.INVALID_FILE, f"{path} is no disk"
    return Exit.MEASURED, str(found.st_size)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
