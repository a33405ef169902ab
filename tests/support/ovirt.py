"""
An oVirt of one host: the real imageio daemon, and an engine that does just what imports ask of it.

    with ovirt.Host(folder) as host, ovirt.Engine(host) as engine:
        engine.disks["d1"] = ovirt.Disk(raw_file)
        url = engine.url

The engine misbehaves on request: its fields say how often a disk is locked, how long a transfer
takes to begin, which statuses its actions answer. Raw disks are exported by qemu-nbd, as on a real
host, so that holes show; changes are files. All bytes of disks pass a `Relay`, which counts them,
and may stop them.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import urllib.parse
import uuid
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

USER, PASSWORD = "admin@internal", "pass-word-of-the-engine"
TOKEN = "token-of-the-engine"
CONTROL_TIMEOUT = 300  # seconds a ticket is good for, unless it is extended

CONFIG = """
[daemon]
systemd_enable = false
drop_privileges = false
run_dir = {folder}
[tls]
enable = {tls}
key_file = {key}
cert_file = {certificate}
ca_file =
[remote]
host = 127.0.0.1
port = 0
[local]
enable = false
[control]
transport = unix
socket = {folder}/control
remove_timeout = 5
[loggers]
keys = root
[handlers]
keys = stderr
[logger_root]
level = INFO
handlers = stderr
"""


class Host:
    """The imageio daemon in a process, and what it needs to serve files."""

    def __init__(self, folder: Path, certificate: tuple[Path, Path] | None = None) -> None:
        self.folder = folder
        self.tls = certificate is not None
        self._files = certificate or ("", "")
        self._exports: dict[tuple[Path, str], Path] = {}
        self._stack = ExitStack()
        self.said: list[str] = []

    def __enter__(self) -> Host:
        place = self.folder / "imageio"
        (place / "conf.d").mkdir(parents=True)
        certificate, key = self._files
        text = CONFIG.format(
            folder=place, tls=str(self.tls).lower(), key=key, certificate=certificate
        )
        (place / "conf.d" / "50-test.conf").write_text(text)
        self._control = place / "control"
        process = subprocess.Popen(
            [Path(sys.executable).with_name("ovirt-imageio"), "--conf-dir", place],
            stderr=subprocess.PIPE,
            text=True,
        )
        self._stack.callback(_stop, process)
        self.port = self._ready(process)
        reader = threading.Thread(target=self.said.extend, args=(process.stderr,), daemon=True)
        reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _ready(self, process: subprocess.Popen[str]) -> int:
        port = 0
        for line in process.stderr or ():
            self.said.append(line)
            if found := re.search(r"remote.service listening on \('127.0.0.1', (\d+)", line):
                port = int(found[1])
            if "Ready for requests" in line:
                return port
        raise AssertionError("".join(self.said))

    def add(self, ticket: str, url: str, size: int) -> None:
        wanted = {
            "uuid": ticket, "size": size, "url": url, "timeout": CONTROL_TIMEOUT, "ops": ["read"],
        }  # fmt: skip
        assert self._ask("PUT", ticket, wanted).status == 200

    def extend(self, ticket: str, seconds: int) -> None:
        self._ask("PATCH", ticket, {"timeout": seconds})

    def expire(self, ticket: str) -> None:
        """End the time of a ticket when all is read that has been asked for.

        The end of a read gives a ticket its time again.
        """
        while json.load(self._ask("GET", ticket, None))["active"]:
            pass
        self.extend(ticket, 0)

    def remove(self, ticket: str) -> None:
        self._ask("DELETE", ticket, None)

    def exported(self, file: Path, kind: str) -> str:
        """Return the URL of a file as qemu reads it."""
        if (file, kind) not in self._exports:
            place = self.folder / f"nbd-{len(self._exports)}"
            subprocess.run(
                ["qemu-nbd", "--read-only", "--persistent", "--shared=32", f"--format={kind}",
                 f"--socket={place}", "--fork", f"--pid-file={place}.pid", file],
                check=True,
            )  # fmt: skip
            pid = int(place.with_name(place.name + ".pid").read_text())
            self._stack.callback(_end, pid)
            self._exports[file, kind] = place
        return f"nbd:unix:{self._exports[file, kind]}"

    def _ask(self, method: str, ticket: str, body: Any) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(self._control))
        with connection.sock:
            connection.request(
                method, f"/tickets/{ticket}", None if body is None else json.dumps(body)
            )
            return connection.getresponse()


class Relay:
    """Passes connections on to `port`; counts what comes back, and may end it or hold it up."""

    def __init__(self, port: int, bind: str = "127.0.0.1") -> None:
        self._port = port
        self._listener = socket.create_server((bind, 0))
        self.port: int = self._listener.getsockname()[1]
        self.passed = 0  # bytes of answers, heads included
        self.cut_every: int | None = None  # bytes of one connection after which it ends
        self._hold_at: int | None = None
        self._hold_requests = False
        self.held = threading.Event()
        self._release = threading.Event()
        self._lock = threading.Lock()

    def __enter__(self) -> Relay:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._release.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def hold_after(self, count: int, *, requests: bool = False) -> None:
        """Let so many more bytes of answers through, then set `held` and stop until `release`.

        What stops are the answers or, with `requests`, what is asked from then on.
        """
        with self._lock:
            self.held.clear()
            self._release = threading.Event()
            self._hold_at, self._hold_requests = self.passed + count, requests

    def release(self) -> None:
        with self._lock:
            self._hold_at = None
        self._release.set()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._port))
                for way in ((near, far, False), (far, near, True)):
                    threading.Thread(target=self._pass_on, args=way, daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, back: bool) -> None:
        passed = 0
        with suppress(OSError):
            while piece := source.recv(65536):
                passed += len(piece)
                if back and self.cut_every is not None and passed > self.cut_every:
                    break
                if back:
                    self._count(len(piece))
                elif self._hold_requests and self.held.is_set():
                    self._release.wait()
                sink.sendall(piece)
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _count(self, count: int) -> None:
        with self._lock:
            stop = self._hold_at is not None and self.passed + count > self._hold_at
            release = self._release
        if stop:
            self.held.set()
            if not self._hold_requests:
                release.wait()
        with self._lock:
            self.passed += count


@dataclass
class Image:
    """A snapshot of a disk, and the changes that it holds."""

    file: Path
    kind: str = "qcow2"  # of the file
    domain: str = "domain-2"
    actual_size: int = 4096


@dataclass
class Disk:
    """A disk as it is now, and its snapshots by id."""

    file: Path
    kind: str = "raw"
    image_id: str = "image-of-now"
    snapshots: dict[str, Image] = field(default_factory=dict)
    domains: tuple[str, ...] = ("domain-1", "domain-2")


@dataclass
class Transfer:
    """One image transfer; `polls` counts how often its phase was still asked for."""

    id: str
    ticket: str
    target: str
    format: str
    phase: str = "initializing"
    polls: int = 0
    wish: dict[str, str] = field(default_factory=dict)


class Engine:
    """Answers the REST calls of imports at `url`. Its `actions` are what was asked of transfers."""

    def __init__(
        self,
        host: Host,
        tls: ssl.SSLContext | None = None,
        address: str = "127.0.0.1",
        bind: str = "127.0.0.1",
    ) -> None:
        """`address` is what URLs name, `bind` where everything listens."""
        self.address = address
        self.host = host
        self.disks: dict[str, Disk] = {}
        self.transfers: dict[str, Transfer] = {}
        self.actions: list[str] = []  # "<transfer> <action>"
        self.requests: list[str] = []
        self.locked = 0  # how many more requests for a transfer find the disk locked
        self.initializing = 1  # how many looks see a transfer initializing
        self.phases: dict[int, str] = {}  # how the nth transfer is after that, from 0
        self.failing: dict[str, list[int]] = {}  # statuses of the next actions of a name
        self.stale = 0  # how many requests find the token expired
        self.sso = True
        self.password = PASSWORD
        self.format: str | None = None  # what transfers claim to be, instead of what was asked
        self.direct = True  # whether hosts can be reached; else only through the proxy
        self.served: dict[str, str] = {}  # by disk or snapshot: a URL that is no daemon of ours
        self.lock = threading.Lock()
        self._server = ThreadingHTTPServer((bind, 0), self._handler())
        self._server.daemon_threads = True
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://{address}:{self._server.server_address[1]}/ovirt-engine/api"
        self.relay = Relay(host.port, bind)

    def __enter__(self) -> Engine:
        self.relay.__enter__()
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self.relay.__exit__()

    def ended(self) -> list[str]:
        """How transfers were ended, in order."""
        return [each for each in self.actions if each.split()[1] in {"finalize", "cancel"}]

    def only(self) -> Transfer:
        """The one transfer that there is."""
        (found,) = self.transfers.values()
        return found

    # What it answers.

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        engine = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                self._answer(b"")

            def do_POST(self) -> None:
                self._answer(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

            def _answer(self, body: bytes) -> None:
                with engine.lock:
                    engine.requests.append(f"{self.command} {self.path}")
                    status, text = engine.answer(self.command, self.path, dict(self.headers), body)
                content = text.encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def answer(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, str]:
        if path == "/ovirt-engine/sso/oauth/token":
            return self._token(body)
        if path == "/ovirt-engine/services/sso-logout":
            return 200, "{}"
        if self.stale and headers.get("Authorization"):
            self.stale -= 1
            return 401, ""
        if headers.get("Authorization") not in self._accepted():
            return 401, ""
        parts = path.removeprefix("/ovirt-engine/api/").split("/")
        match method, parts:
            case "GET", ["disks", disk]:
                return self._disk(disk)
            case "GET", ["storagedomains", domain, "disksnapshots"]:
                return 200, self._snapshots(domain)
            case "POST", ["imagetransfers"]:
                return self._begin(ElementTree.fromstring(body))
            case "GET", ["imagetransfers", transfer]:
                return self._look(transfer)
            case "POST", ["imagetransfers", transfer, action]:
                return self._act(transfer, action)
        return 404, ""

    def _accepted(self) -> set[str]:
        basic = base64.b64encode(f"{USER}:{self.password}".encode()).decode()
        return {f"Bearer {TOKEN}"} if self.sso else {f"Basic {basic}"}

    def _token(self, body: bytes) -> tuple[int, str]:
        if not self.sso:
            return 404, "<html>no such page</html>"
        form = dict(urllib.parse.parse_qsl(body.decode()))
        if (form.get("username"), form.get("password")) != (USER, self.password):
            return 401, json.dumps({"error": "access_denied", "error_code": "access_denied"})
        return 200, json.dumps({"access_token": TOKEN, "exp": "9223372036854775807"})

    def _disk(self, name: str) -> tuple[int, str]:
        disk = self.disks.get(name)
        if disk is None:
            return 404, fault("Entity not found: Disk")
        domains = "".join(f'<storage_domain id="{each}"/>' for each in disk.domains)
        kind = "raw" if disk.kind == "raw" else "cow"
        return 200, (
            f'<disk id="{name}"><format>{kind}</format><image_id>{disk.image_id}</image_id>'
            f"<storage_domains>{domains}</storage_domains></disk>"
        )

    def _snapshots(self, domain: str) -> str:
        found = [
            f'<disk_snapshot id="{name}"><disk id="{disk_id}"/><snapshot id="of-{name}"/>'
            f"<format>{'raw' if each.kind == 'raw' else 'cow'}</format>"
            f"<actual_size>{each.actual_size}</actual_size></disk_snapshot>"
            for disk_id, disk in self.disks.items()
            for name, each in disk.snapshots.items()
            if each.domain == domain
        ]
        return f"<disk_snapshots>{''.join(found)}</disk_snapshots>"

    def _begin(self, wish: ElementTree.Element) -> tuple[int, str]:
        if self.locked:
            self.locked -= 1
            return 409, fault("[Cannot transfer Virtual Disk. The disk is locked.]")
        subject = next(each for each in wish if each.tag in {"disk", "snapshot"})
        fields = {each.tag: each.text or "" for each in wish}
        transfer = Transfer(
            f"transfer-{len(self.transfers)}",
            str(uuid.uuid4()),
            subject.attrib["id"],
            fields["format"],
            wish=fields,
        )
        self.transfers[transfer.id] = transfer
        if not self.initializing:
            self._establish(transfer)
        return 201, self._shown(transfer)

    def _look(self, name: str) -> tuple[int, str]:
        transfer = self.transfers.get(name)
        if transfer is None:
            return 404, fault("Entity not found")
        transfer.polls += 1
        if transfer.phase in {"initializing", "resuming"} and transfer.polls >= self.initializing:
            self._establish(transfer)
        return 200, self._shown(transfer)

    def _establish(self, transfer: Transfer) -> None:
        number = int(transfer.id.rpartition("-")[2])
        transfer.phase = self.phases.pop(number, "transferring")
        if transfer.phase == "transferring":
            url, size = self._served(transfer)
            self.host.add(transfer.ticket, url, size)

    def _served(self, transfer: Transfer) -> tuple[str, int]:
        for name, disk in self.disks.items():
            image = disk if name == transfer.target else disk.snapshots.get(transfer.target)
            if image is None:
                continue
            if transfer.format == "cow":
                return f"file://{image.file}", image.file.stat().st_size
            return self.host.exported(image.file, image.kind), virtual_size(image.file, image.kind)
        raise AssertionError(transfer)

    def _act(self, name: str, action: str) -> tuple[int, str]:
        self.actions.append(f"{name} {action}")
        transfer = self.transfers[name]
        if statuses := self.failing.get(action):
            return statuses.pop(0), fault("[Operation failed]")
        match action:
            case "extend":
                self.host.extend(transfer.ticket, CONTROL_TIMEOUT)
            case "resume":
                transfer.phase, transfer.polls = "resuming", 0
            case "finalize" | "cancel":
                self.host.remove(transfer.ticket)
                done = "finished_success" if action == "finalize" else "cancelled_user"
                transfer.phase = done
        return 200, "<action><status>complete</status></action>"

    def forget(self, transfer: Transfer, phase: str) -> None:
        """End a transfer as the engine does by itself."""
        with self.lock:
            transfer.phase = phase
        self.host.remove(transfer.ticket)

    def url_of(self, transfer: Transfer) -> str:
        if transfer.target in self.served:
            return self.served[transfer.target]
        scheme = "https" if self.host.tls else "http"
        return f"{scheme}://{self.address}:{self.relay.port}/images/{transfer.ticket}"

    def _shown(self, transfer: Transfer) -> str:
        urls = ""
        if transfer.phase == "transferring":
            url = self.url_of(transfer)
            direct = url if self.direct else re.sub(r":\d+/", ":1/", url)
            urls = f"<transfer_url>{direct}</transfer_url><proxy_url>{url}</proxy_url>"
        return (
            f'<image_transfer id="{transfer.id}"><phase>{transfer.phase}</phase>'
            f"<format>{self.format or transfer.format}</format>{urls}</image_transfer>"
        )


def fault(detail: str) -> str:
    return f"<fault><detail>{detail}</detail><reason>Operation Failed</reason></fault>"


def virtual_size(file: Path, kind: str) -> int:
    found = subprocess.run(
        ["qemu-img", "info", "--output=json", "-U", "-f", kind, file],
        check=True,
        capture_output=True,
    )
    return int(json.loads(found.stdout)["virtual-size"])


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    process.wait()


def _end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
