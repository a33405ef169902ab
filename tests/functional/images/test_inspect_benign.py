"""Sound images of every layout that qemu-img writes pass, and convert to the disk they hold."""

import itertools
import json
import random
import subprocess
import threading

import pytest

from cdi.images.confined import qemu
from cdi.images.formats import inspect, unclaimed
from cdi.images.sources.file import FileSource
from cdi.images.transfer import copying, transfer
from cdi.images.transfer.meter import Meter
from cdi.images.transfer.request import TransferRequest

KIB, MIB = 1 << 10, 1 << 20
SIZES = {"1s": 512, "odd": 5 * MIB + 7 * 512, "33M": 33 * MIB}


def layout(fmt, size, *options):
    name = "-".join((fmt, size, *(option.replace("=", "-") for option in options)))
    return pytest.param(fmt, SIZES[size], options, id=name)


def layouts(fmt, sizes, *alternatives):
    """One layout for each size and each choice of one option from every alternative."""
    for size, *options in itertools.product(sizes, *alternatives):
        yield layout(fmt, size, *(option for option in options if option))


CONVERTED = [
    *layouts("vdi", SIZES, ["static=off", "static=on"]),
    *layouts("vpc", SIZES, ["subformat=dynamic", "subformat=fixed"], ["", "force_size=on"]),
    *layouts(
        "vhdx", ["1s", "33M"], ["subformat=dynamic", "subformat=fixed"], ["", "block_size=1M"]
    ),
    *layouts("vhdx", ["odd"], ["block_size=4M", "block_size=256M"]),
    *layouts("vhdx", ["odd"], ["log_size=4M", "block_state_zero=off"]),
    *layouts("qed", SIZES, ["cluster_size=4K", "cluster_size=64K"]),
    *layouts("qed", ["33M"], ["cluster_size=4K"], ["table_size=2"]),
    *layouts("qed", ["33M"], ["cluster_size=1M"], ["table_size=16"]),
    *layouts("qcow", SIZES),
]

NATIVE = [
    *layouts("raw", SIZES),
    *layouts("vmdk", SIZES, ["subformat=monolithicSparse", "subformat=streamOptimized"]),
    *layouts("vmdk", ["odd"], ["adapter_type=lsilogic", "zeroed_grain=on", "compat6=on"]),
    *layouts("vmdk", ["odd"], ["subformat=streamOptimized"], ["zeroed_grain=on", "hwversion=11"]),
    *layouts("qcow2", SIZES, ["compat=0.10", "compat=1.1"], ["cluster_size=512", ""]),
    *layouts("qcow2", ["odd"], ["cluster_size=2M", "extended_l2=on", "lazy_refcounts=on"]),
    *layouts("qcow2", ["odd"], ["compression_type=zstd", "preallocation=metadata"]),
    *layouts("qcow2", ["odd"], ["refcount_bits=1", "refcount_bits=64"]),
    *layouts(
        "qcow2",
        SIZES,
        [f"cluster_size={size}" for size in ("1K", "4K", "16K", "128K", "1M")],
        ["", "compression_type=zstd"],
    ),
]


@pytest.fixture(scope="module")
def disks(tmp_path_factory):
    """A raw disk of each size: an MBR, data in places, zeros between them."""
    folder = tmp_path_factory.mktemp("disks")
    noise = random.Random(2)
    for size in SIZES.values():
        with (folder / str(size)).open("wb") as disk:
            disk.truncate(size)
            for offset in range(0, size, 3 * MIB + 512):
                disk.seek(offset)
                disk.write(noise.randbytes(min(100 * KIB, size - offset)))
    return folder


@pytest.fixture
def made(disks, tmp_path):
    def make(fmt, size, options):
        path = tmp_path / f"disk,with=odd name.{fmt}"
        chosen = ["-o", ",".join(options)] if options else []
        subprocess.run(
            ["qemu-img", "convert", "-f", "raw", "-O", fmt, *chosen, str(disks / str(size)), path],
            check=True,
        )
        return path

    return make


def virtual_size(path, fmt):
    command = ["qemu-img", "info", "-f", fmt, "--output=json", str(path)]
    answer = subprocess.run(command, check=True, capture_output=True).stdout
    return json.loads(answer)["virtual-size"]


@pytest.mark.parametrize(("fmt", "size", "options"), CONVERTED)
def test_a_sound_image_converts_to_the_disk_in_it(fmt, size, options, made, tmp_path):
    # `convert` itself insists that qemu-img sees the virtual size that we saw.
    path, target = made(fmt, size, options), tmp_path / "disk.img"
    image = copying.inspect_file(path)
    assert (image.format, image.native, image.checks_left) == (fmt, False, ())
    qemu.convert(path, image.format, target, image.virtual_size)
    compared = subprocess.run(
        ["qemu-img", "compare", "-f", fmt, "-F", "raw", path, target], capture_output=True
    )
    assert compared.returncode == 0, compared.stdout
    assert target.stat().st_size == image.virtual_size
    assert target.stat().st_blocks * 512 <= size // 2 + 256 * KIB


@pytest.mark.parametrize(("fmt", "size", "options"), NATIVE)
def test_a_sound_image_that_is_decoded_here_is_accepted(fmt, size, options, made, disks, tmp_path):
    path, target = made(fmt, size, options), tmp_path / "target"
    image = copying.inspect_file(path)
    assert (image.format, image.virtual_size) == (fmt, virtual_size(path, fmt))
    assert (image.native, image.checks_left) == (True, ())
    order = TransferRequest(lambda _: FileSource(path), target)
    assert transfer.run(order, Meter(), threading.Event()).format == fmt
    assert target.read_bytes() == (disks / str(size)).read_bytes()


@pytest.mark.parametrize(
    ("fmt", "options", "known", "left"),
    [
        pytest.param("vmdk", [], True, (), id="vmdk"),
        pytest.param("vdi", [], True, ("VDI block map",), id="vdi"),
        pytest.param("vpc", [], True, ("VHD trailer", "VHD block table"), id="vhd"),
        pytest.param("vpc", ["subformat=fixed"], True, ("trailer",), id="fixed-vhd-seems-raw"),
        pytest.param("vhdx", [], False, ("VHDX metadata", "VHDX block table"), id="vhdx"),
        pytest.param("qed", [], True, ("QED tables",), id="qed"),
        pytest.param("qcow", [], True, ("QCOW tables",), id="qcow"),
        pytest.param("raw", [], True, ("trailer",), id="raw"),
    ],
)
def test_a_stream_tells_which_checks_are_left(fmt, options, known, left, made):
    raw = made(fmt, SIZES["33M"], options).read_bytes()
    image = inspect.inspect(raw[: inspect.HEAD], len(raw))
    assert (image.virtual_size is not None, image.checks_left) == (known, left)


@pytest.mark.parametrize("fmt", ["vmdk", "vdi", "vpc", "vhdx", "qed", "qcow"])
def test_a_ranged_source_tells_the_size_before_anything_is_fetched(fmt, made):
    path = made(fmt, SIZES["odd"], [])
    raw, fetched = path.read_bytes(), []

    def read(offset, length):
        fetched.append(length)
        return raw[offset : offset + length]

    image = inspect.inspect(raw[: inspect.HEAD], len(raw), read)
    assert image.virtual_size == virtual_size(path, fmt)
    assert sum(fetched) <= 128 * KIB


def test_the_end_of_a_raw_stream_tells_a_fixed_vhd(made):
    raw = made("vpc", SIZES["33M"], ["subformat=fixed"]).read_bytes()
    image = unclaimed.inspect_trailer(raw[-512:], len(raw))
    assert (image.format, image.flat, image.virtual_size) == ("vpc", True, len(raw) - 512)


@pytest.mark.parametrize("size", [8, 46, 511])
def test_what_is_shorter_than_a_footer_is_none(size):
    image = unclaimed.inspect_trailer(b"conectix".ljust(size, b"\0"), size)
    assert (image.format, image.virtual_size) == ("raw", 512)


def test_the_end_of_a_raw_stream_tells_a_raw_disk():
    image = unclaimed.inspect_trailer(bytes(512), 1000)
    assert (image.format, image.native, image.virtual_size) == ("raw", True, 1024)
