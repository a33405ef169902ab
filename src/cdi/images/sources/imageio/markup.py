"""
XML of an engine, read without trusting it.

Only elements, attributes and text: a document type, with which entities come, is refused, as are
documents that are too deep or too long. A list is read element by element, so that memory does
not grow with it. Raises SourceRefused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from cdi.images import errors

_MAX_DEPTH = 32
# Of one element of a list, or of a document that is no list: an engine's are a few KiB.
_MAX_NODES = 10_000
_MAX_TEXT = 1 << 20  # characters, attributes included
_LARGEST = 256 << 20  # bytes of a whole list: a hundred thousand disk snapshots


@dataclass(slots=True)
class Node:
    """One element, without the white space around its text."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Node] = field(default_factory=list)
    text: str = ""

    @property
    def id(self) -> str:
        return self.attributes.get("id", "")

    def child(self, *path: str) -> Node | None:
        """Return the first element at a path of names, None without one."""
        found = self
        for name in path:
            named = [each for each in found.children if each.name == name]
            if not named:
                return None
            found = named[0]
        return found

    def value(self, *path: str) -> str:
        """Return the text at a path of names; empty without one."""
        found = self.child(*path)
        return found.text if found else ""


def parse(pieces: Iterable[bytes]) -> Node:
    """Read a document that is one object."""
    reader = _Reader(keep=True)
    for piece in pieces:
        reader.feed(piece)
    return reader.finish()


def elements(pieces: Iterable[bytes]) -> Iterator[Node]:
    """Read a document that is a list, and yield its elements as they come."""
    reader = _Reader(keep=False)
    for piece in pieces:
        reader.feed(piece)
        yield from reader.taken()
    reader.finish()
    yield from reader.taken()


class _Reader:
    """Builds nodes; without `keep`, what lies right beneath the root is handed out and let go."""

    def __init__(self, *, keep: bool) -> None:
        self._keep = keep
        self._open: list[Node] = []
        self._root: Node | None = None
        self._ready: list[Node] = []
        self._nodes = self._text = self._bytes = 0
        self._parser = parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = self._declared
        parser.EntityDeclHandler = self._declared

    def feed(self, piece: bytes) -> None:
        self._bytes += len(piece)
        if self._bytes > _LARGEST:
            raise _refusal("is absurdly long")
        self._parse(piece, final=False)

    def finish(self) -> Node:
        self._parse(b"", final=True)
        if self._root is None:
            raise _refusal("is empty")
        return self._root

    def taken(self) -> list[Node]:
        taken, self._ready = self._ready, []
        return taken

    def _parse(self, piece: bytes, *, final: bool) -> None:
        try:
            self._parser.Parse(piece, final)
        except expat.ExpatError as error:
            raise _refusal(f"is no XML (line {error.lineno})") from None
        # A tag without an end is kept by the parser, and seen by no handler.
        if self._bytes - self._parser.CurrentByteIndex > _MAX_TEXT:
            raise _refusal("holds too much text")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._nodes += 1
        if len(self._open) >= _MAX_DEPTH or self._nodes > _MAX_NODES:
            raise _refusal("is nested too deeply or has too many parts")
        self._count(sum(map(len, attributes.values())))
        node = Node(name, attributes)
        if self._open and (self._keep or len(self._open) > 1):
            self._open[-1].children.append(node)
        self._open.append(node)
        self._root = self._root or node

    def _end(self, _name: str) -> None:
        node = self._open.pop()
        node.text = node.text.strip()
        if not self._keep and len(self._open) == 1:
            self._ready.append(node)
            self._nodes = self._text = 0

    def _characters(self, text: str) -> None:
        self._count(len(text))
        self._open[-1].text += text

    def _count(self, characters: int) -> None:
        self._text += characters
        if self._text > _MAX_TEXT:
            raise _refusal("holds too much text")

    def _declared(self, *_: object) -> None:
        raise _refusal("declares a document type or entities, which an engine's never does")


def _refusal(what: str) -> errors.SourceRefused:
    return errors.SourceRefused(
        f"the engine's answer {what}; check that the URL is that of an oVirt engine's API, "
        "https://HOST/ovirt-engine/api"
    )
