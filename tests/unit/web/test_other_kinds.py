"""DataImportCron, the volume sources, ObjectTransfer and CDI: one row for each rule."""

from typing import Any

import pytest

from cdi.web.admission import (
    dataimportcron,
    hyperconverged,
    installation,
    objecttransfer,
    populators,
    resources,
    ssp,
)
from cdi.web.admission.decision import Decision
from cdi.web.admission.inquiry import Get, List, Seen
from cdi.web.admission.request import AdmissionRequest

REGISTRY = {"registry": {"url": "docker://quay.io/x"}}
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
HTTP = {"http": {"url": "https://example.com/x"}}
S3 = {"s3": {"url": "https://example.com/bucket/x"}}
VDDK = {
    "vddk": {
        "url": "https://vcenter",
        "uuid": "u",
        "backingFile": "f",
        "thumbprint": "t",
        "secretRef": "s",
    }
}
STAGE = {"previous": "", "current": "a"}


def request(
    resource: str,
    spec: Any,
    old: Any = None,
    *,
    name: str = "x",
    operation: str = "",
) -> AdmissionRequest:
    def obj(its: Any) -> dict[str, Any]:
        return {"metadata": {"name": name, "namespace": "ns"}, "spec": its}

    return AdmissionRequest(
        operation=operation or ("CREATE" if old is None else "UPDATE"),
        resource=resource,
        kind="Kind",
        namespace="ns",
        name=name,
        object=obj(spec),
        old=None if old is None else obj(old),
    )


def broken(answer: Decision) -> tuple[str, str]:
    assert (answer.allowed, answer.code) == (False, 422)
    return answer.causes[0].field, answer.causes[0].message


# DataImportCron


def cron(template: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    wanted = {"source": REGISTRY, "pvc": CLAIM} | (template or {})
    usual = {"schedule": "0 3 * * *", "managedDataSource": "fedora"}
    return {"template": {"spec": wanted}, **usual, **more}


def decided_cron(spec: Any, old: Any = None, **more: Any) -> Decision:
    answer = request(resources.DATA_IMPORT_CRONS, spec, old, **more)
    return dataimportcron.decide(answer, Seen())


@pytest.mark.parametrize(
    ("spec", "field", "text"),
    [
        pytest.param(cron({"source": S3}), "spec.Template", "http or pvc", id="6.1-4-s3"),
        pytest.param(cron({"source": None}), "spec.Template", "http or pvc", id="6.1-4-none"),
        pytest.param(
            cron({"sourceRef": {"kind": "DataSource", "name": "d"}}),
            "spec.Template",
            "sourceRef",
            id="6.1-5-source-ref",
        ),
        pytest.param(
            cron({"contentType": "kubevirt"}), "spec.Template", "contentType", id="6.1-5-content"
        ),
        pytest.param(
            cron({"checkpoints": [STAGE]}), "spec.Template", "checkpoints", id="6.1-5-checkpoints"
        ),
        pytest.param(
            cron({"finalCheckpoint": True}), "spec.Template", "finalCheckpoint", id="6.1-5-final"
        ),
        pytest.param(
            cron({"source": REGISTRY | HTTP}), "Template.source", "Multiple", id="6.1-6-two"
        ),
        pytest.param(
            cron({"pvc": None}), "Template.PVC", "Missing Data volume PVC", id="6.1-6-no-claim"
        ),
        pytest.param(
            cron({"pvc": CLAIM | {"dataSource": {"kind": "K", "name": "n", "apiGroup": "g"}}}),
            "Template.source",
            "incompatible",
            id="6.1-6-external",
        ),
        pytest.param(cron(schedule="now"), "spec.Schedule", "schedule", id="6.1-7-schedule"),
        pytest.param(cron(importsToKeep=-1), "spec.ImportsToKeep", "negative", id="6.1-8-keep"),
        pytest.param(
            cron(garbageCollect="Maybe"), "spec.GarbageCollect", "Never", id="6.1-9-collect"
        ),
        pytest.param(
            cron(managedDataSource=""), "spec.ManagedDataSource", "empty", id="6.1-10-unnamed"
        ),
        pytest.param(cron(managedDataSource="d" * 64), "", "63 characters", id="6.1-10-long"),
    ],
)
def test_a_broken_rule_of_a_cron_is_told(spec: Any, field: str, text: str) -> None:
    told = broken(decided_cron(spec))
    assert told[0] == field
    assert text in told[1]


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param(cron(), id="registry"),
        pytest.param(cron({"source": {"pvc": {"namespace": "n", "name": "x"}}}), id="pvc"),
        pytest.param(cron(schedule=""), id="never"),
        pytest.param(cron(garbageCollect="Outdated", importsToKeep=0), id="keep-none"),
    ],
)
def test_a_good_cron_is_allowed(spec: Any) -> None:
    assert decided_cron(spec).allowed


def test_the_name_of_a_cron_is_short() -> None:
    assert broken(decided_cron(cron(), name="c" * 64))[0] == ""


def test_the_spec_of_a_cron_never_changes() -> None:
    assert decided_cron(cron(), cron()).allowed
    answer = decided_cron(cron(importsToKeep=5), cron())
    assert broken(answer)[0] == "DataImportCron.Spec"
    assert answer.causes[0].reason == "FieldValueDuplicate"


def test_a_cron_accepted_before_a_rule_came_can_still_be_labelled() -> None:
    assert decided_cron(cron(schedule="now"), cron(schedule="now")).allowed


# VolumeImportSource and VolumeUploadSource


def decided_source(spec: Any, old: Any = None, **more: Any) -> Decision:
    return populators.decide(request(resources.IMPORT_SOURCES, spec, old, **more), Seen())


def decided_upload(spec: Any, old: Any = None, **more: Any) -> Decision:
    return populators.decide(request(resources.UPLOAD_SOURCES, spec, old, **more), Seen())


STAGED = {"source": VDDK, "checkpoints": [STAGE], "targetClaim": "c"}


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        pytest.param({"source": HTTP, "contentType": "x"}, "spec.contentType", id="6.2-4-content"),
        pytest.param({}, "spec.source", id="6.2-5-no-source"),
        pytest.param({"source": {}}, "spec.source", id="6.2-5-no-member"),
        pytest.param({"source": HTTP | REGISTRY}, "spec.source", id="6.2-5-two-members"),
        pytest.param(STAGED | {"targetClaim": ""}, "spec.targetClaim", id="6.2-6-target"),
        pytest.param(
            STAGED | {"checkpoints": [STAGE, STAGE]}, "spec.checkpoints", id="6.2-6-stages"
        ),
        pytest.param({"source": {"http": {"url": "x"}}}, "spec.source.HTTP.url", id="6.2-7-member"),
    ],
)
def test_a_broken_rule_of_an_import_source_is_told(spec: Any, field: str) -> None:
    assert broken(decided_source(spec))[0] == field


@pytest.mark.parametrize("spec", [{"source": HTTP}, STAGED, {"source": {"blank": {}}}])
def test_a_good_import_source_is_allowed(spec: Any) -> None:
    assert decided_source(spec).allowed


@pytest.mark.parametrize(
    ("old", "new", "allowed"),
    [
        pytest.param({"source": HTTP}, {"source": HTTP}, True, id="same"),
        pytest.param({"source": HTTP}, {"source": REGISTRY}, False, id="6.2-2-source"),
        pytest.param(STAGED, STAGED | {"finalCheckpoint": True}, True, id="6.2-2-stages"),
        pytest.param(STAGED, STAGED | {"targetClaim": "d"}, False, id="6.2-2-beside-stages"),
    ],
)
def test_an_import_source_changes_in_its_stages_only(old: Any, new: Any, allowed: bool) -> None:
    assert decided_source(new, old).allowed is allowed


def test_an_upload_source_does_not_change() -> None:
    assert decided_upload({"contentType": "archive"}, {"contentType": "archive"}).allowed
    assert not decided_upload({"contentType": "archive"}, {}).allowed


def test_an_upload_source_has_a_known_content_type() -> None:
    assert decided_upload({}).allowed
    assert broken(decided_upload({"contentType": "x"}))[0] == "spec.contentType"


@pytest.mark.parametrize("decide", [decided_source, decided_upload])
def test_the_names_of_sources_are_short(decide: Any) -> None:
    assert decide({"source": HTTP}, name="v" * 63).allowed
    assert broken(decide({"source": HTTP}, name="v" * 64))[0] == ""


def test_other_resources_are_an_error() -> None:
    for rule in (populators.decide, dataimportcron.decide, objecttransfer.decide):
        assert rule(request("pods", {}), Seen()).code == 400
    assert installation.decide(request("pods", {}, operation="DELETE"), Seen()).code == 400


# ObjectTransfer


def transfer(kind: str = "DataVolume", **target: str) -> dict[str, Any]:
    return {"source": {"kind": kind, "namespace": "a", "name": "n"}, "target": target}


@pytest.mark.parametrize(
    ("spec", "existing", "text"),
    [
        pytest.param(transfer(), None, "must be supplied", id="6.3-no-target"),
        pytest.param(transfer("Pod", name="m"), None, "Unsupported kind 'Pod'", id="6.3-kind"),
        pytest.param(
            transfer(name="m"),
            Get(resources.DATA_VOLUMES, "m", "a"),
            "already exists",
            id="6.3-other-name-taken",
        ),
        pytest.param(
            transfer("PersistentVolumeClaim", namespace="b"),
            Get(resources.CLAIMS, "n", "b"),
            "already exists",
            id="6.3-other-namespace-taken",
        ),
    ],
)
def test_a_transfer_that_cannot_be_is_refused(spec: Any, existing: Any, text: str) -> None:
    seen = Seen({existing: {}} if existing else {})
    answer = objecttransfer.decide(request(resources.OBJECT_TRANSFERS, spec), seen)
    assert answer.code == 400
    assert text in answer.message


def test_a_good_transfer_is_allowed_with_a_warning() -> None:
    seen = Seen({Get(resources.DATA_VOLUMES, "m", "a"): None})
    spec = transfer(name="m")
    answer = objecttransfer.decide(request(resources.OBJECT_TRANSFERS, spec), seen)
    assert answer.allowed
    assert "deprecated" in answer.warnings[0]


def test_a_transfer_does_not_change() -> None:
    def change(new: Any) -> Decision:
        old = transfer(name="m")
        return objecttransfer.decide(request(resources.OBJECT_TRANSFERS, new, old), Seen())

    assert change(transfer(name="m")).allowed
    assert "ObjectTransfer spec is immutable" in change(transfer(name="o")).message


# CDI


def cdi(phase: str = "Deployed", strategy: str | None = installation.BLOCKING) -> dict[str, Any]:
    spec = {"uninstallStrategy": strategy} if strategy else {}
    return {"metadata": {"name": "cdi"}, "spec": spec, "status": {"phase": phase}}


def deleted(old: Any, *volumes: Any, found: Any = None) -> Decision:
    asked = AdmissionRequest(
        "DELETE", resources.INSTALLATIONS, "CDI", "", "cdi", None, old, version="v1alpha1"
    )
    answers: dict[Any, Any] = {installation.VOLUMES: list(volumes)}
    answers[Get(resources.INSTALLATIONS, "cdi")] = found
    return installation.decide(asked, Seen(answers))


@pytest.mark.parametrize(
    ("old", "volumes", "allowed"),
    [
        pytest.param(cdi(), [], True, id="6.4-nothing-left"),
        pytest.param(cdi(), [{}], False, id="6.4-one-volume"),
        pytest.param(cdi(), [{}, {}], False, id="6.4-two-volumes"),
        pytest.param(cdi(strategy="RemoveWorkloads"), [{}], True, id="6.4-removes-workloads"),
        pytest.param(cdi(strategy=None), [{}], True, id="6.4-no-strategy"),
        pytest.param(cdi(phase=""), [{}], True, id="6.4-not-installed"),
        pytest.param(cdi(phase="Error"), [{}], True, id="6.4-broken"),
    ],
)
def test_cdi_is_deleted_only_without_volumes(old: Any, volumes: Any, allowed: bool) -> None:
    answer = deleted(old, *volumes)
    assert answer.allowed is allowed
    if not allowed:
        assert f"there are still {len(volumes)} DataVolumes present" in answer.message
        assert "RemoveWorkloads" in answer.message


def test_a_cdi_that_the_request_does_not_hold_is_looked_up() -> None:
    assert not deleted(None, {}, found=cdi()).allowed
    assert deleted(None, {}).code == 400


def test_other_writes_of_cdi_are_allowed() -> None:
    assert installation.decide(request(resources.INSTALLATIONS, {}), Seen()).allowed


# HyperConverged and SSP; what their templates may say is in tests/unit/api/test_bootimages.py

TEMPLATE = {"metadata": {"name": "mine"}, "spec": {"managedDataSource": "mine"}}
SWITCH = "enableCommonBootImageImport"


def test_templates_of_a_hyperconverged_are_completed() -> None:
    asked = request(resources.HYPERCONVERGEDS, {"dataImportCronTemplates": [TEMPLATE]})
    answer = hyperconverged.complete(asked, Seen())
    assert answer.allowed
    assert answer.object is not None
    spec = answer.object["spec"]
    assert spec["featureGates"] == {SWITCH: True}
    assert spec["dataImportCronTemplates"][0]["spec"]["importsToKeep"] == 1
    again = hyperconverged.complete(request(resources.HYPERCONVERGEDS, spec), Seen())
    assert (again.allowed, again.object) == (True, None)


def test_templates_of_a_hyperconverged_are_judged() -> None:
    bare = {"dataImportCronTemplates": [{"metadata": {"name": "bare"}}]}
    answer = hyperconverged.decide(request(resources.HYPERCONVERGEDS, bare), Seen())
    field, message = broken(answer)
    assert field == "spec.dataImportCronTemplates[0]"
    assert "bare" in message
    good = {"dataImportCronTemplates": [TEMPLATE], "featureGates": {SWITCH: False}, SWITCH: True}
    answer = hyperconverged.decide(request(resources.HYPERCONVERGEDS, good), Seen())
    assert answer.allowed
    (warning,) = answer.warnings
    assert SWITCH in warning


ANY_SSP = List(resources.SSPS, limit=1)


def test_there_is_one_ssp() -> None:
    asked = request(resources.SSPS, {})
    assert ssp.decide(asked, Seen({ANY_SSP: []})).allowed
    there = {"metadata": {"name": "first", "namespace": "home"}}
    answer = ssp.decide(asked, Seen({ANY_SSP: [there]}))
    assert (answer.allowed, answer.code) == (False, 400)
    assert "namespace home: first" in answer.message
    assert ssp.decide(request(resources.SSPS, {}, {}), Seen()).allowed


def test_templates_of_an_ssp_have_names() -> None:
    spec = {"commonTemplates": {"dataImportCronTemplates": [TEMPLATE, {"spec": {}}]}}
    field, _ = broken(ssp.decide(request(resources.SSPS, spec), Seen()))
    assert field == "spec.commonTemplates.dataImportCronTemplates[1]"
