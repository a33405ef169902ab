"""Run the upload server in the foreground."""

from __future__ import annotations

import contextlib
import logging
import os
import sys

from cdi.workers.uploadserver import process

if __name__ == "__main__":
    status = process.main(os.environ)
    logging.shutdown()
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    # Threads that are stuck on a disk must not hold up the end.
    os._exit(status)
