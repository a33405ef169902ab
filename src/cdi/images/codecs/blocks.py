"""
Compressed disks whose parts can be decoded by themselves: multi-block xz and seekable zstd.

Such an object is a random layout like any disk format: parts are fetched and decoded in any
order and in parallel, and what a journal calls done is left out. Each part is verified by the
checks of its own blocks; the xz index is verified by its CRC and by every block's length.

Only for disks that are raw inside: guest offsets are offsets in the decompressed object.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Iterable, Iterator

from cdi.images import errors, layout
from cdi.images.codecs import decoder
from cdi.images.writes import Buffer, Write

# What the dictionaries of all threads may need together, and what a single one may: at least four
# blocks are decoded at once, or else one after another, read ahead by many connections.
_IN_ALL = 64 << 20
MEMORY = _IN_ALL // 4
# A block may need that much although its table does not tell.
_USUAL = 8 << 20
# Small neighbours are fetched together up to this size: a request each would cost more.
TOGETHER = 1 << 20


class BlockLayout:
    """The blocks of one compressed disk; a `layout.RandomLayout`."""

    def __init__(self, codec: str, blocks: tuple[decoder.Block, ...]) -> None:
        self.codec = codec
        self.blocks = blocks
        self.virtual_size = blocks[-1].output_end

    @property
    def at_once(self) -> int:
        """How many blocks may be decoded at the same time, for the memory they take."""
        return _IN_ALL // max(1, *(block.memory for block in self.blocks))

    def units(self, done: layout.Ranges) -> Iterator[layout.Unit]:
        """Yield what is left to decode, in order."""
        left = (block for block in self.blocks if not _is_done(block, done))
        for block in _joined(left):
            yield layout.Unit(
                start=block.start,
                end=block.end,
                covers=((block.output_start, block.output_end),),
                decode=functools.partial(_writes, self.codec, block),
            )


def layout_of(codec: str, reader: layout.Reader, size: int) -> BlockLayout | None:
    """Return the blocks of the compressed object, or None where it is better decoded forward.

    Raises CorruptImage or TruncatedSource where the object's end shows that it is damaged.
    """
    match codec:
        case "xz":
            from cdi.images.codecs import xzindex

            blocks = xzindex.blocks(reader, size, MEMORY)
        case "zst":
            from cdi.images.codecs import zstdindex

            blocks = zstdindex.frames(reader, size, MEMORY)
        case _:
            return None
    return BlockLayout(codec, blocks) if len(blocks) > 1 else None


def units(
    codec: str, reader: layout.Reader, size: int, done: layout.Ranges
) -> Iterator[layout.Unit] | None:
    """Return what is left to decode, or None where the object is better decoded forward."""
    found = layout_of(codec, reader, size)
    return found.units(done) if found else None


def decode_block(codec: str, block: decoder.Block, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Decompress the bytes [start, end) of `block`, and verify them.

    Never yields more than the block is said to hold. Raises CorruptImage, TruncatedSource, or
    UnsafeImage for one that needs far more memory than the table made expect.
    """
    left = block.output_end - block.output_start
    # A frame of zstd may have a window as large as itself, whatever those in front of it had.
    memory = max(block.memory, _USUAL, min(left, MEMORY))
    scripted = _decoder_of(codec, block.first, memory)
    with contextlib.closing(scripted):
        fed = block.start
        for piece in pieces:
            fed += len(piece)
            for out in scripted.feed(piece):
                left -= len(out)
                if left < 0:
                    raise _contradiction(codec, block)
                yield out
        if fed < block.end:
            raise errors.TruncatedSource(f"the {codec} data ends too early, at offset {fed}")
        if scripted.restart != block.last:
            raise _contradiction(codec, block)


def _decoder_of(codec: str, at: decoder.Restart, memory: int) -> decoder.Scripted:
    if codec == "xz":
        from cdi.images.codecs.xz import XzDecoder

        return XzDecoder(at, memory)
    from cdi.images.codecs.zstd import ZstdDecoder

    return ZstdDecoder(at, memory)


def _contradiction(codec: str, block: decoder.Block) -> errors.CorruptImage:
    return errors.CorruptImage(
        f"the {codec} data is damaged near offset {block.start}: its index contradicts it; "
        "check the file at the source"
    )


def _is_done(block: decoder.Block, done: layout.Ranges) -> bool:
    empty = block.output_start == block.output_end
    return empty or done.covers(block.output_start, block.output_end)


def _goes_with(block: decoder.Block, held: decoder.Block) -> bool:
    return (
        held.last == block.first
        and block.end - held.start <= TOGETHER
        and block.output_end - held.output_start <= layout.SHARE
    )


def _joined(blocks: Iterable[decoder.Block]) -> Iterator[decoder.Block]:
    """Join small neighbours into larger blocks, which decode alike."""
    held: decoder.Block | None = None
    for block in blocks:
        if held and _goes_with(block, held):
            held = dataclasses.replace(held, end=block.end, output_end=block.output_end)
            continue
        if held:
            yield held
        held = block
    if held:
        yield held


def _writes(codec: str, block: decoder.Block, pieces: Iterable[Buffer]) -> Iterator[Write]:
    offset = block.output_start
    for out in decode_block(codec, block, map(bytes, pieces)):
        yield Write(offset, out)
        offset += len(out)
