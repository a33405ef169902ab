"""Claims that name a disk of oVirt or an image of OpenStack are filled before they are bound."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support import authority, disks, manifests, openstack, ovirt
from support.cluster import Cluster, Namespace
from support.manifests import Object

pytestmark = pytest.mark.e2e

GROUP = "forklift.cdi.kubevirt.io"
SIZE = 24 << 20


def secret(name: str, keys: dict[str, str]) -> Object:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": keys}


def source(kind: str, **spec: str) -> Object:
    return {
        "apiVersion": f"{GROUP}/v1beta1",
        "kind": kind,
        "metadata": {"name": "source"},
        "spec": {"secretRef": "keys", **spec},
    }


def claim(kind: str) -> Object:
    reference = {"apiGroup": GROUP, "kind": kind, "name": "source"}
    return manifests.claim("disk", {}, dataSourceRef=reference)


@pytest.fixture
def cloud(cluster: Cluster) -> Iterator[openstack.Cloud]:
    with openstack.Cloud(host=cluster.host, bind=cluster.bind) as running:
        yield running


def is_filled(space: Namespace, raw: Path) -> None:
    space.wait("pvc/disk", "jsonpath={.status.phase}=Bound")
    given = space.get("pvc", "disk")["metadata"]["annotations"]
    assert given["cdi.kubevirt.io/storage.populator.progress"] == "100.0%"
    disk = space.claim_disk("disk")
    if disk is not None:
        assert disks.differs(disk, raw) == ""
    space.until_event("pvc/disk", "importSucceeded")
    space.gone("pvc/" + given["cdi.kubevirt.io/storage.populator.pvcPrime"])


@pytest.mark.parametrize("first", ["source", "claim"])
def test_an_image_of_openstack_fills_a_claim(space, cloud, images, first):
    image = cloud.add(images.qcow2.read_bytes())
    named = source("OpenstackVolumePopulator", identityUrl=cloud.identity_url, imageId=image)
    wanted = [named, claim("OpenstackVolumePopulator")]
    for each in wanted if first == "source" else reversed(wanted):
        space.apply(each)
    space.apply(secret("keys", openstack.SECRET))
    is_filled(space, images.raw)


def test_a_disk_of_ovirt_fills_a_claim(space, cluster, images, tmp_path):
    made = authority.Authority(tmp_path / "authority")
    certificate, context = made.issue(cluster.host), made.server_context(cluster.host)
    with (
        ovirt.Host(tmp_path, certificate) as host,
        ovirt.Engine(host, context, cluster.host, cluster.bind) as engine,
    ):
        engine.disks["disk-1"] = ovirt.Disk(images.raw)
        keys = {"user": ovirt.USER, "password": ovirt.PASSWORD, "cacert": made.ca.read_text()}
        named = source("OvirtVolumePopulator", engineUrl=engine.url, diskId="disk-1")
        space.apply(secret("keys", keys), named, claim("OvirtVolumePopulator"))
        is_filled(space, images.raw)


def test_a_data_volume_may_name_an_image_of_openstack(space, cloud, images):
    image = cloud.add(images.raw.read_bytes())
    named = source("OpenstackVolumePopulator", identityUrl=cloud.identity_url, imageId=image)
    space.apply(secret("keys", openstack.SECRET), named)
    reference = {"apiGroup": GROUP, "kind": "OpenstackVolumePopulator", "name": "source"}
    wanted = manifests.data_volume("disk", {}, dataSourceRef=reference)
    del wanted["spec"]["source"]
    space.apply(wanted)
    space.wait_phase("disk", "Succeeded")
    is_filled(space, images.raw)


def test_credentials_that_nobody_knows_are_told_on_the_claim(space, cloud, images):
    image = cloud.add(images.raw.read_bytes())
    named = source("OpenstackVolumePopulator", identityUrl=cloud.identity_url, imageId=image)
    wrong = {**openstack.SECRET, "password": "wrong"}
    space.apply(secret("keys", wrong), named, claim("OpenstackVolumePopulator"))
    space.until_event("pvc/disk", "ErrImportFailed")
    given = space.get("pvc", "disk")["metadata"]["annotations"]
    assert "AccessDenied" in given["cdi.kubevirt.io/storage.condition.running.message"]
