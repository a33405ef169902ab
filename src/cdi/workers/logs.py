"""The log of a worker: lines of JSON (`api.logline`) on standard error."""

from __future__ import annotations

import logging
import sys

from cdi.api.logline import Lines


def start(level: int = logging.INFO) -> None:
    """Send what is logged in this process to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # urllib3 logs every retry that our own code has decided on, with the URL.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
