"""The populators of oVirt and OpenStack: whose claims they fill, and how they ask for it."""

from typing import Any

import pytest

from cdi.api import annotations as known
from cdi.controllers import plan
from cdi.controllers.datavolume.decide import decide as decide_volume
from cdi.controllers.datavolume.seen import Seen as VolumeSeen
from cdi.controllers.importing import pod as importing
from cdi.controllers.populating.decide import decide
from cdi.controllers.populating.registry import populator_of
from cdi.controllers.populating.seen import Seen
from cdi.kube.objects import Object
from cdi.storage.rendering import Cluster
from support import world

GROUP = "forklift.cdi.kubevirt.io"
OVIRT, OPENSTACK = "OvirtVolumePopulator", "OpenstackVolumePopulator"
SPECS = {
    OVIRT: {"engineUrl": "https://engine/api", "secretRef": "keys", "diskId": "d-1"},
    OPENSTACK: {"identityUrl": "https://cloud/identity", "secretRef": "keys", "imageId": "i-1"},
}


def target(kind: str, group: str | None = GROUP, **reference: Any) -> Object:
    named = {"kind": kind, "name": "s", **({"apiGroup": group} if group else {}), **reference}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "disk", "namespace": "ns", "uid": "t", "annotations": {}},
        "spec": {**world.pvc_spec(), "dataSourceRef": named},
        "status": {"phase": "Pending"},
    }


def source(kind: str, **more: Any) -> Object:
    return {"metadata": {"name": "s"}, "spec": {**SPECS[kind], **more}}


def prime_of(kind: str, **more: Any) -> Object:
    seen = Seen(
        target(kind),
        world.SETTINGS,
        source_object=source(kind, **more),
        classes=[world.storage_class()],
    )
    (made,) = [step for step in decide(seen).steps if isinstance(step, plan.Create)]
    return made.object


@pytest.mark.parametrize(
    ("claim", "kind"),
    [
        pytest.param(target(OVIRT), OVIRT, id="ovirt"),
        pytest.param(target(OPENSTACK), OPENSTACK, id="openstack"),
        pytest.param(target(OVIRT, None), OVIRT, id="without-a-group"),
        pytest.param(target(OVIRT, namespace="ns"), OVIRT, id="its-own-namespace"),
        pytest.param(target(OVIRT, namespace="other"), "", id="another-namespace"),
        pytest.param(target(OVIRT, "forklift.konveyor.io"), "", id="somebody-elses-group"),
        pytest.param(target(OVIRT, "cdi.kubevirt.io"), "", id="a-group-of-ours-without-it"),
    ],
)
def test_claims_are_told_by_what_they_name(claim: Object, kind: str) -> None:
    found = populator_of(claim, None)
    assert (found.resource.kind if found else "") == kind


@pytest.mark.parametrize(
    ("kind", "asks_for", "address", "disk"),
    [
        pytest.param(OVIRT, "ovirt", "https://engine/api", "d-1", id="ovirt"),
        pytest.param(OPENSTACK, "openstack", "https://cloud/identity", "i-1", id="openstack"),
    ],
)
def test_a_prime_asks_the_importer(kind: str, asks_for: str, address: str, disk: str) -> None:
    given = prime_of(kind, transferNetwork="fast")["metadata"]["annotations"]

    assert given[known.SOURCE] == asks_for
    assert (given[known.ENDPOINT], given[known.DISK_ID]) == (address, disk)
    assert given[known.POPULATOR_KIND] == "forklift"
    assert given[known.USE_POPULATOR] == "true"
    assert given[known.MULTUS_DEFAULT_NETWORK] == "fast"


@pytest.mark.parametrize("kind", [OVIRT, OPENSTACK])
def test_a_prime_stays_with_whoever_began_it(kind: str) -> None:
    found = populator_of(target("Nothing"), prime_of(kind))
    assert found is not None
    assert found.resource.kind == kind


@pytest.mark.parametrize("kind", [OVIRT, OPENSTACK])
def test_the_pod_is_found_by_clients_and_shows_no_secret(kind: str) -> None:
    prime = prime_of(kind)
    prime["metadata"]["uid"] = "p"
    context = importing.PodContext(world.SETTINGS, target=target(kind))
    made = importing.pod_for(prime, context, with_scratch=False)

    assert made["metadata"]["name"] == "populate-t"
    container = made["spec"]["containers"][0]
    assert not [each for each in container["env"] if "valueFrom" in each]
    volumes = {each["name"]: each for each in made["spec"]["volumes"]}
    (mount,) = [each for each in container["volumeMounts"] if each["mountPath"] == "/populator"]
    assert volumes[mount["name"]]["secret"] == {"secretName": "keys"}


def test_a_source_that_is_missing_is_told() -> None:
    seen = Seen(target(OVIRT), world.SETTINGS, classes=[world.storage_class()])
    assert [event.reason for event in decide(seen).events] == ["ErrResourceDoesntExist"]


def filled(**given: str) -> Object:
    claim = target(OPENSTACK)
    claim["metadata"]["annotations"] = {known.PVC_PRIME: "prime-t", **given}
    claim["metadata"]["ownerReferences"] = [
        {"uid": "d", "kind": "DataVolume", "name": "disk", "controller": True}
    ]
    return claim


@pytest.mark.parametrize(
    ("claim", "bound", "phase"),
    [
        pytest.param(filled(), False, "Pending", id="not-yet"),
        pytest.param(
            filled(**{known.FATAL_ERROR: "true", known.RUNNING_MESSAGE: "no such image"}),
            False, "Failed", id="failed-for-good",
        ),
        pytest.param(filled(**{known.POD_PHASE: "Succeeded"}), True, "Succeeded", id="full"),
    ],
)  # fmt: skip
def test_a_data_volume_may_name_one_where_no_csi_driver_is(
    claim: Object, bound: bool, phase: str
) -> None:
    claim["status"]["phase"] = "Bound" if bound else "Pending"
    volume = {
        "apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "DataVolume",
        "metadata": {"name": "disk", "namespace": "ns", "uid": "d"},
        "spec": {"pvc": {**world.pvc_spec(), "dataSourceRef": claim["spec"]["dataSourceRef"]}},
    }  # fmt: skip
    storage = Cluster(classes=[world.storage_class()], config={"spec": {}, "status": {}})
    seen = VolumeSeen(volume, world.SETTINGS, "2030-01-01T00:00:00Z", storage, claim)
    (status,) = [s.status for s in decide_volume(seen).steps if isinstance(s, plan.SetStatus)]

    assert status["phase"] == phase
