"""Clones, from `kubectl apply` to Succeeded, and the bytes are those of the source."""

import pytest

from cdi.api.phases import DataVolume as Phase
from support import disks
from support.cluster import Namespace
from support.manifests import data_volume, http

pytestmark = pytest.mark.e2e


def clone_of(name: str, namespace: str, kind: str = "pvc") -> dict:
    return {kind: {"namespace": namespace, "name": name}}


def assert_same_disk(space: Namespace, name: str, other: Namespace, source: str) -> None:
    """Two claims hold the same disk; looked at where their files are on this machine."""
    here, there = space.claim_disk(name), other.claim_disk(source)
    if here is not None and there is not None:
        assert disks.differs(here, there) == ""


@pytest.fixture
def filled(space: Namespace, server, images) -> Namespace:
    """A namespace with a DataVolume `src` that holds a disk."""
    url = server.put("/disk.qcow2", images.blob("qcow2"))
    space.apply(data_volume("src", http(url)))
    space.wait_phase("src", Phase.SUCCEEDED)
    return space


def test_a_claim_is_cloned_and_larger_if_wanted(filled: Namespace) -> None:
    source = clone_of("src", filled.name)
    filled.apply(data_volume("same", source), data_volume("larger", source, size="96Mi"))
    for name in ("same", "larger"):
        filled.wait_phase(name, Phase.SUCCEEDED)
        assert_same_disk(filled, name, filled, "src")
    status = filled.get("dv", "same")["status"]
    assert (status["progress"], status["claimName"]) == ("100.0%", "same")
    assert filled.names("pvc") == {"src", "same", "larger"}


def test_a_clone_waits_for_its_source(space: Namespace, server, images) -> None:
    space.apply(data_volume("clone", clone_of("src", space.name)))
    space.until_event("dv/clone", "CloneWithoutSource")
    url = server.put("/disk.qcow2", images.blob("qcow2"))
    space.apply(data_volume("src", http(url)))
    space.wait_phase("clone", Phase.SUCCEEDED)
    assert_same_disk(space, "clone", space, "src")
