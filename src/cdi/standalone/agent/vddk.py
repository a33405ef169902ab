"""
VMware's library for pods that need it: a directory of this machine, not an image.

On a cluster an init container copies the library into the pod's volume. No image is unpacked here,
so the volume gets links into the directory that whoever runs this machine has named.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cdi.kube import objects
from cdi.kube.objects import Object

SIDE_CAR: Final = "vddk-side-car"
DISTRIBUTION: Final = "vmware-vix-disklib-distrib"
MISSING: Final = (
    "a VDDK import needs VMware's library: start `cdi up --vddk-libdir DIR` with the directory "
    f"{DISTRIBUTION} of its archive"
)


def link(pod: Object, library: Path | None, places: Mapping[str, Path]) -> None:
    """Put the library where the pod's init container would; `places` are its volumes."""
    for container in objects.get(pod, "spec", "initContainers", default=[]):
        if container.get("name") == SIDE_CAR and library is not None:
            for mount in container.get("volumeMounts") or []:
                _fill(places[mount["name"]], library)


def _fill(volume: Path, library: Path) -> None:
    # The archive's own directory, or one that holds it with whatever belongs to it.
    whole = (library / DISTRIBUTION).is_dir()
    entries = {path.name: path for path in library.iterdir()} if whole else {DISTRIBUTION: library}
    for name, path in entries.items():
        with contextlib.suppress(FileExistsError):
            (volume / name).symlink_to(path)
