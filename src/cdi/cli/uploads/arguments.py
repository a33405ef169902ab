"""
What the command line of `cdi image-upload` asks for: as for `virtctl image-upload`, checked in its
order and refused in its words.

Both forms are there: `dv NAME` and `pvc NAME`, and the older `--pvc-name` and `--dv-name`. Raises
Failed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from cdi.cli.uploads.failure import Failed

_MODES: Final = ("block", "filesystem")


class Kind(Enum):
    """Which object is uploaded to; the value is the Kubernetes kind."""

    CLAIM = "PersistentVolumeClaim"
    DATA_VOLUME = "DataVolume"


@dataclass(frozen=True, slots=True)
class Flags:
    """The options as they were given; empty where they were not."""

    words: tuple[str, ...] = ()
    image_path: str = ""
    archive_path: str = ""
    size: str = ""
    storage_class: str = ""
    access_mode: str = ""
    volume_mode: str = ""
    no_create: bool = False
    proxy_url: str = ""
    insecure: bool = False
    force_bind: bool = False
    wait_seconds: float = 300.0
    retry: int = 5
    data_source: bool = False
    instancetype: str = ""
    instancetype_kind: str = ""
    preference: str = ""
    preference_kind: str = ""
    pvc_name: str = ""
    dv_name: str = ""
    pvc_size: str = ""
    block_volume: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be done."""

    kind: Kind
    name: str
    path: Path
    archive: bool
    size: str
    block: bool | None  # None: nothing was said
    flags: Flags


def parse(flags: Flags) -> Wanted:
    """Raises Failed."""
    if flags.size and flags.pvc_size and flags.size != flags.pvc_size:
        raise Failed("--pvc-size and --size can not be specified at the same time")
    for option, name in (("--pvc-name", flags.pvc_name), ("--dv-name", flags.dv_name)):
        if name and flags.words:
            raise Failed(f"cannot use {option} and args")
    if flags.pvc_name and flags.dv_name:
        raise Failed("cannot use --pvc-name and --dv-name at the same time")
    block = _block(flags)
    _check_path(flags, block)
    kind, name = _target(flags)
    _check_defaults(flags)
    return Wanted(
        kind,
        name,
        _readable(flags.image_path or flags.archive_path),
        bool(flags.archive_path),
        flags.size or flags.pvc_size,
        block,
        flags,
    )


def deprecated(flags: Flags) -> list[str]:
    """Return a notice for every older option that was given, as `virtctl` words them."""
    old = {
        "pvc-name": (flags.pvc_name, "specify the name as the second argument instead."),
        "dv-name": (flags.dv_name, "specify the name as the second argument instead."),
        "pvc-size": (flags.pvc_size, "use --size instead."),
        "block-volume": (
            flags.block_volume,
            "specify volume mode (filesystem/block) with --volume-mode instead.",
        ),
    }
    return [
        f"Flag --{name} has been deprecated, {what}" for name, (given, what) in old.items() if given
    ]


def _block(flags: Flags) -> bool | None:
    mode = flags.volume_mode
    if flags.block_volume and mode not in ("", "block"):
        raise Failed(f"incompatible --volume-mode '{mode}' and --block-volume")
    if mode not in ("", *_MODES):
        raise Failed(f"Invalid volume mode '{mode}'. Valid values are 'block' and 'filesystem'.")
    if flags.block_volume:
        return True
    return mode == "block" if mode else None


def _check_path(flags: Flags, block: bool | None) -> None:
    if not flags.image_path and not flags.archive_path:
        raise Failed("either image-path or archive-path must be provided")
    if flags.image_path and flags.archive_path:
        raise Failed("cannot handle both image-path and archive-path, provide only one")
    if flags.archive_path and block:
        raise Failed("In archive upload the volume mode should always be filesystem")


def _target(flags: Flags) -> tuple[Kind, str]:
    if flags.pvc_name:
        return Kind.CLAIM, flags.pvc_name
    if flags.dv_name:
        return Kind.DATA_VOLUME, flags.dv_name
    if len(flags.words) != 2:
        raise Failed("expecting two args")
    said, name = flags.words
    kinds = {"dv": Kind.DATA_VOLUME, "pvc": Kind.CLAIM}
    if said.lower() not in kinds:
        raise Failed(f"invalid resource type {said}")
    return kinds[said.lower()], name


def _check_defaults(flags: Flags) -> None:
    for what, name, kind in (
        ("instancetype", flags.instancetype, flags.instancetype_kind),
        ("preference", flags.preference, flags.preference_kind),
    ):
        if kind and not name:
            raise Failed(f"--default-{what} must be provided with --default-{what}-kind")
    if flags.no_create and (flags.instancetype or flags.preference):
        raise Failed(
            "--default-instancetype and --default-preference cannot be used with --no-create"
        )


def _readable(text: str) -> Path:
    path = Path(text)
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
    except OSError as error:
        raise Failed(f"open {text}: {(error.strerror or str(error)).lower()}") from error
    return path
