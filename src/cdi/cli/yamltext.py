"""Objects as YAML that people and kubectl read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml


def documents(objects: Iterable[Any]) -> str:
    """All objects, each a document of its own."""
    text: str = yaml.dump_all(
        objects,
        Dumper=_Plain,
        explicit_start=True,
        sort_keys=False,
        allow_unicode=True,
        width=100,
    )
    return text


class _Plain(yaml.SafeDumper):
    """Writes no anchors: an object that occurs twice is written twice."""

    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True
