"""
What stands in for VMware's library in tests: a directory as the init container leaves it in /opt.

The plugin in it is compiled from `vddk_plugin.c`, which says what it makes of the files.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import random
import shutil
import socket
import ssl
import subprocess
import tempfile
from pathlib import Path

import pytest

from support import authority, disks, vsphere

MIB = 1 << 20
SIZE = 24 * MIB
FILE = "[store] vm/disk.vmdk"
FILES = (FILE, "[store] vm/disk-000001.vmdk", "[store] vm/disk-000002.vmdk")
SNAPSHOTS = (("snapshot-1", "one"), ("snapshot-2", "two"), ("snapshot-3", "three"))
# Of the disk in each snapshot.
CHANGES = ("52 de c0 d9 b9 43 9d 10-61 d5 4c 1b e9 7b 65 63/1", "52 de-61 d5/2", "52 de-61 d5/3")
HEAD = 64 << 10  # read before anything is decided
_AREA = 65536

_SOURCE = Path(__file__).with_name("vddk_plugin.c")
_HEADER = Path("/usr/include/nbdkit-plugin.h")

needed = pytest.mark.skipif(
    not (shutil.which("nbdkit") and shutil.which("gcc") and _HEADER.exists()),
    reason="needs nbdkit, gcc and nbdkit-plugin-dev",
)


@functools.cache
def plugin() -> Path:
    """Compile the plugin, once a process."""
    made = Path(tempfile.mkdtemp(prefix="cdi-test-")) / "plugin.so"
    command = ["gcc", "-Wall", "-Werror", "-fPIC", "-shared", "-o", made, _SOURCE]
    subprocess.run(command, check=True)
    return made


class Library:
    """A directory with the library, the disks that it can open and the password it wants."""

    def __init__(self, folder: Path, password: str = vsphere.PASSWORD) -> None:
        self.folder = folder
        self.distribution = folder / "vmware-vix-disklib-distrib"
        (self.distribution / "disks").mkdir(parents=True)
        (self.distribution / "loaded").touch()
        (self.distribution / "password").write_text(password + "\n")
        (folder / "testing").mkdir()
        shutil.copy(plugin(), folder / "testing" / "libvddk-test-plugin.so")

    def disk(self, name: str) -> Path:
        """Where the disk of a name is, or is to be."""
        return self.distribution / "disks" / name.replace("/", "_")


class Reads:
    """Counts what a library reads, and lets no more than `limit` bytes be read by one process."""

    def __init__(self, library: Library) -> None:
        self._place = library.distribution
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(30)
        (self._place / "port").write_text(f"{self._socket.getsockname()[1]}\n")
        self.served = 0

    def limit(self, count: int | None) -> None:
        if count is None:
            (self._place / "limit").unlink()
        else:
            (self._place / "limit").write_text(f"{count}\n")

    def until_dry(self) -> None:
        """Wait until a read waits."""
        while (told := self._socket.recv(32)) != b"dry":
            self.served += int(told)

    def drain(self) -> int:
        """Take what was told so far; return all that has been read."""
        self._socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while told := self._socket.recv(32):
                self.served += int(told) if told != b"dry" else 0
        self._socket.settimeout(30)
        return self.served

    def close(self) -> None:
        self._socket.close()


def staged(library: Library, machine: vsphere.Machine, seed: int = 5) -> list[bytes]:
    """Give a machine three snapshots, and return what its disk holds in each of them."""
    rng = random.Random(seed)
    contents = [library.disk(FILE).read_bytes()]
    for file, (id_, _), since in zip(FILES[1:], SNAPSHOTS[1:], CHANGES, strict=False):
        content, areas = _changed(contents[-1], rng)
        contents.append(content)
        sparse(library.disk(file), content)
        machine.changes[id_, since] = areas
    found: list[vsphere.Snapshot] = []
    for number in reversed(range(3)):
        parents = FILES[:number][::-1]
        disk = vsphere.Disk(FILES[number], SIZE, parents=parents, change_id=CHANGES[number])
        found = [vsphere.Snapshot(*SNAPSHOTS[number], [disk], found)]
    machine.roots = found
    machine.disks = [vsphere.Disk("[store] vm/disk-000003.vmdk", SIZE, parents=FILES[::-1])]
    return contents


def _changed(before: bytes, rng: random.Random) -> tuple[bytes, list[tuple[int, int]]]:
    """A disk some of whose areas have other data, or none; a large one is zero."""
    content = bytearray(before)
    low, high = 4 * MIB, 7 * MIB
    areas = [at * _AREA for at in sorted(rng.sample(range(SIZE // _AREA), 40))]
    areas = [at for at in areas if not low <= at < high]
    for number, at in enumerate(areas):
        content[at : at + _AREA] = bytes(_AREA) if number % 3 == 0 else rng.randbytes(_AREA)
    content[low:high] = bytes(high - low)
    return bytes(content), sorted([*((at, _AREA) for at in areas), (low, high - low)])


def sparse(path: Path, content: bytes) -> None:
    """Write a file with holes where there are zeros."""
    with path.open("wb") as file:
        file.truncate(len(content))
        for at in range(0, len(content), 4096):
            if any(part := content[at : at + 4096]):
                file.seek(at)
                file.write(part)


def server_for(trust: authority.Authority) -> tuple[vsphere.Server, str]:
    """A vCenter on loopback, with one machine, and the thumbprint of its certificate."""
    certificate, key = trust.issue("127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = vsphere.Server(context)
    disk = vsphere.Disk(FILE, SIZE)
    server.machines.append(vsphere.Machine("vm-7", "instance-1", [disk], "bios-1"))
    der = ssl.PEM_cert_to_DER_cert(certificate.read_text())
    digits = hashlib.sha1(der).hexdigest().upper()
    return server, ":".join(digits[at : at + 2] for at in range(0, 40, 2))


def library_with_disk(folder: Path) -> Library:
    found = Library(folder)
    disks.raw_disk(found.disk(FILE), SIZE)
    return found


def allocated(path: Path) -> int:
    """How many bytes of a file are no holes."""
    return path.stat().st_blocks * 512
