"""Virtual appliances (OVA) for tests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from support import tars

NAMESPACE = "http://schemas.dmtf.org/ovf/envelope/1"


def description(*files: str, disks: str = "", prolog: str = "") -> bytes:
    """Return an OVF description that lists a disk for each file; `disks` are more elements."""
    references = "".join(
        f'<File ovf:id="file{number}" ovf:href="{name}"/>' for number, name in enumerate(files)
    )
    listed = "".join(
        f'<Disk ovf:diskId="disk{number}" ovf:fileRef="file{number}" ovf:capacity="1"/>'
        for number in range(len(files))
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{prolog}'
        f'<Envelope xmlns="{NAMESPACE}" xmlns:ovf="{NAMESPACE}"><References>{references}'
        f"</References><DiskSection><Info>Disks</Info>{listed}{disks}</DiskSection></Envelope>"
    ).encode()


def manifest(files: Mapping[str, bytes], algorithm: str = "sha256") -> bytes:
    """Return the digests of files."""
    lines = (
        f"{algorithm.upper()}({name})= {hashlib.new(algorithm, data).hexdigest()}\n"
        for name, data in files.items()
    )
    return "".join(lines).encode()


def appliance(
    disks: Mapping[str, bytes], manifest: bytes | None = None, *, last: bool = False
) -> bytes:
    """Return an appliance with these disks; its manifest is in front of them, or the last."""
    members = [tars.member("vm.ovf", description(*disks))]
    members += [tars.member(name, data) for name, data in disks.items()]
    if manifest is not None:
        members.insert(len(members) if last else 1, tars.member("vm.mf", manifest))
    return tars.archive(*members)
