"""
bzip2, several streams too (as pbzip2 and lbzip2 write them). Each block's CRC is verified.

Blocks within one stream begin at any bit and share nothing that could be synthesized cheaply, so
only streams are points to restart from. What follows the last stream is ignored and logged, as
the bzip2 program does.
"""

from __future__ import annotations

import bz2

from cdi.images.codecs import members


class Bzip2Decoder(members.MembersDecoder):
    name = "bz2"
    MAGIC = b"BZh"
    failures = (OSError, ValueError)

    def _unpacker(self) -> members.Unpacker:
        return bz2.BZ2Decompressor()
