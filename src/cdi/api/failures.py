"""
How the failure of a worker is told, so that clients of the original and people both understand it.

Clients match on the reason of condition Running: KubeVirt shows a machine as failed, and a
DataImportCron starts its import anew, where it is `Error` or `ImagePullFailed`. So the condition
has the original's word, and the precise reason, where there is one, stands in the message after
the original's words: `...; reason=SourceNotFound`. Reasons are those of docs/reasons.md.
"""

from __future__ import annotations

import re
from typing import Final

from cdi.api import reasons

# Reasons of a failed worker that the original knows, and its clients.
_KNOWN: Final = frozenset({reasons.ERROR, reasons.CHECKSUM_ERROR, reasons.IMAGE_PULL_FAILED})
_STATED: Final = re.compile(r"; reason=([A-Za-z]+)(?=;|$)")


def word_for(reason: str) -> str:
    """The reason of condition Running for a precise one."""
    return reason if reason in _KNOWN else reasons.ERROR


def with_reason(message: str, reason: str) -> str:
    """A message that states the precise reason, if the condition's cannot."""
    return message if not reason or reason in _KNOWN else f"{message}; reason={reason}"


def precise(reason: str, message: str) -> tuple[str, str]:
    """The precise reason of a condition, and its message without it."""
    found = _STATED.search(message)
    if found is None:
        return reason, message
    return found[1], message[: found.start()] + message[found.end() :]
