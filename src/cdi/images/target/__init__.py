"""
The file or block device that receives a disk.

A target takes guest bytes at guest offsets, from several threads at once, writes only what is not
zero (`zeros`, `writing`), and in the end holds exactly the disk: what nobody wrote reads as zeros,
never as old data. `file` and `device` are the two kinds there are, `paths` says where they lie, and
`identity` what tells them apart.

Raises NoSpace, TargetFailed, TooSmall, InvalidRequest. Offsets and sizes are in bytes.
"""

from cdi.images.target.device import BlockTarget
from cdi.images.target.file import FileTarget, remove_partial
from cdi.images.target.identity import samples_of, still_holds
from cdi.images.target.paths import (
    device_size,
    is_device,
    partial_path,
    path_of_work,
    tag_of,
    target_error,
)
from cdi.images.target.writing import Target
from cdi.images.target.zeros import BLOCK, data_runs

__all__ = [
    "BLOCK",
    "BlockTarget",
    "FileTarget",
    "Target",
    "data_runs",
    "device_size",
    "is_device",
    "partial_path",
    "path_of_work",
    "remove_partial",
    "samples_of",
    "still_holds",
    "tag_of",
    "target_error",
]
