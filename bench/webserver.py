"""A real nginx on a free loopback port, serving one directory until the `with` block ends."""

from __future__ import annotations

import getpass
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

from bench import tools

_PATIENCE = 10.0  # seconds for nginx to listen, on a busy machine

_CONFIG = """\
{user}
daemon off;
worker_processes {workers};
pid {work}/nginx.pid;
error_log {work}/error.log warn;
events {{ worker_connections 512; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000;
  default_type application/octet-stream;
  client_body_temp_path {work}/body;
  proxy_temp_path {work}/proxy;
  fastcgi_temp_path {work}/fastcgi;
  uwsgi_temp_path {work}/uwsgi;
  scgi_temp_path {work}/scgi;
  server {{
    listen 127.0.0.1:{port};
    root {root};
  }}
}}
"""


class Nginx:
    """Serves `root`."""

    def __init__(self, root: Path, workers: int = 2) -> None:
        self._root, self._workers = root.resolve(), workers

    def url(self, path: Path | str) -> str:
        """Return the address of a file of the directory."""
        return f"http://127.0.0.1:{self.port}/{Path(path).name}"

    def __enter__(self) -> Nginx:
        self._work = Path(tempfile.mkdtemp(prefix="nginx-"))
        self.port = free_port()
        config = self._work / "nginx.conf"
        config.write_text(
            _CONFIG.format(
                # Root's nginx would go on as a user who may not read the directory.
                user="user root;" if getpass.getuser() == "root" else "",
                work=self._work,
                workers=self._workers,
                port=self.port,
                root=self._root,
            )
        )
        self._process = subprocess.Popen(
            ["nginx", "-c", str(config), "-e", str(self._work / "error.log")],
            env=tools.environment(),
            stderr=subprocess.DEVNULL,
        )
        try:
            self._await()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop nginx and remove its files."""
        self._process.terminate()
        self._process.wait()
        shutil.rmtree(self._work, ignore_errors=True)

    def _await(self) -> None:
        give_up = time.monotonic() + _PATIENCE
        while time.monotonic() < give_up and self._process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        log = self._work / "error.log"
        said = log.read_text() if log.exists() else "it said nothing"
        raise tools.ToolFailed(f"nginx does not listen: {said}")


def free_port() -> int:
    """Return a port that nobody has just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
