"""Functions that Kubernetes adds to CEL: lists, texts, URLs, quantities, formats."""

from __future__ import annotations

import ipaddress
import re
import urllib.parse
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from cdi.standalone.schema import formats
from cdi.standalone.schema.quantities import InvalidQuantity, parse_quantity


def _index_of(where: Any, what: Any) -> int:
    if isinstance(where, str):
        return where.find(what)
    return where.index(what) if what in where else -1


def _last_index_of(where: Any, what: Any) -> int:
    if isinstance(where, str):
        return where.rfind(what)
    return len(where) - 1 - where[::-1].index(what) if what in where else -1


def _substring(text: str, start: int, end: int | None = None) -> str:
    return text[start:end]


def _replace(text: str, old: str, new: str, count: int = -1) -> str:
    return text.replace(old, new, count)


def _split(text: str, separator: str, limit: int = -1) -> list[str]:
    if not separator:
        return list(text)
    return text.split(separator, limit - 1 if limit > 0 else -1)


def _join(items: list[str], separator: str = "") -> str:
    return separator.join(items)


def _find(text: str, pattern: str) -> str:
    found = formats.compiled(pattern).search(text)
    return found[0] if found else ""


def _find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    found = [each[0] for each in formats.compiled(pattern).finditer(text)]
    return found if limit < 0 else found[:limit]


def _is_url(text: str) -> bool:
    try:
        parts = urllib.parse.urlsplit(text)
    except ValueError:
        return False
    return bool(parts.scheme and (parts.netloc or parts.path.startswith("/")))


def _url(text: str) -> dict[str, str]:
    if not _is_url(text):
        raise ValueError(f"URL parse error during conversion from string: {text}")
    return {"__url__": text}


def _url_part(read: Callable[[urllib.parse.SplitResult], Any]) -> Callable[[dict[str, str]], Any]:
    return lambda url: read(urllib.parse.urlsplit(url["__url__"]))


def _is_quantity(value: Any) -> bool:
    try:
        parse_quantity(value)
    except InvalidQuantity:
        return False
    return True


def _quantity(value: Any) -> dict[str, str]:
    return {"__quantity__": str(parse_quantity(value))}


def _amount(value: Any) -> Decimal:
    return Decimal(value["__quantity__"]) if isinstance(value, dict) else Decimal(str(value))


def _compare_to(left: Any, right: Any) -> int:
    a, b = _amount(left), _amount(right)
    return (a > b) - (a < b)


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_sorted(items: list[Any]) -> bool:
    return bool(items == sorted(items))


def _reverse(value: Any) -> Any:
    return value[::-1]


def _distinct(items: list[Any]) -> list[Any]:
    kept: list[Any] = []
    for each in items:
        if each not in kept:
            kept.append(each)
    return kept


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "compareTo": _compare_to,
    "distinct": _distinct,
    "find": _find,
    "findAll": _find_all,
    "getEscapedPath": _url_part(lambda url: url.path),
    "getHost": _url_part(lambda url: url.netloc.rpartition("@")[2]),
    "getHostname": _url_part(lambda url: url.hostname or ""),
    "getPort": _url_part(lambda url: str(url.port or "")),
    "getScheme": _url_part(lambda url: url.scheme),
    "indexOf": _index_of,
    "isCIDR": lambda text: formats.fits("cidr", text),
    "isGreaterThan": lambda left, right: _amount(left) > _amount(right),
    "isIP": _is_ip,
    "isLessThan": lambda left, right: _amount(left) < _amount(right),
    "isQuantity": _is_quantity,
    "isSorted": _is_sorted,
    "isURL": _is_url,
    "join": _join,
    "lastIndexOf": _last_index_of,
    "lowerAscii": lambda text: re.sub("[A-Z]", lambda found: found[0].lower(), text),
    "quantity": _quantity,
    "replace": _replace,
    "reverse": _reverse,
    "split": _split,
    "substring": _substring,
    "sum": sum,
    "trim": str.strip,
    "upperAscii": lambda text: re.sub("[a-z]", lambda found: found[0].upper(), text),
    "url": _url,
}
