"""
The log of `cdi up`: everything worth knowing in a file, warnings on standard error too.

Records are constant sentences with fields, and no field ever holds a credential. The file is
rotated, so that a machine that runs for years does not fill its disk.
"""

from __future__ import annotations

import logging
import logging.handlers
import os
import sys
from pathlib import Path
from typing import Final

from cdi.api.logline import Lines
from cdi.kube.logs import Fields

NAME: Final = "cdi.log"
LARGEST: Final = 10 << 20  # bytes of one file
KEPT: Final = 3  # older files


def start(directory: Path, *, level: int = logging.INFO) -> None:
    """Log to `directory`/cdi.log from now on."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = directory / NAME
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600))
    file = logging.handlers.RotatingFileHandler(
        path, maxBytes=LARGEST, backupCount=KEPT, encoding="utf-8"
    )
    file.setFormatter(Lines())
    people = logging.StreamHandler(sys.stderr)
    people.setLevel(logging.WARNING)
    people.setFormatter(_Short("cdi: %(levelname)s: %(message)s"))
    for handler in (file, people):
        handler.addFilter(Fields())
    logging.basicConfig(level=level, handlers=[file, people], force=True)
    # The API server logs what fails; what aiohttp adds are clients that hung up.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    logging.getLogger("asyncio").setLevel(logging.WARNING)


class _Short(logging.Formatter):
    """One line for people: fields after the sentence, tracebacks in the file only."""

    _USUAL: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}

    def format(self, record: logging.LogRecord) -> str:
        text = f"cdi: {record.levelname.lower()}: {record.getMessage()}"
        fields = {key: value for key, value in vars(record).items() if key not in self._USUAL}
        shown = ", ".join(f"{key}={value}" for key, value in fields.items())
        cause = f": {record.exc_info[1]}" if record.exc_info and record.exc_info[1] else ""
        return f"{text}{cause}" + (f" ({shown})" if shown else "")
