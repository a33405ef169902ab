"""
Every source with every format into both kinds of volume, from real servers: nginx, moto, the
emulator of Google's storage, docker-registry filled by skopeo. One row is one DataVolume; all of
them are there at once, as on a busy cluster.

oVirt, VMware and archives have rows of their own in test_imageio, test_vddk and test_archives:
they take more than an address.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cdi.api.phases import DataVolume as Phase
from support import authority, disks, nginx, objectstores, registry
from support.cluster import Cluster, Namespace
from support.manifests import BLANK, data_volume

pytestmark = pytest.mark.e2e

MIB = 1 << 20
RWO = ["ReadWriteOnce"]  # not every class has a profile that knows
MODES = ("Filesystem", "Block")
USER, PASSWORD = "reader", "canary-password"

PACKED = ["raw.gz", "raw.xz", "raw.zst", "raw.bz2", "qcow2.gz", "qcow2.xz", "qcow2.zst"]
CONVERTED = ["vmdk", "vmdk-stream", "vdi", "vhd", "vhdx", "vmdk.gz", "vdi.xz"]
ROWS = {
    "http": ["raw", "qcow2", "qcow2-zlib", "qcow2-zstd", *PACKED, *CONVERTED, "iso", "tar"],
    "https": ["raw", "qcow2", "raw.gz"],
    "https-insecure": ["qcow2"],
    "http-basic": ["raw", "qcow2", "raw.xz"],
    "s3": ["raw", "raw.gz", "raw.zst", "qcow2", "vmdk-stream", "vhdx"],
    "gcs": ["raw", "raw.xz", "qcow2", "qcow2.gz", "vdi"],
    "registry-pod": ["raw", "qcow2", "qcow2-zlib", "raw.gz", "vmdk-stream", "vhdx"],
    "registry-node": ["raw", "qcow2"],
    "blank": [""],
}
TABLE = [(source, kind, mode) for source, kinds in ROWS.items() for kind in kinds for mode in MODES]


def name_of(source: str, kind: str, mode: str) -> str:
    return f"{source}-{kind.replace('.', '-') or 'disk'}-{mode.lower()}"


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with one disk in every form, `disk.<kind>`, and of an iso and a tar."""
    folder = tmp_path_factory.mktemp("matrix")
    raw = disks.raw_disk(folder / "disk.raw", 8 * MIB, 2 * MIB)
    for kind in {kind for kinds in ROWS.values() for kind in kinds} - {"", "raw", "iso", "tar"}:
        layout, _, packing = kind.partition(".")
        made = raw if layout == "raw" else folder / f"disk.{layout}"
        if not made.exists():
            disks.convert(raw, layout)
        if packing:
            disks.compress(made, packing)
    (folder / "disk.iso").write_bytes(bytes(32769) + b"CD001\1" + b"iso" * 99999 + bytes(2 * MIB))
    subprocess.run(["tar", "-cf", "disk.tar", "disk.qcow2"], cwd=folder, check=True)
    return folder


@dataclass
class Sources:
    """Where each kind of source has the files; `of` is what a DataVolume says."""

    images: Path
    plain: nginx.Nginx
    secured: nginx.Nginx
    guarded: nginx.Nginx
    s3: objectstores.Store
    gcs: objectstores.Store
    registries: dict[str, registry.Registry]  # by pull method

    def of(self, source: str, kind: str) -> dict[str, Any]:
        file = f"disk.{kind}"
        match source:
            case "blank":
                return BLANK
            case "http":
                return {"http": {"url": self.plain.url(file)}}
            case "https":
                return {"http": {"url": self.secured.url(file), "certConfigMap": "authority"}}
            case "https-insecure":
                return {"http": {"url": self.secured.url(file), "insecureSkipVerify": True}}
            case "http-basic":
                return {"http": {"url": self.guarded.url(file), "secretRef": "basic"}}
            case "s3":
                url = self.s3.put(file, (self.images / file).read_bytes())
                return {"s3": {"url": url, "secretRef": "basic"}}
            case "gcs":
                return {"gcs": {"url": self.gcs.put(file, (self.images / file).read_bytes())}}
        method = source.partition("-")[2]
        wanted = {"url": self._pushed(kind, self.registries[method]), "pullMethod": method}
        if method == "pod":
            wanted["certConfigMap"] = "authority"
        return {"registry": wanted}

    def _pushed(self, kind: str, server: registry.Registry) -> str:
        tag = kind.replace(".", "-")
        disk = registry.disk_image((self.images / f"disk.{kind}").read_bytes(), f"disk.{kind}")
        layout = registry.write_layout(self.images / f"{tag}.oci", {"": disk})
        subprocess.run(
            [
                *("skopeo", "--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false"),
                f"oci-archive:{layout}",
                server.url("disks", tag),
            ],
            check=True,
        )
        return server.url("disks", tag)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> authority.Authority:
    return authority.Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def sources(
    cluster: Cluster,
    images: Path,
    made: authority.Authority,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Sources]:
    host = cluster.host
    certificate, key = made.issue(host)
    with contextlib.ExitStack() as stack:
        begin = stack.enter_context
        yield Sources(
            images,
            begin(nginx.Nginx(images, nginx.Settings(host=host))),
            begin(nginx.Nginx(images, nginx.Settings(host=host, certificate=certificate, key=key))),
            begin(nginx.Nginx(images, nginx.Settings(host=host, user=USER, password=PASSWORD))),
            begin(objectstores.moto(host)),
            begin(objectstores.emulator(host)),
            {
                "pod": begin(
                    registry.Registry(tmp_path_factory.mktemp("secured"), made, address=host)
                ),
                # A machine's own registry may be spoken to in clear by whoever pulls for it; the
                # node of a cluster that reaches this machine's addresses is this machine.
                "node": begin(registry.Registry(tmp_path_factory.mktemp("plain"))),
            },
        )


@pytest.fixture(scope="module")
def filled(cluster: Cluster, sources: Sources, made: authority.Authority) -> Iterator[Namespace]:
    """A namespace with a DataVolume of every row."""
    put = {each: sources.of(*each) for each in dict.fromkeys(row[:2] for row in TABLE)}
    volumes = [
        data_volume(name_of(*row), put[row[:2]], size="16Mi", volumeMode=row[2], accessModes=RWO)
        for row in TABLE
    ]
    certificates = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "authority"},
        # A registry's certificates are those whose key says so.
        "data": {"ca.crt": made.ca.read_text()},
    }
    login = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "basic"},
        "stringData": {"accessKeyId": USER, "secretKey": PASSWORD},
    }
    with cluster.namespace() as space:
        space.apply(certificates, login, *volumes)
        yield space


@pytest.mark.parametrize(("source", "kind", "mode"), TABLE, ids=[name_of(*row) for row in TABLE])
def test_the_volume_holds_the_disk(source, kind, mode, filled, images):
    name = name_of(source, kind, mode)
    filled.wait_phase(name, Phase.SUCCEEDED)
    disk = filled.claim_disk(name)
    if disk is None:
        return
    same = {"iso": "disk.iso", "": "nothing"}.get(kind, "disk.raw")
    wanted = (images / same).read_bytes() if same != "nothing" else b""
    content = disk.read_bytes()
    assert content[: len(wanted)] == wanted
    assert not content[len(wanted) :].strip(b"\0")
