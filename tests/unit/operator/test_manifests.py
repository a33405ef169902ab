"""Whatever it is wrapped in, a cluster gets the same objects."""

from __future__ import annotations

import json
import re

import jsonschema_rs
import pytest
import yaml

from cdi.bootsources import fixed
from cdi.operator.inventory import operator, rules
from cdi.operator.inventory.bootsources import boot_sources
from cdi.operator.inventory.networkpolicies import network_policies
from cdi.operator.manifests import files, helm, kustomize, olm
from cdi.operator.settings import Images, Settings, parse_environment

SETTINGS = Settings(
    namespace="disks",
    version="v1.2.3",
    images=Images.all("registry/cdi:1"),
    verbosity=3,
    pull_policy="Always",
    monitoring_namespace="watchers",
)


def loaded(text):
    return [each for each in yaml.safe_load_all(text) if each]


def key(obj):
    return obj["kind"], obj["metadata"]["name"]


def by_key(objects):
    return {key(each): each for each in objects}


WANTED = by_key(operator.operator_objects(SETTINGS))


def test_plain_files_are_what_is_wanted():
    made = files.files(SETTINGS)
    assert by_key(loaded(made["cdi-operator.yaml"])) == WANTED
    assert loaded(made["cdi-cr.yaml"]) == [operator.default_cdi("Always")]
    assert loaded(made["network-policies.yaml"]) == network_policies("disks")


def test_boot_sources_are_beside_the_installation():
    made = files.files(SETTINGS)
    found = by_key(loaded(made["boot-sources.yaml"]))
    assert set(found) == {
        ("ServiceAccount", "cdi-bootsources"),
        ("ClusterRole", "cdi-bootsources"),
        ("ClusterRoleBinding", "cdi-bootsources"),
        ("ClusterRole", "cdi-bootsources-rules"),
        ("ClusterRoleBinding", "cdi-bootsources-rules"),
        ("ClusterRole", "cdi-bootsources-defaults"),
        ("ClusterRoleBinding", "cdi-bootsources-defaults"),
        ("Role", "cdi-bootsources"),
        ("RoleBinding", "cdi-bootsources"),
        ("Deployment", "cdi-bootsources"),
    }
    (container,) = found["Deployment", "cdi-bootsources"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "registry/cdi:1"
    assert container["command"][:2] == ["cdi", "bootsources"]
    assert "volumeMounts" not in container or container["volumeMounts"] == []


def test_templates_of_boot_images_go_with_them_and_others_are_another_pod():
    one, other = (by_key(boot_sources(SETTINGS, {"a.yaml": text})) for text in ("[]", "{}"))
    assert one["ConfigMap", "cdi-boot-images"]["data"] == {"a.yaml": "[]"}
    pods = [each["Deployment", "cdi-bootsources"]["spec"]["template"] for each in (one, other)]
    (mount,) = pods[0]["spec"]["containers"][0]["volumeMounts"]
    assert f"--boot-images={mount['mountPath']}" in pods[0]["spec"]["containers"][0]["command"]
    assert pods[0]["metadata"]["annotations"] != pods[1]["metadata"]["annotations"]


def granted(given):
    """Every single right of some rules, those about named objects left out."""
    return {
        (group, resource, verb)
        for each in given
        if "resourceNames" not in each
        for group in each["apiGroups"]
        for resource in each["resources"]
        for verb in each["verbs"]
    }


def test_whoever_makes_roles_for_boot_images_has_what_they_give():
    given = [
        rule for each in fixed.objects_for("kubevirt-os-images") for rule in each.get("rules", ())
    ]
    assert granted(given) <= granted(rules.BOOT_SOURCES_CLUSTER)


def test_the_operator_reads_back_the_settings_that_it_was_given():
    (container,) = WANTED["Deployment", "cdi-operator"]["spec"]["template"]["spec"]["containers"]
    environment = {each["name"]: each["value"] for each in container["env"]}
    assert parse_environment(environment, "disks") == SETTINGS


def test_bases_of_kustomize_name_all_of_their_files():
    made = kustomize.bases(SETTINGS)
    found = []
    for path, text in made.items():
        if path.endswith("kustomization.yaml"):
            (base,) = loaded(text)
            directory = path.rpartition("/")[0]
            for each in base["resources"]:
                found += loaded(made[f"{directory}/{each}"])
    everything = [*WANTED.values(), operator.default_cdi("Always"), *network_policies("disks")]
    assert by_key(found) == by_key(everything)


def rendered(text, values, release="disks"):
    """What Helm makes of the few things that our templates use."""

    def value_of(found):
        words = found[1].split(" | ")
        path = words[0].split(".")[1:]
        if path[0] == "Release":
            value = release
        else:
            value = values
            for step in path[1:]:
                value = value[step]
        if not value and "default .Chart.AppVersion" in words:
            value = SETTINGS.version
        return json.dumps(str(value)) if "quote" in words else str(value)

    text = re.sub(r"\{\{-? (if .*?|end) \}\}\n", "", text)
    return re.sub(r"\{\{ (\.(?:Values|Release)[^}]*) \}\}", value_of, text)


def test_the_chart_renders_to_the_same_objects():
    made = helm.chart(SETTINGS)
    (values,) = loaded(made["values.yaml"])
    found = [
        *loaded(made["crds/cdi.yaml"]),
        *loaded(rendered(made["templates/operator.yaml"], values)),
    ]
    wanted = {each: WANTED[each] for each in WANTED if each[0] != "Namespace"}
    assert by_key(found) == wanted
    policies = loaded(rendered(made["templates/network-policies.yaml"], values))
    assert policies == network_policies("disks")
    assert values["cdi"]["spec"] == operator.default_cdi("Always")["spec"]


def test_no_mark_is_left_in_a_template():
    for text in helm.chart(SETTINGS).values():
        assert "helm-value" not in text
        assert "helm-release" not in text


@pytest.mark.parametrize(
    ("change", "good"),
    [
        ({}, True),
        ({"image": ""}, False),
        ({"pullPolicy": "Sometimes"}, False),
        ({"runbookUrlTemplate": "https://x"}, False),
        ({"imge": "typo"}, False),
        ({"cdi": {"spec": {"config": {"featureGates": ["X"]}}}}, True),
        ({"cdi": {"spec": {"confg": {}}}}, False),
        ({"cdi": {"spec": {"imagePullPolicy": "Sometimes"}}}, False),
    ],
)
def test_values_are_checked_against_the_schema(change, good):
    made = helm.chart(SETTINGS)
    (values,) = loaded(made["values.yaml"])
    schema = json.loads(made["values.schema.json"])
    assert jsonschema_rs.is_valid(schema, {**values, **change}) is good


def test_the_bundle_has_the_same_operator():
    made = olm.bundle(SETTINGS)
    (version,) = loaded(made["manifests/cdi-operator.clusterserviceversion.yaml"])
    install = version["spec"]["install"]["spec"]
    wanted = WANTED["Deployment", "cdi-operator"]["spec"]
    pod = install["deployments"][0]["spec"]["template"]["spec"]
    assert pod.pop("priorityClassName") == "kubevirt-cluster-critical"
    assert install["deployments"][0]["spec"] == wanted
    cluster_role = WANTED["ClusterRole", "cdi-operator-cluster"]
    assert install["clusterPermissions"][0]["rules"] == cluster_role["rules"]
    assert install["permissions"][0]["rules"] == WANTED["Role", "cdi-operator"]["rules"]
