"""
How far a transfer is: what a journal keeps, and a later run goes on from.

Here: the values, and what is not plain in them as records of JSON, in both directions.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any

from cdi.images.intervals import Intervals
from cdi.images.target.samples import Sample

BASE64 = "b64:"  # before bytes as text; what was written without it is in Base 85, which is slow


@dataclass
class Progress:
    """How far a transfer is: everything a later run needs to go on.

    `done` counts guest bytes. `digested` source bytes from the start have gone into the digest
    whose state is `digest`. `stream` describes where a forward transfer can begin anew. `samples`
    are of bytes that were done at the last checkpoint (see `target.samples`); `durable` are the
    records that hold after a power cut. `mirrored`: they may be on the device itself, too.
    """

    done: Intervals = field(default_factory=Intervals)
    digested: int = 0
    digest: bytes | None = None
    stream: StreamPoint | None = None
    zeroed: bool = False
    mirrored: bool = False
    samples: list[Sample] = field(default_factory=list)
    durable: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class StreamPoint:
    """A place where a forward transfer can begin anew: offsets in the source and in its content.

    `codec` names the source's compression, `detail` and `state` are that codec's notes about the
    place, and `decoder` the state of what reads the content: a stream can go on without its first
    bytes.
    """

    source: int
    output: int
    detail: int = 0
    decoder: bytes | None = None
    codec: str | None = None
    state: bytes = b""


def digest_record(offset: int, state: bytes | None) -> dict[str, Any]:
    """Write that so many bytes have gone into the digest."""
    return {"digested": offset, "state": None if state is None else _text_of(state)}


def digest_in(record: dict[str, Any]) -> tuple[int, bytes | None]:
    """Read what `digest_record` wrote. Raises LookupError, TypeError, ValueError."""
    state = record["state"]
    return record["digested"], None if state is None else _bytes_of(state)


def stream_record(point: StreamPoint) -> dict[str, Any]:
    """Write a place to begin anew."""
    decoder = None if point.decoder is None else _text_of(point.decoder)
    state = _text_of(point.state)
    return {"stream": [point.source, point.output, point.detail, decoder, point.codec, state]}


def stream_in(record: dict[str, Any]) -> StreamPoint:
    """Read what `stream_record` wrote. Raises LookupError, TypeError, ValueError."""
    source, output, detail, decoder, *rest = record["stream"]  # which was not always there
    codec, state = (*rest, None, "")[:2] if len(rest) < 2 else rest
    known = None if decoder is None else _bytes_of(decoder)
    return StreamPoint(source, output, detail, known, codec, _bytes_of(state))


def _text_of(state: bytes) -> str:
    return BASE64 + base64.b64encode(state).decode("ascii")


def _bytes_of(text: str) -> bytes:
    if text.startswith(BASE64):
        return base64.b64decode(text.removeprefix(BASE64), validate=True)
    return base64.b85decode(text)
