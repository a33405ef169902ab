"""
Uploads to be gone on with, remembered between two runs of the command.

One small file for each, found by what is uploaded to where: the same file, unchanged, to the same
claim. It names the session, which is as good as a token, so it is readable by its owner only. What
cannot be read or written is not remembered, and nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from cdi.cli import datadir


@dataclass(frozen=True, slots=True)
class Memory:
    """Of one upload; `path` is None where nothing can be kept."""

    path: Path | None

    def recall(self) -> str:
        """The path of the session at the proxy; empty if none is known."""
        if self.path is None:
            return ""
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
            return str(found["session"])
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    def keep(self, session: str) -> None:
        """Remember the session."""
        if self.path is None:
            return
        new = self.path.with_suffix(f".{os.getpid()}.new")
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                json.dump({"session": session}, file)
            new.replace(self.path)

    def forget(self) -> None:
        """It is over."""
        if self.path is not None:
            with contextlib.suppress(OSError):
                self.path.unlink(missing_ok=True)


def memory_for(file: Path, claim_uid: str, directory: Path | None = None) -> Memory:
    """What is known of the upload of a file, as it is now, to the claim with this UID."""
    directory = directory or datadir.state()
    if directory is None or not claim_uid:
        return Memory(None)
    facts = file.stat()
    what = [str(file.absolute()), facts.st_size, facts.st_mtime_ns, facts.st_ino, claim_uid]
    name = hashlib.sha256(json.dumps(what).encode()).hexdigest()[:32]
    return Memory(directory / "uploads" / f"{name}.json")
