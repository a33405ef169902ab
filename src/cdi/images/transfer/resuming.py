"""
What a run reads out of the journal of an earlier one; see `journal` for what stands there.

Every doubt means that nothing was noted.
"""

from __future__ import annotations

import json
import logging
import zlib
from pathlib import Path
from typing import Any

from cdi.images.sources.source import Identity
from cdi.images.transfer.journalfile import VERSION, boot_id
from cdi.images.transfer.progress import Progress, digest_in, stream_in

log = logging.getLogger(__name__)

_LONGEST_HEADER = 1 << 20


def load(path: Path, key: dict[str, Any]) -> Progress | None:
    """Return the progress noted for the transfer `key`, or None if there is none to trust."""
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError:
        return None
    header = parse(lines[0])
    if header is None or header.get("version") != VERSION or header.get("key") != key:
        return None
    durable, boot = header.get("durable"), boot_id()
    same_boot = bool(boot) and header.get("boot") == boot
    progress = Progress()
    for index, line in enumerate(lines[1:]):
        record = parse(line)
        if record is None or not (same_boot or (isinstance(durable, int) and index < durable)):
            break
        try:
            _replay(record, progress)
        except (LookupError, TypeError, ValueError) as wrong:
            # Intact, and still no record of ours: nothing in such a file is to be believed.
            log.warning("journal makes no sense", extra={"cause": repr(wrong)})
            return None
        if isinstance(durable, int) and index < durable:
            progress.durable.append(record)
    return progress


def replayed(records: list[dict[str, Any]]) -> Progress | None:
    """Return what durable `records` say, None if they make no sense."""
    progress = Progress(durable=records)
    try:
        for record in records:
            _replay(record, progress)
    except (AttributeError, LookupError, TypeError, ValueError) as wrong:
        log.warning("notes make no sense", extra={"cause": repr(wrong)})
        return None
    return progress


def source_of(path: Path) -> Identity | None:
    """Return what the journal at `path` is about, None if there is none."""
    try:
        with path.open("rb") as file:
            header = parse(file.readline(_LONGEST_HEADER).rstrip(b"\n"))
        return Identity(**header["key"]["source"]) if header else None
    except (OSError, KeyError, TypeError):
        return None


def _replay(record: dict[str, Any], progress: Progress) -> None:
    for start, end in record.get("done", ()):
        progress.done.add(start, end)
    if record.get("zeroed"):
        progress.zeroed = True
    if "mirrored" in record:
        progress.mirrored = bool(record["mirrored"])
    if "samples" in record:
        progress.samples = [(int(at), int(crc)) for at, crc in record["samples"]]
    if "digested" in record:
        progress.digested, progress.digest = digest_in(record)
    if "stream" in record:
        progress.stream = stream_in(record)


def parse(line: bytes) -> dict[str, Any] | None:
    checksum, _, text = line.partition(b" ")
    try:
        if int(checksum, 16) != zlib.crc32(text):
            return None
        record = json.loads(text)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None
