"""
Fuzz the loading of journals, whole lines with checksums that fit: what is wrong is not believed.

A journal is our own, but it lies where its user can write. Then the states in it are restored.
"""

from __future__ import annotations

import json
import tempfile
import zlib
from pathlib import Path

from fuzz import harness

with harness.instrumented():
    from cdi.images.transfer import resuming
    from cdi.images.transfer.progress import Progress

_FOLDER = tempfile.TemporaryDirectory(prefix="cdi-fuzz-")
_PATH = Path(_FOLDER.name) / "journal"
_KEY = {"source": "x"}


def seeds() -> list[bytes]:
    header = {"version": 1, "key": _KEY, "boot": "", "durable": 9}
    records: list[dict[str, object]] = [
        header, {"zeroed": True}, {"done": [[0, 512], [1024, 4096]]},
        {"digested": 7, "state": "VE*Up"}, {"digested": 7, "state": None},
        {"stream": [1, 2, 3, None]}, {"stream": [1, 2, 0, "VE*Up"]},
    ]  # fmt: skip
    lines = [json.dumps(record).encode() for record in records]
    return [b"\n".join(lines), *(b"\n".join([lines[0], line]) for line in lines)]


def check(data: bytes) -> None:
    sealed = b"".join(b"%08x %s\n" % (zlib.crc32(line), line) for line in data.split(b"\n"))
    for content in (sealed, data):
        _PATH.write_bytes(content)
        progress = resuming.load(_PATH, _KEY)
        assert progress is None or isinstance(progress, Progress)
        if progress is not None:
            assert all(0 <= start < end for start, end in progress.done)


if __name__ == "__main__":
    harness.run(seeds, check)
