"""
Whatever qemu-img and qemu-io write, both readers give the disk that `qemu-img convert` gives.

Layouts are drawn: allocation, zeros, compression, block sizes, versions, sizes that end anywhere.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from support import qcow2_images, vmdk_images

KIB = 1 << 10
BOUNDED = settings(
    max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


@dataclass(frozen=True)
class Stroke:
    """One change of a live image."""

    verb: str
    at: int
    length: int
    byte: int

    def command(self, size: int) -> str:
        at = min(self.at, size - 512) // 512 * 512
        length = min(self.length, size - at)
        if self.verb == "zero":
            return f"write -z {at} {length}"
        if self.verb == "discard":
            return f"discard {at} {length}"
        return f"write -P {self.byte} {at} {length}"


strokes = some.lists(
    some.builds(
        Stroke,
        some.sampled_from(["write", "write", "zero", "discard"]),
        some.integers(0, 6 << 20),
        some.integers(1, 700).map(lambda count: count * 512),
        some.integers(1, 255),
    ),
    max_size=12,
)
sizes = some.integers(1, 12_000).map(lambda count: count * 512)

qcow2_options = some.one_of(
    some.tuples(
        some.sampled_from(["compat=0.10", "compat=1.1", "compat=1.1,compression_type=zstd"]),
        some.integers(9, 21).map(lambda bits: f"cluster_size={1 << bits}"),
    ),
    some.tuples(
        some.sampled_from(["extended_l2=on", "extended_l2=on,compression_type=zstd"]),
        some.integers(14, 21).map(lambda bits: f"cluster_size={1 << bits}"),
    ),
).map(",".join)

vmdk_options = some.tuples(
    some.sampled_from(["subformat=monolithicSparse", "subformat=streamOptimized"]),
    some.sampled_from(["zeroed_grain=on", "zeroed_grain=off"]),
    some.sampled_from(["hwversion=4", "compat6=on", "adapter_type=lsilogic"]),
).map(",".join)


def run(*command: object) -> None:
    subprocess.run([str(word) for word in command], check=True, capture_output=True)


def live(image: Path, kind: str, size: int, changes: list[Stroke]) -> None:
    """Let qemu-io change an image. It refuses some changes of some kinds, which is all right."""
    words = [word for change in changes for word in ("-c", change.command(size))]
    subprocess.run(["qemu-io", "-f", kind, "-d", "unmap", *words, image], capture_output=True)


def drawn(raw: Path, size: int, changes: list[Stroke]) -> None:
    """Make a raw disk by the same changes."""
    run("qemu-img", "create", "-q", "-f", "raw", raw, size)
    live(raw, "raw", size, changes)


def as_qemu_reads(image: Path, kind: str) -> bytes:
    raw = image.with_suffix(".out")
    run("qemu-img", "convert", "-f", kind, "-O", "raw", image, raw)
    return raw.read_bytes()


@BOUNDED
@given(qcow2_options, sizes, strokes, some.booleans(), strokes, some.integers(0, 99))
def test_a_qcow2_image_is_read_as_qemu_reads_it(
    options: str, size: int, first: list[Stroke], packed: bool, then: list[Stroke], seed: int
) -> None:
    with TemporaryDirectory() as folder:
        raw, image = Path(folder, "disk.raw"), Path(folder, "disk.qcow2")
        drawn(raw, size, first)
        run("qemu-img", "convert", *["-c"] * packed, "-f", "raw", "-O", "qcow2", "-o", options,
            raw, image)  # fmt: skip
        live(image, "qcow2", size, then)
        disk, file = as_qemu_reads(image, "qcow2"), image.read_bytes()
    assert qcow2_images.read_at_random(file, seed) == disk
    assert qcow2_images.read_forward(file, seed, resume=bool(seed % 2)) == disk


@BOUNDED
@given(vmdk_options, sizes, strokes, strokes, some.integers(0, 99))
def test_a_vmdk_that_qemu_made_is_read_as_qemu_reads_it(
    options: str, size: int, first: list[Stroke], then: list[Stroke], seed: int
) -> None:
    with TemporaryDirectory() as folder:
        raw, image = Path(folder, "disk.raw"), Path(folder, "disk.vmdk")
        drawn(raw, size, first)
        run("qemu-img", "convert", "-f", "raw", "-O", "vmdk", "-o", options, raw, image)
        live(image, "vmdk", size, then)
        disk, file = as_qemu_reads(image, "vmdk"), image.read_bytes()
    assert vmdk_images.read_at_random(file, seed) == disk
    assert vmdk_images.read_forward(file, seed, resume=bool(seed % 2)) == disk


grains = some.dictionaries(
    some.integers(0, 1100), some.binary(max_size=40), min_size=1, max_size=20
)


@BOUNDED
@given(
    grains, some.sampled_from([8, 16, 128, 1024]), some.booleans(), some.booleans(),
    some.integers(0, 9), some.randoms(use_true_random=False),
)  # fmt: skip
def test_a_vmdk_of_any_grain_size_is_read_as_qemu_reads_it(
    words: dict[int, bytes], grain: int, packed: bool, footer: bool, odd: int, dice: object
) -> None:
    """qemu-img makes grains of one size only; it reads all."""
    size = grain * 512
    numbers = {number % (1100 * 8 // grain + 1): word for number, word in words.items()}
    image = vmdk_images.Image(
        {number: (word * size)[:size] for number, word in numbers.items()},
        capacity=max(numbers) * grain + 1 + odd % grain,
        grain=grain,
        packed=packed,
        footer=packed and footer,
    )
    stored = [number for number in image.grains if image.grains[number]]
    file = image.build(dice.sample(stored, len(stored)))  # type: ignore[attr-defined]
    with TemporaryDirectory() as folder:
        path = Path(folder, "disk.vmdk")
        path.write_bytes(file)
        disk = as_qemu_reads(path, "vmdk")
    assert image.content() == disk
    assert vmdk_images.read_at_random(file, odd) == disk
    assert vmdk_images.read_forward(file, odd, resume=bool(odd % 2)) == disk
