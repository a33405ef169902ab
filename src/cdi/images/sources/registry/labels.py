"""
The labels that an image wishes for its volume, which it states in its environment.

`INSTANCETYPE_KUBEVIRT_IO_DEFAULT_PREFERENCE=fedora` becomes
`instancetype.kubevirt.io/default-preference: fedora`. No I/O.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable

log = logging.getLogger(__name__)

_MARK = "KUBEVIRT_IO_"
_DOMAIN = "kubevirt.io/"
_MOST = 64
_KEY = re.compile(
    r"(?:[a-z0-9]([a-z0-9-]*[a-z0-9])?\.)*kubevirt\.io/[a-z0-9]([a-z0-9.-]*[a-z0-9])?"
)
_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")
_LONGEST_NAME = 63


def labels_of(environment: Iterable[str]) -> dict[str, str]:
    """Return the labels in lines `NAME=value`. What cannot be a label is left out."""
    found: dict[str, str] = {}
    for line in environment:
        name, _, value = line.partition("=")
        before, mark, rest = name.partition(_MARK)
        if not mark:
            continue
        key = _key(before, rest)
        if not _is_label(key, value) or len(found) >= _MOST:
            log.warning("A variable of the image makes no label", extra={"variable": name})
            continue
        found[key] = value
    return found


def _key(before: str, rest: str) -> str:
    group = before.rstrip("_").replace("_", ".")
    return f"{group}{'.' if group else ''}{_DOMAIN}{rest.replace('_', '-')}".lower()


def _is_label(key: str, value: str) -> bool:
    group, _, name = key.partition("/")
    fits = len(group) <= 253 and len(name) <= _LONGEST_NAME
    return fits and _KEY.fullmatch(key) is not None and _VALUE.fullmatch(value) is not None
