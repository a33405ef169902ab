"""DataVolumes whose disk lies in an object store."""

from __future__ import annotations

import pytest

from cdi.api.phases import DataVolume as Phase
from support import authority, disks, httpd, objectstores
from support.manifests import RETRY_NEVER, data_volume

pytestmark = pytest.mark.e2e


def secret(name: str, **entries: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": entries}


def assert_same(space, name, raw):
    disk = space.claim_disk(name)
    if disk is not None:
        assert disks.differs(disk, raw) == ""


@pytest.mark.parametrize("token", ["", objectstores.TOKEN], ids=["keys", "session"])
def test_an_object_of_s3_is_imported_with_the_keys_of_a_secret(space, server, images, token):
    url = server.put("/bucket/disk", objectstores.Signed(images.blob("qcow2"), token=token))
    keys = {"accessKeyId": objectstores.KEY_ID, "secretKey": objectstores.SECRET}
    space.apply(secret("keys", **keys, **({"sessionToken": token} if token else {})))
    space.apply(data_volume("disk", {"s3": {"url": url, "secretRef": "keys"}}))
    space.wait_phase("disk", Phase.SUCCEEDED)
    assert_same(space, "disk", images.raw)


def test_an_object_of_s3_is_imported_with_the_certificates_of_a_config_map(
    cluster, space, images, tmp_path
):
    certificates = authority.Authority(tmp_path / "ca")
    tls = certificates.server_context(cluster.host)
    with httpd.Server(tls=tls, host=cluster.host, bind=cluster.bind) as server:
        url = server.put("/bucket/disk", images.blob("gz"))
        space.apply(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "certificates"},
                "data": {"ca.pem": certificates.ca.read_text()},
            }
        )
        source = {"s3": {"url": url, "certConfigMap": "certificates"}}
        space.apply(data_volume("disk", source, by="pvc"))
        space.wait_phase("disk", Phase.SUCCEEDED)
    assert_same(space, "disk", images.raw)


def test_an_object_of_google_is_imported_with_the_file_of_a_secret(space, server, images):
    google = objectstores.Google()
    url = server.put("/bucket/disk", google.guarded(images.blob("raw")))
    credentials = google.service_account(server.put("/token", google.tokens))
    space.apply(secret("google", **{"credentials.json": credentials}))
    space.apply(data_volume("disk", {"gcs": {"url": url, "secretRef": "google"}}))
    space.wait_phase("disk", Phase.SUCCEEDED)
    assert_same(space, "disk", images.raw)


def test_wrong_keys_end_the_import_with_a_reason(space, server, images):
    url = server.put("/bucket/disk", objectstores.Signed(images.blob("qcow2")))
    space.apply(secret("keys", accessKeyId="AKIAOTHER", secretKey="canary-secret"))
    source = {"s3": {"url": url, "secretRef": "keys"}}
    space.apply(data_volume("disk", source, annotations=RETRY_NEVER))
    space.wait_phase("disk", Phase.FAILED)
    running = space.conditions("disk")["Running"]
    assert "InvalidAccessKeyId" in running["message"]
    assert "canary" not in str(space.get("dv", "disk"))
