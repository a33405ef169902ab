"""The API server refuses, and later does not: everything ends as if it never had."""

import pytest

from cdi.kube import errors, objects
from cdi.kube.objects import Object
from cdi.kube.resource import Resource
from support import world
from support.world import World, with_classes

QUOTA = {"code": 403, "reason": "Forbidden", "message": "pods x is forbidden: exceeded quota: q"}
BROKEN = {"code": 500, "reason": "InternalError", "message": "etcd is away"}
ENDING = {
    "code": 403, "reason": "Forbidden", "message": "the namespace is being terminated",
    "details": {"causes": [{"reason": "NamespaceTerminating"}]},
}  # fmt: skip


def refusing(found: World, kind: str, answer: Object, name: str = "") -> None:
    def refuse(verb: str, resource: Resource, obj: Object) -> errors.ApiError | None:
        meant = resource.kind == kind and objects.name(obj).startswith(name)
        return errors.from_status(answer) if meant else None

    found.refuse = refuse


@pytest.mark.parametrize("populator", [False, True])
@pytest.mark.parametrize(
    ("kind", "name", "answer", "told"),
    [
        pytest.param("PersistentVolumeClaim", "dv", QUOTA, "ErrExceededQuota", id="claim-quota"),
        pytest.param("Pod", "", QUOTA, "ErrExceededQuota", id="pod-quota"),
        pytest.param("Pod", "", BROKEN, "", id="pod-server-error"),
        pytest.param("PersistentVolumeClaim", "prime", QUOTA, "", id="prime-quota"),
        pytest.param("VolumeImportSource", "", BROKEN, "", id="source-server-error"),
    ],
)
def test_a_refusal_ends_when_the_server_takes_it(
    kind: str, name: str, answer: Object, told: str, populator: bool
) -> None:
    found = with_classes(World())
    if populator:
        found.put("csi_drivers", {"metadata": {"name": world.DRIVER}})
    found.settle()
    refusing(found, kind, answer, name)
    found.put("data_volumes", world.data_volume())
    for _ in range(5):
        found.reconcile_all()
        _ = found.run_pods() or found.bind_claims()
    reasons = {reason for _, _, _, reason, _ in found.told}
    assert not told or told in reasons
    found.refuse = None
    found.settle()
    volume = found.get_one("data_volumes", "dv")
    assert objects.get(volume, "status", "phase") == "Succeeded"
    assert objects.get(volume, "status", "conditions", 1, "status") == "True"


def test_nothing_is_made_in_a_namespace_that_ends() -> None:
    found = with_classes(World())
    found.settle()
    refusing(found, "PersistentVolumeClaim", ENDING)
    found.put("data_volumes", world.data_volume())
    found.reconcile_all()
    assert not [each for each in found.told if each[2] == "Warning"]
    assert len(found.cluster.claims) == 0
