"""qemu-img is started with everything pinned, and what it says is understood."""

import subprocess
import threading
from pathlib import Path

import pytest

from cdi.images import errors
from cdi.images.confined import qemu
from support import filesystems, hostile, loopdev

MIB = hostile.MIB


@pytest.fixture
def vdi(tmp_path):
    """A VDI of 2 MiB; its first MiB holds 64 KiB of ones."""
    path = tmp_path / "disk.vdi"
    path.write_bytes(hostile.put(hostile.vdi(), 1024, b"\1" * 65536))
    return path


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """Put a script in qemu-img's place; `info` still answers for a VDI of 2 MiB."""
    folder = tmp_path / "tools" / "bin"
    folder.mkdir(parents=True)
    monkeypatch.setenv("PATH", str(folder))

    def install(script):
        path = folder / "qemu-img"
        answer = '{"format": "vdi", "virtual-size": 2097152}'
        path.write_text(f"#!/bin/sh\nif [ $1 = info ]; then echo '{answer}'; exit; fi\n{script}\n")
        path.chmod(0o755)

    return install


def converted(vdi, target, **options):
    qemu.convert(vdi, "vdi", target, 2 * MIB, **options)
    return target.read_bytes()


DISK = (b"\1" * 65536).ljust(2 * MIB, b"\0")


def test_a_new_target_is_sparse_and_has_the_disk_s_length(vdi, tmp_path):
    target = tmp_path / "disk.img"
    assert converted(vdi, target) == DISK
    assert target.stat().st_blocks * 512 < MIB


@loopdev.needs_root
@pytest.mark.root
@pytest.mark.parametrize("kind", filesystems.KINDS)
def test_old_data_goes_that_has_no_block_yet(vdi, tmp_path, kind):
    with filesystems.mounted(kind, tmp_path) as mounted:
        target = mounted / "disk.img"
        with target.open("w+b") as file:
            file.truncate(2 * MIB)
            file.seek(MIB)
            file.write(b"old" * 4096)
        assert converted(vdi, target) == DISK


def test_a_preallocated_target_has_no_holes(vdi, tmp_path):
    target = tmp_path / "disk.img"
    assert converted(vdi, target, preallocate=True) == DISK
    assert target.stat().st_blocks * 512 >= 2 * MIB


def test_a_longer_target_keeps_its_length_and_loses_old_data(vdi, tmp_path):
    target = tmp_path / "disk.img"
    target.write_bytes(b"old!" * MIB)
    inode = target.stat().st_ino
    assert converted(vdi, target) == DISK + b"old!" * (MIB // 2)
    assert target.stat().st_ino == inode


def test_a_target_made_ready_in_its_length_stays_sparse(vdi, tmp_path):
    target = tmp_path / "disk.img"
    with target.open("wb") as file:
        file.truncate(2 * MIB)
    assert converted(vdi, target) == DISK
    assert target.stat().st_blocks * 512 < MIB


@pytest.mark.parametrize("old", [b"", b"old!" * MIB], ids=["hole", "old-data"])
def test_a_target_made_ready_is_preallocated_too(old, vdi, tmp_path):
    target = tmp_path / "disk.img"
    with target.open("wb") as file:
        file.write(old)
        file.truncate(2 * MIB)
    assert converted(vdi, target, preallocate=True) == DISK
    assert target.stat().st_blocks * 512 >= 2 * MIB


def test_a_target_that_cannot_be_written_is_the_target_s_fault(vdi, tmp_path):
    with pytest.raises(errors.TargetFailed):
        converted(vdi, tmp_path / "missing" / "disk.img")


def test_a_shorter_target_is_made_anew(vdi, tmp_path):
    target = tmp_path / "disk.img"
    target.write_bytes(b"old!")
    assert converted(vdi, target) == DISK


def test_the_page_cache_is_bypassed_where_the_target_can(vdi, tmp_path):
    assert converted(vdi, tmp_path / "disk.img", cache_none=True) == DISK


def test_progress_only_grows_and_ends_at_one(vdi, tmp_path):
    shares = []
    converted(vdi, tmp_path / "disk.img", progress=shares.append)
    assert shares == sorted(set(shares))
    assert shares[-1] == 1.0


def test_repeated_and_falling_percentages_are_not_reported(vdi, tool, tmp_path):
    tool(r"printf ' (10.00/100%%)\r  (5.00/100%%)\r (10.00/100%%)\r (7'; printf '0.50/100%%)\n'")
    shares = []
    qemu.convert(vdi, "vdi", tmp_path / "disk.img", 2 * MIB, progress=shares.append)
    assert shares == [0.1, 0.705]


@pytest.mark.root
def test_a_block_device_is_written_in_place(vdi, tmp_path):
    backing = tmp_path / "backing"
    backing.write_bytes(b"old!" * MIB)
    command = ["losetup", "--find", "--show", backing]
    device = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    try:
        qemu.convert(vdi, "vdi", Path(device), 2 * MIB)
        subprocess.run(["blockdev", "--flushbufs", device], check=True)
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)
    assert backing.read_bytes() == DISK + b"old!" * (MIB // 2)


def test_driver_protocol_and_file_are_pinned(vdi, tool, tmp_path):
    tool('echo "$@" >&2; exit 1')
    odd = vdi.rename(tmp_path / "json:{},driver=nbd")
    with pytest.raises(errors.TransferError) as failed:
        qemu.convert(odd, "vdi", tmp_path / "disk.img", 2 * MIB)
    assert (
        "convert -p -t writeback -O raw --image-opts "
        f"driver=vdi,file.driver=file,file.filename={tmp_path}/json:{{}},,driver=nbd "
        f"{tmp_path}/disk.img"
    ) in str(failed.value)


def test_formats_that_are_decoded_here_never_reach_qemu_img(vdi, tmp_path):
    with pytest.raises(ValueError, match="qcow2"):
        qemu.convert(vdi, "qcow2", tmp_path / "disk.img", 2 * MIB)


def test_two_readers_that_disagree_about_the_size_stop_the_import(vdi, tmp_path):
    with pytest.raises(errors.UnsafeImage, match="disagree"):
        qemu.convert(vdi, "vdi", tmp_path / "disk.img", 3 * MIB)
    assert not (tmp_path / "disk.img").exists()


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        pytest.param("error while writing at byte 0: No space left on device", errors.NoSpace),
        pytest.param("error while writing at byte 0: Disk quota exceeded", errors.NoSpace),
        pytest.param("error while writing at byte 0: Input/output error", errors.TargetFailed),
        pytest.param('Failed to get "write" lock', errors.TargetFailed),
        pytest.param("error while reading at byte 0: Input/output error", errors.CorruptImage),
        pytest.param("Could not open the image: it is corrupt", errors.CorruptImage),
        pytest.param("Cannot allocate memory", errors.UnsafeImage),
        pytest.param("something new", errors.TransferError),
    ],
)
def test_a_complaint_becomes_a_reason(said, reason, vdi, tool, tmp_path):
    tool(f"echo 'qemu-img: {said}' >&2; exit 1")
    with pytest.raises(errors.TransferError) as failed:
        qemu.convert(vdi, "vdi", tmp_path / "disk.img", 2 * MIB)
    assert type(failed.value) is reason
    assert said in str(failed.value)


def test_preallocation_falls_back_step_by_step(vdi, tool, tmp_path):
    tool('case "$*" in *"-S 0"*) exit 0;; esac; echo "Unsupported preallocation mode" >&2; exit 1')
    qemu.convert(vdi, "vdi", tmp_path / "disk.img", 2 * MIB, preallocate=True)


def test_a_missing_qemu_img_names_the_package(vdi, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(errors.TransferError, match="apt install qemu-utils"):
        qemu.info(vdi, "vdi")


def test_a_cancelled_conversion_stops_at_once(vdi, tool, tmp_path):
    tool("printf ' (1.00/100%%)\\r'; exec sleep 1000")
    cancel = threading.Event()
    with pytest.raises(errors.Cancelled):
        qemu.convert(
            vdi, "vdi", tmp_path / "disk.img", 2 * MIB,
            cancel=cancel, progress=lambda share: cancel.set(),
        )  # fmt: skip


@pytest.mark.root
def test_a_full_file_system_is_told_apart(vdi, tmp_path):
    folder = tmp_path / "full"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", folder], check=True)
    try:
        with pytest.raises(errors.NoSpace):
            qemu.convert(vdi, "vdi", folder / "disk.img", 2 * MIB)
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize(
    ("fmt", "image"),
    [
        pytest.param(
            "qed",
            lambda canary: hostile.qed(features=1, backing=str(canary).encode()),
            id="qed-backing-file",
        ),
        pytest.param(
            "qcow",
            lambda canary: hostile.qcow(backing=str(canary).encode()),
            id="qcow-backing-file",
        ),
    ],
)
def test_an_image_that_slipped_through_inspection_still_reaches_no_other_file(fmt, image, tmp_path):
    canary, path, target = (tmp_path / name for name in ("canary", "image", "disk.img"))
    canary.write_bytes(b"canary! " * (MIB // 8))
    path.write_bytes(image(canary))
    with pytest.raises(errors.TransferError):
        qemu.convert(path, fmt, target, MIB)
    assert not target.exists() or b"canary!" not in target.read_bytes()
