"""What a HyperConverged comes to: the CDI object, its status and, by its SSP, boot images."""

import json
from typing import Any

import pytest

from cdi.api import annotations as known
from cdi.api import labels
from cdi.bootsources import common, sspdecide
from cdi.bootsources.decide import Seen, decide
from cdi.bootsources.nodes import Architectures
from cdi.bootsources.plan import Plan
from cdi.kube.mergepatch import merged
from cdi.kube.objects import Key, Object

GOLDEN = "kubevirt-os-images"
URL = {"registry": {"url": "docker://registry.example/mine:1"}}
NOW = "2030-01-01T00:00:00Z"


def hyperconverged(*, annotations: Object | None = None, **spec: Any) -> Object:
    meta = {"name": "kubevirt-hyperconverged", "namespace": "hco", "annotations": annotations or {}}
    return {"metadata": meta, "spec": spec}


def template(name: str = "mine", source: str = "mine", **annotations: str) -> Object:
    return {
        "metadata": {"name": name, "annotations": annotations},
        "spec": {
            "managedDataSource": source,
            "schedule": "0 0 * * *",
            "template": {"spec": {"source": URL, "storage": {}}},
        },
    }


def first_look(given: Object, **seen: Any) -> Plan:
    """The HyperConverged alone: what it wants of its SSP."""
    seen.setdefault("common", common.shipped())
    return decide(Seen(given, NOW, "1 2/12 * * *", **seen))


def ssp_of(plan: Plan, **meta: Any) -> Object:
    (found,) = (merged({}, each) for each in plan.ensure if each["kind"] == "SSP")
    return merged(found, {"metadata": meta})


def look(given: Object, *, architectures: tuple[str, ...] = ("amd64",), **seen: Any) -> Plan:
    """The HyperConverged and, beneath, its SSP: all that comes of both."""
    plan = first_look(given, architectures=Architectures(architectures[:1], architectures))
    if not plan.ensure:
        return plan
    below = sspdecide.decide(sspdecide.Seen(ssp_of(plan), NOW, **seen))
    return Plan((*plan.ensure, *below.ensure), (*plan.remove, *below.remove), plan.itself,
                plan.status)  # fmt: skip


def made(plan: Plan, kind: str) -> dict[str, Object]:
    return {each["metadata"]["name"]: each for each in plan.ensure if each["kind"] == kind}


def there(plan: Plan, kind: str) -> list[Object]:
    """What a cluster has after a plan."""
    return [merged({}, each) for each in made(plan, kind).values()]


def gone(plan: Plan) -> list[str]:
    return [each["metadata"]["name"] for each in plan.remove]


def test_common_images_have_crons_and_data_sources():
    plan = look(hyperconverged())
    crons = made(plan, "DataImportCron")
    assert list(crons) == [
        "centos-stream10-image-cron", "centos-stream9-image-cron", "fedora-image-cron",
    ]  # fmt: skip
    assert {each["metadata"]["namespace"] for each in crons.values()} == {GOLDEN}
    sources = made(plan, "DataSource")
    assert set(sources) == set(common.EXPECTED["amd64"])
    fedora = sources["fedora"]
    assert fedora["metadata"]["labels"][labels.DATA_IMPORT_CRON] == "fedora-image-cron"
    assert fedora["spec"]["source"]["pvc"] == {"namespace": GOLDEN, "name": "fedora"}
    assert sources["win11"]["metadata"]["labels"][labels.DATA_IMPORT_CRON] is None


def test_the_switch_takes_crons_and_lets_data_sources_go():
    on = look(hyperconverged())
    off = look(
        hyperconverged(featureGates={"enableCommonBootImageImport": False}),
        crons=there(on, "DataImportCron"),
        data_sources=there(on, "DataSource"),
    )
    assert made(off, "DataImportCron") == {}
    assert set(gone(off)) == set(made(on, "DataImportCron"))
    fedora = made(off, "DataSource")["fedora"]
    assert fedora["metadata"]["labels"][labels.DATA_IMPORT_CRON] is None
    assert fedora["spec"]["source"]["pvc"]["name"] == "fedora"


def test_a_pass_over_what_is_there_changes_nothing():
    first = look(hyperconverged())
    again = look(
        hyperconverged(),
        crons=there(first, "DataImportCron"),
        data_sources=there(first, "DataSource"),
    )
    assert gone(again) == []
    for kind in ("DataImportCron", "DataSource"):
        found = {each["metadata"]["name"]: each for each in there(first, kind)}
        for name, wanted in made(again, kind).items():
            assert merged(found[name], wanted) == found[name]


def test_a_cron_that_changes_is_made_anew():
    first = look(hyperconverged(dataImportCronTemplates=[template()]))
    changed = template()
    changed["spec"]["schedule"] = "1 1 * * *"
    second = look(
        hyperconverged(dataImportCronTemplates=[changed]), crons=there(first, "DataImportCron")
    )
    assert gone(second) == ["mine"]
    assert "mine" not in made(second, "DataImportCron")


def test_a_cron_of_somebody_else_is_left_alone():
    foreign = {"metadata": {"name": "mine", "namespace": GOLDEN}, "spec": {}}
    own = {"metadata": {"name": "other", "namespace": "ns"}, "spec": {}}
    plan = look(hyperconverged(dataImportCronTemplates=[template()]), crons=[foreign, own])
    assert gone(plan) == []
    assert "mine" not in made(plan, "DataImportCron")


LABELLED = {"metadata": {"name": "fedora", "namespace": GOLDEN, "labels": {
    labels.DATA_IMPORT_CRON: "x"}}, "spec": {"source": {}}}  # fmt: skip
BARE = {"metadata": {"name": "fedora", "namespace": GOLDEN}, "spec": {"source": {}}}
CLAIM = frozenset({Key(GOLDEN, "fedora")})


@pytest.mark.parametrize(
    ("sources", "claims", "follows"),
    [
        pytest.param([], frozenset(), True, id="nothing-there"),
        pytest.param([], CLAIM, False, id="a-claim-of-its-name"),
        pytest.param([LABELLED], CLAIM, True, id="opted-in-by-label"),
        pytest.param([BARE], CLAIM, False, id="opted-out"),
        pytest.param([BARE], frozenset(), True, id="no-claim-any-more"),
    ],
)
def test_a_data_source_follows_unless_a_claim_takes_its_place(sources, claims, follows):
    plan = look(hyperconverged(), data_sources=sources, claims=claims)
    assert ("fedora-image-cron" in made(plan, "DataImportCron")) is follows
    fedora = made(plan, "DataSource")["fedora"]
    assert (fedora["metadata"]["labels"][labels.DATA_IMPORT_CRON] is not None) is follows


def test_what_a_data_source_names_is_cdis_affair_once_it_follows():
    plan = look(hyperconverged(), data_sources=[LABELLED])
    assert "spec" not in made(plan, "DataSource")["fedora"]


def test_several_architectures_have_a_cron_each():
    plan = look(
        hyperconverged(featureGates={"enableMultiArchBootImageImport": True}),
        architectures=("arm64", "amd64"),
    )
    crons = made(plan, "DataImportCron")
    assert {"fedora-image-cron-amd64", "fedora-image-cron-arm64"} <= set(crons)
    arm = crons["fedora-image-cron-arm64"]
    assert arm["spec"]["managedDataSource"] == "fedora-arm64"
    registry = arm["spec"]["template"]["spec"]["source"]["registry"]
    assert registry["platform"] == {"architecture": "arm64"}
    sources = made(plan, "DataSource")
    assert sources["fedora"]["spec"]["source"]["dataSource"]["name"] == "fedora-arm64"
    assert {"fedora-amd64", "fedora-arm64", "win11-amd64", "win11"} <= set(sources)
    assert "win11-arm64" not in sources


SEVERAL = {"enableMultiArchBootImageImport": True}
ARCHITECTURES = "ssp.kubevirt.io/dict.architectures"


def of_several(*templates: Object, architectures: tuple[str, ...], **seen: Any) -> Plan:
    given = hyperconverged(featureGates=SEVERAL, dataImportCronTemplates=list(templates))
    return look(given, architectures=architectures, **seen)


def test_each_cron_says_of_which_architecture_and_data_source_it_is():
    crons = made(of_several(architectures=("amd64", "arm64")), "DataImportCron")
    assert (
        crons["fedora-image-cron-arm64"]["metadata"]["labels"].items()
        >= {
            "template.kubevirt.io/architecture": "arm64",
            "cdi.kubevirt.io/storage.import.datasource-name": "fedora",
        }.items()
    )


def test_an_image_of_ones_own_for_several_architectures_is_referred_to():
    own = template(**{ARCHITECTURES: "arm64,amd64,riscv64"})
    plan = of_several(own, architectures=("amd64", "arm64"))
    crons, sources = made(plan, "DataImportCron"), made(plan, "DataSource")
    assert {each for each in crons if each.startswith("mine")} == {"mine-amd64", "mine-arm64"}
    assert {each for each in sources if each.startswith("mine")} == {
        "mine", "mine-amd64", "mine-arm64",
    }  # fmt: skip
    assert sources["mine"]["spec"]["source"]["dataSource"]["name"] == "mine-amd64"


def test_an_image_of_one_architecture_is_that_of_the_default():
    crons = made(of_several(template("r", "rhel9"), architectures=("amd64", "arm64")),
                 "DataImportCron")  # fmt: skip
    assert crons["r"]["spec"]["managedDataSource"] == "rhel9-amd64"
    crons = made(of_several(template(), architectures=("amd64", "arm64")), "DataImportCron")
    assert crons["mine"]["spec"]["managedDataSource"] == "mine"  # no machine expects it


def test_a_claim_of_the_plain_name_goes_on_to_serve_the_default_architecture():
    plan = of_several(architectures=("amd64", "arm64"), claims=CLAIM)
    crons, sources = made(plan, "DataImportCron"), made(plan, "DataSource")
    assert "fedora-image-cron-amd64" not in crons
    assert "fedora-image-cron-arm64" in crons
    assert sources["fedora-amd64"]["spec"]["source"]["pvc"]["name"] == "fedora"
    assert sources["fedora"]["spec"]["source"]["dataSource"]["name"] == "fedora-amd64"


def test_an_ssp_that_asks_for_more_gets_what_the_cluster_has():
    own = template(**{ARCHITECTURES: "s390x,arm64"})
    ssp = {
        "apiVersion": "ssp.kubevirt.io/v1beta3",
        "kind": "SSP",
        "metadata": {"name": "ssp", "namespace": "hco"},
        "spec": {
            "commonTemplates": {"namespace": "machines", "dataImportCronTemplates": [own]},
            "enableMultipleArchitectures": True,
            "cluster": {"workloadArchitectures": ["arm64"]},
        },
    }
    plan = sspdecide.decide(sspdecide.Seen(ssp, NOW))
    assert list(made(plan, "DataImportCron")) == ["mine-arm64"]


# The CDI object.


def cdi(**spec: Any) -> Object:
    return made(look(hyperconverged(**spec)), "CDI")["cdi-kubevirt-hyperconverged"]


def test_settings_reach_the_cdi_object():
    found = cdi(
        scratchSpaceStorageClass="scratch",
        filesystemOverhead={"global": "0.1"},
        storageImport={"insecureRegistries": ["r:5000"]},
        resourceRequirements={"storageWorkloads": {"limits": {"cpu": "2"}}},
        workloads={"nodePlacement": {"nodeSelector": {"a": "b"}}},
        infra={"nodePlacement": {"nodeSelector": {"c": "d"}}},
    )
    config = found["spec"]["config"]
    assert config["scratchSpaceStorageClass"] == "scratch"
    assert config["filesystemOverhead"] == {"global": "0.1"}
    assert config["insecureRegistries"] == ["r:5000"]
    assert config["podResourceRequirements"] == {"limits": {"cpu": "2"}}
    assert config["featureGates"] == ["HonorWaitForFirstConsumer", "DataVolumeClaimAdoption"]
    assert found["spec"]["workload"] == {"nodeSelector": {"a": "b"}}
    assert found["spec"]["infra"] == {"nodeSelector": {"c": "d"}}
    assert known.CONFIG_AUTHORITY in found["metadata"]["annotations"]


def test_a_setting_that_is_taken_back_is_taken_off():
    before = merged({}, cdi(scratchSpaceStorageClass="scratch"))
    assert "scratchSpaceStorageClass" not in merged(before, cdi())["spec"]["config"]


def test_a_cdi_object_that_is_there_is_used():
    plan = first_look(hyperconverged(), installations=[{"metadata": {"name": "cdi"}}])
    assert list(made(plan, "CDI")) == ["cdi"]


def test_a_json_patch_goes_on_top():
    patch = [{"op": "add", "path": "/spec/config/preallocation", "value": True}]
    given = hyperconverged(annotations={known.CDI_JSON_PATCH: json.dumps(patch)})
    found = made(look(given), "CDI")["cdi-kubevirt-hyperconverged"]
    assert found["spec"]["config"]["preallocation"] is True


# The status.


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(hyperconverged(dataImportCronTemplates=[template(), template()]), id="twice"),
        pytest.param(hyperconverged(annotations={known.CDI_JSON_PATCH: "nonsense"}), id="patch"),
        pytest.param(
            hyperconverged(dataImportCronTemplates=[{"metadata": {"name": "x"}}]), id="incomplete"
        ),
    ],
)
def test_what_makes_no_sense_is_told_and_changes_nothing(given):
    plan = look(given)
    assert (plan.ensure, plan.remove) == ((), ())
    degraded = {each["type"]: each for each in plan.status["conditions"]}["Degraded"]
    assert (degraded["status"], degraded["reason"]) == ("True", "ReconcileFailed")
    assert degraded["message"]


def test_the_schedule_is_drawn_once():
    first = look(hyperconverged())
    assert first.status["dataImportSchedule"] == "1 2/12 * * *"
    given = {**hyperconverged(), "status": {"dataImportSchedule": "3 4/12 * * *"}}
    again = look(given)
    assert again.status["dataImportSchedule"] == "3 4/12 * * *"
    crons = made(again, "DataImportCron")
    assert {each["spec"]["schedule"] for each in crons.values()} == {"3 4/12 * * *"}


# The end.

ENDING: Object = {"deletionTimestamp": NOW, "finalizers": ["ssp.kubevirt.io/finalizer"]}


def ending(**seen: Any) -> Plan:
    ssp = ssp_of(first_look(hyperconverged()), **ENDING)
    return sspdecide.decide(sspdecide.Seen(ssp, NOW, **seen))


def test_crons_go_first_when_an_ssp_ends():
    on = look(hyperconverged())
    crons, sources = there(on, "DataImportCron"), there(on, "DataSource")
    fixtures = [
        merged({}, each)
        for each in on.ensure
        if each["kind"] not in ("DataImportCron", "DataSource", "CDI", "SSP")
    ]
    first = ending(crons=crons, data_sources=sources, fixtures=fixtures)
    assert (gone(first), first.itself) == (gone_names(crons), None)
    second = ending(data_sources=sources, fixtures=fixtures)
    assert set(gone(second)) == {*gone_names(sources), *gone_names(fixtures)}
    assert second.itself["metadata"]["finalizers"] == []


def gone_names(objects: list[Object]) -> list[str]:
    return [each["metadata"]["name"] for each in objects]


def test_the_namespace_stays_with_disks_that_no_cron_takes():
    on = look(hyperconverged())
    spaces = there(on, "Namespace")
    assert gone(ending(fixtures=spaces)) == [GOLDEN]
    assert gone(ending(fixtures=spaces, disks=["my-own"])) == []


def test_what_others_have_made_under_the_same_names_stays():
    foreign = {"kind": "Namespace", "metadata": {"name": GOLDEN}}
    assert gone(ending(fixtures=[foreign])) == []


def test_the_ssp_goes_before_its_hyperconverged():
    on = first_look(hyperconverged())
    given = merged(hyperconverged(), {"metadata": {
        "deletionTimestamp": NOW, "finalizers": ["kubevirt.io/hyperconverged"]}})  # fmt: skip
    first = first_look(given, ssp=ssp_of(on))
    assert (len(first.remove), first.itself) == (1, None)
    waiting = first_look(given, ssp=ssp_of(on, **ENDING))
    assert (waiting.remove, waiting.itself) == ((), None)
    assert first_look(given).itself["metadata"]["finalizers"] == []


# The SSP.


def test_settings_reach_the_ssp():
    given = hyperconverged(
        dataImportCronTemplates=[template()],
        commonTemplatesNamespace="machines",
        featureGates={"enableMultiArchBootImageImport": True},
    )
    nodes = Architectures(("arm64",), ("amd64",))
    found = ssp_of(first_look(given, architectures=nodes))
    assert found["metadata"]["name"] == "ssp-kubevirt-hyperconverged"
    assert found["metadata"]["namespace"] == "hco"
    spec = found["spec"]
    assert spec["commonTemplates"]["namespace"] == "machines"
    names = [
        each["metadata"]["name"] for each in spec["commonTemplates"]["dataImportCronTemplates"]
    ]
    assert names == [
        "centos-stream10-image-cron", "centos-stream9-image-cron", "fedora-image-cron", "mine",
    ]  # fmt: skip
    assert spec["templateValidator"] == {"replicas": 2}
    assert spec["enableMultipleArchitectures"] is True
    assert spec["cluster"] == {
        "controlPlaneArchitectures": ["arm64"], "workloadArchitectures": ["amd64"],
    }  # fmt: skip


def test_a_json_patch_of_the_ssp_goes_on_top():
    patch = [
        {"op": "replace", "path": "/spec/templateValidator/replicas", "value": 1},
        {"op": "remove", "path": "/spec/cluster"},
    ]
    given = hyperconverged(annotations={known.SSP_JSON_PATCH: json.dumps(patch)})
    (found,) = (each for each in first_look(given).ensure if each["kind"] == "SSP")
    assert found["spec"]["templateValidator"] == {"replicas": 1}
    assert found["spec"]["cluster"] is None


@pytest.mark.parametrize(
    "patch",
    [
        pytest.param('[{"op": "replace", "path": "/spec/nothing/here", "value": 1}]', id="nowhere"),
        pytest.param('[{"op": "replace", "path": "/metadata/name", "value": "x"}]', id="another"),
        pytest.param('[{"op": "shuffle", "path": "/spec"}]', id="no-operation"),
        pytest.param('[{"op": "remove", "path": ""}]', id="everything"),
        pytest.param("{", id="no-json"),
    ],
)
def test_a_json_patch_that_makes_no_sense_is_told(patch):
    plan = first_look(hyperconverged(annotations={known.SSP_JSON_PATCH: patch}))
    degraded = {each["type"]: each for each in plan.status["conditions"]}["Degraded"]
    assert (plan.ensure, degraded["status"]) == ((), "True")
    assert known.SSP_JSON_PATCH in degraded["message"]


def test_a_paused_ssp_is_left_as_it_is():
    ssp = ssp_of(first_look(hyperconverged()), annotations={"kubevirt.io/operator.paused": "true"})
    plan = sspdecide.decide(sspdecide.Seen(ssp, NOW))
    assert (plan.ensure, plan.remove, plan.status["paused"]) == ((), (), True)
    again = {**ssp, "status": plan.status, "metadata": {**ssp["metadata"], "annotations": {}}}
    assert "paused" not in sspdecide.decide(sspdecide.Seen(again, NOW)).status


def test_what_troubles_an_ssp_is_told_by_its_hyperconverged():
    said = {"type": "Degraded", "status": "True", "message": "no room"}
    ssp = {**ssp_of(first_look(hyperconverged())), "status": {"conditions": [said]}}
    plan = first_look(hyperconverged(), ssp=ssp)
    degraded = {each["type"]: each for each in plan.status["conditions"]}["Degraded"]
    assert (degraded["status"], degraded["message"]) == ("True", "SSP: no room")


# ImageStreams.

STREAM = {"apiVersion": "image.openshift.io/v1", "kind": "ImageStream",
          "metadata": {"name": "rhel9"}, "spec": {}}  # fmt: skip


def streams(plan: Plan) -> list[tuple[str, str]]:
    return [
        (each["metadata"]["namespace"], each["metadata"]["name"])
        for each in plan.ensure
        if each["kind"] == "ImageStream"
    ]


def test_image_streams_are_where_common_images_are():
    first = first_look(hyperconverged(), shipped_streams=[STREAM])
    assert streams(first) == [(GOLDEN, "rhel9")]
    moved = first_look(
        hyperconverged(commonBootImageNamespace="elsewhere"),
        shipped_streams=[STREAM],
        streams=there(first, "ImageStream"),
    )
    assert (streams(moved), gone(moved)) == ([("elsewhere", "rhel9")], ["rhel9"])


def test_image_streams_go_with_the_switch_unless_they_are_somebody_elses():
    off = hyperconverged(enableCommonBootImageImport=False)
    mine = there(first_look(hyperconverged(), shipped_streams=[STREAM]), "ImageStream")
    foreign = {**STREAM, "metadata": {"name": "other", "namespace": GOLDEN}}
    plan = first_look(off, shipped_streams=[STREAM], streams=[*mine, foreign])
    assert (streams(plan), gone(plan)) == ([], ["rhel9"])
