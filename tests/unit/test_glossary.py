"""The glossary of docs/architecture.md: its words are used, and those before them are not."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "architecture.md"
SOURCES = sorted((ROOT / "src").rglob("*.py"))

# What the words of the glossary have replaced: no class, function or module is called so any more.
REPLACED = {
    *("Deed", "Dear", "Exchange", "Extraction", "Line", "Order", "Supply", "Tally", "Told", "Wish"),
    *("beside", "boundness", "heed", "notes", "running", "turn"),
    *("beside.py", "boundness.py", "line.py", "notes.py", "running.py"),
}


def glossary() -> list[str]:
    """Return every word, or words, that the tables explain."""
    text = PAGE.read_text().partition("\n## Glossary\n")[2]
    rows = re.findall(r"^\| ([^|]+?) \|", text, flags=re.MULTILINE)
    entries = (row for row in rows if row != "word" and not set(row) <= {"-", " "})
    plain = (re.sub(r"\([^)]*\)|`", "", entry) for entry in entries)
    return sorted({word.strip() for entry in plain for word in entry.split(",")})


@cache
def code() -> str:
    """Return all of the code, with what is written together or with underscores taken apart."""
    text = "\n".join(path.read_text() for path in SOURCES)
    text = re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", text)
    return re.sub(r"\s+", " ", text).lower()


def named(path: Path) -> Iterator[str]:
    """Yield the names of a module, and of its classes and functions."""
    yield path.name
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name


@pytest.mark.parametrize("word", glossary())
def test_a_word_of_the_glossary_is_used(word: str) -> None:
    spelled = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", word).lower()
    assert re.search(rf"\b{spelled.replace(' ', ' ?')}", code())


def test_words_that_were_replaced_are_gone() -> None:
    found = {f"{name} in {path}" for path in SOURCES for name in named(path) if name in REPLACED}
    assert not found
