"""
A real nginx on a free port, serving one directory until the `with` block ends.

    with nginx.Nginx(folder, nginx.Settings(limit_rate="5m")) as server:
        server.url("disk.qcow2")
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import getpass
import hashlib
import socket
import subprocess
import tempfile
import time
from pathlib import Path

PATIENCE = 10.0  # seconds for nginx to listen, on a busy machine
ATTEMPTS = 3  # as another process may take the port that was free


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """How the directory is served."""

    limit_rate: str = ""  # per connection, in nginx's notation: 5m is 5 MiB/s
    user: str = ""
    password: str = ""
    certificate: Path | None = None
    key: Path | None = None
    ranges: bool = True
    workers: int = 1
    host: str = "127.0.0.1"  # the address of this machine to listen on, which URLs name


@dataclasses.dataclass(frozen=True, slots=True)
class Hit:
    """One line of the access log."""

    method: str
    path: str
    status: int
    sent: int  # bytes of the body
    span: str  # the Range header, "-" for none


class Nginx:
    """One nginx and its files; see the module."""

    def __init__(self, root: Path, settings: Settings | None = None) -> None:
        self._root = root.resolve()
        self._settings = settings or Settings()
        self._exits = contextlib.ExitStack()
        self._final: list[Hit] | None = None

    def url(self, path: str) -> str:
        scheme = "https" if self._settings.certificate else "http"
        return f"{scheme}://{self._settings.host}:{self.port}/{path.lstrip('/')}"

    @property
    def hits(self) -> list[Hit]:
        """The requests that have been answered so far; certain only once the block has ended.

        A client may have its answer a moment before the line about it is written.
        """
        return self._read_hits() if self._final is None else self._final

    @property
    def sent(self) -> int:
        """Bytes of bodies sent in all `hits`."""
        return sum(hit.sent for hit in self.hits)

    def __enter__(self) -> Nginx:
        self._work = Path(self._exits.enter_context(tempfile.TemporaryDirectory(prefix="nginx-")))
        for _ in range(ATTEMPTS):
            self._start()
            if self._listens():
                return self
            self._stop()
        output = (self._work / "output.log").read_text()
        self._exits.close()
        raise RuntimeError(f"nginx does not start: {output}")

    def __exit__(self, *_: object) -> None:
        self._stop()
        self._final = self._read_hits()
        self._exits.close()

    def _start(self) -> None:
        self.port = _free_port(self._settings.host)
        config = self._work / "nginx.conf"
        config.write_text(self._config())
        with (self._work / "output.log").open("wb") as log:
            self._process = subprocess.Popen(
                ["nginx", "-p", str(self._work), "-c", str(config), "-e", "error.log"],
                stdout=log,
                stderr=log,
            )

    def _stop(self) -> None:
        self._process.terminate()
        self._process.wait()

    def _listens(self) -> bool:
        deadline = time.monotonic() + PATIENCE
        place = (self._settings.host, self.port)
        while self._process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(place):
                return True
            time.sleep(0.02)
        return False

    def _read_hits(self) -> list[Hit]:
        lines = (self._work / "access.log").read_text().splitlines()
        fields = (line.split("\t") for line in lines)
        return [Hit(one[0], one[1], int(one[2]), int(one[3]), one[4]) for one in fields]

    def _config(self) -> str:
        wanted = self._settings
        tls = " ssl" if wanted.certificate else ""
        lines = [f"listen {wanted.host}:{self.port}{tls};", f"root {self._root};"]
        if wanted.certificate:
            lines += [
                f"ssl_certificate {wanted.certificate};",
                f"ssl_certificate_key {wanted.key};",
            ]
        if wanted.limit_rate:
            lines.append(f"limit_rate {wanted.limit_rate};")
        if not wanted.ranges:
            lines.append("max_ranges 0;")
        if wanted.user:
            digest = base64.b64encode(hashlib.sha1(wanted.password.encode()).digest()).decode()
            (self._work / "passwords").write_text(f"{wanted.user}:{{SHA}}{digest}\n")
            lines += ['auth_basic "test";', f"auth_basic_user_file {self._work}/passwords;"]
        temporary = "\n".join(
            f"  {kind}_temp_path {self._work}/{kind};"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        server = "\n".join(f"    {line}" for line in lines)
        # A master running as root would drop to a user that cannot read the test's files.
        return f"""daemon off;
user {getpass.getuser()};
worker_processes {wanted.workers};
pid {self._work}/nginx.pid;
events {{ worker_connections 256; }}
http {{
  log_format hits '$request_method\\t$uri\\t$status\\t$body_bytes_sent\\t$http_range';
  access_log {self._work}/access.log hits;
  default_type application/octet-stream;
  sendfile on;
  tcp_nopush on;
{temporary}
  server {{
{server}
  }}
}}
"""


def _free_port(host: str) -> int:
    with socket.create_server((host, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
