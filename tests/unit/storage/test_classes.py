"""Which StorageClass a claim gets."""

from typing import Any

import pytest

from cdi.storage import classes, documents
from support.storage_objects import K8S_DEFAULT, VIRT_DEFAULT, storage_class

OLD, NEW = "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"
PLAIN = storage_class("plain")
USUAL = storage_class("usual", "p", K8S_DEFAULT)
MACHINES = storage_class("machines", "p", VIRT_DEFAULT)


def name_of(found: Any) -> str | None:
    return None if found is None else documents.name(found)


@pytest.mark.parametrize(
    ("existing", "name", "content", "wanted"),
    [
        pytest.param([PLAIN, USUAL], "plain", "", "plain", id="named"),
        pytest.param([PLAIN, USUAL], "gone", "", None, id="a-name-never-falls-back"),
        pytest.param([PLAIN, USUAL], "", "", None, id="the-empty-string-is-a-name"),
        pytest.param([USUAL, MACHINES], None, "", "machines", id="machines-first"),
        pytest.param([USUAL, MACHINES], None, "kubevirt", "machines", id="kubevirt-content"),
        pytest.param([USUAL, MACHINES], None, "archive", "usual", id="archives-take-the-usual"),
        pytest.param([PLAIN, USUAL], None, "", "usual", id="fall-back-to-the-usual"),
        pytest.param([MACHINES], None, "archive", None, id="archives-do-not-fall-back"),
        pytest.param([PLAIN], None, "", None, id="none-marked"),
    ],
)
def test_class_of_a_rendered_claim(existing: Any, name: Any, content: str, wanted: Any) -> None:
    assert name_of(classes.choose(existing, name, content)) == wanted


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        pytest.param(None, "usual", id="default"),
        pytest.param("machines", "machines", id="named"),
        pytest.param("gone", None, id="missing"),
    ],
)
def test_class_that_kubernetes_gives(name: Any, wanted: Any) -> None:
    assert name_of(classes.choose_as_kubernetes([USUAL, MACHINES], name)) == wanted


def test_the_newest_of_several_defaults_counts() -> None:
    marked = [
        storage_class("b", "p", K8S_DEFAULT, created=OLD),
        storage_class("c", "p", K8S_DEFAULT, created=NEW),
        storage_class("a", "p", K8S_DEFAULT, created=OLD),
    ]
    assert name_of(classes.default(marked)) == "c"


def test_of_equally_new_defaults_the_first_by_name_counts() -> None:
    marked = [storage_class(name, "p", VIRT_DEFAULT) for name in ("b", "a", "c")]
    assert name_of(classes.default_for_machines(marked)) == "a"


@pytest.mark.parametrize("value", ["True", "yes", "", "1"])
def test_a_mark_has_exactly_one_spelling(value: str) -> None:
    assert classes.default([storage_class("a", **{K8S_DEFAULT: value})]) is None
