"""
What the fields of built-in kinds mean, for `kubectl explain`.

The sentences are Kubernetes' own and are not ours to copy: they are read, when somebody asks, from
the `kubernetes` package that is installed anyway (its generated models, as text: importing them
would take a second). Where that package has another shape, fields simply have no description.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import pathlib
import re

_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def of_type(component: str) -> str:
    """What the type is; empty when nothing is known."""
    return _model(component).get("", "")


def of_field(component: str, name: str) -> str:
    """What the field is for; empty when nothing is known."""
    return _model(component).get(name, "") if component else ""


@functools.lru_cache(maxsize=512)
def _model(component: str) -> dict[str, str]:
    """Descriptions of one type's fields by their JSON names, and of the type itself under ""."""
    package, _, name = component.rpartition(".")
    folder = _models()
    if folder is None or not package.startswith("io.k8s."):
        return {}
    version = package.rpartition(".")[2]
    group = package.split(".")[-2]
    for stem in (f"{version}_{name}", f"{group}_{version}_{name}"):
        path = folder / f"{_snake(stem)}.py"
        if path.is_file():
            return _parse(path.read_text(encoding="utf-8"))
    return {}


@functools.cache
def _models() -> pathlib.Path | None:
    found = importlib.util.find_spec("kubernetes")
    if found is None or not found.submodule_search_locations:
        return None
    folder = pathlib.Path(next(iter(found.submodule_search_locations))) / "client" / "models"
    return folder if folder.is_dir() else None


def _snake(name: str) -> str:
    return "_".join(part.strip("_") for part in _WORDS.split(name)).lower()


def _parse(source: str) -> dict[str, str]:
    """Read `name: T = Field(description="...", serialization_alias="...")` of the class."""
    found: dict[str, str] = {}
    head = _HEAD.search(source)
    if head is None:
        return found
    found[""] = head[1].strip()
    # Everything of interest stands before the table of types.
    body = source[head.end() : source.find("openapi_types:", head.end())]
    for field in _FIELD.finditer(body):
        if text := _DESCRIPTION.search(field[2]):
            alias = _ALIAS.search(field[2])
            found[alias[1] if alias else field[1]] = str(ast.literal_eval(text[1]))
    return found


_HEAD = re.compile(r'^class \w+\(.*?\):\s+"""\s*(.*?)\s*(?:\n\n|""")', re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"^    (\w+): .*? = Field\((.*)\)$", re.MULTILINE)
_DESCRIPTION = re.compile(r'\bdescription=("(?:[^"\\]|\\.)*")')
_ALIAS = re.compile(r'\bserialization_alias="([^"]*)"')
