"""
lz4 frames, several too, with skippable ones between. Checksums are verified where they exist.

The legacy format of the Linux kernel (magic 02 21 4c 18) is not read.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import cast

import lz4.frame

from cdi.images.codecs import members


class Lz4Decoder(members.MembersDecoder):
    name = "lz4"
    MAGIC = b"\x04\x22\x4d\x18"
    failures = (RuntimeError, ValueError)

    def _unpacker(self) -> members.Unpacker:
        return cast("members.Unpacker", lz4.frame.LZ4FrameDecompressor())

    def _between(self, head: bytes) -> Generator[None, None, bool]:
        if len(head) < 4:
            yield from self._need()
        if head[0] >> 4 == 5 and head[1:] == b"\x2a\x4d\x18":
            size = yield from self._take(4)
            yield from self._skip(int.from_bytes(size, "little"))
            self._mark()
            return True
        raise self.corrupt("what follows the last frame is not lz4")
