"""
Keys that a body says twice, as strict decoding tells them.

Readers take the last one and say nothing; who asks for strictness wants to hear of it. Here: JSON
and YAML, each in Kubernetes' words. A body that cannot be read has none: its reader says why.
"""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import yaml

from cdi.standalone.apiserver.bodies import YAML
from cdi.standalone.schema import paths

Pairs = list[tuple[str, Any]]


class _Repeated(dict[str, Any]):
    """An object that says some of its keys more than once."""

    def __init__(self, pairs: Pairs, twice: list[str]) -> None:
        super().__init__(pairs)
        self.twice = twice


def duplicates(body: bytes, content_type: str) -> list[str]:
    """What strict decoding objects to in a body, empty where it says everything once."""
    media = content_type.partition(";")[0].strip().lower()
    try:
        return _of_yaml(body) if media in YAML or media.endswith("+yaml") else _of_json(body)
    except (ValueError, RecursionError, yaml.YAMLError):
        return []


def _of_json(body: bytes) -> list[str]:
    met = False

    def made(pairs: Pairs) -> dict[str, Any]:
        nonlocal met
        plain = dict(pairs)
        if len(plain) == len(pairs):
            return plain
        met = True
        return _twice(pairs)

    found = json.loads(body, object_pairs_hook=made)
    # Nearly every body says everything once, and need not be looked at again.
    return [f'duplicate field "{path}"' for path in _repeated(found, "")] if met else []


def _twice(pairs: Pairs) -> _Repeated:
    counted = Counter(key for key, _ in pairs)
    return _Repeated(pairs, [key for key, count in counted.items() if count > 1])


def _repeated(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, _Repeated):
        yield from (paths.child(path, key) for key in value.twice)
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _repeated(each, paths.child(path, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _repeated(each, paths.item(path, index))


def _of_yaml(body: bytes) -> list[str]:
    found: list[str] = []
    open_maps: list[set[str]] = []
    keys: list[bool] = []  # of each open collection: whether the next scalar is a key
    for event in yaml.parse(body, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            keys.pop()
            open_maps.pop()
            _turn(keys, open_maps)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            is_map = isinstance(event, yaml.MappingStartEvent)
            open_maps.append({""} if is_map else set())
            keys.append(is_map)
        elif isinstance(event, yaml.ScalarEvent | yaml.AliasEvent) and keys:
            if keys[-1] and isinstance(event, yaml.ScalarEvent):
                if event.value in open_maps[-1]:
                    line = event.start_mark.line + 1 if event.start_mark else 0
                    found.append(f'line {line}: key "{event.value}" already set in map')
                open_maps[-1].add(event.value)
            _turn(keys, open_maps)
    return ["yaml: unmarshal errors:\n  " + "\n  ".join(found)] if found else []


def _turn(keys: list[bool], open_maps: list[set[str]]) -> None:
    """In a map, a value comes after a key, and a key after a value."""
    if keys and open_maps[-1]:
        keys[-1] = not keys[-1]
