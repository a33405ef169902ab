"""What lies in the file system of a volume, by name."""

from typing import Final

DISK: Final = "disk.img"
LOST_AND_FOUND: Final = "lost+found"  # of the file system itself
JOURNALS: Final = ".*cdi-*"  # of workers: none is part of a volume
