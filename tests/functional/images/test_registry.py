"""Disks in container images of a real registry: found where a container would see them."""

from __future__ import annotations

import base64
import json
import random
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cdi.images import errors
from cdi.images.http.options import HttpOptions
from cdi.images.sources import registry as images
from cdi.images.sources.registry.credentials import Credentials
from cdi.images.sources.registry.manifest import Platform
from cdi.images.transfer import transfer
from cdi.images.transfer.meter import Meter
from cdi.images.transfer.request import TransferRequest
from support import authority, disks, registry
from support.registry import Image, Index, file, folder, layer, link, pipe

MIB = 1 << 20
DISK = b"\xeb\x63\x90" + random.Random(1).randbytes((MIB >> 2) - 5) + b"\x55\xaa"
OTHER = b"\xeb\x63\x91" + random.Random(2).randbytes((MIB >> 3) - 5) + b"\x55\xaa"
PLAIN = HttpOptions(insecure=True)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[registry.Registry]:
    with registry.Registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


def spec(url, **wanted):
    wanted.setdefault("options", PLAIN)
    return images.open_image(images.Wanted(url, **wanted), threading.Event())


def fetched(found, output: Path) -> bytes:
    """What a transfer makes of a source."""
    order = TransferRequest(found.open, output, checksum=found.checksum, part=found.part)
    transfer.run(order, Meter(), threading.Event())
    return output.read_bytes()


def imported(server: registry.Registry, image: Image | Index, output: Path, **wanted) -> bytes:
    url = server.push("test/image", "latest", image)
    return fetched(spec(url, **wanted), output)


DISK_LAYER = (folder("disk"), file("disk/disk.img", DISK))


@pytest.mark.parametrize("compression", list(registry.COMPRESSIONS))
def test_a_layer_may_be_compressed_in_any_way(server, tmp_path, compression):
    image = Image([layer(file("etc/os", b"x"), *DISK_LAYER, compression=compression)])
    assert imported(server, image, tmp_path / "disk") == DISK


LAYERS = {
    "dotted-name": [layer(folder("./disk"), file("./disk/fedora.raw", DISK))],
    "absolute-name": [layer(file("/disk/fedora.raw", DISK))],
    "topmost": [layer(file("disk/a", OTHER)), layer(file("disk/a", DISK))],
    "below": [layer(*DISK_LAYER), layer(file("etc/motd", b"hello"))],
    "below-a-plain-layer": [layer(*DISK_LAYER), layer(file("etc/x"), compression="")],
    "renamed-above": [
        layer(file("disk/a", OTHER)),
        layer(file("disk/.wh.a"), file("disk/b", DISK)),
    ],
    "opaque-above": [
        layer(file("disk/a", OTHER)),
        layer(file("disk/.wh..wh..opq"), file("disk/b", DISK)),
    ],
    "hidden-beside": [
        layer(file("disk/a", OTHER), file("disk/b", DISK)),
        layer(file("disk/.wh.a")),
    ],
    "a-name-that-only-begins-so": [layer(file("diskette/x", OTHER), file("disk/a", DISK))],
    "deeper-files-do-not-count": [layer(file("disk/notes/x", b"x"), file("disk/a", DISK))],
    "upwards-names-do-not-count": [layer(file("disk/../disk/x", OTHER), file("disk/a", DISK))],
    "hard-link": [layer(file("img/a", DISK), link("disk/a", "img/a", hard=True))],
    "hard-link-first": [layer(link("disk/a", "img/a", hard=True), file("img/a", DISK))],
    "link": [layer(link("disk/a", "../img/a"), file("img/a", DISK))],
    "absolute-link": [layer(link("disk/a", "/img/a"), file("img/a", DISK))],
    "link-out-of-the-image": [layer(link("disk/a", "../../../img/a"), file("img/a", DISK))],
    "link-to-a-lower-layer": [layer(file("img/a", DISK)), layer(link("disk/a", "/img/a"))],
    "link-to-what-is-replaced": [
        layer(file("img/a", OTHER)),
        layer(link("disk/a", "/img/a")),
        layer(file("img/a", DISK)),
    ],
    "linked-directory": [layer(link("disk", "srv/img"), file("srv/img/a", DISK))],
}


@pytest.mark.parametrize("layers", LAYERS.values(), ids=LAYERS)
def test_the_disk_is_what_a_container_would_see(server, tmp_path, layers):
    assert imported(server, Image(layers), tmp_path / "disk") == DISK


REFUSED = {
    "nothing": ([layer(file("etc/x"))], errors.NotADisk, "no file in /disk"),
    "no-layers": ([], errors.NotADisk, "no file in /disk"),
    "two": (
        [layer(file("disk/a", DISK), file("disk/b", DISK))],
        errors.UnsupportedFormat,
        "2 files in /disk ('a', 'b')",
    ),
    "gone": ([layer(*DISK_LAYER), layer(file("disk/.wh.disk.img"))], errors.NotADisk, "no file"),
    "directory-gone": ([layer(*DISK_LAYER), layer(file(".wh.disk"))], errors.NotADisk, "no file"),
    "emptied": ([layer(*DISK_LAYER), layer(file("disk/.wh..wh..opq"))], errors.NotADisk, "no file"),
    "file-instead": ([layer(*DISK_LAYER), layer(file("disk", b"x"))], errors.NotADisk, "is a file"),
    "pipe": ([layer(pipe("disk/a"))], errors.NotADisk, "not a regular file"),
    "empty": ([layer(file("disk/a"))], errors.NotADisk, "empty"),
    "dangling": ([layer(link("disk/a", "/etc/passwd"))], errors.NotADisk, "/etc/passwd, which is"),
    "circle": ([layer(link("disk/a", "/disk/a"))], errors.UnsafeImage, "circles"),
}


@pytest.mark.parametrize(("layers", "error", "said"), REFUSED.values(), ids=REFUSED)
def test_an_image_without_one_disk_is_refused(server, layers, error, said):
    url = server.push("test/refused", "latest", Image(layers))
    with pytest.raises(error) as refusal:
        spec(url)
    assert said in str(refusal.value)
    assert refusal.value.kind is errors.Kind.PERMANENT


@pytest.mark.parametrize("kind", ["qcow2", "gz", "xz", "zst"])
def test_the_file_in_an_image_may_be_of_any_kind(server, tmp_path, kind):
    raw = disks.raw_disk(tmp_path / "raw", 4 * MIB, MIB)
    made = disks.convert(raw, "qcow2") if kind == "qcow2" else disks.compress(raw, kind)
    image = registry.disk_image(made.read_bytes(), made.name)
    assert imported(server, image, tmp_path / "disk") == raw.read_bytes()


def test_a_sparse_member_keeps_its_holes(server, tmp_path):
    raw = disks.raw_disk(tmp_path / "disk", 8 * MIB, MIB)
    packed = tmp_path / "layer.tar"
    subprocess.run(
        ["tar", "--sparse", "-C", tmp_path, "-cf", packed, "--transform=s,^,disk/,", "disk"],
        check=True,
    )
    image = Image([registry.Blob(packed.read_bytes(), registry.TAR)])
    assert packed.stat().st_size < 4 * MIB
    assert imported(server, image, tmp_path / "out") == raw.read_bytes()


def test_the_disk_of_a_plain_layer_is_found_without_reading_what_is_before_it(tmp_path):
    large = layer(file("a", bytes(8 * MIB)), file("disk/a", DISK), compression="")
    with registry.fake() as server:
        found = spec(server.push("test/plain", "latest", Image([large])))
        assert server.server.served < MIB
    assert found.part.start == 8 * MIB + 1024


# Which image it is.


def for_(*platforms: str) -> Index:
    """An index whose images tell in their environment what they are for."""
    parts = [tuple([*name.split("/"), ""][:3]) for name in platforms]
    return Index(
        {
            each: registry.disk_image(DISK, env=[f"A_KUBEVIRT_IO_P={each[1]}{each[2]}"])
            for each in parts
        }
    )


CHOICES = {
    "exact": (["linux/amd64", "linux/arm64"], "arm64", "", "arm64"),
    "another-system": (["windows/arm64", "linux/arm64"], "arm64", "", "arm64"),
    "plain-before-variant": (["linux/amd64/v3", "linux/amd64"], "amd64", "", "amd64"),
    "usual-variant": (["linux/arm/v6", "linux/arm/v7"], "arm", "", "armv7"),
    "asked-variant": (["linux/arm/v7", "linux/arm/v6"], "arm", "v6", "armv6"),
    "lower-variant": (["linux/amd64/v4", "linux/amd64/v2"], "amd64", "v3", "amd64v2"),
    "any-variant": (["linux/amd64/v3", "linux/amd64/v2"], "amd64", "", "amd64v2"),
}


@pytest.mark.parametrize(("offered", "arch", "variant", "chosen"), CHOICES.values(), ids=CHOICES)
def test_an_index_gives_the_best_image(server, offered, arch, variant, chosen):
    url = server.push("test/index", "latest", for_(*offered))
    found = spec(url, platform=Platform("linux", arch, variant))
    assert found.labels == {"a.kubevirt.io/p": chosen}


def test_an_index_without_the_architecture_says_so(server):
    url = server.push("test/index", "latest", for_("linux/amd64", "linux/arm64"))
    with pytest.raises(errors.NoSuchPlatform) as refusal:
        spec(url, platform=Platform("linux", "absent"))
    assert refusal.value.reason == "Error"
    assert str(refusal.value) == (
        "Unable to transfer source data to scratch space: Failed to read registry image: Error "
        "retrieving image: choosing image instance: no image found in image index for "
        'architecture "absent", variant "", OS "linux"'
    )


@pytest.mark.parametrize(("asked", "fits"), [(None, True), ("arm64", False), ("amd64", True)])
def test_a_single_image_has_to_be_for_the_architecture_that_was_asked_for(server, asked, fits):
    url = server.push("test/single", "latest", registry.disk_image(DISK))
    platform = Platform("linux", asked) if asked else None
    if fits:
        assert spec(url, platform=platform).part
        return
    with pytest.raises(errors.NoSuchPlatform, match='"amd64", not for the requested "arm64"'):
        spec(url, platform=platform)


@pytest.mark.parametrize("label", ["containers.bootc", "ostree.bootable"])
def test_a_bootc_image_is_refused(server, label):
    url = server.push("test/bootc", "latest", registry.disk_image(DISK, labels={label: "1"}))
    with pytest.raises(errors.UnsupportedFormat, match="bootc image detected"):
        spec(url)


def test_an_image_is_named_by_its_digest_too(server, tmp_path):
    image = registry.disk_image(DISK)
    server.push("test/digest", "latest", image)
    server.push("test/digest", "other", registry.disk_image(OTHER))
    url = f"docker://{server.host}/test/digest:other@{image.manifest.digest}"
    assert fetched(spec(url), tmp_path / "disk") == DISK


def test_the_digest_behind_a_name_can_be_asked_for(server):
    index = for_("linux/amd64", "linux/arm64")
    url = server.push("test/digest", "index", index)
    wanted = images.Wanted(url, PLAIN)
    assert images.digest_behind(wanted, threading.Event()) == index.manifest.digest


@pytest.mark.parametrize("form", ["v2s2", "oci"])
def test_images_that_skopeo_copied_are_read(server, tmp_path, form):
    archive = registry.write_layout(tmp_path / "a.tar", {"": registry.disk_image(DISK)})
    subprocess.run(
        ["skopeo", "copy", "-q", "--dest-tls-verify=false", "--insecure-policy", "-f", form,
         f"oci-archive:{archive}", server.url("test/copied", form)],
        check=True, capture_output=True,
    )  # fmt: skip
    found = spec(server.url("test/copied", form), platform=Platform("linux", "amd64"))
    assert fetched(found, tmp_path / "disk") == DISK


def test_an_archive_that_skopeo_made_is_read(server, tmp_path):
    url = server.push("test/archive", "latest", registry.disk_image(DISK))
    archive = f"oci-archive:{tmp_path}/a.tar:some"
    subprocess.run(
        ["skopeo", "copy", "-q", "--src-tls-verify=false", "--insecure-policy", url, archive],
        check=True,
        capture_output=True,
    )
    assert fetched(spec(archive), tmp_path / "disk") == DISK


@pytest.mark.parametrize(("tag", "data"), [("one", DISK), ("two", OTHER)])
def test_an_archive_may_hold_several_images(tmp_path, tag, data):
    disk, other = registry.disk_image(DISK), registry.disk_image(OTHER)
    archive = registry.write_layout(tmp_path / "a.tar", {"one": disk, "two": other})
    assert fetched(spec(f"oci-archive:{archive}:{tag}"), tmp_path / "disk") == data
    with pytest.raises(errors.InvalidRequest, match="several images"):
        spec(f"oci-archive:{archive}")
    with pytest.raises(errors.ImagePullFailed, match="three"):
        spec(f"oci-archive:{archive}:three")


# Artifacts: the layer is the disk.

NO_IMAGE = "application/vnd.unknown.config.v1+json"  # as `oras push` has it


def pushed(name: str, media_type: str) -> registry.Blob:
    """A file as `oras push` leaves it: the disk, or something beside it."""
    content = DISK if name == "fedora-41" else f"this is {name}".encode()
    return registry.Blob(content, media_type, {"org.opencontainers.image.title": name})


QCOW2 = registry.Blob(DISK, "application/x-qcow2")
NOTE = registry.Blob(b"{}", "application/json", {"org.opencontainers.image.title": "sbom.json"})
PACKED = registry.Blob(
    registry.COMPRESSIONS["zstd"](DISK),
    "application/zstd",
    {"org.opencontainers.image.title": "machine.x86_64.raw.zst"},
)
TITLED = registry.Blob(DISK, registry.TAR, {"org.opencontainers.image.title": "disk.img"})
ARTIFACTS = (
    {
        "by-media-type": Image([QCOW2], config_type=registry.EMPTY, artifact_type="x/y"),
        "beside-others": Image([NOTE, QCOW2], config_type=registry.EMPTY),
        "compressed": Image([PACKED], config_type=registry.EMPTY),
        "by-its-title": Image([NOTE, TITLED], config_type=registry.EMPTY, artifact_type="x/y"),
        "with-the-configuration-of-an-image": Image([QCOW2]),
    }
    | {
        # Tools give every file the same media type.
        f"beside-{name}": Image(
            [pushed(name, kind), pushed("fedora-41", kind)], config_type=NO_IMAGE
        )
        for name in (
            "README.md",
            "docs/readme",
            "LICENSE",
            "SHA256SUMS",
            "vm.qcow2.sha256",
            "vm.tar.gz",
        )
        for kind in (registry.TAR, "application/octet-stream")
    }
    | {
        "beside-a-text": Image(
            [registry.Blob(b"# A disk", "text/markdown"), QCOW2], config_type=registry.EMPTY
        ),
    }
)


@pytest.mark.parametrize("image", ARTIFACTS.values(), ids=ARTIFACTS)
def test_a_layer_of_an_artifact_is_the_disk(server, tmp_path, image):
    assert imported(server, image, tmp_path / "disk") == DISK


def test_an_artifact_of_several_disks_is_refused(server):
    image = Image([QCOW2, registry.Blob(OTHER, "application/x-qcow2")], config_type=registry.EMPTY)
    with pytest.raises(errors.UnsupportedFormat, match="several files"):
        spec(server.push("test/several", "latest", image))


# Who may read it.


@pytest.fixture(scope="module")
def secured(tmp_path_factory) -> Iterator[registry.Registry]:
    place = tmp_path_factory.mktemp("secured")
    trusted = authority.Authority(place / "ca")
    with registry.Registry(place / "registry", trusted, guarded=True) as running:
        running.ca = trusted.ca
        running.push("test/private", "latest", registry.disk_image(DISK))
        yield running


KNOWN = Credentials(registry.USER, registry.PASSWORD)


def auth_file(path: Path, host: str, **entry: str) -> Path:
    entry = entry or {
        "auth": base64.b64encode(f"{registry.USER}:{registry.PASSWORD}".encode()).decode()
    }
    path.write_text(json.dumps({"auths": {host: entry}}))
    return path


def test_a_guarded_registry_is_read_over_tls(secured, tmp_path):
    trusting = HttpOptions(ca_files=(secured.ca,))
    url = secured.url("test/private")
    found = spec(url, options=trusting, credentials=KNOWN)
    assert fetched(found, tmp_path / "disk") == DISK
    for host in (secured.host, f"https://{secured.host}/v1/", f"{secured.host}/test"):
        file_ = auth_file(tmp_path / "auth.json", host)
        assert spec(url, options=trusting, auth_file=file_).part
    file_ = auth_file(tmp_path / "auth.json", secured.host, username="somebody", password="sesame")
    assert spec(url, options=trusting, auth_file=file_).part


def test_an_unverified_registry_is_read_if_asked_for(secured):
    assert spec(secured.url("test/private"), credentials=KNOWN).part


@pytest.mark.parametrize(
    ("wanted", "cause"),
    [
        pytest.param({"credentials": KNOWN}, errors.CertificateInvalid, id="not-trusted"),
        pytest.param({"options": PLAIN}, errors.AccessDenied, id="anonymous"),
        pytest.param(
            {"options": PLAIN, "credentials": Credentials("somebody", "wrong")},
            errors.AccessDenied,
            id="wrong-password",
        ),
    ],
)
def test_whoever_may_not_read_is_told_so(secured, wanted, cause):
    with pytest.raises(errors.ImagePullFailed, match="failed to pull image") as refusal:
        spec(secured.url("test/private"), **({"options": HttpOptions()} | wanted))
    assert isinstance(refusal.value.__cause__, cause)
    assert refusal.value.kind is errors.Kind.PERMANENT
    assert "wrong" not in str(refusal.value)


def test_a_missing_tag_is_told_in_the_words_of_the_registry(server):
    server.push("test/there", "latest", registry.disk_image(DISK))
    with pytest.raises(errors.ImagePullFailed) as refusal:
        spec(server.url("test/there", "absent"))
    assert "MANIFEST_UNKNOWN" in str(refusal.value)
    assert refusal.value.kind is errors.Kind.PERMANENT


def test_plain_http_is_not_spoken_unasked(server):
    with pytest.raises(errors.ImagePullFailed, match="plain HTTP and no TLS") as refusal:
        spec(server.url("test/there"), options=HttpOptions())
    assert "add 127.0.0.1:" in str(refusal.value)
    assert "to insecureRegistries of the CDI configuration" in str(refusal.value)
