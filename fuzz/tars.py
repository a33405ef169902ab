"""Fuzz the tar reader, forward and at random: both must tell of the same entries."""

from __future__ import annotations

import io
import tarfile

from fuzz import harness

with harness.instrumented():
    from cdi.images import errors
    from cdi.images.formats import tar

_MOST = 500


def seeds() -> list[bytes]:
    found = []
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        raw = io.BytesIO()
        with tarfile.open(fileobj=raw, mode="w", format=form) as archive:
            for name in ("disk/disk.img", "folder/" * 15 + "disk.img", "ü" * 40):
                member = tarfile.TarInfo(name)
                member.size = 700
                archive.addfile(member, io.BytesIO(b"data" * 175))
            link = tarfile.TarInfo("link")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(link)
        found.append(raw.getvalue()[:8192])
    return found


def check(data: bytes) -> None:
    def read(offset: int, length: int) -> bytes:
        return data[offset : offset + length]

    told = []
    for way in (lambda: tar.walk_at(read, len(data), entries=_MOST), lambda: _walked(data)):
        try:
            told.append(list(way()))
        except errors.TransferError as refused:
            harness.insist_on_sentence(refused)
    assert len(told) < 2 or told[0] == told[1], "the two readers tell of different entries"


def _walked(data: bytes) -> list[tar.Entry]:
    pieces = iter([data[at : at + 700] for at in range(0, len(data), 700)])
    walker, entries = tar.Walker(pieces, entries=_MOST), []
    for entry in walker:
        for offset, piece in walker.placed():
            assert 0 <= offset <= offset + len(piece) <= entry.size
        entries.append(entry)
    return entries


if __name__ == "__main__":
    harness.run(seeds, check)
