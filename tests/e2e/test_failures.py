"""What cannot work ends: phase Failed, a stable reason, and what to do about it."""

import hashlib
import json
import subprocess

import pytest

from support import httpd
from support.manifests import RETRY_NEVER, data_volume, http

pytestmark = pytest.mark.e2e


def failed(space, name: str = "bad") -> dict:
    """Wait until a volume has failed; return its condition Running."""
    space.wait(f"dv/{name}", "jsonpath={.status.phase}=Failed")
    return space.conditions(name)["Running"]


def test_a_missing_image_fails(space, server):
    space.apply(data_volume("bad", http(f"{server.origin}/nothing"), annotations=RETRY_NEVER))
    said = failed(space)
    assert (said["status"], said["reason"]) == ("False", "Error")
    assert "; reason=SourceNotFound" in said["message"]
    assert "404" in said["message"]


def test_an_image_that_appears_later_is_imported(space, server, images):
    """Until then its DataVolume says what it lacks, and that it is at work."""
    url = f"{server.origin}/later"
    space.apply(data_volume("good", http(url)))
    space.wait("dv/good", 'jsonpath={.status.conditions[?(@.type=="Running")].status}=False')
    space.until_event("pvc/good", "ErrImportFailed")
    server.put("/later", images.blob("qcow2"))
    assert space.get("dv", "good")["status"]["phase"] == "ImportInProgress"
    space.wait_phase("good", "Succeeded")


def test_a_wrong_checksum_fails(space, server, images):
    url = server.put("/disk", images.blob("qcow2"))
    promised = "sha256:" + hashlib.sha256(b"something else").hexdigest()
    space.apply(data_volume("bad", http(url, checksum=promised)))
    said = failed(space)
    assert said["reason"] == "ChecksumError"
    assert promised.partition(":")[2] in said["message"]


def test_the_right_checksum_succeeds(space, server, images):
    url = server.put("/disk", images.blob("qcow2"))
    digest = hashlib.sha256(images.qcow2.read_bytes()).hexdigest()
    space.apply(data_volume("good", http(url, checksum=f"sha256:{digest}")))
    space.wait_phase("good", "Succeeded")


@pytest.mark.parametrize("by", ["storage", "pvc"])
def test_a_disk_that_does_not_fit_fails(space, server, images, by):
    url = server.put("/disk", images.blob("qcow2"))
    space.apply(data_volume("bad", http(url), by=by, size="16Mi"))
    said = failed(space)
    assert said["reason"] == "Error"
    assert "; reason=TargetTooSmall" in said["message"]
    assert "DataVolume too small to contain image" in said["message"]


def test_a_backing_file_fails(space, server, tmp_path):
    image = tmp_path / "overlay.qcow2"
    make = ["qemu-img", "create", "-q", "-f", "qcow2", "-u", "-F", "raw", "-b", "/etc/passwd"]
    subprocess.run([*make, image, "8M"], check=True)
    url = server.put("/disk", httpd.Blob(image.read_bytes()))
    space.apply(data_volume("bad", http(url)))
    said = failed(space)
    assert said["reason"] == "Error"
    assert "; reason=UnsafeImage" in said["message"]
    assert "backing file" in said["message"]


def test_a_text_page_fails(space, server):
    page = b"<!DOCTYPE html><html><body>Sign in to download</body></html>" * 20
    url = server.put("/disk", httpd.Blob(page))
    space.apply(data_volume("bad", http(url)))
    said = failed(space)
    assert said["reason"] == "Error"
    assert "; reason=NotADisk" in said["message"]


def test_a_failure_is_told_everywhere_people_look(cluster, space, server):
    space.apply(data_volume("bad", http(f"{server.origin}/nothing"), annotations=RETRY_NEVER))
    failed(space)
    told = json.loads(space.kubectl("get", "events", "-ojson"))["items"]
    warnings = {each["involvedObject"]["kind"] for each in told if each["type"] == "Warning"}
    assert {"DataVolume", "PersistentVolumeClaim"} <= warnings
    assert "SourceNotFound" in space.kubectl("describe", "dv", "bad")
    shown = cluster.cdi("status", "-n", space.name)
    assert "SourceNotFound" in shown.stdout
    explained = cluster.cdi("explain", "dv", "bad", "-n", space.name)
    assert "failed for good: SourceNotFound" in explained.stdout
    assert "check the URL" in explained.stdout
