"""
The last message of a worker: how it ended, for its controller.

Written to the termination log as one JSON object of at most 4096 bytes, which is all that the
kubelet keeps. A message that would be longer is shortened; nothing else of it is lost before
the text is. `from_message` takes whatever comes and never raises: a worker of another build may
have written plain text, and a worker that was killed wrote nothing.

Byte counts are in bytes of the source as it stores them, and of the target.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from cdi.api import reasons

LONGEST: Final = 4096  # bytes of UTF-8 that the kubelet keeps
_ELLIPSIS: Final = "..."

# Words by which a message from elsewhere is understood, which has no fields for them.
_CHECKSUM_MISMATCH: Final = "checksum mismatch"
_CHECKSUM_REASON: Final = "ChecksumError"
_PREALLOCATED: Final = "Preallocation applied"

_COMPLETE: Final = (
    reasons.IMPORT_COMPLETE_MESSAGE,
    reasons.UPLOAD_COMPLETE_MESSAGE,
    reasons.CLONE_COMPLETE_MESSAGE,
)


@dataclass(frozen=True, slots=True)
class VDDKInfo:
    """What the VDDK library told about itself."""

    version: str = ""
    host: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Termination:
    """How a worker ended.

    The exit code is not part of the message; it says whether the container is started again.
    An importer that must not be started again may end with 0 even if it failed: `done` tells.
    """

    message: str = ""  # for people
    reason: str = ""  # for programs; empty where all went well
    permanent: bool = False  # another attempt would fail the same way
    mendable: bool = False  # unless somebody mends it elsewhere; goes with `permanent`
    scratch_space_required: bool = False  # try again with scratch space
    preallocation_applied: bool = False
    deadline_passed: bool = False  # an upload server made way for its successor
    vddk_info: VDDKInfo | None = None
    labels: Mapping[str, str] = field(default_factory=dict)  # for the claim
    sha256: str = ""  # of the source, hexadecimal, where it was computed
    version: str = ""  # of a source, as a poller found it: `sha256:<hex>` or `uid:<text>`
    ended_at: str = ""  # by the own clock of a poller, RFC 3339 in UTC with microseconds
    upload_session: str = ""  # a resumable upload that filled the volume: api/uploadsession.py
    virtual_size: int | None = None  # of the disk, in bytes, where somebody only asked for it
    bytes_fetched: int | None = None
    bytes_written: int | None = None
    disk_size: int | None = None  # of the disk that was made, in bytes
    exit_code: int = 0

    @property
    def done(self) -> bool:
        """Whether the volume is filled."""
        unfinished = self.permanent or self.scratch_space_required or self.deadline_passed
        return self.exit_code == 0 and not unfinished

    @property
    def says_complete(self) -> bool:
        """Whether the worker says in so many words that it has filled the volume.

        An exit code of 0 alone is no such word: a worker that was stopped, that asks for scratch
        space, or that left no message may end with 0, too.
        """
        return self.done and self.message.startswith(_COMPLETE)

    def to_message(self) -> str:
        """Return the JSON to write, at most LONGEST bytes of UTF-8."""
        text = _json_of(self)
        if _size(text) <= LONGEST:
            return text
        bare = replace(self, message="")
        if _size(_json_of(bare)) + len(_ELLIPSIS) > LONGEST:
            bare = replace(bare, labels={})  # conveniences; the outcome matters more
        whole = _json_of(replace(bare, message=self.message))
        if _size(whole) <= LONGEST:
            return whole
        return _json_of(replace(bare, message=_longest_fitting(bare, self.message)))

    @classmethod
    def from_message(cls, text: str, exit_code: int = 0) -> Termination:
        """Return how a container ended that left `text` and this exit code."""
        keys = _object_in(text)
        if keys is None:
            return _understood(cls(message=_first_line(text), exit_code=exit_code))
        return _understood(
            cls(
                message=_text(keys, "message"),
                reason=_text(keys, "reason"),
                permanent=keys.get("permanent") is True,
                mendable=keys.get("mendable") is True,
                scratch_space_required=keys.get("scratchSpaceRequired") is True,
                preallocation_applied=keys.get("preallocationApplied") is True,
                deadline_passed=keys.get("deadlinePassed") is True,
                vddk_info=_vddk_info(keys.get("vddkInfo")),
                labels=_labels(keys.get("labels")),
                sha256=_text(keys, "sha256"),
                version=_text(keys, "version"),
                ended_at=_text(keys, "endedAt"),
                upload_session=_text(keys, "uploadSession"),
                virtual_size=_count(keys, "virtualSize"),
                bytes_fetched=_count(keys, "bytesFetched"),
                bytes_written=_count(keys, "bytesWritten"),
                disk_size=_count(keys, "diskSize"),
                exit_code=exit_code,
            )
        )


def _json_of(ended: Termination) -> str:
    keys: dict[str, Any] = {
        "scratchSpaceRequired": ended.scratch_space_required,
        "preallocationApplied": ended.preallocation_applied,
    }
    if ended.vddk_info is not None:
        keys["vddkInfo"] = {"Version": ended.vddk_info.version, "Host": ended.vddk_info.host}
    optional = {
        "deadlinePassed": ended.deadline_passed or None,
        "permanent": ended.permanent or None,
        "mendable": ended.mendable or None,
        "reason": ended.reason or None,
        "sha256": ended.sha256 or None,
        "version": ended.version or None,
        "endedAt": ended.ended_at or None,
        "uploadSession": ended.upload_session or None,
        "virtualSize": ended.virtual_size,
        "bytesFetched": ended.bytes_fetched,
        "bytesWritten": ended.bytes_written,
        "diskSize": ended.disk_size,
        "labels": dict(ended.labels) or None,
    }
    keys |= {key: value for key, value in optional.items() if value is not None}
    keys["message"] = ended.message
    text = json.dumps(keys, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace").decode()  # names of files may be no valid text


def _size(text: str) -> int:
    return len(text.encode())


def _longest_fitting(bare: Termination, message: str) -> str:
    """Return as much of `message` as fits, found by halving."""
    fits, too_long = 0, len(message)
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        shortened = replace(bare, message=message[:middle] + _ELLIPSIS)
        if _size(_json_of(shortened)) <= LONGEST:
            fits = middle
        else:
            too_long = middle
    return message[:fits] + _ELLIPSIS


def _object_in(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _first_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[0].strip() if lines else ""


def _understood(ended: Termination) -> Termination:
    """Fill in what only the words of the message say."""
    if _PREALLOCATED in ended.message:
        ended = replace(ended, preallocation_applied=True)
    if _CHECKSUM_MISMATCH in ended.message and not ended.reason:
        ended = replace(ended, reason=_CHECKSUM_REASON, permanent=True)
    return ended


def _text(keys: dict[str, Any], key: str) -> str:
    value = keys.get(key)
    return value if isinstance(value, str) else ""


def _count(keys: dict[str, Any], key: str) -> int | None:
    value = keys.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _labels(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    return {key: text for key, text in value.items() if isinstance(text, str)}


def _vddk_info(value: Any) -> VDDKInfo | None:
    if not isinstance(value, dict):
        return None
    return VDDKInfo(_text(value, "Version"), _text(value, "Host"))
