"""
What runs first in a worker's process: it ties the worker to its agent, then becomes the worker.

    python -m cdi.standalone.agent.launch <pid of the agent> <module> <arguments>...

If the agent dies, the kernel sends the worker SIGTERM: it writes its journal and leaves, so
nothing goes on unwatched, whether or not an agent comes back. The worker is the first to go
when the machine runs out of memory, and leaves no core, which would hold its secrets.

A pod's memory limit is not enforced: address space (RLIMIT_AS, RLIMIT_DATA) is no measure of
the memory of a process with threads and mapped libraries, and would kill healthy workers. What
bounds their memory is how they are built.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import runpy
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # prctl(2)
_SACRIFICE = 500  # of 1000: rather this process than others


def main(agent: int, module: str, arguments: list[str]) -> None:
    """Become `module`."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != agent:
        sys.exit(128 + signal.SIGTERM)  # it died before we were tied to it
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(_SACRIFICE), encoding="ascii")
    os.umask(0o007)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
