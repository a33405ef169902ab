"""
Whether two specs say the same, however they are written.

`1Gi` is the same as `1024Mi`; a field that is absent is the same as one that is null, an empty
list, or the zero of a field that knows no difference between zero and absent.
"""

from collections.abc import Mapping
from typing import Any, Final

from cdi.api import quantity

# Zero says something here: no class at all, this very namespace, not even by default.
_ZERO_COUNTS: Final = frozenset(
    {"storageClassName", "volumeMode", "apiGroup", "namespace", "preallocation"}
)
_QUANTITIES: Final = frozenset({"requests", "limits"})


def same(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> bool:
    """Tell whether two specs say the same."""
    return bool(_meaning(one or {}) == _meaning(other or {}))


def _meaning(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            key: _quantities(each) if key in _QUANTITIES else _meaning(each)
            for key, each in value.items()
            if not _says_nothing(key, each)
        }
    if isinstance(value, list):
        return [_meaning(each) for each in value]
    return value


def _says_nothing(key: str, value: Any) -> bool:
    if value is None or value == []:
        return True
    if key in _QUANTITIES and not value:
        return True
    return (value is False or value == "") and key not in _ZERO_COUNTS


def _quantities(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {key: _quantity(each) for key, each in value.items()}


def _quantity(value: Any) -> Any:
    try:
        return quantity.parse(value)
    except (quantity.InvalidQuantity, TypeError):
        return value
