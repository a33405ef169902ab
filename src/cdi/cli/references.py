"""What a person names on a command line: kinds and names, written as for kubectl."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

_OURS: Final = ".cdi.kubevirt.io"

# What can be explained, by kind: the words for it.
KINDS: Final[Mapping[str, Sequence[str]]] = {
    "DataVolume": (
        "dv",
        "dvs",
        "datavolume",
        "datavolumes",
        f"datavolume{_OURS}",
        f"datavolumes{_OURS}",
    ),
    "PersistentVolumeClaim": ("pvc", "pvcs", "persistentvolumeclaim", "persistentvolumeclaims"),
    "DataSource": (
        "das",
        "datasource",
        "datasources",
        f"datasource{_OURS}",
        f"datasources{_OURS}",
    ),
    "DataImportCron": (
        "dic",
        "dics",
        "dataimportcron",
        "dataimportcrons",
        f"dataimportcron{_OURS}",
        f"dataimportcrons{_OURS}",
    ),
    "Pod": ("po", "pod", "pods"),
}
_BY_WORD: Final = {word: kind for kind, words in KINDS.items() for word in words}


@dataclass(frozen=True, slots=True)
class Reference:
    """One object of the namespace at hand."""

    kind: str
    name: str


def parse(words: Sequence[str]) -> list[Reference]:
    """Read `KIND NAME...` or `KIND/NAME...`. Raises ValueError with a sentence for people."""
    if any("/" in word for word in words):
        return [_pair(word) for word in words]
    kinds, *names = words
    found = [_kind(each) for each in kinds.split(",")]
    if not names:
        raise ValueError(f"which {found[0]}? Give its name: {kinds} NAME, or {kinds}/NAME")
    if not all(names):
        raise ValueError("a name is empty")
    return [Reference(kind, name) for kind in found for name in names]


def _pair(word: str) -> Reference:
    kind, slash, name = word.partition("/")
    if not slash:
        raise ValueError(f"{word}: write all as KIND/NAME, or a kind once and names after it")
    if not name or "/" in name:
        raise ValueError(f"{word}: write it as KIND/NAME")
    return Reference(_kind(kind), name)


def _kind(word: str) -> str:
    found = _BY_WORD.get(word.lower())
    if found is None:
        known = ", ".join(words[0] for words in KINDS.values())
        raise ValueError(f"{word!r} is no kind that can be explained; known are {known}")
    return found
