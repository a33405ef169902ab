"""Volumes that somebody made by hand, and classes that wait."""

from typing import Any

import pytest

from cdi.storage import classes, documents, volumes
from support.storage_objects import persistent_volume

CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}


def found(claim: Any, *existing: Any) -> list[str]:
    return [documents.name(each) for each in volumes.satisfying(existing, claim)]


def test_volumes_that_a_claim_could_be_bound_to_are_found_in_order() -> None:
    existing = [
        persistent_volume("large", "hand"),
        persistent_volume("too-small", "hand", capacity="1Mi"),
        persistent_volume("taken", "hand", phase="Bound"),
        persistent_volume("block", "hand", volume_mode="Block"),
        persistent_volume("read-only", "hand", access="ReadOnlyMany"),
        persistent_volume("exact", "other", capacity="1Gi"),
    ]
    assert found(CLAIM, *existing) == ["large", "exact"]


@pytest.mark.parametrize(("class_name", "wanted"), [("hand", ["a"]), ("other", []), ("", [])])
def test_a_claim_that_names_a_class_gets_that_class_only(class_name: str, wanted: Any) -> None:
    claim = CLAIM | {"storageClassName": class_name}
    assert found(claim, persistent_volume("a", "hand")) == wanted


@pytest.mark.parametrize(
    ("binding", "waits"),
    [
        pytest.param({"volumeBindingMode": "WaitForFirstConsumer"}, True, id="waits"),
        pytest.param({"volumeBindingMode": "Immediate"}, False, id="immediate"),
        pytest.param({}, False, id="absent"),
        pytest.param(None, False, id="no-class"),
    ],
)
def test_binding(binding: Any, waits: bool) -> None:
    assert classes.waits_for_consumer(binding) is waits
