"""What a worker says of the size of the disk that it made, for clones of the claim to use."""

from cdi.api import annotations, quantity
from cdi.api.termination import Termination
from cdi.kube import objects
from cdi.kube.objects import Object

_DISK = "kubevirt"


def noted(claim: Object, ended: Termination | None) -> dict[str, str | None]:
    """Annotations of a claim that is full: how large its disk is, and the claim was then.

    They are those of a measurement (clones.md, "What has to be so"), which is not needed then.
    """
    size = ended.disk_size if ended is not None and ended.done else None
    capacity = objects.get(claim, "status", "capacity", "storage")
    if not size or capacity is None or not _hides_disk(claim):
        return {}
    try:
        kept = str(quantity.parse(str(capacity)))
    except quantity.InvalidQuantity:
        return {}
    return {annotations.VIRTUAL_SIZE: str(size), annotations.SOURCE_CAPACITY: kept}


def _hides_disk(claim: Object) -> bool:
    """Whether there is a disk in a file system."""
    is_block = objects.get(claim, "spec", "volumeMode") == "Block"
    said = objects.annotations(claim).get(annotations.CONTENT_TYPE)
    return not is_block and said == _DISK
