"""Fill volumes with virtual-machine disks: import, upload and clone."""

__version__ = "0.1.0"
