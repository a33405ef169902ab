"""Fuzz the inspection of any bytes, as head of a stream and as a whole: nothing may surprise it."""

from __future__ import annotations

from fuzz import harness

with harness.instrumented():
    from cdi.images import errors
    from cdi.images.formats import inspect, unclaimed
    from support import corpus


def seeds() -> list[bytes]:
    return [raw[: harness.LONGEST] for raw in (case.values[0]() for case in corpus.HOSTILE)]


def check(data: bytes) -> None:
    def read(offset: int, length: int) -> bytes:
        assert offset + length <= len(data), "asks for bytes beyond the end"
        return data[offset : offset + length]

    ways = (lambda: inspect.inspect(data, None),
            lambda: inspect.inspect(data.ljust(inspect.HEAD, b"\0"), 1 << 40),
            lambda: inspect.inspect(data, len(data), read),
            lambda: unclaimed.inspect_trailer(data[-512:], len(data)))  # fmt: skip
    for way in ways:
        try:
            way()
        except errors.TransferError as refused:
            harness.insist_on_sentence(refused)


if __name__ == "__main__":
    harness.run(seeds, check)
