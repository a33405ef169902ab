"""Imports from vSphere on one machine that has the library in a directory."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cdi.api.phases import DataVolume as Phase
from support import authority, vddk, vsphere
from support.cluster import Machine, Namespace
from support.manifests import Object, data_volume

pytestmark = [pytest.mark.e2e, vddk.needed]


@dataclass
class Site:
    """`cdi up` with the library, and a vCenter with one machine."""

    space: Namespace
    library: vddk.Library
    server: vsphere.Server
    thumbprint: str

    def volume(self, name: str, **stages: object) -> Object:
        source = {
            "url": self.server.url, "uuid": "instance-1", "backingFile": vddk.FILE,
            "thumbprint": self.thumbprint, "secretRef": "vsphere",
        }  # fmt: skip
        wanted = data_volume(name, {"vddk": source}, size="32Mi")
        wanted["spec"] |= stages
        return wanted

    def content(self, name: str) -> bytes:
        disk = self.space.claim_disk(name)
        assert disk is not None
        return disk.read_bytes()[: vddk.SIZE]


def secret(password: str = vsphere.PASSWORD) -> Object:
    given = {"accessKeyId": vsphere.USER, "secretKey": password}
    data = {key: base64.b64encode(text.encode()).decode() for key, text in given.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "vsphere"}, "data": data}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder: Path = tmp_path_factory.mktemp("vddk")
    library = vddk.library_with_disk(folder / "library")
    server, thumbprint = vddk.server_for(authority.Authority(folder / "authority"))
    machine = Machine.over(folder / "data", "--vddk-libdir", str(library.folder))
    with server, machine.running(), machine.namespace() as space:
        space.apply(secret())
        yield Site(space, library, server, thumbprint)


def test_a_whole_disk_is_imported(site: Site) -> None:
    site.space.apply(site.volume("cold"))
    found = site.space.wait_phase("cold", Phase.SUCCEEDED)
    assert site.content("cold") == site.library.disk(vddk.FILE).read_bytes()
    shown = found["metadata"]["annotations"]
    assert shown["cdi.kubevirt.io/storage.pod.vddk.version"] == "8.0.2"
    assert shown["cdi.kubevirt.io/storage.pod.vddk.host"] == "esx1.example"


def test_stages_follow_each_other_until_the_final_one(site: Site) -> None:
    contents = vddk.staged(site.library, site.server.machines[0])
    stages = [{"previous": "", "current": "one"}, {"previous": "one", "current": "two"}]
    site.space.apply(site.volume("warm", checkpoints=stages[:1], finalCheckpoint=False))
    site.space.wait_phase("warm", Phase.PAUSED)
    stages.append({"previous": vddk.CHANGES[1], "current": "three"})
    site.space.apply(site.volume("warm", checkpoints=stages, finalCheckpoint=True))
    site.space.wait_phase("warm", Phase.SUCCEEDED)
    assert site.content("warm") == contents[2]


def test_without_the_library_the_pod_waits_and_says_what_to_do(machine: Machine) -> None:
    with machine.namespace() as space:
        space.apply(secret())
        source = {
            "url": "https://127.0.0.1:1", "uuid": "u", "backingFile": "f", "thumbprint": "t",
            "secretRef": "vsphere", "initImageURL": "vddk:8",
        }  # fmt: skip
        space.apply(data_volume("dv", {"vddk": source}, by="pvc", size="32Mi"))
        condition = 'jsonpath={.status.conditions[?(@.type=="PodScheduled")].reason}=Unschedulable'
        space.wait("dv/dv", f"jsonpath={{.status.phase}}={Phase.IMPORT_SCHEDULED}")
        space.wait("pod/importer-dv", condition)
        assert "--vddk-libdir" in str(space.get("pod", "importer-dv")["status"]["conditions"])
