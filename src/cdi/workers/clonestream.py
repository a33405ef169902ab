"""
A volume as one chunked POST, for an upload server that asks for no ranges, or without a disk.

The device as it is (`blockdevice-clone`), or a file system as a tar with sparse members
(`filesystem-clone`), framed by snappy: the wire of upload.md and clone.md of the API. Loaded by a
clone source that needs it. Sizes in bytes.
"""

from __future__ import annotations

import contextlib
import http.client
import logging
import os
import ssl
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult

import cramjam

from cdi.api.workorder import CloneOrder
from cdi.images import errors
from cdi.images.transfer.meter import Meter
from cdi.workers.contents import JOURNALS, LOST_AND_FOUND
from cdi.workers.ranged.files import tree

log = logging.getLogger(__name__)

PIECE: Final = 1 << 20
CONTENT_TYPE: Final = "x-cdi-content-type"


class Streaming:
    """One volume at a place, sent to a URL. `run` is all there is to do."""

    def __init__(self, order: CloneOrder, place: Path, url: SplitResult) -> None:
        self._order, self._place, self._url = order, place, url
        self._is_block = order.volume_mode == "block"

    def run(self, line: ssl.SSLSocket, meter: Meter, cancel: threading.Event) -> None:
        """Send all of it. Raises TransferError."""
        pieces = self._device() if self._is_block else self._files()
        kind = "blockdevice-clone" if self._is_block else "filesystem-clone"
        meter.total = self._expected(is_block=self._is_block)
        self._post(line, kind, _framed(_counted(pieces, meter, cancel)))

    def _device(self) -> Iterator[bytes]:
        try:
            with self._place.open("rb", buffering=0) as device:
                while piece := device.read(PIECE):
                    yield piece
        except OSError as error:
            raise errors.SourceUnavailable(f"{self._place} cannot be read: {error}") from error

    def _files(self) -> Iterator[bytes]:
        """Yield a tar of everything in the file system."""
        sparse = [] if self._order.preallocation else ["--sparse"]
        names = sorted(x.name for x in self._place.iterdir() if x.name != LOST_AND_FOUND)
        command = [
            "tar", "--create", *sparse, "--directory", str(self._place),
            "--exclude", JOURNALS, "--no-recursion", "--null", "--files-from=-",
        ]  # fmt: skip
        with tempfile.TemporaryFile() as listed, tempfile.TemporaryFile() as said:
            listed.write(b"".join(os.fsencode(x) + b"\0" for x in tree(self._place, names)))
            listed.seek(0)
            child = subprocess.Popen(command, stdin=listed, stdout=subprocess.PIPE, stderr=said)
            try:
                yield from _read(child)
            finally:
                if child.poll() is None and sys.exception() is not None:
                    child.kill()
            if child.wait() != 0:
                said.seek(0)
                why = said.read(500).decode(errors="replace")
                raise errors.SourceUnavailable(f"tar has failed: {why.strip()}")

    def _expected(self, *, is_block: bool) -> int:
        """How many bytes are read before they are framed, more or less."""
        if is_block:
            with self._place.open("rb") as device:
                return device.seek(0, os.SEEK_END)
        found = (path.lstat() for path in self._place.rglob("*"))
        if self._order.preallocation:
            return sum(each.st_size for each in found)
        return sum(each.st_blocks * 512 for each in found)

    def _post(self, line: ssl.SSLSocket, kind: str, body: Iterator[bytes]) -> None:
        connection = http.client.HTTPSConnection(self._url.hostname or "", self._url.port)
        connection.sock = line
        try:
            with contextlib.closing(connection):
                status, text = _answer(connection, self._url.path, kind, body)
        except (OSError, http.client.HTTPException) as error:
            raise errors.ConnectionLost(f"{self._url.netloc} is not reached: {error}") from error
        if not 200 <= status < 300:
            raise errors.ConnectionLost(f"{self._url.netloc} answers {status}: {text}")


def _answer(
    connection: http.client.HTTPSConnection, path: str, kind: str, body: Iterator[bytes]
) -> tuple[int, str]:
    """Send a body and return the status and the text of the answer.

    A server that refuses may stop reading and answer, so a broken pipe is no answer yet.
    """
    try:
        headers = {CONTENT_TYPE: kind, "Transfer-Encoding": "chunked"}
        connection.request("POST", path, body=body, headers=headers, encode_chunked=True)
    except (BrokenPipeError, ConnectionResetError):
        log.info("the server has stopped reading")
    answer = connection.getresponse()
    return answer.status, answer.read(2000).decode(errors="replace").strip()


def _read(child: subprocess.Popen[bytes]) -> Iterator[bytes]:
    stream = child.stdout
    while stream is not None and (piece := stream.read(PIECE)):
        yield piece


def _counted(pieces: Iterator[bytes], meter: Meter, cancel: threading.Event) -> Iterator[bytes]:
    for piece in pieces:
        if cancel.is_set():
            raise errors.Cancelled("the copy was asked to stop")
        meter.received(len(piece))
        meter.reached(meter.fetched)
        yield piece


def _framed(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the same in snappy's framing format; an empty row of pieces is a beginning only."""
    compressor = cramjam.snappy.Compressor()
    for piece in pieces:
        compressor.compress(piece)
        yield bytes(compressor.flush())
    yield bytes(compressor.finish())
