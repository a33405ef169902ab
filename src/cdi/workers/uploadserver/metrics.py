"""
The numbers of an upload server, in Prometheus' text format.

Of the upload that has the volume, or had it last; bytes as they are sent, before they are unpacked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cdi.workers.uploadserver.uploads import Uploads

RECEIVED: Final = "cdi_upload_received_bytes_total"
EXPECTED: Final = "cdi_upload_expected_bytes"
RUNNING: Final = "cdi_upload_in_progress"
FAILURES: Final = "cdi_upload_failures_total"


def text_of(uploads: Uploads) -> str:
    """Return what there is to tell."""
    return "\n".join(_lines(uploads)) + "\n"


def _lines(uploads: Uploads) -> Iterator[str]:
    yield from _about(RUNNING, "gauge", "Whether an upload has the volume.")
    yield f"{RUNNING} {int(uploads.is_busy)}"
    if (upload := uploads.current) is not None:
        yield from _about(RECEIVED, "counter", "Bytes of the upload that have come.")
        yield f"{RECEIVED} {upload.source.offset}"
        if upload.source.size is not None:
            yield from _about(EXPECTED, "gauge", "Bytes of the upload, all together.")
            yield f"{EXPECTED} {upload.source.size}"
    yield from _about(FAILURES, "counter", "Uploads that failed, by reason.")
    for reason, count in uploads.failures.items():
        yield f'{FAILURES}{{reason="{reason}"}} {count}'


def _about(name: str, kind: str, text: str) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"
