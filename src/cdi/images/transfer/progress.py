"""How far a transfer is: what a journal keeps, and a later run goes on from. Only values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cdi.images.intervals import Intervals
from cdi.images.target.samples import Sample


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
