"""Fuzz virtual appliances: the description and the manifest, forward and at random."""

from __future__ import annotations

from fuzz import harness, patches

with harness.instrumented():
    from cdi.images import errors
    from cdi.images.formats import bundle, tar
    from support import appliances

_DISKS = {"vm-disk1.vmdk": b"first disk" * 60, "vm-disk2.vmdk": b"second disk" * 60}
_ENOUGH = 1 << 20  # bytes of a disk that are looked at
IMAGES = [
    appliances.appliance(_DISKS),
    appliances.appliance({"a.vmdk": b"data" * 300}),
    appliances.appliance(_DISKS, appliances.manifest(_DISKS)),
    appliances.appliance(_DISKS, appliances.manifest(_DISKS, "sha1"), last=True),
]


def seeds() -> list[bytes]:
    return [*patches.seeds(IMAGES, (0, 124, 148, 156, 512, 600, 700)), *IMAGES]


def check(data: bytes) -> None:
    raw = data if data.startswith(b"vm.ovf") else patches.applied(data, IMAGES)

    def read(offset: int, length: int) -> bytes:
        assert 0 <= offset <= offset + length <= len(raw), "asks for bytes beyond the end"
        return raw[offset : offset + length]

    if not tar.matches(raw):
        return
    for disk in (None, "vm-disk2.vmdk"):
        for way in (lambda: bundle.locate(read, len(raw), disk), lambda: _passed(raw, disk)):  # noqa: B023 - called at once
            try:
                way()
            except errors.TransferError as refused:
                harness.insist_on_sentence(refused)


def _passed(raw: bytes, disk: str | None) -> None:
    appliance, taken = bundle.Bundle(iter([raw]), disk), 0
    for piece in appliance.data():
        taken += len(piece)
        if taken > _ENOUGH:
            return
    assert taken == appliance.size


if __name__ == "__main__":
    harness.run(seeds, check)
