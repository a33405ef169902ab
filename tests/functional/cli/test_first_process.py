"""Parts of a cluster as first processes of containers: only signals with handlers reach them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from support.commands import PROGRAM
from support.loopdev import needs_root


@needs_root
def test_a_container_ends_when_it_is_told_to_while_it_starts(tmp_path: Path) -> None:
    waiting = tmp_path / "images.yaml"
    os.mkfifo(waiting)  # whose reader waits for a writer, with no handler of its own yet
    words = ["unshare", "--pid", "--fork", "--kill-child", *PROGRAM]
    command = [*words, "bootsources", "--boot-images", str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as container:
        try:
            with waiting.open("w"):
                children = Path(f"/proc/{container.pid}/task/{container.pid}/children")
                (first,) = map(int, children.read_text().split())
                os.kill(first, signal.SIGTERM)
                assert container.wait(60) == 143
        finally:
            container.kill()


@needs_root
def test_a_worker_ends_when_it_is_told_to_while_it_starts() -> None:
    loading = [sys.executable, "-c", "import cdi.workers; print(flush=True); input()"]
    words = ["unshare", "--pid", "--fork", "--kill-child", *loading]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe) as container:
        try:
            assert container.stdout is not None
            container.stdout.readline()
            children = Path(f"/proc/{container.pid}/task/{container.pid}/children")
            os.kill(int(children.read_text()), signal.SIGTERM)
            assert container.wait(60) == 143
        finally:
            container.kill()
