"""
The first process of a container, to which the kernel brings only signals that it has handlers for.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Final

EXIT_ENDED: Final = 143  # as of a process that SIGTERM has ended


def end_when_told() -> None:
    """Let SIGTERM end this process, if it is the first one, until it has a handler of its own.

    A pod that is to end while its code is loaded would otherwise be waited for until it is killed,
    half a minute later. Does nothing in other processes, in threads, and where there is a handler.
    """
    if os.getpid() != 1 or threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(EXIT_ENDED))
