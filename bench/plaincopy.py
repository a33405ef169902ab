"""
The plain way to copy a volume over a network: `tar | snappy | TLS`, and back.

`python -m bench.plaincopy receive FOLDER PORT CERTIFICATE KEY` takes one copy and syncs it;
`... send FOLDER PORT AUTHORITY` sends one, and may be started before. tar and the codec of cramjam
do the work.
"""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

import cramjam

_PIECE: Final = 1 << 20
_COMING_UP, _PAUSE = 10.0, 0.02  # seconds
_HEAD: Final = 4  # of a chunk: its kind, its length
_BEGIN: Final = b"\xff\x06\x00\x00sNaPpY"


def send(folder: Path, port: int, authority: Path) -> None:
    """Send everything in a folder."""
    context = ssl.create_default_context(cafile=str(authority))
    packing = ["tar", "--create", "--sparse", "--directory", str(folder), "."]
    with (
        _connected(port) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as line,
        subprocess.Popen(packing, stdout=subprocess.PIPE) as tar,
    ):
        if tar.stdout is None:
            raise SystemExit("tar says nothing")
        while piece := tar.stdout.read(_PIECE):
            line.sendall(cramjam.snappy.compress(piece))
        line.shutdown(socket.SHUT_WR)
        while line.recv(_PIECE):  # what nobody reads would break the connection when it is closed
            pass


def _connected(port: int) -> socket.socket:
    """Connect to a receiver that may still be on its way up."""
    until = time.monotonic() + _COMING_UP
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            if time.monotonic() > until:
                raise
            time.sleep(_PAUSE)


def receive(folder: Path, port: int, certificate: Path, key: Path) -> None:
    """Take one copy into a folder."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    unpacking = ["tar", "--extract", "--sparse", "--directory", str(folder)]
    with socket.create_server(("127.0.0.1", port)) as listener:
        plain, _ = listener.accept()
    with (
        context.wrap_socket(plain, server_side=True) as line,
        subprocess.Popen(unpacking, stdin=subprocess.PIPE) as tar,
    ):
        if tar.stdin is None:
            raise SystemExit("tar takes nothing")
        with line.makefile("rb", buffering=_PIECE) as stream:
            for chunks in _groups(stream):
                tar.stdin.write(cramjam.snappy.decompress(chunks))
        tar.stdin.close()
        if tar.wait():
            raise SystemExit("tar has failed")
    subprocess.run(["sync", str(folder / "disk.img")], check=True)


def _groups(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield whole chunks, about a piece of them at once. Format: framing_format.txt of snappy."""
    held = bytearray()
    while head := stream.read(_HEAD):
        if len(held) >= _PIECE:
            yield bytes(held)
            held = bytearray(_BEGIN)
        held += head + stream.read(int.from_bytes(head[1:], "little"))
    yield bytes(held)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["send", folder, port, authority]:
            send(Path(folder), int(port), Path(authority))
        case ["receive", folder, port, certificate, key]:
            receive(Path(folder), int(port), Path(certificate), Path(key))
        case _:
            raise SystemExit(__doc__)
