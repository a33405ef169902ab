"""
Run every fuzz target for its share of FUZZ_SECONDS (default 60), and fail if one finds something.

Each target is a process of its own, as many at a time as there are processors. What they learn
is kept in run/fuzz/TARGET/corpus, what they find in run/fuzz/TARGET/findings.
usage: python -m fuzz [TARGET ...]
"""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TARGETS = (
    "inspection", "converted", "qcow2", "vmdk", "tars", "ovas", "codecs", "block_indexes",
    "journals", "http_answers", "reviews",
)  # fmt: skip
RUN = Path("run/fuzz")
_START = 30  # seconds that a start may take on a busy machine, before a target counts as stuck


def run(target: str, seconds: int) -> bool:
    """Fuzz one target; return whether nothing was found."""
    folder = RUN / target
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "log"
    command = [sys.executable, "-m", f"fuzz.{target}", f"-max_total_time={seconds}"]
    with log.open("wb") as file:
        try:
            status = subprocess.run(
                command,
                stdout=file,
                stderr=subprocess.STDOUT,
                timeout=3 * seconds + _START,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            status = -1
    lines = log.read_text(errors="replace").splitlines()
    print(f"{'ok  ' if status == 0 else 'FAIL'} {target}: {(lines or ['no output'])[-1]}")
    if status:
        print("\n".join(f"    {line}" for line in lines[-40:]))
        print(f"    inputs that show it are in {folder / 'findings'}")
    return status == 0


def main() -> int:
    """Run the targets that were named, or all."""
    targets = sys.argv[1:] or TARGETS
    workers = os.cpu_count() or 1
    total = int(os.environ.get("FUZZ_SECONDS", "60"))
    seconds = max(2, total * workers // len(targets))
    with ThreadPoolExecutor(workers) as pool:
        passed = list(pool.map(lambda target: run(target, seconds), targets))
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
