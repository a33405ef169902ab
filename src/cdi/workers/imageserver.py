"""
The server beside the importer of a node pull, where there is no node that could pull an image:
`python -m cdi.workers.imageserver -image NAME -p PORT -image-dir DIR -ready-file F -done-file F`.

On a cluster the container runtime fetches the source image, and `containerimage-server` in it
hands out its disk. On one machine this does both, by the same interface, without unpacking
anything: the disk streams from the registry through here, and its layer's digest is verified on
the way. It cannot be read at random, so no ranges are offered; the last piece is held back until
the digest has been found right.

As with container runtimes, registries on loopback need not speak TLS, proxies are those of the
environment, and user and password are those that container tools have stored.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import logging
import os
import signal
import sys
import threading
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from cdi.api.workersettings import WorkerSettings
from cdi.images import errors
from cdi.images.codecs.codec import HEAD, codec_for
from cdi.images.http import proxies, urls
from cdi.images.http.options import HttpOptions
from cdi.images.sources import registry
from cdi.images.sources.registry import prepare, reference
from cdi.images.sources.spec import SourceSpec
from cdi.images.transfer import forward, pipeline, threads
from cdi.images.transfer.meter import Meter
from cdi.images.transfer.progress import StreamPoint
from cdi.workers import logs
from cdi.workers.sources.nodepull import REFUSED

log = logging.getLogger(__name__)

FAILED, STOPPED = 1, 128 + signal.SIGTERM
LOOK_AGAIN: Final = 0.25  # seconds
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # seconds between attempts at an image


def main(arguments: list[str], env: Mapping[str, str]) -> int:
    """Serve until the done file is there; return the exit status."""
    logs.start()
    threads.keep_buffers()
    options = _parser().parse_args(arguments)
    settings = WorkerSettings.from_env(env)
    ready, done = settings.local(options.ready_file), settings.local(options.done_file)
    refused = ready.with_name(ready.name + REFUSED)
    for stale in (ready, refused):
        stale.unlink(missing_ok=True)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        found = _found(wanted(options.image, env), stop)
    except errors.Cancelled:
        return STOPPED
    except errors.TransferError as error:
        log.error("the image is refused", extra={"reason": error.reason, "cause": str(error)})  # noqa: TRY400
        settings.termination_log.write_text(str(error), encoding="utf-8")
        _write(refused, str(error))
        return FAILED
    host = "127.0.0.1" if settings.loopback == "localhost" else settings.loopback
    with _serving(found, (host, options.p), stop):
        _write(ready, found.name)
        while not done.exists():
            if stop.wait(LOOK_AGAIN):
                return STOPPED
    done.unlink()
    ready.unlink(missing_ok=True)
    return 0


def wanted(image: str, env: Mapping[str, str]) -> registry.Wanted:
    """Return an image as a container runtime of this machine would pull it."""
    # Without a scheme, as pods name images.
    host = reference.parse_reference(image).server
    location = urls.parse_url(f"https://{host}/")
    return registry.Wanted(
        url=f"{reference.DOCKER}{image}",
        options=HttpOptions(
            insecure=proxies.is_loopback(location.host),
            proxies={key.lower(): value for key, value in env.items()},
        ),
        auth_file=prepare.auth_file(env),
    )


def content(spec: SourceSpec, stop: threading.Event) -> Iterator[bytes]:
    """Yield the disk's file. Raises ChecksumMismatch in place of the last piece."""
    with closing(spec.open(stop)) as source:
        digest = hashlib.new(spec.checksum[0]) if spec.checksum else None
        fetched = pipeline.ahead(source.stream(), forward.AHEAD, "fetch")
        with closing(fetched):
            pieces = _hashed(iter(fetched), digest.update if digest else None)
            yield from _but_last(_cut_out(spec, pieces), partial(_verify, spec, digest, pieces))


def _cut_out(spec: SourceSpec, pieces: Iterator[bytes]) -> Iterator[bytes]:
    part = spec.part
    if part is None:
        yield from pieces
        return
    head = b""
    while len(head) < HEAD and (piece := next(pieces, b"")):
        head += piece
    whole = _joined(head, pieces)
    chunks = forward.content(codec_for(head), whole, 0, StreamPoint(0, 0), Meter())
    for chunk in forward.cut_out(part, chunks, 0, drain=True):
        yield chunk.data


def _joined(head: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield head
    yield from rest


def _hashed(pieces: Iterator[bytes], update: Callable[[bytes], None] | None) -> Iterator[bytes]:
    for piece in pieces:
        if update is not None:
            update(piece)
        yield piece


def _but_last(pieces: Iterator[bytes], check: Callable[[], None]) -> Iterator[bytes]:
    """Yield pieces one late, the last one after a check."""
    held = b""
    for piece in pieces:
        if held:
            yield held
        held = piece
    check()
    yield held


def _verify(spec: SourceSpec, digest: hashlib._Hash | None, rest: Iterator[bytes]) -> None:
    for _ in rest:
        pass
    if spec.checksum and digest and digest.hexdigest() != spec.checksum[1]:
        raise errors.ChecksumMismatch(*spec.checksum, digest.hexdigest())


def _found(image: registry.Wanted, stop: threading.Event) -> registry.Found:
    """Look for the image until it is there, or never will be."""
    pause = FIRST_PAUSE
    while True:
        try:
            return registry.look_into(image, stop)
        except errors.Cancelled:
            raise
        except errors.TransferError as error:
            if error.kind is errors.Kind.PERMANENT:
                raise
            log.warning(
                "the image cannot be had now", extra={"cause": str(error), "again_in": pause}
            )
        if stop.wait(pause):
            raise errors.Cancelled("told to stop")
        pause = min(2 * pause, LONGEST_PAUSE)


@contextlib.contextmanager
def _serving(
    found: registry.Found, address: tuple[str, int], stop: threading.Event
) -> Iterator[None]:
    class Bound(_Handler):
        image, halt = found, stop

    with ThreadingHTTPServer(address, Bound) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(LOOK_AGAIN,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    """Answers GET for the disk and for /info."""

    protocol_version = "HTTP/1.1"
    image: registry.Found
    halt: threading.Event

    def do_GET(self) -> None:
        name = urllib.parse.unquote(self.path, errors="surrogateescape").removeprefix("/")
        if name == self.image.name:
            self._send_disk()
        elif name == "info":
            body = json.dumps({"env": list(self.image.environment)}).encode()
            self._begin(len(body), "application/json")
            self.wfile.write(body)
        else:
            self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        log.debug(format, *args)

    def _send_disk(self) -> None:
        try:
            self._begin(self._size(), "application/octet-stream")
            for piece in content(self.image.spec, self.halt):
                self.wfile.write(piece)
        except (errors.TransferError, OSError) as error:
            # The end that is missing tells the other side.
            log.warning("the disk was not sent whole", extra={"cause": str(error)})
            self.close_connection = True

    def _size(self) -> int | None:
        spec = self.image.spec
        if spec.part is not None:
            return spec.part.size
        with closing(spec.open(self.halt)) as source:
            return source.size

    def _begin(self, size: int | None, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        if size is None:
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(size))
        digest = self.image.spec.checksum
        if digest:
            self.send_header("ETag", f'"{digest[1]}"')
        self.end_headers()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="imageserver", allow_abbrev=False)
    parser.add_argument("-image", required=True)
    parser.add_argument("-p", type=int, default=8100)
    parser.add_argument("-image-dir", default="/disk")
    parser.add_argument("-ready-file", required=True)
    parser.add_argument("-done-file", required=True)
    return parser


def _write(path: Path, text: str) -> None:
    """Write a file so that a reader finds all of it or nothing."""
    partial_file = path.with_name(path.name + ".new")
    partial_file.write_text(text, encoding="utf-8", errors="surrogateescape")
    partial_file.replace(path)


if __name__ == "__main__":
    status = main(sys.argv[1:], os.environ)
    logging.shutdown()
    # Threads that are stuck in the network must not hold up the end.
    os._exit(status)
