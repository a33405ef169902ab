"""
The plain way to copy a volume over a network: `tar | snappy | TLS`, and back.

`python -m bench.plaincopy receive FOLDER CERTIFICATE KEY` prints its port, takes one copy and syncs
it; `... send FOLDER PORT AUTHORITY` sends one. tar and the codec of cramjam do the work.
"""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

import cramjam

_PIECE: Final = 1 << 20
_HEAD: Final = 4  # of a chunk: its kind, its length
_BEGIN: Final = b"\xff\x06\x00\x00sNaPpY"


def send(folder: Path, port: int, authority: Path) -> None:
    """Send everything in a folder."""
    context = ssl.create_default_context(cafile=str(authority))
    packing = ["tar", "--create", "--sparse", "--directory", str(folder), "."]
    with (
        socket.create_connection(("localhost", port)) as plain,
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


def receive(folder: Path, certificate: Path, key: Path) -> None:
    """Take one copy into a folder."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    unpacking = ["tar", "--extract", "--sparse", "--directory", str(folder)]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
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
        case ["receive", folder, certificate, key]:
            receive(Path(folder), Path(certificate), Path(key))
        case _:
            raise SystemExit(__doc__)
