"""Scratch claims: when, which class, what size."""

from typing import Any

import pytest

from cdi.api import annotations
from cdi.storage import scratch

GIB = 1 << 30
MIB = 1 << 20
_IMPORT = "cdi.kubevirt.io/storage.import."


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        pytest.param({_IMPORT + "source": "http"}, False, id="http"),
        pytest.param({"cdi.kubevirt.io/storage.contentType": "archive"}, True, id="archive"),
        pytest.param({_IMPORT + "source": "registry"}, True, id="registry"),
        pytest.param(
            {_IMPORT + "source": "registry", _IMPORT + "registryImportMethod": "node"},
            False,
            id="registry-by-node",
        ),
        pytest.param({_IMPORT + "source": "glance"}, True, id="glance"),
        pytest.param({_IMPORT + "source": "imageio"}, False, id="imageio"),
        pytest.param(
            {
                _IMPORT + "source": "imageio",
                "cdi.kubevirt.io/storage.checkpoint.current": "snap",
            },
            True,
            id="imageio-in-stages",
        ),
        pytest.param({_IMPORT + "requiresScratch": "true"}, True, id="asked-for"),
        pytest.param({_IMPORT + "requiresScratch": "false"}, False, id="not-asked-for"),
    ],
)
def test_who_gets_scratch_from_the_start(given: dict[str, str], wanted: bool) -> None:
    assert scratch.is_given_from_start(given) is wanted


def storage_class(name: str, **marks: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "annotations": marks}}


DEFAULT = storage_class("usual", **{annotations.DEFAULT_STORAGE_CLASS: "true"})


@pytest.mark.parametrize(
    ("config", "target", "asked", "classes", "wanted"),
    [
        pytest.param("fast", "slow", "mine", [DEFAULT], "mine", id="asked-for"),
        pytest.param("fast", "slow", None, [DEFAULT], "fast", id="configured"),
        pytest.param("", "slow", None, [DEFAULT], "usual", id="the-clusters-default"),
        pytest.param("", "slow", None, [storage_class("x")], "slow", id="of-the-target"),
        pytest.param("", None, None, [], None, id="none-at-all"),
    ],
)
def test_class(
    config: str, target: str | None, asked: str | None, classes: list[Any], wanted: str | None
) -> None:
    status = {"status": {"scratchSpaceStorageClass": config}}
    given = {annotations.SCRATCH_CLASS: asked} if asked else {}
    claim = {
        "metadata": {"annotations": given},
        "spec": {"storageClassName": target} if target else {},
    }
    assert scratch.class_for(status, claim, classes) == wanted


@pytest.mark.parametrize(
    ("name", "word"),
    [
        pytest.param(None, "no StorageClass", id="none"),
        pytest.param("gone", "gone does not exist", id="missing"),
        pytest.param("usual", "", id="there"),
    ],
)
def test_a_scratch_claim_without_hope_says_why(name: str | None, word: str) -> None:
    why = scratch.why_pending(name, [DEFAULT])
    assert word in why
    assert bool(why) == bool(word)


@pytest.mark.parametrize(
    ("scratch_share", "target_share", "wanted"),
    [
        pytest.param(0.03, 0.03, 1024, id="alike"),
        pytest.param(0.10, 0.03, 1094, id="scratch-needs-more"),
        pytest.param(0.03, 0.10, 958, id="target-needs-more"),
    ],
)
def test_size(scratch_share: float, target_share: float, wanted: int) -> None:
    assert scratch.size_for(GIB, target_share, scratch_share) == wanted * MIB


def test_spec_of_a_scratch_claim() -> None:
    assert scratch.claim_spec_for("fast", GIB, "2Gi") == {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": str(GIB)}, "limits": {"storage": "2Gi"}},
        "storageClassName": "fast",
    }
    assert "storageClassName" not in scratch.claim_spec_for(None, GIB)


def test_annotations_of_a_scratch_claim() -> None:
    node = {"volume.kubernetes.io/selected-node": "n1"}
    foreign = {"x.kubevirt.io/a": "1"}
    claim = {"metadata": {"annotations": node | foreign | {"cdi.kubevirt.io/b": "2", "c": "3"}}}
    assert scratch.annotations_for(claim, is_populator=False) == foreign
    assert scratch.annotations_for(claim, is_populator=True) == foreign | node
