"""`cdi import` of container images: in a registry, in an archive."""

from __future__ import annotations

import base64
import json
import random
from pathlib import Path

import pytest

from support import importing, registry

DISK = b"\xeb\x63\x90" + random.Random(4).randbytes(512 * 1024 - 5) + b"\x55\xaa"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    with registry.Registry(tmp_path_factory.mktemp("registry"), guarded=True) as running:
        index = registry.Index(
            {("linux", arch, ""): registry.disk_image(DISK, arch) for arch in ("amd64", "s390x")}
        )
        running.push("test/disk", "latest", index)
        yield running


def test_user_and_password_are_given_or_those_of_container_tools(guarded, tmp_path: Path) -> None:
    url, output = guarded.url("test/disk"), tmp_path / "disk.img"
    password = tmp_path / "password"
    password.write_text(registry.PASSWORD + "\n")
    given = ("--user", registry.USER, "--password-file", str(password))
    seen = importing.run(url, output, "--insecure", "--platform", "s390x", *given)
    assert (seen.status, output.read_bytes()) == (0, DISK), seen.errors

    auth = base64.b64encode(f"{registry.USER}:{registry.PASSWORD}".encode()).decode()
    (tmp_path / "auth.json").write_text(json.dumps({"auths": {guarded.host: {"auth": auth}}}))
    kept = {"REGISTRY_AUTH_FILE": str(tmp_path / "auth.json")}
    seen = importing.run(url, tmp_path / "b.img", "--insecure", "--platform", "linux/amd64", **kept)
    assert (seen.status, (tmp_path / "b.img").read_bytes()) == (0, DISK), seen.errors
    assert seen.last["digest"].startswith("sha256:")


def test_what_cannot_be_pulled_is_told(guarded, tmp_path: Path) -> None:
    nothing = {"REGISTRY_AUTH_FILE": "", "HOME": str(tmp_path)}
    seen = importing.run(guarded.url("test/disk"), tmp_path / "disk.img", "--insecure", **nothing)
    assert (seen.status, seen.last["reason"]) == (3, "ImagePullFailed")
    assert importing.leftovers(tmp_path / "disk.img") == []


def test_an_archive_is_a_source(tmp_path: Path) -> None:
    archive = registry.write_layout(tmp_path / "a.tar", {"": registry.disk_image(DISK)})
    output = tmp_path / "disk.img"
    seen = importing.run(f"oci-archive:{archive}", output)
    assert (seen.status, output.read_bytes()) == (0, DISK), seen.errors
