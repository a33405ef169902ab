"""Bytes of an untrusted source, made fit for an error message."""

from __future__ import annotations

_LONGEST = 60  # characters: enough to recognise a page, too few to flood a status


def quoted(raw: bytes) -> str:
    """Return `raw` as one short quoted line of printable characters."""
    text = " ".join(raw[: 4 * _LONGEST].decode("utf-8", "replace").split())
    shown = "".join(
        character if character.isprintable() and character not in '"\\' else "?"
        for character in text
    )
    return f'"{shown[:_LONGEST]}..."' if len(shown) > _LONGEST else f'"{shown}"'
