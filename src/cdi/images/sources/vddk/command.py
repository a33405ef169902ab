"""
nbdkit's command line for the vddk plugin, and what its log says.

The password is not part of it: the plugin reads it from an open file. What the library says of
itself is picked out of the log; what it says when it fails decides about the error. Raises
InvalidRequest for what is missing here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cdi.images import errors
from cdi.images.confined import nbdkit
from cdi.images.sources.vddk.access import HTTPS, Address
from cdi.images.sources.vddk.choosing import Choice

_LIBRARY = "vmware-vix-disklib-distrib"
_PLUGIN = "vddk"
_TEST_PLUGIN = Path("testing/libvddk-test-plugin.so")
_CONFIG = "vddk-config-file"
_FILTERS = ("retry", "cacheextents")
# The library's own words are wanted, not a line for every read.
_OPTIONS = (
    "--verbose",
    "-D", "nbdkit.backend.datapath=0",
    "-D", "vddk.datapath=0",
    "-D", "vddk.stats=1",
)  # fmt: skip
_TRANSPORTS = "transports=file:nbdssl:nbd"  # without SAN and HotAdd, which a pod cannot use


@dataclass(frozen=True, slots=True)
class Login:
    """As whom the library reads from a host."""

    address: Address
    user: str
    password: str
    thumbprint: str

    def __repr__(self) -> str:
        return f"Login({self.address!r})"


@dataclass(frozen=True, slots=True)
class Library:
    """Where the library was put, and the arguments that users gave for it."""

    folder: Path  # holds the distribution's folder
    arguments: Path

    @property
    def distribution(self) -> Path:
        return self.folder / _LIBRARY

    @property
    def plugin(self) -> str:
        test = self.folder / _TEST_PLUGIN
        return str(test) if test.is_file() else _PLUGIN

    @property
    def config(self) -> Path:
        return self.arguments / _CONFIG

    def insist(self) -> None:
        """Raise InvalidRequest unless the library is there."""
        if not self.distribution.is_dir():
            raise errors.InvalidRequest(
                f"the VDDK library is missing: there is no {self.distribution}; name an image "
                "that has it in the ConfigMap v2v-vmware, or a directory of this machine"
            )


def probe_for(library: Library) -> nbdkit.Command:
    """What finds out whether the plugin finds its library."""
    return nbdkit.Command(
        library.plugin,
        parameters=[f"libdir={library.distribution}"],
        read=_read(library),
    )


def command_for(library: Library, login: Login, machine: str, choice: Choice) -> nbdkit.Command:
    """What serves the chosen disk."""
    return nbdkit.Command(
        library.plugin,
        parameters=[*_parameters(library, login, machine, choice)],
        filters=_FILTERS,
        options=_OPTIONS,
        read=_read(library),
        secret=login.password,
    )


def _parameters(library: Library, login: Login, machine: str, choice: Choice) -> Iterator[str]:
    yield f"libdir={library.distribution}"
    yield f"server={login.address.host}"
    if login.address.port != HTTPS:
        yield f"port={login.address.port}"
    yield f"user={login.user}"
    yield f"password=-{nbdkit.SECRET}"
    yield f"thumbprint={login.thumbprint}"
    yield f"vm=moref={machine}"
    if choice.snapshot is not None:
        yield f"snapshot={choice.snapshot.id}"
        yield _TRANSPORTS
    if library.config.is_file():
        yield f"config={library.config}"
    yield f"file={choice.file}"


def _read(library: Library) -> list[Path]:
    """Where the plugin may look. On one machine these are links into other directories."""
    places = [library.folder, library.distribution, library.arguments]
    if library.plugin != _PLUGIN:
        places.append(Path(library.plugin))
    return [place.resolve() for place in places]


class Watcher:
    """Picks out of the log which library it is, and which host it reads from."""

    _VERSION = re.compile(r"VMware VixDiskLib \(([^)]*)\).*build-")
    _HOST = re.compile(r"DISKLIB-LINK  : Opened '.*@(\S+):\d+' \(0x")

    def __init__(self) -> None:
        self._version = self._host = ""

    def __call__(self, line: str) -> None:
        if found := self._VERSION.search(line):
            self._version = found[1]
        if found := self._HOST.search(line):
            self._host = found[1]

    def facts(self) -> tuple[str, str] | None:
        """Version and host; None while neither is known."""
        return (self._version, self._host) if self._version or self._host else None


_MEANINGS: tuple[tuple[str, type[errors.TransferError]], ...] = (
    (r"shared object|dlopen|could not load|libdir", errors.InvalidRequest),
    (r"thumbprint|certificate", errors.CertificateInvalid),
    (r"incorrect user name|login|authenticat|permission|access rights|denied",
     errors.AccessDenied),
    (r"not found|no such|does ?n[o']t exist|could not be found|could not find",
     errors.NotFound),
)  # fmt: skip
_REMEDIES = {
    errors.InvalidRequest: "check that the image or directory has the whole VDDK library",
    errors.CertificateInvalid: "check the thumbprint",
    errors.AccessDenied: "check user, password and the user's rights on the machine's disks",
    errors.NotFound: "check the backing file and the snapshot",
    errors.SourceUnavailable: "check that the host can be reached",
}


def meaning(words: str, fallback: errors.TransferError) -> errors.TransferError:
    """Return the error that nbdkit's last words mean; `fallback` where it said nothing."""
    if not words:
        return fallback
    kind: type[errors.TransferError] = errors.SourceUnavailable
    for pattern, meant in _MEANINGS:
        if re.search(pattern, words, re.IGNORECASE):
            kind = meant
            break
    return kind(f"nbdkit: {words}; {_REMEDIES[kind]}")
