"""
A worker that does nothing: `python -m cdi.workers.prep`.

That a pod uses a claim makes storage act: it binds the claim, and grows its file system.
"""

from __future__ import annotations

import sys

from cdi.workers import logs


def main() -> int:
    logs.start()
    return 0


if __name__ == "__main__":
    sys.exit(main())
