"""
What a connection says first, and what is answered: one line of JSON each. Only values.

Everything that comes from the other end is bounded and checked. Raises Nonsense.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Final

PROTOCOL: Final = "cdi-copy/2"  # in ALPN
HTTP: Final = "http/1.1"
DISK, FILES = "", "files"  # names of exports
CONNECTIONS: Final = 4  # beside the one that is told the end
# To begin with: while one range is written the next ones are under way. A copy is over before the
# transfer has seen that more of them pay.
AT_FIRST: Final = 3
LINE_MOST: Final = 4096  # bytes
_ID_DIGITS: Final = 32
_SEAL_DIGITS: Final = 64
_DIGITS: Final = frozenset("0123456789abcdef")
_VERSION_MOST: Final = 200


class Nonsense(Exception):
    """The other end does not speak the protocol."""


@dataclass(frozen=True, slots=True)
class Hello:
    """Which copy a connection belongs to.

    `key` is that of digests. `version` vouches that bytes are those of an earlier attempt;
    `is_device` says what the disk is at its source. `carries` is False for the one connection that
    is told how the copy ends. `seal` is the key with which one that carries leaves TLS; without, it
    stays there. `files` says that there are some beside the disk, in the export of that name.
    """

    copy: str  # random hexadecimal digits
    key: str  # the same
    version: str
    is_device: bool
    carries: bool
    seal: str = ""
    files: bool = False

    def line(self) -> bytes:
        """What is sent."""
        return to_line(asdict(self))


def hello_of(line: bytes) -> Hello:
    """Read what a sender says first."""
    told = of_line(line)
    copy, key, version = told.get("copy"), told.get("key"), told.get("version")
    if not (_is_random(copy) and _is_random(key)):
        raise Nonsense(f"copy, key: want {_ID_DIGITS} hexadecimal digits")
    if not isinstance(version, str) or len(version) > _VERSION_MOST:
        raise Nonsense(f"version: want at most {_VERSION_MOST} characters")
    seal = told.get("seal")
    if seal != "" and not _is_random(seal, _SEAL_DIGITS):
        raise Nonsense(f"seal: want {_SEAL_DIGITS} hexadecimal digits, or none")
    flags = [told.get(each) for each in ("is_device", "carries", "files")]
    if not all(isinstance(each, bool) for each in flags):
        raise Nonsense("is_device, carries, files: want true or false")
    is_device, carries, files = (bool(each) for each in flags)
    return Hello(str(copy), str(key), version, is_device, carries, str(seal), files)


def _is_random(said: Any, digits: int = _ID_DIGITS) -> bool:
    return isinstance(said, str) and len(said) == digits and set(said) <= _DIGITS


@dataclass(frozen=True, slots=True)
class Answer:
    """How it stands: 200 at the beginning and at a good end, else a status of HTTP and why."""

    status: int
    reason: str = ""
    message: str = ""

    @property
    def is_good(self) -> bool:
        return self.status == 200

    def line(self) -> bytes:
        """What is sent."""
        return to_line(asdict(self))


def answer_of(line: bytes) -> Answer:
    """Read what a server says."""
    told = of_line(line)
    status = told.get("status")
    if not isinstance(status, int):
        raise Nonsense("status: want a number")
    return Answer(status, str(told.get("reason", "")), str(told.get("message", "")))


def to_line(told: dict[str, Any]) -> bytes:
    """One object as a line; long texts are cut."""
    short = {key: x[:1000] if isinstance(x, str) else x for key, x in told.items()}
    return json.dumps(short).encode() + b"\n"


def of_line(line: bytes) -> dict[str, Any]:
    """The object of a line."""
    try:
        told = json.loads(line)
    except ValueError as error:
        raise Nonsense("this is no JSON") from error
    if not isinstance(told, dict):
        raise Nonsense("this is no object of JSON")
    return told
