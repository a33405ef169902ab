"""
A disk inside of something else: compressed, or a file of an archive, at a source with ranges.

Where its bytes lie there as they are, or in blocks that stand alone, it is transferred in parallel;
in one pass where they do not.
"""

from __future__ import annotations

import dataclasses

from cdi.images import errors
from cdi.images.codecs import blocks
from cdi.images.codecs.codec import Codec, codec_for
from cdi.images.formats.inspect import is_archive
from cdi.images.layout import Part
from cdi.images.transfer import one_pass, parallel
from cdi.images.transfer.attempt import EMPTY, HEAD, Attempt
from cdi.images.transfer.result import Result


def run(attempt: Attempt, codec: Codec | None, head: bytes) -> Result:
    """Transfer the disk of a source that begins with `head`, which is compressed by `codec`."""
    if codec is None and attempt.request.part is not None:
        return _file_at_random(attempt, attempt.request.part)
    if codec is None:
        return _bundled(attempt)
    if attempt.request.part is None:
        layout = _block_layout(attempt, codec, head)
        if layout is not None:
            return parallel.at_random(attempt, "raw", layout, codec.name, layout.at_once)
    return one_pass.forward_through(attempt, codec)


def _bundled(attempt: Attempt) -> Result:
    """Transfer the disk of an archive that is not compressed."""
    from cdi.images.formats import bundle

    found = bundle.locate(attempt.read, attempt.whole, attempt.request.disk)
    if found.verifiable and attempt.request.checksum is None:
        return one_pass.forward_through(attempt)  # in order, so that the disk can be hashed
    attempt.request = dataclasses.replace(attempt.request, part=found.part)
    return _file_at_random(attempt, found.part)


def _file_at_random(attempt: Attempt, part: Part) -> Result:
    """Transfer a file out of an archive that is not compressed."""
    if part.start + part.stored > attempt.whole:
        raise errors.TruncatedSource("the source ends before the disk in it does")
    head = attempt.read(0, min(HEAD, part.stored))
    if not head:
        raise errors.NotADisk(EMPTY)
    if part.extents is not None or codec_for(head) is not None:
        return one_pass.forward_through(attempt)
    return parallel.run(attempt, head)


def _block_layout(attempt: Attempt, codec: Codec, head: bytes) -> blocks.BlockLayout | None:
    """Return the layout of a raw disk that is compressed in several blocks, else None."""
    if attempt.request.algorithm is not None:
        return None  # hashing wants the file in order, and blocks are too large to wait for
    layout = blocks.layout_of(codec.name, attempt.read, attempt.size)
    if layout is None:
        return None
    content = _first_content(codec, head)
    if codec_for(content) is not None or is_archive(content):
        return None
    image = attempt.inspect(content, layout.virtual_size, at_random=False)
    return layout if image.format == "raw" else None


def _first_content(codec: Codec, head: bytes) -> bytes:
    content = b""
    for data in codec.decoder().feed(head):
        content += data
        if len(content) >= HEAD:
            break
    return content
