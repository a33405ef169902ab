"""Header fields of a message: found by name whatever its case, written as they were given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableMapping


class HeaderMap(MutableMapping[str, str]):
    """Fields by name. Several of one name are one value, joined by commas, as HTTP has it."""

    __slots__ = ("_held",)

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._held: dict[str, tuple[str, str]] = {}
        for name, value in pairs:
            self.add(name, value)

    def add(self, name: str, value: str) -> None:
        """Set a field, or append to what it has already."""
        key = name.lower()
        before = self._held.get(key)
        self._held[key] = (name, value) if before is None else (before[0], f"{before[1]}, {value}")

    def __getitem__(self, name: str) -> str:
        return self._held[name.lower()][1]

    def __setitem__(self, name: str, value: str) -> None:
        self._held[name.lower()] = (name, value)

    def __delitem__(self, name: str) -> None:
        del self._held[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._held.values())

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._held
