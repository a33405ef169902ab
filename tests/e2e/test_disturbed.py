"""
Importer pods that are deleted, evicted, removed by force or killed, at any moment, for every
format, in both kinds of volume, directly and through the populator: Succeeded means that the disk
is there, and the import does succeed.

The moment is a request: the server counts those for a disk, and at the chosen one the pod that
sent it is disturbed. CDI_TEST_ROUNDS is how often everything is done, each time at other moments;
more than one adds the formats that need scratch space or a table of their own.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from support import disks, httpd
from support.cluster import Cluster, Namespace, Refused
from support.manifests import data_volume, http

pytestmark = pytest.mark.e2e

ROUNDS = int(os.environ.get("CDI_TEST_ROUNDS", "1"))
MIB = 1 << 20
SIZE = 8 * MIB
RATE = 24 * MIB  # bytes a second on each connection, so that the moments are apart
PATIENCE = 300  # seconds: many importers share a node, and the kubelet's pauses grow
LATEST = 6  # the last request at which a pod may be disturbed
FEW = ["raw", "qcow2", "raw.gz", "vhdx"]
KINDS = FEW if ROUNDS == 1 else [*FEW, "qcow2-zlib", "vmdk", "vdi", "vhd", "qed", "qcow"]
MODES = ["Filesystem", "Block"]
WAYS = {"direct": "false", "populator": "true"}
TABLE = [(kind, mode, way) for kind in KINDS for mode in MODES for way in WAYS]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with one disk in every form, `disk.<kind>`."""
    folder = tmp_path_factory.mktemp("disturbed")
    raw = disks.raw_disk(folder / "disk.raw", SIZE, SIZE // 2)
    for kind in KINDS[1:]:
        layout, _, packing = kind.partition(".")
        made = raw if layout == "raw" else disks.convert(raw, layout)
        if packing:
            disks.compress(made, packing)
    return folder


@dataclass
class Disturbed:
    """Serves a disk, and calls `disturb` once, at one of its requests."""

    blob: httpd.Blob
    at: int
    disturb: Callable[[], None]
    seen: int = 0
    running: list[threading.Thread] = field(default_factory=list)

    def __call__(self, request: httpd.Request) -> httpd.Reply:
        self.seen += 1
        if self.seen == self.at:
            self.running.append(threading.Thread(target=self.disturb))
            self.running[-1].start()
        return replace(self.blob(request), rate=RATE)


@dataclass(frozen=True)
class Row:
    """One DataVolume, and how its importer pod is found."""

    space: Namespace
    name: str

    def pod(self) -> str:
        """The name of the pod that imports; the prime's where a populator is at work."""
        given = self.space.get("pvc", self.name)["metadata"]["annotations"]
        prime = given.get("cdi.kubevirt.io/storage.populator.pvcPrime")
        claim = self.space.get("pvc", prime)["metadata"]["annotations"] if prime else given
        return str(
            claim.get("cdi.kubevirt.io/storage.import.importPodName", f"importer-{self.name}")
        )

    def delete(self) -> None:
        self.space.kubectl("delete", "pod", self.pod(), "--wait=false")

    def force(self) -> None:
        self.space.kubectl("delete", "pod", self.pod(), "--force", "--grace-period=0")

    def evict(self) -> None:
        name = self.pod()
        place = f"/api/v1/namespaces/{self.space.name}/pods/{name}/eviction"
        wanted = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
        self.space.kubectl("create", "--raw", place, "-f-", stdin=json.dumps(wanted))

    def kill(self) -> None:
        """Kill the importer's process, which runs on this machine; 9, without a word."""
        owner = f"OWNER_UID={self.space.get('dv', self.name)['metadata']['uid']}".encode()
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (process / "cmdline").read_bytes().split(b"\0")
                said = (process / "environ").read_bytes().split(b"\0")
                if b"cdi.workers.importer" in words and owner in said:
                    os.kill(int(process.name), signal.SIGKILL)

    def by(self, how: str) -> None:
        """Disturb; a pod that has gone meanwhile is disturbed enough."""
        with contextlib.suppress(Refused):
            getattr(self, how)()


@pytest.fixture(
    params=[
        f"{how}-{n}" for n in range(ROUNDS) for how in ("none", "delete", "evict", "force", "kill")
    ]
)
def filled(
    request: pytest.FixtureRequest, cluster: Cluster, server: httpd.Server, images: Path
) -> Iterator[Namespace]:
    """A namespace with a DataVolume of every row, each of whose pods is disturbed in one way."""
    how = request.param.partition("-")[0]
    chance = random.Random(request.param)
    served, volumes = [], []
    with cluster.namespace() as space:
        for row in TABLE:
            name = name_of(*row)
            blob = httpd.Blob((images / f"disk.{row[0]}").read_bytes())
            at = 0 if how == "none" else chance.randint(1, LATEST)
            resource = Disturbed(blob, at, lambda name=name: Row(space, name).by(how))
            served.append(resource)
            url = server.put(f"/{name}", resource)
            asked = {"cdi.kubevirt.io/storage.usePopulator": WAYS[row[2]]}
            block = {"volumeMode": row[1], "accessModes": ["ReadWriteOnce"]}
            volumes.append(data_volume(name, http(url), size="16Mi", annotations=asked, **block))
        space.apply(*volumes)
        yield space
        for each in served:
            for thread in each.running:
                thread.join()


def name_of(kind: str, mode: str, way: str) -> str:
    return f"{kind.replace('.', '-')}-{mode.lower()}-{way}"


def test_succeeded_means_that_the_disk_is_there(filled: Namespace, images: Path) -> None:
    wanted = (images / "disk.raw").read_bytes()
    for row in TABLE:
        name = name_of(*row)
        filled.wait_phase(name, "Succeeded", seconds=PATIENCE)
        disk = filled.claim_disk(name)
        if disk is None:
            continue
        content = disk.read_bytes()
        assert content[:SIZE] == wanted, name
        assert not content[SIZE:].strip(b"\0"), name
