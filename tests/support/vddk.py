"""
What stands in for VMware's library in tests: a directory as the init container leaves it in /opt.

The plugin in it is compiled from `vddk_plugin.c`, which says what it makes of the files.
"""

from __future__ import annotations

import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from support import vsphere

_SOURCE = Path(__file__).with_name("vddk_plugin.c")
_HEADER = Path("/usr/include/nbdkit-plugin.h")

needed = pytest.mark.skipif(
    not (shutil.which("nbdkit") and shutil.which("gcc") and _HEADER.exists()),
    reason="needs nbdkit, gcc and nbdkit-plugin-dev",
)


@functools.cache
def plugin() -> Path:
    """Compile the plugin, once a process."""
    made = Path(tempfile.mkdtemp(prefix="cdi-test-")) / "plugin.so"
    command = ["gcc", "-Wall", "-Werror", "-fPIC", "-shared", "-o", made, _SOURCE]
    subprocess.run(command, check=True)
    return made


class Library:
    """A directory with the library, the disks that it can open and the password it wants."""

    def __init__(self, folder: Path, password: str = vsphere.PASSWORD) -> None:
        self.folder = folder
        self.distribution = folder / "vmware-vix-disklib-distrib"
        (self.distribution / "disks").mkdir(parents=True)
        (self.distribution / "loaded").touch()
        (self.distribution / "password").write_text(password + "\n")
        (folder / "testing").mkdir()
        shutil.copy(plugin(), folder / "testing" / "libvddk-test-plugin.so")

    def disk(self, name: str) -> Path:
        """Where the disk of a name is, or is to be."""
        return self.distribution / "disks" / name.replace("/", "_")
