"""From `kubectl apply` to the files of an archive, or the disk of an appliance, in a volume."""

import pytest

from support import appliances, compressed, disks, httpd, tars
from support.manifests import data_volume, http

pytestmark = pytest.mark.e2e

FILES = tars.archive(
    tars.folder("folder"),
    tars.member("folder/file", b"content" * 50_000),
    tars.symlink("link", "folder/file"),
)
TOOLS = {"tar": "cat", "tar.gz": "gzip", "tar.xz": "xz -T1", "tar.zst": "zstd -q"}


def archive(name, url, **options):
    volume = data_volume(name, http(url, **options.pop("source", {})), **options)
    volume["spec"]["contentType"] = "archive"
    return volume


def folder_of(space, name):
    """Where the files of a claim are, if that is on this machine."""
    disk = space.claim_disk(name)
    return None if disk is None else disk.parent


def test_archives_fill_volumes_with_files(space, server):
    for kind, tool in TOOLS.items():
        url = server.put(f"/files.{kind}", httpd.Blob(compressed.run(tool, FILES)))
        space.apply(archive(kind.replace(".", "-"), url))
    for kind in TOOLS:
        name = kind.replace(".", "-")
        space.wait_phase(name, "Succeeded")
        folder = folder_of(space, name)
        if folder is not None:
            assert {path.name for path in folder.iterdir()} - {"lost+found"} == {"folder", "link"}
            assert (folder / "link").read_bytes() == b"content" * 50_000
    claim = space.get("pvc", "tar")
    assert claim["metadata"]["annotations"]["cdi.kubevirt.io/storage.contentType"] == "archive"
    assert claim["spec"]["volumeMode"] == "Filesystem"


def test_no_scratch_space_is_made_for_an_archive(space, server):
    url = server.put("/files.tar", httpd.Blob(FILES))
    space.apply(archive("files", url))
    space.wait_phase("files", "Succeeded")
    space.only("pvc", "files")
    events = space.kubectl("get", "events", "-o", "jsonpath={.items[*].involvedObject.name}")
    assert "scratch" not in events


def test_a_block_volume_takes_no_archive(space, server):
    url = server.put("/files.tar", httpd.Blob(FILES))
    space.apply(archive("bad", url, by="pvc", volumeMode="Block"))
    space.wait("dv/bad", "jsonpath={.status.phase}=Failed")
    said = space.conditions("bad")["Running"]
    assert said["reason"] == "Error"
    assert "; reason=InvalidRequest" in said["message"]
    assert "use volumeMode Filesystem" in said["message"]


def test_a_wrong_checksum_leaves_nothing(space, server):
    url = server.put("/files.tar", httpd.Blob(FILES))
    space.apply(archive("bad", url, source={"checksum": f"md5:{'0' * 32}"}, by="pvc"))
    space.wait("dv/bad", "jsonpath={.status.phase}=Failed")
    assert space.conditions("bad")["Running"]["reason"] == "ChecksumError"


def test_something_else_is_named(space, server):
    url = server.put("/files.tar", httpd.Blob(b"<html>Log in</html>" + b" " * 2000))
    space.apply(archive("bad", url))
    space.wait("dv/bad", "jsonpath={.status.phase}=Failed")
    said = space.conditions("bad")["Running"]
    assert (said["status"], said["reason"]) == ("False", "Error")
    assert "; reason=NotAnArchive" in said["message"]
    assert "Unable to process data" in said["message"]


def test_an_appliance_becomes_its_disk(space, server, images):
    files = {"vm-disk1.qcow2": images.qcow2.read_bytes()}
    data = appliances.appliance(files, appliances.manifest(files))
    space.apply(data_volume("vm", http(server.put("/vm.ova", httpd.Blob(data)))))
    space.wait_phase("vm", "Succeeded")
    disk = space.claim_disk("vm")
    assert disk is None or disks.differs(disk, images.raw) == ""
