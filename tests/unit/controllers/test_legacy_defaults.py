"""Whose ConfigMap of storage defaults counts: the installation's, then a HyperConverged's."""

import pytest

from cdi.controllers.storageprofile import Reconciler
from cdi.kube import objects
from cdi.kube.objects import Object
from support import world
from support.fakeclock import FakeClock

NAME = "kubevirt-storage-class-defaults"


def config_map(namespace: str, mode: str) -> Object:
    return {"metadata": {"name": NAME, "namespace": namespace}, "data": {"accessMode": mode}}


@pytest.mark.parametrize(
    ("maps", "hyperconverged", "mode"),
    [
        pytest.param({world.SETTINGS.namespace: "A", "hco": "B"}, ["hco"], "A", id="ours-wins"),
        pytest.param({"hco": "B"}, ["hco"], "B", id="a-hyperconvergeds"),
        pytest.param({"hco": "B"}, [], None, id="nobodys"),
        pytest.param({"users": "C"}, ["hco"], None, id="a-users-counts-nothing"),
    ],
)
def test_the_defaults_of_trusted_namespaces_are_read(
    maps: dict[str, str], hyperconverged: list[str], mode: str | None
) -> None:
    found = world.World([])
    for namespace, said in maps.items():
        found.put("legacy_defaults", config_map(namespace, said))
    for namespace in hyperconverged:
        found.put("hyperconvergeds", {"metadata": {"name": "kubevirt", "namespace": namespace}})
    storage_class = found.put("classes", world.storage_class())
    made = Reconciler(found.cluster, world.SETTINGS, found, FakeClock())  # type: ignore[arg-type]

    seen = made.observe(objects.key(storage_class))
    assert seen.legacy_defaults.get("accessMode") == mode
