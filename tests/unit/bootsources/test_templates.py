"""Which templates are in effect, and what is in them."""

from dataclasses import replace

import pytest

from cdi.api import annotations as known
from cdi.bootsources import common, templates
from cdi.bootsources.settings import Settings
from cdi.bootsources.templates import Cluster

SCHEDULE = "55 8/12 * * *"
CLUSTER = Cluster(schedule=SCHEDULE, architectures=("amd64", "arm64"), now="2030-01-01T00:00:00Z")
SOURCE = {"registry": {"url": "docker://registry.example/mine:1"}}
SHIPPED = ["centos-stream10-image-cron", "centos-stream9-image-cron", "fedora-image-cron"]


def own(name="mine", spec=None, **annotations):
    given = {"managedDataSource": "mine", "schedule": "0 0 * * *",
             "template": {"spec": {"source": SOURCE, "storage": {}}}}  # fmt: skip
    return {"metadata": {"name": name, "annotations": annotations},
            "spec": given if spec is None else spec}  # fmt: skip


def effect(*given, cluster=CLUSTER, **settings):
    made = templates.in_effect(common.shipped(), Settings(templates=given, **settings), cluster)
    return {each.name: each for each in made}


def test_shipped_ones_are_there_with_the_clusters_own_schedule():
    found = effect()
    assert list(found) == SHIPPED
    assert {each.template["spec"]["schedule"] for each in found.values()} == {SCHEDULE}
    assert {each.template["spec"]["retentionPolicy"] for each in found.values()} == {"None"}
    assert found["fedora-image-cron"].as_document()["status"] == {"commonTemplate": True}


def test_the_switch_takes_them_away_and_leaves_the_clusters_own():
    assert list(effect(own(), imports_common=False)) == ["mine"]


def test_own_ones_show_an_empty_status_and_bind_at_once():
    mine = effect(own())["mine"].as_document()
    assert mine["status"] == {}
    assert mine["metadata"]["annotations"][known.BIND_IMMEDIATE] == "true"
    assert (mine["spec"]["retentionPolicy"], mine["spec"]["importsToKeep"]) == ("None", 1)
    assert mine["spec"]["schedule"] == "0 0 * * *"


def test_what_an_own_one_says_itself_stays():
    given = own(**{known.BIND_IMMEDIATE: "false"})
    given["spec"] |= {"retentionPolicy": "All", "importsToKeep": 5}
    mine = effect(given)["mine"].template
    assert mine["metadata"]["annotations"][known.BIND_IMMEDIATE] == "false"
    assert (mine["spec"]["retentionPolicy"], mine["spec"]["importsToKeep"]) == ("All", 5)


@pytest.mark.parametrize(
    ("said", "there"),
    [("false", False), ("False", False), ("true", True), ("TRUE", True), ("nonsense", False)],
)
@pytest.mark.parametrize("name", ["mine", "fedora-image-cron"])
def test_one_template_can_be_switched_off(name, said, there):
    given = own(name, **{known.CRON_TEMPLATE_ENABLE: said})
    assert (name in effect(given)) is there


def test_a_shipped_one_is_changed_field_by_field():
    spec = {"template": {"spec": {"storage": {"storageClassName": "fast"}}}}
    found = effect(own("fedora-image-cron", spec))["fedora-image-cron"]
    template = found.template["spec"]["template"]["spec"]
    assert template["storage"] == {
        "storageClassName": "fast",
        "resources": {"requests": {"storage": "5Gi"}},
    }
    assert template["source"]["registry"]["url"].endswith("/fedora:latest")
    assert found.template["spec"]["managedDataSource"] == "fedora"
    assert found.template["spec"]["schedule"] == SCHEDULE
    assert found.as_document()["status"] == {"commonTemplate": True, "modified": True}


def test_a_changed_one_may_have_a_schedule_a_source_and_a_claim_of_its_own():
    spec = {"schedule": "1 1 * * *", "template": {"spec": {"source": SOURCE, "pvc": {"a": 1}}}}
    template = effect(own("fedora-image-cron", spec))["fedora-image-cron"].template["spec"]
    assert template["schedule"] == "1 1 * * *"
    assert template["template"]["spec"] == {"source": SOURCE, "pvc": {"a": 1}}


def test_an_empty_change_changes_nothing_but_the_mark():
    found = effect(own("fedora-image-cron", {}))["fedora-image-cron"]
    assert found.modified
    assert found.template["spec"] == effect()["fedora-image-cron"].template["spec"]


def test_shipped_ones_go_where_they_are_told_also_when_they_are_changed():
    given = own("fedora-image-cron", {})
    apart = own("centos-stream9-image-cron", {})
    apart["metadata"]["namespace"] = "apart"
    found = effect(given, apart, namespace="images")
    names = [each.template["metadata"]["namespace"] for each in found.values()]
    assert names == ["images", "apart", "images"]


def test_a_name_is_there_once():
    with pytest.raises(templates.DuplicateTemplate):
        effect(own(), own())


def handed_on(*given, **settings):
    chosen = Settings(templates=given, **settings)
    found = templates.in_effect(common.shipped(), chosen, CLUSTER)
    return {each.name: each for each in templates.for_crons(found, chosen)}


def test_crons_carry_no_architectures_unless_asked():
    given = handed_on()["fedora-image-cron"].template["metadata"]["annotations"]
    assert given == {known.BIND_IMMEDIATE: "true"}
    assert handed_on(multi_arch=True)["fedora-image-cron"].architectures == ("amd64", "arm64")


ARCHITECTURES = known.CRON_TEMPLATE_ARCHITECTURES


def test_architectures_are_those_of_the_cluster():
    found = effect(own(**{ARCHITECTURES: "amd64,s390x"}), multi_arch=True)
    assert found["mine"].architectures == ("amd64",)
    assert found["mine"].as_document()["status"] == {
        "originalSupportedArchitectures": "amd64,s390x"
    }


def test_an_image_for_no_node_is_not_deployed():
    one = replace(CLUSTER, architectures=("s390x",))
    found = effect(own(**{ARCHITECTURES: "amd64"}), cluster=one, multi_arch=True)["mine"]
    (condition,) = found.as_document()["status"]["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == (
        "Deployed", "False", "UnsupportedArchitectures",
    )  # fmt: skip
    assert not found.deployed


def test_templates_of_a_directory_take_the_place_of_shipped_ones(tmp_path):
    (tmp_path / "a.yaml").write_text("- metadata: {name: one}\n  spec: {schedule: ''}\n")
    (tmp_path / "b.yaml").write_text("metadata: {name: two}\nspec: {importsToKeep: 3}\n")
    found = {each["metadata"]["name"]: each["spec"] for each in common.read(tmp_path)}
    assert found == {
        "one": {"schedule": "", "retentionPolicy": "None", "importsToKeep": 1},
        "two": {"importsToKeep": 3, "retentionPolicy": "None"},
    }
    (tmp_path / "c.yaml").write_text("metadata: {name: two}\n")
    with pytest.raises(common.InvalidTemplates, match="twice"):
        common.read(tmp_path)
    assert common.read(tmp_path / "absent") == ()
