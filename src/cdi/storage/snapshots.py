"""
Which VolumeSnapshotClass belongs to a StorageClass.

Where the snapshot API is not served there are no classes; callers pass an empty list then.
"""

from collections.abc import Iterable
from typing import Any, Final

from cdi.api import annotations
from cdi.storage import classes, documents

Object = dict[str, Any]

# The objects that have to be served, as v1, before any snapshot can be taken.
DEFINITIONS: Final = (
    "volumesnapshotclasses.snapshot.storage.k8s.io",
    "volumesnapshotcontents.snapshot.storage.k8s.io",
    "volumesnapshots.snapshot.storage.k8s.io",
)

_FOR_IMAGES: Final = ("snapshot-type", "images")  # a parameter of Google's driver


class SnapshotClassNotFound(LookupError):
    """The class that the administrator asks for does not exist."""

    def __init__(self, name: str) -> None:
        super().__init__(f'VolumeSnapshotClass "{name}" not found')
        self.name = name


def choose(snapshot_classes: Iterable[Object], provisioner: str, wanted: str = "") -> str:
    """Return the name of the snapshot class for a provisioner's volumes, or nothing.

    `wanted` is what the administrator asks for: it has to exist, and has no effect if it is for
    another driver. Raises SnapshotClassNotFound.
    """
    snapshot_classes = list(snapshot_classes)
    if wanted:
        found = classes.named(snapshot_classes, wanted)
        if found is None:
            raise SnapshotClassNotFound(wanted)
        return wanted if found.get("driver") == provisioner else ""
    return _preferred(of_driver(snapshot_classes, provisioner))


def choose_for_images(snapshot_classes: Iterable[Object], provisioner: str) -> str:
    """Return the name of a class whose snapshots are images of their own, or nothing."""
    parameter, value = _FOR_IMAGES
    return _preferred(
        each
        for each in of_driver(snapshot_classes, provisioner)
        if documents.at(each, "parameters", parameter) == value
    )


def of_driver(snapshot_classes: Iterable[Object], driver: str) -> list[Object]:
    return [each for each in snapshot_classes if each.get("driver") == driver]


def _preferred(snapshot_classes: Iterable[Object]) -> str:
    """Return the one marked as default, or else the first by name."""
    ordered = sorted(
        snapshot_classes,
        key=lambda each: (
            not classes.is_marked(each, annotations.DEFAULT_SNAPSHOT_CLASS),
            documents.name(each),
        ),
    )
    return documents.name(ordered[0]) if ordered else ""
