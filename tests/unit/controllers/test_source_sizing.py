"""How the claim of an import gets a size that nobody named: what is decided at each look."""

import json
from typing import Any

import pytest

from cdi.api import annotations as known
from cdi.api import quantity
from cdi.controllers import plan
from cdi.controllers.datavolume.decide import decide
from cdi.controllers.datavolume.seen import Seen
from cdi.kube.objects import Object
from cdi.storage.rendering import Cluster
from support import world

GIB = 1 << 30
SETS = [{"accessModes": ["ReadWriteOnce"], "volumeMode": "Filesystem"}]
CONFIG = {
    "spec": {"featureGates": ["HonorWaitForFirstConsumer"]},
    "status": {"filesystemOverhead": {"global": "0.1", "storageClass": {}}},
}


def storage(**of_profile: Any) -> Cluster:
    profile = {"metadata": {"name": "fast", **of_profile}, "status": {"claimPropertySets": SETS}}
    return Cluster(classes=[world.storage_class()], profiles={"fast": profile}, config=CONFIG)


def seen(
    source: Object = world.HTTP, *, phase: str = "", measuring: Object | None = None, **fields: Any
) -> Seen:
    spec = {"source": source, "storage": fields.pop("storage_spec", {})}
    meta = {"name": "dv", "namespace": "ns", "uid": "d", "annotations": fields.pop("given", {})}
    volume: Object = {
        "apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "DataVolume",
        "metadata": meta, "spec": spec,
    }  # fmt: skip
    if phase:
        volume["status"] = {"phase": phase}
    base = {"settings": world.SETTINGS, "now": "2030-01-01T00:00:00Z", "storage": storage()}
    return Seen(volume=volume, measuring=measuring, **{**base, **fields})


def pod(status: Object) -> Object:
    status = json.loads(json.dumps(status))
    status["containerStatuses"][0]["name"] = "size-detection-source"
    return {"metadata": {"name": "size-detection-d", "namespace": "ns", "uid": "p"},
            "status": status}  # fmt: skip


def said(code: int = 0, **message: Any) -> Object:
    return pod(world.state("Succeeded", terminated=world.ended(json.dumps(message), code)))


def steps(found: plan.Plan, kind: type) -> list[Any]:
    return [each for each in found.steps if isinstance(each, kind)]


def status_of(found: plan.Plan) -> Object:
    return steps(found, plan.SetStatus)[-1].status


def bound(found: plan.Plan) -> tuple[str, str]:
    conditions = {each["type"]: each for each in status_of(found)["conditions"]}
    return conditions["Bound"]["reason"], conditions["Bound"]["message"]


def made(found: plan.Plan, kind: str) -> list[Object]:
    return [each.object for each in steps(found, plan.Create) if each.object["kind"] == kind]


REGISTRY = {"registry": {"url": "docker://example/disk", "pullMethod": "node", "secretRef": "keys"}}
S3 = {"s3": {"url": "https://store/bucket/disk", "secretRef": "keys"}}
GCS = {"gcs": {"url": "gs://bucket/disk", "secretRef": "keys"}}
IMAGEIO = {"imageio": {"url": "https://engine", "diskId": "1", "secretRef": "keys",
                       "certConfigMap": "ca"}}  # fmt: skip


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(world.HTTP, id="http"),
        pytest.param(REGISTRY, id="registry-that-nodes-pull"),
        pytest.param(S3, id="s3"),
        pytest.param(GCS, id="gcs"),
        pytest.param(IMAGEIO, id="imageio"),
    ],
)
def test_a_pod_measures_before_there_is_a_claim(source: Object) -> None:
    found = decide(seen(source))

    assert not made(found, "PersistentVolumeClaim")
    (wanted,) = made(found, "Pod")
    container = wanted["spec"]["containers"][0]
    env = {each["name"]: each.get("value") for each in container["env"]}
    assert container["command"][-1] == "cdi.workers.sourcesize"
    assert env["IMPORTER_SOURCE"] == next(iter(source))
    assert env["IMPORTER_ENDPOINT"] == source[next(iter(source))]["url"]
    assert not any("persistentVolumeClaim" in each for each in wanted["spec"].get("volumes", []))
    assert wanted["metadata"]["ownerReferences"][0]["uid"] == "d"
    assert status_of(found)["phase"] == "Pending"
    assert bound(found)[0] == "SizeDetectionPodNotReady"
    assert found.events[0].reason == "SizeDetectionPodCreated"


def test_the_pod_gets_the_proxys_certificates() -> None:
    config = {**CONFIG, "status": {"importProxy": {"trustedCAProxy": "ca", "HTTPProxy": "p:1"}}}
    storage_of = Cluster(classes=[world.storage_class()], config=config)
    spec = {"accessModes": ["ReadWriteOnce"], "volumeMode": "Filesystem"}
    ca = {"data": {"ca.crt": "PEM"}}
    found = decide(seen(storage=storage_of, storage_spec=spec, proxy_ca=ca))

    (copied,), (wanted,) = made(found, "ConfigMap"), made(found, "Pod")
    assert copied["data"] == ca["data"]
    named = [each.get("configMap", {}).get("name") for each in wanted["spec"]["volumes"]]
    assert copied["metadata"]["name"] in named


FAILED = {"permanent": True, "reason": "SizeUnknown", "message": "the source does not say"}
MENDABLE = {"permanent": True, "mendable": True, "reason": "SourceNotFound", "message": "404"}


@pytest.mark.parametrize(
    ("measuring", "phase", "reason", "word"),
    [
        pytest.param(pod(world.CREATING), "Pending", "SizeDetectionPodNotReady", "not read",
                     id="starts"),
        pytest.param(
            pod(world.state("Pending", waiting={
                "reason": "CreateContainerConfigError", "message": 'secret "keys" not found'})),
            "Pending", "CreateContainerConfigError", 'secret "keys" not found', id="lacks-a-secret",
        ),
        pytest.param(said(**FAILED), "Failed", "SizeUnknown", "does not say", id="cannot-be-known"),
        pytest.param(said(1, **MENDABLE), "Pending", "SourceNotFound", "404", id="may-be-mended"),
        pytest.param(said(1, reason="Stalled", message="no byte"), "Pending", "Stalled", "no byte",
                     id="tried-again"),
        pytest.param(said(1), "Pending", "ErrUnknown", "no reason", id="no-word"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_told(measuring: Object, phase: str, reason: str, word: str) -> None:
    found = decide(seen(measuring=measuring))

    assert not steps(found, plan.Create)
    assert status_of(found)["phase"] == phase
    told, message = bound(found)
    assert told == reason
    assert word in message
    assert (found.events[0].reason, found.events[0].message) == (reason, message)


def test_a_failure_stays_while_its_pod_is_there() -> None:
    first = decide(seen(measuring=said(**FAILED)))
    again = seen(measuring=said(**FAILED))
    again.volume["status"] = status_of(first)
    again.volume["metadata"]["annotations"][known.USE_POPULATOR] = "false"

    assert decide(again).steps == ()


def test_what_was_found_is_noted_and_the_pod_goes() -> None:
    found = decide(seen(measuring=said(virtualSize=5 * GIB)))

    (change,) = steps(found, plan.Change)
    assert change.wanted["metadata"]["annotations"][known.IMPORT_VIRTUAL_SIZE] == str(5 * GIB)
    assert len(steps(found, plan.Remove)) == 1
    assert found.steps.index(change) < found.steps.index(steps(found, plan.Remove)[0])
    assert not made(found, "PersistentVolumeClaim")


@pytest.mark.parametrize(
    ("found_size", "minimum", "mode", "asked"),
    [
        pytest.param(5 * GIB, None, "Filesystem", 5905580032, id="grows-by-the-overhead"),
        pytest.param(5 * GIB, None, "Block", 5 * GIB, id="block-has-none"),
        pytest.param(512, None, "Block", 1 << 20, id="no-less-than-a-mebibyte"),
        pytest.param(GIB, "8Gi", "Filesystem", 8 * GIB, id="the-storage-has-a-minimum"),
    ],
)
def test_the_claim_is_rendered_for_what_was_found(
    found_size: int, minimum: str | None, mode: str, asked: int
) -> None:
    notes = {known.MINIMUM_PVC_SIZE: minimum} if minimum else {}
    spec = {"accessModes": ["ReadWriteOnce"], "volumeMode": mode}
    given = {known.IMPORT_VIRTUAL_SIZE: str(found_size)}
    left_over = said(virtualSize=found_size)
    found = decide(
        seen(
            given=given,
            storage=storage(annotations=notes),
            storage_spec=spec,
            measuring=left_over,
        )
    )

    (claim,) = made(found, "PersistentVolumeClaim")
    text = claim["spec"]["resources"]["requests"]["storage"]
    assert quantity.parse(text).value() == asked
    assert len(steps(found, plan.Remove)) == 1  # a crash has left it behind


def test_a_claim_left_to_the_webhook_asks_for_the_disk_alone() -> None:
    known_size = seen(given={known.IMPORT_VIRTUAL_SIZE: str(5 * GIB)})
    known_size.volume["metadata"]["labels"] = {"cdi.kubevirt.io/applyStorageProfile": "true"}
    found = decide(known_size)

    (claim,) = made(found, "PersistentVolumeClaim")
    assert claim["spec"]["resources"]["requests"]["storage"] == str(5 * GIB)


@pytest.mark.parametrize(
    ("source", "spec"),
    [
        pytest.param({"blank": {}}, {}, id="blank-has-none"),
        pytest.param({"vddk": {"url": "https://vcenter"}}, {}, id="vddk-is-not-measured"),
    ],
)
def test_other_sources_need_a_size(source: Object, spec: Object) -> None:
    found = decide(seen(source, storage_spec=spec))

    assert not steps(found, plan.Create)
    assert bound(found)[0] == "ErrClaimNotValid"


def test_a_size_that_was_asked_for_is_not_measured() -> None:
    found = decide(seen(storage_spec={"resources": {"requests": {"storage": "1Gi"}}}))

    assert not made(found, "Pod")
    assert made(found, "PersistentVolumeClaim")
