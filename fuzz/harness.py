"""
The small part that all targets share: instrument, seed, run, and what counts as a finding.

A finding is any exception but a TransferError, an input that takes longer than SLOWEST seconds,
or a process that grows beyond MEMORY. Import what is to be fuzzed within `instrumented()`.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path

import atheris

RUN = Path("run/fuzz")
SLOWEST = 10  # seconds; the machine may be busy
MEMORY = 600  # MiB, of which instrumentation and libFuzzer take about a quarter
LONGEST = 64 << 10  # bytes of one input
_CHECKSUM = "cdi.images.formats.crc32c"  # a loop over every byte; watched, it takes all the time

# The builders of images are the tests'.
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))


def instrumented() -> AbstractContextManager[object]:
    """What is imported within is watched for coverage."""
    return atheris.instrument_imports(include=["cdi"], exclude=[_CHECKSUM])


def run(seeds: Callable[[], Iterable[bytes]], check: Callable[[bytes], object]) -> None:
    """Fuzz `check`, which lets errors of the family TransferError leave and nothing else."""
    from cdi.images.errors import TransferError  # once it is instrumented

    def one(data: bytes) -> None:
        try:
            check(data)
        except TransferError as refused:
            insist_on_sentence(refused)

    folder = RUN / _name()
    corpus, findings = folder / "corpus", folder / "findings"
    for place in (corpus, findings):
        place.mkdir(parents=True, exist_ok=True)
    for seed in seeds():
        (corpus / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    options = [
        f"-artifact_prefix={findings}/",
        f"-timeout={SLOWEST}",
        f"-rss_limit_mb={MEMORY}",
        f"-max_len={LONGEST}",
    ]
    atheris.Setup([sys.argv[0], *options, *sys.argv[1:], str(corpus)], one)
    atheris.Fuzz()


def insist_on_sentence(refused: Exception) -> None:
    """A refusal is for a person: not empty, not long, one line."""
    text = str(refused)
    assert 0 < len(text) < 2000, text
    assert "\n" not in text, text


def _name() -> str:
    return Path(sys.argv[0]).stem
