"""`cdi explain` says where the class, the modes and the size of a claim came from."""

from typing import Any

import pytest

from cdi.api import annotations as known
from cdi.cli import provenance
from cdi.kube.objects import Object

SETS = [{"accessModes": ["ReadWriteMany"], "volumeMode": "Block"}]
CONFIG = {"status": {"filesystemOverhead": {"global": "0.1"}}}


def storage_class(provisioner: str = "example.com/disks", **marks: str) -> Object:
    return {"metadata": {"name": "gold", "annotations": marks}, "provisioner": provisioner}


def profile(spec: Object | None = None, **notes: str) -> Object:
    return {
        "metadata": {"name": "gold", "annotations": notes},
        "spec": spec or {},
        "status": {"claimPropertySets": SETS},
    }


def volume(block: Object, by: str = "storage", **given: str) -> Object:
    return {"metadata": {"name": "dv", "annotations": given}, "spec": {by: block}}


def claim(size: str = "1073741824", mode: str = "Filesystem") -> Object:
    return {
        "metadata": {"name": "dv"},
        "spec": {
            "storageClassName": "gold",
            "accessModes": ["ReadWriteOnce"],
            "volumeMode": mode,
            "resources": {"requests": {"storage": size}},
        },
    }


def told(block: Object, **fields: Any) -> dict[str, str]:
    of = fields.pop("volume", None) or volume(block)
    base = {"claim": claim(), "classes": [storage_class()], "profile": profile(), "config": CONFIG}
    lines = provenance.lines(provenance.Seen(of, **{**base, **fields}))
    return {name: text.strip() for name, _, text in (line.partition(":") for line in lines)}


@pytest.mark.parametrize(
    ("block", "marks", "word"),
    [
        pytest.param({"storageClassName": "gold"}, {}, "as asked for", id="asked"),
        pytest.param({}, {known.DEFAULT_STORAGE_CLASS: "true"}, "of the cluster", id="default"),
        pytest.param({}, {known.DEFAULT_VIRT_STORAGE_CLASS: "true"}, "of virtual machines",
                     id="virt"),
        pytest.param({}, {}, "at that time", id="no-default-any-more"),
    ],
)  # fmt: skip
def test_the_class(block: Object, marks: dict[str, str], word: str) -> None:
    assert word in told(block, classes=[storage_class(**marks)])["Class"]


@pytest.mark.parametrize(
    ("block", "provisioner", "spec", "word"),
    [
        pytest.param({"accessModes": ["ReadWriteOnce"]}, "x", {}, "as asked for", id="asked"),
        pytest.param({}, "x", {"claimPropertySets": SETS}, "spec.claimPropertySets", id="by-hand"),
        pytest.param({}, "topolvm.io", {}, "known of provisioner topolvm.io", id="the-table"),
        pytest.param({}, "x", {}, "kubevirt-storage-class-defaults", id="the-config-map"),
        pytest.param(
            {}, "kubernetes.io/no-provisioner", {}, "PersistentVolumes of this class", id="static"
        ),
    ],
)
def test_the_modes(block: Object, provisioner: str, spec: Object, word: str) -> None:
    found = told(block, classes=[storage_class(provisioner)], profile=profile(spec))
    assert word in found["Access"]


def test_a_profile_that_may_not_be_read_is_not_guessed_at() -> None:
    assert told({}, profile=None)["Access"].endswith("from the StorageProfile of its class")


ONE = {"resources": {"requests": {"storage": "1Gi"}}}
GROWN = "1181116007"  # 1Gi and a tenth


@pytest.mark.parametrize(
    ("of", "written", "mode", "notes", "words"),
    [
        pytest.param(volume(ONE), GROWN, "Filesystem", {}, ("1Gi as asked for", "0.1 for the file"),
                     id="overhead"),
        pytest.param(volume(ONE), "1073741824", "Block", {}, ("1Gi as asked for",), id="block"),
        pytest.param(volume(ONE, "pvc"), "1073741824", "Filesystem", {}, ("1Gi as asked for",),
                     id="by-pvc"),
        pytest.param(volume(ONE), "4294967296", "Block", {known.MINIMUM_PVC_SIZE: "4Gi"},
                     ("1Gi as asked for", "smallest volume"), id="minimum"),
        pytest.param(volume({}, **{known.IMPORT_VIRTUAL_SIZE: "1073741824"}), GROWN, "Filesystem",
                     {}, ("read from the source", "0.1 for the file"), id="measured"),
        pytest.param(volume({}), "1073741824", "Block", {}, ("cloned from",), id="cloned"),
    ],
)  # fmt: skip
def test_the_size(
    of: Object, written: str, mode: str, notes: dict[str, str], words: tuple[str, ...]
) -> None:
    size = told({}, volume=of, claim=claim(written, mode), profile=profile(**notes))["Size"]
    assert size.startswith(f"{written} bytes")
    assert not [word for word in words if word not in size]
