"""
Modes per class from the predecessor of StorageProfiles, ConfigMap kubevirt-storage-class-defaults.

Old installations still have it, in the namespace of this one or of a HyperConverged. It is read,
never written, and only where neither a profile's spec nor the table of capabilities knows anything
of a class. What it says of one class wins over what it says of all, each mode by itself.
"""

from collections.abc import Mapping
from typing import Final

from cdi.storage import modes

CONFIG_MAP: Final = "kubevirt-storage-class-defaults"


def properties_for(data: Mapping[str, str], class_name: str) -> list[modes.ClaimProperties]:
    """Return the properties that the ConfigMap's data give a class: one, or none."""
    access = data.get(f"{class_name}.accessMode") or data.get("accessMode")
    volume = data.get(f"{class_name}.volumeMode") or data.get("volumeMode")
    if access is None and volume is None:
        return []
    access, volume = access or modes.RWO, volume or modes.FILESYSTEM
    if access not in modes.ACCESS_MODES or volume not in (modes.FILESYSTEM, modes.BLOCK):
        return []
    return [modes.ClaimProperties((access,), volume)]
