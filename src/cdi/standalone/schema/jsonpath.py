"""
The part of JSONPath that CustomResourceDefinitions use: `.a.b`, `['a.b']`, `[0]`, `[*]`, filters.

For printer columns and scale paths. Full JSONPath (of `kubectl -o jsonpath`) is the client's
business. A filter is `[?(@.field=="text")]`, with `==`, `!=`, `<`, `<=`, `>`, `>=` and strings,
numbers, booleans.
"""

from __future__ import annotations

import functools
import json
import operator
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Step = Callable[[Any], Iterable[Any]]

_TOKEN = re.compile(
    r"""
      \.\.(?P<deep>[\w\-/$*]+)
    | \.(?P<field>(?:\\.|[^.\[\]\\])+)
    | \[\s*(?P<index>-?\d+)\s*\]
    | \[\s*(?P<slice>-?\d*:-?\d*)\s*\]
    | \[\s*(?P<star>\*)\s*\]
    | \[\s*(?P<quote>['"])(?P<name>.*?)(?P=quote)\s*\]
    | \[\?\(\s*@(?P<left>[^=!<>]*?)\s*(?P<op>==|!=|<=|>=|<|>)\s*(?P<right>.+?)\s*\)\]
    | \[\?\(\s*@(?P<exists>[^=!<>]*?)\s*\)\]
    """,
    re.VERBOSE,
)

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class InvalidPath(ValueError):
    """The text is no JSONPath that this module understands."""


def find(path: str, value: Any) -> list[Any]:
    """Every value at the path, in document order."""
    found = [value]
    for step in steps(path):
        found = [next_ for one in found for next_ in step(one)]
    return found


@functools.lru_cache(maxsize=1024)
def steps(path: str) -> tuple[Step, ...]:
    """The path as functions, each from a value to the values one step on. Raises InvalidPath."""
    text = path.strip().removeprefix("{").removesuffix("}").removeprefix("$").removeprefix("@")
    if text and text[0] not in ".[":
        text = f".{text}"
    return tuple(_parse(text, path)) if text != "." else ()


def _parse(text: str, path: str) -> Iterator[Step]:
    at = 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            raise InvalidPath(f"invalid path {path!r} at {text[at:]!r}")
        yield _step(token)
        at = token.end()


def _step(token: re.Match[str]) -> Step:
    if (name := token["name"]) is not None:
        return functools.partial(_field, name)
    if (name := token["field"]) is not None:
        return _every if name == "*" else functools.partial(_field, name.replace("\\", ""))
    if token["index"] is not None:
        return functools.partial(_item, int(token["index"]))
    if token["slice"] is not None:
        bounds = [int(part) if part else None for part in token["slice"].split(":")]
        return functools.partial(_slice, slice(*bounds))
    if token["star"]:
        return _every
    if token["deep"] is not None:
        return functools.partial(_deep, token["deep"])
    if token["exists"] is not None:
        return functools.partial(_having, token["exists"])
    return functools.partial(
        _where, token["left"], _OPERATORS[token["op"]], _literal(token["right"])
    )


def _literal(text: str) -> Any:
    if text[:1] == text[-1:] == "'":
        return text[1:-1]
    try:
        return json.loads(text)
    except ValueError as error:
        raise InvalidPath(f"invalid literal {text!r} in a filter") from error


def _field(name: str, value: Any) -> Iterable[Any]:
    return (value[name],) if isinstance(value, dict) and name in value else ()


def _item(index: int, value: Any) -> Iterable[Any]:
    return value[index:][:1] if isinstance(value, list) else ()


def _slice(bounds: slice, value: Any) -> Iterable[Any]:
    return value[bounds] if isinstance(value, list) else ()


def _every(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _deep(name: str, value: Any) -> Iterator[Any]:
    yield from _field(name, value)
    for child in _every(value):
        yield from _deep(name, child)


def _having(path: str, value: Any) -> Iterator[Any]:
    return (item for item in _every(value) if find(path, item))


def _where(path: str, compare: Callable[[Any, Any], bool], want: Any, value: Any) -> Iterator[Any]:
    for item in _every(value):
        for got in find(path, item):
            if type(got) is type(want) and compare(got, want):
                yield item
                break
