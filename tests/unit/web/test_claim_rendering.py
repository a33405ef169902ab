"""A labelled claim is completed from its StorageProfile, or refused."""

from typing import Any

import pytest

from cdi.web.admission import resources
from cdi.web.admission.claim import ClaimRendering
from cdi.web.admission.decision import Decision
from cdi.web.admission.inquiry import Get
from cdi.web.admission.request import AdmissionRequest
from cdi.web.tokens.payload import ClonePayload
from support.admission import World
from support.storage_objects import K8S_DEFAULT, config, persistent_volume, profile, storage_class

A = "cdi.kubevirt.io/"
APPLY = {A + "applyStorageProfile": "true"}
RWO, RWX = "ReadWriteOnce", "ReadWriteMany"

TOKENS = {
    "good": ClonePayload("persistentvolumeclaims", "gold", "src", "vms", "c"),
    "other-source": ClonePayload("persistentvolumeclaims", "gold", "secret", "vms", "c"),
    "other-target": ClonePayload("persistentvolumeclaims", "gold", "src", "vms", "d"),
    "snapshot": ClonePayload("volumesnapshots", "gold", "src", "vms", "c"),
}
RULE = ClaimRendering(read_token=TOKENS.get).decide


def profile_of(name: str) -> Get:
    return Get(resources.STORAGE_PROFILES, name)


CLASSES = [storage_class("usual", "p", K8S_DEFAULT), storage_class("block", "q")]
CLUSTER: dict[Any, Any] = {
    resources.CLASSES: CLASSES,
    resources.CONFIG: config(),
    profile_of("usual"): profile("usual", (RWO, "Filesystem")),
    profile_of("block"): profile("block", (RWX, "Block")),
}


def claim(size: str | None = "1Gi", **spec: Any) -> dict[str, Any]:
    asked = {"resources": {"requests": {"storage": size}}} if size else {}
    metadata = {"name": "c", "namespace": "vms", "labels": APPLY}
    return {"metadata": metadata, "spec": {"volumeMode": "FromStorageProfile"} | asked | spec}


def annotated(obj: dict[str, Any], **annotations: str) -> dict[str, Any]:
    return obj | {"metadata": obj["metadata"] | {"annotations": annotations}}


def decided(obj: dict[str, Any], found: dict[Any, Any] | None = None, **more: Any) -> Decision:
    asked = AdmissionRequest(
        operation=more.get("operation", "CREATE"),
        resource=more.get("resource", resources.CLAIMS),
        kind="PersistentVolumeClaim",
        namespace="vms",
        name="c",
        object=obj,
        version="v1",
    )
    return World(CLUSTER | (found or {})).decide(RULE, asked)


def completed(obj: dict[str, Any], found: dict[Any, Any] | None = None) -> tuple[Any, ...]:
    answer = decided(obj, found)
    assert answer.allowed, answer.message
    spec = (answer.object or obj)["spec"]
    size = (spec.get("resources") or {}).get("requests", {}).get("storage")
    return spec.get("storageClassName"), spec.get("accessModes"), spec.get("volumeMode"), size


GROWN = "1138166334"
RESTORED = {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "s"}


@pytest.mark.parametrize(
    ("obj", "wanted"),
    [
        pytest.param(claim(), ("usual", [RWO], "Filesystem", GROWN), id="7-7-all-from-profile"),
        pytest.param(
            claim(storageClassName="block"), ("block", [RWX], "Block", "1Gi"), id="7-13-block"
        ),
        pytest.param(
            claim(accessModes=[RWX], volumeMode="Filesystem"),
            ("usual", [RWX], "Filesystem", GROWN),
            id="7-6-modes-given",
        ),
        pytest.param(
            annotated(claim(), **{A + "storage.contentType": "archive"}),
            ("usual", [RWO], "Filesystem", GROWN),
            id="7-3-archive",
        ),
        pytest.param(
            claim(dataSource=RESTORED),
            ("usual", [RWO], "Filesystem", "1Gi"),
            id="7-12-restored-snapshot-keeps-its-size",
        ),
    ],
)
def test_a_labelled_claim_is_completed(obj: Any, wanted: Any) -> None:
    assert completed(obj) == wanted


def test_a_volume_made_by_hand_completes_a_claim_without_class() -> None:
    volumes = {resources.VOLUMES: [persistent_volume("v", "hand")]}
    wanted = ("hand", [RWO], "Filesystem", GROWN)
    assert completed(claim(storageClassName="hand"), volumes) == wanted


@pytest.mark.parametrize(
    ("obj", "found", "text"),
    [
        pytest.param(
            claim(),
            {resources.CLASSES: []},
            "PVC spec is missing accessMode and no storageClass to choose profile",
            id="7-5-no-class",
        ),
        pytest.param(
            claim(),
            {profile_of("usual"): profile("usual")},
            "no accessMode specified in StorageProfile usual",
            id="7-7-incomplete-profile",
        ),
        pytest.param(
            claim(volumeMode="Block"),
            {},
            "no matching accessMode specified in StorageProfile usual",
            id="7-8-no-such-mode",
        ),
        pytest.param(
            claim(), {profile_of("usual"): None}, "does not exist yet", id="7-10-no-profile"
        ),
        pytest.param(claim(None), {}, "size is missing", id="7-13-no-size"),
        pytest.param(claim("1"), {}, "smaller than 1Mi", id="7-13-too-small"),
        pytest.param(claim("much"), {}, "not a quantity", id="7-13-no-quantity"),
        pytest.param(
            annotated(claim(volumeMode="Block"), **{A + "storage.contentType": "archive"}),
            {},
            "archive",
            id="7-3-archive-on-block",
        ),
    ],
)
def test_what_cannot_be_completed_is_an_error(obj: Any, found: Any, text: str) -> None:
    answer = decided(obj, found)
    assert (answer.allowed, answer.code) == (False, 400)
    assert text in answer.message


@pytest.mark.parametrize("value", ["True", "", "false"])
def test_other_claims_are_left_alone(value: str) -> None:
    obj = claim()
    obj["metadata"]["labels"] = {A + "applyStorageProfile": value}
    answer = decided(obj)
    assert (answer.allowed, answer.object) == (True, None)


@pytest.mark.parametrize("spec", [[], {"accessModes": "all"}, {"resources": 5}])
def test_nonsense_is_left_to_the_schema(spec: Any) -> None:
    answer = decided(claim() | {"spec": spec})
    assert (answer.allowed, answer.object) == (True, None)


def test_only_new_claims_are_completed() -> None:
    assert decided(claim(), operation="UPDATE").object is None
    assert decided(claim(), resource="pods").code == 400


# Clones


def clone(size: str | None = None, source: str = "vcs", **spec: Any) -> dict[str, Any]:
    reference = {"apiGroup": "cdi.kubevirt.io", "kind": "VolumeCloneSource", "name": source}
    return claim(size, dataSourceRef=reference, **spec)


def sources(
    namespace: str = "vms",
    kind: str = "PersistentVolumeClaim",
    source: Any = None,
    name: str = "src",
) -> dict[Any, Any]:
    resource = resources.SNAPSHOTS if kind == "VolumeSnapshot" else resources.CLAIMS
    return {
        Get(resources.CLONE_SOURCES, "vcs", namespace): {
            "spec": {"source": {"kind": kind, "name": name}}
        },
        Get(resource, "src", namespace): source,
    }


def source_claim(mode: str = "Filesystem", class_name: str | None = "usual") -> dict[str, Any]:
    spec: dict[str, Any] = {"volumeMode": mode, "resources": {"requests": {"storage": "2Gi"}}}
    if class_name is not None:
        spec["storageClassName"] = class_name
    return {"spec": spec, "status": {"capacity": {"storage": "3Gi"}}}


@pytest.mark.parametrize(
    ("obj", "found", "size"),
    [
        pytest.param(clone("1Gi"), {}, "1Gi", id="given-size-does-not-grow"),
        pytest.param(clone(), sources(source=source_claim()), "2Gi", id="request-of-its-like"),
        pytest.param(
            clone(), sources(source=source_claim(class_name=None)), "2Gi", id="default-class-alike"
        ),
        pytest.param(
            clone(storageClassName="block"),
            sources(source=source_claim()),
            "3Gi",
            id="capacity-of-another-class",
        ),
        pytest.param(
            clone(), sources(source=source_claim("Block")), "3Gi", id="capacity-of-another-mode"
        ),
        pytest.param(
            clone(),
            sources(source={**source_claim("Block"), "status": {}}),
            None,
            id="capacity-not-known-yet",
        ),
        pytest.param(
            clone(),
            sources(kind="VolumeSnapshot", source={"status": {"restoreSize": "5Gi"}}),
            "5Gi",
            id="restore-size",
        ),
        pytest.param(
            clone(), sources(kind="VolumeSnapshot", source={"status": {}}), None, id="not-ready-yet"
        ),
    ],
)
def test_the_size_of_a_clone_comes_from_its_source(obj: Any, found: Any, size: Any) -> None:
    assert completed(obj, found)[-1] == size


@pytest.mark.parametrize(
    ("obj", "found", "text"),
    [
        pytest.param(clone(), {}, '"vcs" not found in namespace vms', id="no-clone-source"),
        pytest.param(clone(), sources(), '"src" not found in namespace vms', id="no-claim"),
        pytest.param(clone(), sources(kind="Pod"), "names Pod", id="other-kind"),
        pytest.param(clone(), sources(name=""), "by name", id="no-name"),
        pytest.param(
            clone(),
            sources(source=source_claim(class_name="gone")),
            "clone's source is not known",
            id="source-class-missing",
        ),
        pytest.param(
            clone(accessModes=[RWO], storageClassName="gone"),
            sources(source=source_claim()),
            "clone's target is not known",
            id="target-class-missing",
        ),
        pytest.param(
            annotated(clone(storageClassName="block"), **{A + "cloneType": "copy"}),
            sources(source=source_claim()),
            "is not known: set resources.requests.storage",
            id="copy-from-files-to-block",
        ),
    ],
)
def test_a_clone_whose_size_cannot_be_known_is_refused(obj: Any, found: Any, text: str) -> None:
    answer = decided(obj, found)
    assert (answer.allowed, answer.code) == (False, 400)
    assert text in answer.message


def across(token: str) -> dict[str, Any]:
    where = {A + "dataSourceNamespace": "gold"}
    return annotated(clone(), **where, **({A + "storage.clone.token": token} if token else {}))


@pytest.mark.parametrize("token", ["", "forged", "other-source", "other-target", "snapshot"])
def test_another_namespace_is_not_looked_into_without_a_good_token(token: str) -> None:
    answer = decided(across(token), sources("gold", source=source_claim()))
    assert (answer.allowed, answer.code) == (False, 400)
    assert "clone token" in answer.message


def test_a_good_token_opens_another_namespace() -> None:
    assert completed(across("good"), sources("gold", source=source_claim()))[-1] == "2Gi"
