"""Access modes and volume modes, and how they fit each other."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

RWO: Final = "ReadWriteOnce"
RWX: Final = "ReadWriteMany"
ROX: Final = "ReadOnlyMany"
RWOP: Final = "ReadWriteOncePod"
ACCESS_MODES: Final = (ROX, RWX, RWO, RWOP)  # in the order in which messages list them

FILESYSTEM: Final = "Filesystem"  # also what an absent volume mode means
BLOCK: Final = "Block"
FROM_STORAGE_PROFILE: Final = "FromStorageProfile"  # stands for "absent" in a labelled claim

ARCHIVE: Final = "archive"  # a content type: a tar, which needs a file system

_SHORT: Final = {"RWO": RWO, "RWX": RWX, "ROX": ROX, "FS": FILESYSTEM, "Block": BLOCK}
_PREFERENCE: Final = (RWX, RWO, ROX, RWOP)


@dataclass(frozen=True, slots=True)
class ClaimProperties:
    """Access modes and a volume mode that work together."""

    access_modes: tuple[str, ...]
    volume_mode: str

    def as_document(self) -> dict[str, object]:
        """Return an entry of `claimPropertySets`."""
        return {"accessModes": list(self.access_modes), "volumeMode": self.volume_mode}


def parse_pair(text: str) -> ClaimProperties:
    """Return what a short pair such as `RWX/Block` stands for. Raises KeyError."""
    access, _, volume = text.partition("/")
    return ClaimProperties((_SHORT[access],), _SHORT[volume])


def by_preference(found: Iterable[ClaimProperties]) -> list[ClaimProperties]:
    """Return distinct properties, what suits virtual machines best first.

    The order does not depend on the order in which they were found, so that the default of a
    class does not change from one look to the next.
    """
    return sorted(set(found), key=_rank)


def _rank(properties: ClaimProperties) -> tuple[bool, list[int]]:
    places = [
        _PREFERENCE.index(mode) if mode in _PREFERENCE else len(_PREFERENCE)
        for mode in properties.access_modes
    ]
    return properties.volume_mode != BLOCK, places
