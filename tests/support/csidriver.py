"""Our CSI driver as a process, and what it has left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

from support import csi
from support.commands import PROGRAM

NODE = "node-a"


class Driver:
    """A driver over pools in `place` or its home; use as `with`. The first pool is `legacy`; those
    that are `mounted` are on claims."""

    def __init__(
        self,
        home: Path,
        *pools: str,
        place: Path | None = None,
        mounted: tuple[str, ...] = (),
    ) -> None:
        self.socket = home / "csi.sock"
        self.roots = {
            name: (place or home) / name / "csi" for name in ("legacy", *(pools or ("local",)))
        }
        listed = [
            {"name": name, "path": str(path), "mounted": name in mounted}
            for name, path in self.roots.items()
        ]
        self._words = [
            *PROGRAM, "hostpath", "driver", "--endpoint", f"unix://{self.socket}",
            "--nodeid", NODE, "--datadir", json.dumps(listed),
        ]  # fmt: skip
        self._log = home / "driver.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.client = csi.Client(self.socket)

    def __enter__(self) -> Driver:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self.stop()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._words, stderr=log, cwd="/")
        self.client.close()
        self.client = csi.Client(self.socket)
        try:
            self.client.call("Identity/Probe")
        except BaseException:
            self.kill()
            raise

    def stop(self) -> int:
        """Ask it to stop; return its status."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(timeout=csi.DEADLINE)

    def kill(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait(timeout=csi.DEADLINE)

    def resident(self) -> int:
        """Bytes of memory that it takes."""
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        line = next(each for each in status.splitlines() if each.startswith("VmRSS"))
        return int(line.split()[1]) << 10

    def left(self, pool: str = "local") -> list[str]:
        """What is in a pool beside its folders of records and snapshots."""
        hidden = {".records", ".snapshots"}
        root = self.roots[pool]
        names = [each.name for each in root.iterdir() if each.name not in hidden]
        for folder in hidden:
            if (root / folder).exists():
                names += [f"{folder}/{each.name}" for each in (root / folder).iterdir()]
        return sorted(names)
