"""
The file or block device that receives a disk.

A target takes guest bytes at guest offsets, from several threads at once, writes only what is not
zero (`writing`), and in the end holds exactly the disk: what nobody wrote reads as zeros, never as
old data. `target` is what all of them promise, `file` and `device` are the two kinds there are,
`paths` says where they lie and what tells them apart, and `samples` whether the bytes of an earlier
run are still there.

Raises NoSpace, TargetFailed, TooSmall, InvalidRequest. Offsets and sizes are in bytes.
"""

from cdi.images.target.behind import free_space
from cdi.images.target.device import RESERVE, BlockTarget
from cdi.images.target.devices import device_size
from cdi.images.target.failures import target_error
from cdi.images.target.file import FileTarget, remove_partial
from cdi.images.target.filling import BLOCK
from cdi.images.target.paths import (
    is_device,
    partial_path,
    path_of_work,
    sync_directory,
    tag_of,
)
from cdi.images.target.samples import samples_of, still_holds
from cdi.images.target.target import Target
from cdi.images.target.writing import data_runs

__all__ = [
    "BLOCK",
    "RESERVE",
    "BlockTarget",
    "FileTarget",
    "Target",
    "data_runs",
    "device_size",
    "free_space",
    "is_device",
    "partial_path",
    "path_of_work",
    "remove_partial",
    "samples_of",
    "still_holds",
    "sync_directory",
    "tag_of",
    "target_error",
]
