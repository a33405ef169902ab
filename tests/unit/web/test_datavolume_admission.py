"""A DataVolume is created or changed: one row for each rule."""

import copy
from typing import Any

import pytest

from cdi.api import view
from cdi.api.kinds.datavolume import DataVolumeSpec
from cdi.web.admission import datavolume, datavolumespec, inquiry, resources
from cdi.web.admission.decision import Decision
from cdi.web.admission.inquiry import Get, Seen
from cdi.web.admission.request import AdmissionRequest

HEX = {32: "a" * 32, 64: "b" * 64}
HTTP = {"http": {"url": "https://example.com/disk.qcow2"}}
CLAIM = Get(resources.CLAIMS, "disk", "vms")


def pvc(**more: Any) -> dict[str, Any]:
    block = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return {"pvc": {**block, **more}}


def storage(**more: Any) -> dict[str, Any]:
    return {"storage": {"resources": {"requests": {"storage": "1Gi"}}, **more}}


def spec(**more: Any) -> dict[str, Any]:
    return {"source": HTTP, **pvc(), **more}


def size(text: Any) -> dict[str, Any]:
    return pvc(resources={"requests": {"storage": text}})


def source(**member: Any) -> dict[str, Any]:
    return spec(source=member)


def volume(volume_spec: dict[str, Any], name: str = "disk", **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "cdi.kubevirt.io/v1beta1",
        "kind": "DataVolume",
        "metadata": {"name": name, "namespace": "vms", **metadata},
        "spec": volume_spec,
    }


def request(new: dict[str, Any], old: dict[str, Any] | None = None) -> AdmissionRequest:
    return AdmissionRequest(
        operation="UPDATE" if old else "CREATE",
        resource=resources.DATA_VOLUMES,
        kind="DataVolume",
        namespace="vms",
        name="disk",
        object=new,
        old=old,
    )


def created(volume_spec: dict[str, Any], claim: dict[str, Any] | None = None) -> Decision:
    return datavolume.decide(request(volume(volume_spec)), Seen({CLAIM: claim}))


REGISTRY = {"url": "docker://quay.io/containerdisks/fedora:latest"}
IMAGEIO = {
    "url": "https://engine/ovirt-engine/api",
    "diskId": "1",
    "secretRef": "s",
    "certConfigMap": "c",
}
VDDK = {
    "url": "https://vcenter",
    "uuid": "u",
    "backingFile": "[ds] a.vmdk",
    "thumbprint": "AA:BB",
    "secretRef": "s",
}
EXTERNAL = {"apiGroup": "example.com", "kind": "Filler", "name": "f"}
NO_SIZE = {"accessModes": ["ReadWriteOnce"]}
MODES = 'supported values: "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"'

BROKEN = [
    pytest.param({"source": HTTP}, "spec.PVC", "Missing Data volume PVC", id="5.2-1-no-claim"),
    pytest.param(
        {"source": HTTP, **pvc(), **storage()}, "spec.PVC.Storage", "Both", id="5.2-2-both-claims"
    ),
    pytest.param(
        {"source": HTTP, "pvc": NO_SIZE},
        "spec.PVC.resources.requests.size",
        "PVC size is missing",
        id="5.2-3-pvc-without-size",
    ),
    pytest.param(
        {"source": HTTP, "pvc": NO_SIZE},
        "spec.PVC.resources.requests.size",
        "use storage instead of pvc",
        id="pvc-without-size-could-be-storage",
    ),
    pytest.param(
        {"source": {"blank": {}}, "storage": {}},
        "spec.Storage.resources.requests.size",
        "PVC size is missing",
        id="5.2-3-storage-without-size",
    ),
    pytest.param(
        {"source": {"vddk": VDDK}, "storage": {}},
        "spec.Storage.resources.requests.size",
        "PVC size is missing",
        id="vddk-does-not-say",
    ),
    pytest.param(
        {"source": {"upload": {}}, "storage": {}},
        "spec.Storage.resources.requests.size",
        "PVC size is missing",
        id="nobody-knows-what-will-be-uploaded",
    ),
    pytest.param(
        {"source": HTTP, "contentType": "archive", "storage": {}},
        "spec.Storage.resources.requests.size",
        "how much it unpacks to",
        id="archives-do-not-say",
    ),
    pytest.param(
        {"source": {"registry": {"imageStream": "i", "pullMethod": "node"}}, "storage": {}},
        "spec.Storage.resources.requests.size",
        "image stream",
        id="image-streams-do-not-say",
    ),
    pytest.param(
        {"source": {"pvc": {"namespace": "n", "name": "x"}}, "pvc": NO_SIZE},
        "spec.PVC.resources.requests.size",
        "PVC size is missing",
        id="5.2-3-clone-into-pvc-needs-a-size",
    ),
    pytest.param(
        spec(**size("0")),
        "spec.PVC.resources.requests.size",
        "PVC size can't be equal or less than zero",
        id="5.2-3-size-zero",
    ),
    pytest.param(
        spec(**size("-1Gi")),
        "spec.PVC.resources.requests.size",
        "PVC size can't be equal or less than zero",
        id="5.2-3-size-negative",
    ),
    pytest.param(
        spec(**size(1048575)), "spec.PVC.resources.requests.size", "1Mi", id="5.2-3-size-tiny"
    ),
    pytest.param(
        spec(**size("much")),
        "spec.PVC.resources.requests.size",
        "not a quantity",
        id="5.2-3-size-no-quantity",
    ),
    pytest.param(
        spec(**pvc(storageClassName="c" * 254)), "", "at most 253", id="5.2-4-class-name-long"
    ),
    pytest.param(
        spec(**pvc(accessModes=[])),
        "spec.PVC.accessModes",
        "at least 1 access mode is required",
        id="5.2-5-no-access-mode",
    ),
    pytest.param(
        spec(**pvc(accessModes=["ReadWriteOnce", "ReadWriteMany"])),
        "spec.PVC.accessModes",
        "PVC multiple accessModes",
        id="5.2-5-two-access-modes",
    ),
    pytest.param(
        spec(**pvc(accessModes=["ReadWriteOften"])),
        "spec.PVC.accessModes",
        MODES,
        id="5.2-5-unknown-access-mode",
    ),
    pytest.param(
        {"source": HTTP, **storage(accessModes=["ReadWriteOnce", "Never"])},
        "spec.PVC.accessModes",
        MODES,
        id="5.2-6-unknown-access-mode-in-storage",
    ),
    pytest.param(
        {**pvc()},
        "spec.source",
        "Data volume should have either Source or SourceRef",
        id="5.2-8-no-source",
    ),
    pytest.param(
        spec(sourceRef={"kind": "DataSource", "name": "x"}),
        "spec.source",
        "Data volume should have either Source or SourceRef",
        id="5.2-8-two-sources",
    ),
    pytest.param(
        {**pvc(), "sourceRef": {"kind": "", "name": "x"}},
        "spec.sourceRef.Kind",
        "Missing sourceRef kind",
        id="5.2-9-no-kind",
    ),
    pytest.param(
        {**pvc(), "sourceRef": {"kind": "Pod", "name": "x"}},
        "spec.sourceRef.Kind",
        "Unsupported sourceRef kind Pod",
        id="5.2-9-other-kind",
    ),
    pytest.param(
        {**pvc(), "sourceRef": {"kind": "DataSource", "name": ""}},
        "spec.sourceRef.Name",
        "Missing sourceRef name",
        id="5.2-9-no-name",
    ),
    pytest.param(
        {**pvc(), "sourceRef": {"kind": "DataSource", "name": "x"}, "contentType": "disk"},
        "spec.contentType",
        "ContentType not one of: kubevirt, archive",
        id="5.2-9-content-type-is-checked-all-the-same",
    ),
    pytest.param(source(), "spec.source", "Missing Data volume source", id="5.2-10-no-member"),
    pytest.param(
        source(blank={}, **HTTP),
        "spec.source",
        "Multiple Data volume sources",
        id="5.2-10-two-members",
    ),
    pytest.param(
        spec(contentType="disk"),
        "spec.contentType",
        "ContentType not one of: kubevirt, archive",
        id="5.2-11-content-type",
    ),
    pytest.param(
        source(http={"url": ""}),
        "spec.source.HTTP.url",
        "spec.source Invalid source URL",
        id="5.2-12-url-empty",
    ),
    pytest.param(
        source(http={"url": "invalidurl"}),
        "spec.source.HTTP.url",
        "spec.source Invalid source URL",
        id="5.2-12-url-relative",
    ),
    pytest.param(
        source(http={"url": "ftp://host/x"}),
        "spec.source.HTTP.url",
        "begins with http:",
        id="5.2-12-url-scheme",
    ),
    pytest.param(
        source(http={"url": "gs://bucket/x"}),
        "spec.source.HTTP.url",
        "begins with http:",
        id="5.2-12-url-scheme-of-another-source",
    ),
    pytest.param(
        source(http={"url": "http://"}),
        "spec.source.HTTP.url",
        "names no host",
        id="5.2-12-url-without-host",
    ),
    pytest.param(
        source(http={"url": "http://host:port/x"}),
        "spec.source.HTTP.url",
        "Invalid source URL",
        id="5.2-12-url-port",
    ),
    pytest.param(
        source(http={"url": "http://host/a%zz"}),
        "spec.source.HTTP.url",
        "%",
        id="5.2-12-url-escape",
    ),
    pytest.param(
        source(http={**HTTP["http"], "checksum": "sha256"}),
        "spec.source.HTTP.checksum",
        "<algorithm>:<hex digest>",
        id="5.2-12-checksum-without-colon",
    ),
    pytest.param(
        source(http={**HTTP["http"], "checksum": f"crc:{HEX[32]}"}),
        "spec.source.HTTP.checksum",
        "unknown algorithm",
        id="5.2-12-checksum-algorithm",
    ),
    pytest.param(
        source(http={**HTTP["http"], "checksum": f"sha256:{HEX[32]}"}),
        "spec.source.HTTP.checksum",
        "64 hexadecimal digits",
        id="5.2-12-checksum-length",
    ),
    pytest.param(
        source(http={**HTTP["http"], "checksum": f"md5:{'z' * 32}"}),
        "spec.source.HTTP.checksum",
        "not hexadecimal",
        id="5.2-12-checksum-digits",
    ),
    pytest.param(
        source(s3={"url": "s3://bucket/key"}),
        "spec.source.S3.url",
        "Invalid source URL",
        id="5.2-13-s3",
    ),
    pytest.param(
        source(gcs={"url": "gcs://bucket/key"}),
        "spec.source.GCS.url",
        "Invalid source URL",
        id="5.2-13-gcs",
    ),
    pytest.param(
        spec(source={"blank": {}}, contentType="archive"),
        "spec.contentType",
        "SourceType cannot be blank and the contentType be archive",
        id="5.2-14-blank-archive",
    ),
    pytest.param(
        spec(source={"registry": REGISTRY}, contentType="archive"),
        "spec.contentType",
        "ContentType must be kubevirt",
        id="5.2-15-registry-archive",
    ),
    pytest.param(
        source(registry={}), "spec.source.Registry", "either", id="5.2-15-registry-without-image"
    ),
    pytest.param(
        source(registry={**REGISTRY, "imageStream": "i"}),
        "spec.source.Registry",
        "either",
        id="5.2-15-registry-two-images",
    ),
    pytest.param(
        source(registry={"url": "docker://ho st/x"}),
        "spec.source.Registry.URL",
        "blank",
        id="5.2-15-registry-url",
    ),
    pytest.param(
        source(registry={"url": "https://quay.io/x"}),
        "spec.source.Registry.URL",
        "docker:",
        id="5.2-15-registry-scheme",
    ),
    pytest.param(
        source(registry={**REGISTRY, "pullMethod": "magic"}),
        "spec.source.Registry.importMethod",
        "neither pod nor node",
        id="5.2-15-registry-pull-method",
    ),
    pytest.param(
        source(registry={"imageStream": "", "pullMethod": "node"}),
        "spec.source.Registry.importMethod",
        "ImageStream is empty",
        id="5.2-15-registry-empty-stream",
    ),
    pytest.param(
        source(registry={"imageStream": "fedora"}),
        "spec.source.Registry.importMethod",
        "only with node pull",
        id="5.2-15-registry-stream-by-pod",
    ),
    pytest.param(
        source(imageio={**IMAGEIO, "diskId": ""}),
        "spec.source.Imageio",
        "diskId",
        id="5.2-16-imageio-disk",
    ),
    pytest.param(
        source(imageio={**IMAGEIO, "secretRef": None}),
        "spec.source.Imageio",
        "secretRef",
        id="5.2-16-imageio-secret",
    ),
    pytest.param(
        source(imageio={**IMAGEIO, "certConfigMap": ""}),
        "spec.source.Imageio",
        "certConfigMap",
        id="5.2-16-imageio-trust",
    ),
    pytest.param(
        source(imageio={**IMAGEIO, "url": "engine"}),
        "spec.source.ImageIO.url",
        "Invalid source URL",
        id="5.2-16-imageio-url",
    ),
    *(
        pytest.param(
            source(vddk={**VDDK, field: ""}),
            "spec.source.VDDK",
            field,
            id=f"5.2-17-vddk-{field}",
        )
        for field in ("secretRef", "uuid", "backingFile", "thumbprint")
    ),
    pytest.param(
        source(vddk={**VDDK, "url": ""}),
        "spec.source.VDDK.url",
        "Invalid source URL",
        id="5.2-17-vddk-url",
    ),
    pytest.param(
        source(pvc={"namespace": "", "name": "x"}),
        "spec.source.PVC",
        "namespace",
        id="5.2-18-pvc-namespace",
    ),
    pytest.param(
        source(snapshot={"namespace": "n", "name": ""}),
        "spec.source.Snapshot",
        "name",
        id="5.2-18-snapshot-name",
    ),
    pytest.param(
        source(vddk=VDDK) | {"checkpoints": [{"previous": "", "current": ""}]},
        "spec.checkpoints",
        "no current",
        id="checkpoint-without-current",
    ),
    pytest.param(
        source(vddk=VDDK) | {"checkpoints": [{"previous": "", "current": "a"}] * 2},
        "spec.checkpoints",
        "same current",
        id="checkpoint-twice",
    ),
    pytest.param(
        spec(**pvc(dataSource=EXTERNAL)),
        "spec.source",
        "incompatible with Source",
        id="5.3-external-and-source",
    ),
    pytest.param(
        pvc(dataSource=EXTERNAL, dataSourceRef={**EXTERNAL, "name": "g"}),
        "",
        "same object",
        id="5.3-different-references",
    ),
    pytest.param(
        pvc(dataSource={**EXTERNAL, "name": ""}),
        "spec.dataSource.name",
        "empty",
        id="5.3-data-source-name",
    ),
    pytest.param(
        pvc(dataSource={**EXTERNAL, "apiGroup": None}),
        "spec.dataSource.apiGroup",
        "empty",
        id="5.3-data-source-group",
    ),
    pytest.param(
        pvc(dataSourceRef={**EXTERNAL, "kind": ""}),
        "spec.dataSourceRef.kind",
        "empty",
        id="5.3-reference-kind",
    ),
    pytest.param(
        pvc(dataSourceRef={**EXTERNAL, "namespace": "n"}),
        "spec.dataSourceRef.namespace",
        "not supported",
        id="5.3-reference-namespace",
    ),
    pytest.param(
        {**pvc(dataSourceRef=EXTERNAL), "contentType": "disk"},
        "spec.contentType",
        "ContentType not one of",
        id="5.2-7-content-type-is-checked-all-the-same",
    ),
]


@pytest.mark.parametrize(("volume_spec", "field", "fragment"), BROKEN)
def test_a_broken_rule_is_told_with_its_field(
    volume_spec: dict[str, Any], field: str, fragment: str
) -> None:
    answer = created(volume_spec)
    assert (answer.allowed, answer.code, answer.reason) == (False, 422, "Invalid")
    cause = answer.causes[0]
    assert (cause.field, cause.reason) == (field, "FieldValueInvalid")
    assert fragment in cause.message
    assert answer.message == "".join(f" {each.message}" for each in answer.causes)


KEPT = [
    pytest.param(spec(), id="http"),
    pytest.param(spec(contentType="archive"), id="http-archive"),
    pytest.param(
        source(http={**HTTP["http"], "checksum": f" SHA256 : {'AB' * 32} "}),
        id="checksum-in-capitals",
    ),
    pytest.param(source(blank={}), id="blank"),
    pytest.param(source(upload={}), id="upload"),
    pytest.param(source(gcs={"url": "gs://bucket/key"}), id="gcs"),
    pytest.param(source(s3={"url": "https://s3.example.com/b/k"}), id="s3"),
    pytest.param(source(registry=REGISTRY), id="registry"),
    pytest.param(source(registry={"url": "oci-archive:/disks/x.tar"}), id="registry-archive"),
    pytest.param(source(registry={"imageStream": "i", "pullMethod": "node"}), id="image-stream"),
    pytest.param(source(imageio=IMAGEIO), id="imageio"),
    pytest.param(
        source(imageio={**IMAGEIO, "certConfigMap": None, "insecureSkipVerify": True}),
        id="imageio-insecure",
    ),
    pytest.param(source(vddk=VDDK), id="vddk"),
    pytest.param(source(pvc={"namespace": "n", "name": "x"}), id="clone"),
    pytest.param({"source": HTTP, **storage()}, id="storage"),
    pytest.param(
        {"source": HTTP, **storage(accessModes=["ReadWriteOnce", "ReadWriteMany"])},
        id="storage-with-several-access-modes",
    ),
    pytest.param(
        {"source": {"snapshot": {"namespace": "n", "name": "x"}}, "storage": {}},
        id="storage-without-size-for-a-clone",
    ),
    pytest.param(
        {"sourceRef": {"kind": "DataSource", "name": "x"}, "storage": {}},
        id="storage-without-size-for-a-data-source",
    ),
    pytest.param({"source": HTTP, "storage": {}}, id="http-says-how-large-its-disk-is"),
    pytest.param({"source": {"registry": REGISTRY}, "storage": {}}, id="so-does-a-registry"),
    pytest.param({"source": {"imageio": IMAGEIO}, "storage": {}}, id="so-does-imageio"),
    pytest.param(spec(**size("1Mi")), id="smallest-size"),
    pytest.param(pvc(dataSource={"kind": "PersistentVolumeClaim", "name": "c"}), id="external-pvc"),
    pytest.param(pvc(dataSource=EXTERNAL, dataSourceRef=EXTERNAL), id="external-named-twice"),
]


@pytest.mark.parametrize("volume_spec", KEPT)
def test_a_spec_that_keeps_the_rules_is_allowed(volume_spec: dict[str, Any]) -> None:
    answer = created(volume_spec)
    assert (answer.allowed, answer.causes, answer.warnings) == (True, (), ())


def test_url_and_checksum_are_told_together() -> None:
    answer = created(source(http={"url": "x", "checksum": "y"}))
    fields = [cause.field for cause in answer.causes]
    assert fields == ["spec.source.HTTP.url", "spec.source.HTTP.checksum"]


def test_every_fault_of_an_external_population_is_told() -> None:
    answer = created(spec(**pvc(dataSourceRef={"kind": "", "name": "", "namespace": "n"})))
    assert [cause.field for cause in answer.causes] == [
        "spec.source",
        "spec.dataSourceRef.namespace",
        "spec.dataSourceRef.name",
        "spec.dataSourceRef.kind",
        "spec.dataSourceRef.apiGroup",
    ]


def test_the_fields_of_a_template_begin_with_its_root() -> None:
    template = view.read(DataVolumeSpec, source(http={"url": ""}))
    (cause,) = datavolumespec.causes_of(template, root="Template")
    assert cause.field == "Template.source.HTTP.url"
    assert "Template.source Invalid source URL" in cause.message


def test_stages_of_a_source_without_stages_are_warned_about() -> None:
    answer = created(spec(checkpoints=[{"previous": "", "current": "a"}]))
    assert answer.allowed
    assert "checkpoints have no effect" in answer.warnings[0]


def test_another_resource_is_an_error() -> None:
    wrong = AdmissionRequest("CREATE", "pods", "Pod", "vms", "x", {})
    answer = datavolume.decide(wrong, Seen())
    assert (answer.allowed, answer.code) == (False, 400)


def test_an_object_of_another_shape_is_an_error() -> None:
    answer = datavolume.decide(request(volume({"pvc": 5})), Seen())
    assert (answer.code, answer.reason) == (400, "BadRequest")


def test_a_name_has_at_most_253_characters() -> None:
    long = request(volume(spec(), name="n" * 254))
    answer = datavolume.decide(long, Seen())
    assert (answer.code, answer.causes[0].field) == (422, "")


# The claim of the same name

OWNED = {"metadata": {"ownerReferences": [{"controller": True, "kind": "DataVolume"}]}}
PLAIN: dict[str, Any] = {"metadata": {"name": "disk"}}
GATE = {"spec": {"featureGates": ["DataVolumeClaimAdoption"]}}
ADOPT = "cdi.kubevirt.io/allowClaimAdoption"


def annotated(key: str, value: str) -> dict[str, Any]:
    return {"metadata": {"annotations": {f"cdi.kubevirt.io/{key}": value}}}


CLAIM_OF_THAT_NAME = [
    pytest.param(None, {}, None, True, id="none"),
    pytest.param(annotated("storage.populatedFor", "disk"), {}, None, True, id="filled-for-it"),
    pytest.param(annotated("storage.populatedFor", "other"), {}, {}, False, id="filled-for-other"),
    pytest.param(OWNED, {}, None, True, id="of-a-data-volume"),
    pytest.param(PLAIN, {}, {}, False, id="stranger"),
    pytest.param(PLAIN, {}, GATE, True, id="gate"),
    pytest.param(PLAIN, {ADOPT: "true"}, None, True, id="annotation"),
    pytest.param(PLAIN, {ADOPT: "false"}, GATE, False, id="annotation-wins-over-gate"),
    pytest.param(PLAIN, {ADOPT: "yes"}, GATE, False, id="annotation-that-makes-no-sense"),
]


@pytest.mark.parametrize(("claim", "annotations", "config", "allowed"), CLAIM_OF_THAT_NAME)
def test_a_claim_of_that_name_has_to_be_free(
    claim: Any, annotations: dict[str, str], config: Any, allowed: bool
) -> None:
    seen = Seen({CLAIM: claim, resources.CONFIG: config})
    answer = datavolume.decide(request(volume(spec(), annotations=annotations)), seen)
    assert answer.allowed is allowed
    if not allowed:
        (cause,) = answer.causes
        assert (cause.field, cause.reason) == ("DataVolume.Name", "FieldValueDuplicate")
        assert "already exists" in cause.message


def test_a_claim_made_for_this_very_volume_is_not_adopted() -> None:
    seen = Seen({CLAIM: annotated("createdForDataVolume", "uid-1"), resources.CONFIG: GATE})
    assert not datavolume.decide(request(volume(spec(), uid="uid-1")), seen).allowed


def test_taking_a_claim_over_is_warned_about() -> None:
    seen = Seen({CLAIM: PLAIN, resources.CONFIG: GATE})
    answer = datavolume.decide(request(volume(spec())), seen)
    assert "its data go too" in answer.warnings[0]


def test_without_config_the_question_of_adoption_is_put_off() -> None:
    seen = Seen({CLAIM: PLAIN, resources.CONFIG: None})
    answer = datavolume.decide(request(volume(spec())), seen)
    assert (answer.code, answer.allowed) == (400, False)


def test_only_what_is_needed_is_asked_for() -> None:
    new = request(volume(spec()))
    assert inquiry.needs(datavolume.decide, new, Seen()) == CLAIM
    assert inquiry.needs(datavolume.decide, new, Seen({CLAIM: None})) is None
    assert inquiry.needs(datavolume.decide, new, Seen({CLAIM: PLAIN})) == resources.CONFIG


# Changes

STAGES = {"checkpoints": [{"previous": "", "current": "a"}]}
MORE_STAGES = {
    "checkpoints": [{"previous": "", "current": "a"}, {"previous": "a", "current": "b"}],
    "finalCheckpoint": True,
}
CHANGES = [
    pytest.param(spec(), spec(), True, id="nothing"),
    pytest.param(spec(**size("1Gi")), spec(**size("1024Mi")), True, id="same-size-in-other-words"),
    pytest.param(spec(), spec(checkpoints=[], contentType=None), True, id="absent-and-empty"),
    pytest.param(spec(**size("1Gi")), spec(**size("2Gi")), False, id="size"),
    pytest.param(spec(), spec(**pvc(storageClassName="")), False, id="no-class-is-not-any-class"),
    pytest.param(spec(), source(blank={}), False, id="source"),
    pytest.param(spec(), spec(preallocation=False), False, id="explicit-no"),
    pytest.param(spec(), spec(**STAGES), False, id="stages-of-http"),
    pytest.param(source(vddk=VDDK), source(vddk=VDDK) | STAGES, True, id="first-stage"),
    pytest.param(source(vddk=VDDK) | STAGES, source(vddk=VDDK) | MORE_STAGES, True, id="next"),
    pytest.param(
        source(imageio=IMAGEIO) | STAGES, source(imageio=IMAGEIO) | MORE_STAGES, True, id="imageio"
    ),
    pytest.param(source(vddk=VDDK) | STAGES, source(vddk=VDDK), False, id="stages-taken-back"),
    pytest.param(
        source(vddk=VDDK) | STAGES,
        source(vddk={**VDDK, "uuid": "other"}) | MORE_STAGES,
        False,
        id="source-beside-stages",
    ),
]


@pytest.mark.parametrize(("old", "new", "allowed"), CHANGES)
def test_a_spec_changes_in_its_stages_only(
    old: dict[str, Any], new: dict[str, Any], allowed: bool
) -> None:
    answer = datavolume.decide(request(volume(new), volume(old)), Seen())
    assert answer.allowed is allowed
    if not allowed:
        (cause,) = answer.causes
        assert (cause.field, cause.reason) == ("DataVolume.Spec", "FieldValueDuplicate")


def test_new_stages_have_to_keep_the_rules() -> None:
    new = source(vddk=VDDK) | {"checkpoints": [{"previous": "", "current": ""}]}
    answer = datavolume.decide(request(volume(new), volume(source(vddk=VDDK))), Seen())
    assert answer.causes[0].field == "spec.checkpoints"


def test_what_was_accepted_before_a_rule_came_can_still_be_labelled() -> None:
    old = volume(source(http={"url": "gs://bucket/x"}))
    new = copy.deepcopy(old)
    new["metadata"]["labels"] = {"team": "blue"}
    assert datavolume.decide(request(new, old), Seen()).allowed
