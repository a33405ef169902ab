"""Every definition is one that an API server takes."""

import copy
import json
import re

import pytest

from cdi.api import crds, quantity, resources
from cdi.api.kinds.datavolume import DataVolume
from support import structural

DEFINITIONS = {definition["spec"]["names"]["kind"]: definition for definition in crds.all()}


def nodes(schema, path=""):
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from nodes(inner, f"{path}.{name}")
    for key, mark in (("items", "[]"), ("additionalProperties", "{}")):
        if key in schema:
            yield from nodes(schema[key], path + mark)


def schemas_of(definition):
    return [version["schema"]["openAPIV3Schema"] for version in definition["spec"]["versions"]]


@pytest.mark.parametrize("kind", DEFINITIONS)
def test_every_schema_is_structural(kind):
    assert structural.problems_of(DEFINITIONS[kind]) == []


@pytest.mark.parametrize("kind", DEFINITIONS)
def test_every_field_is_described(kind):
    bare = [
        path
        for path, node in nodes(schemas_of(DEFINITIONS[kind])[0])
        if not node.get("description") and not path.endswith(("[]", "{}")) and path != ".metadata"
    ]
    assert bare == []


CDI_KINDS = [
    "CDI", "CDIConfig", "StorageProfile", "DataVolume", "DataSource", "DataImportCron",
    "ObjectTransfer", "VolumeImportSource", "VolumeUploadSource", "VolumeCloneSource",
]  # fmt: skip
# Of Kubernetes itself, or so plain that more words would say nothing more.
PLAIN = {"kind", "apiVersion", "spec", "name", "namespace", "uid", "status", "phase"}


@pytest.mark.parametrize("kind", CDI_KINDS)
def test_every_field_of_ours_says_more_than_its_name(kind):
    thin = [
        (path, node["description"])
        for path, node in nodes(schemas_of(DEFINITIONS[kind])[0])
        if len(node.get("description", "").split()) < 3
        and path.rpartition(".")[2].rstrip("[]{}") not in PLAIN
        and not path.endswith(("[]", "{}"))
        and path != ".metadata"
    ]
    assert thin == []


@pytest.mark.parametrize("kind", DEFINITIONS)
def test_every_version_has_the_same_schema(kind):
    first, *others = schemas_of(DEFINITIONS[kind])
    assert all(other == first for other in others)


@pytest.mark.parametrize("kind", DEFINITIONS)
def test_every_quantity_has_the_form_and_the_pattern_of_kubernetes(kind):
    for path, node in nodes(schemas_of(DEFINITIONS[kind])[0]):
        if "x-kubernetes-int-or-string" in node:
            assert node["anyOf"] == [{"type": "integer"}, {"type": "string"}], path
            assert node["pattern"] == quantity.PATTERN, path


@pytest.mark.parametrize("kind", DEFINITIONS)
def test_every_definition_names_its_generator(kind):
    annotations = DEFINITIONS[kind]["metadata"]["annotations"]
    assert re.fullmatch(r"v\d+\.\d+\.\d+", annotations["controller-gen.kubebuilder.io/version"])


@pytest.mark.parametrize("kind", sorted(set(DEFINITIONS) - {"HyperConverged", "SSP"}))
def test_unknown_fields_are_pruned_everywhere(kind):
    assert "x-kubernetes-preserve-unknown-fields" not in json.dumps(DEFINITIONS[kind])


@pytest.mark.parametrize("kind", sorted(set(DEFINITIONS) - {"HyperConverged", "SSP"}))
def test_the_only_default_is_the_empty_name_of_a_local_reference(kind):
    defaults = {
        path: node["default"]
        for path, node in nodes(schemas_of(DEFINITIONS[kind])[0])
        if "default" in node
    }
    assert all(path.endswith("imagePullSecrets[].name") for path in defaults)
    assert set(defaults.values()) <= {""}


def test_the_only_rules_are_about_access_modes_and_sources():
    rules = {
        f"{kind}{path}": node["x-kubernetes-validations"]
        for kind, definition in DEFINITIONS.items()
        for path, node in nodes(schemas_of(definition)[0])
        if "x-kubernetes-validations" in node
    }
    assert set(rules) == {
        "StorageProfile.spec.claimPropertySets[].accessModes",
        "StorageProfile.status.claimPropertySets[].accessModes",
        "DataSource.spec.source",
    }
    rules.pop("DataSource.spec.source")
    for (rule,) in rules.values():
        assert rule["message"] == "Illegal AccessMode"
        for mode in ("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"):
            assert f"'{mode}'" in rule["rule"]


def test_definitions_share_nothing_so_that_callers_may_change_them():
    before = crds.all()
    changed = crds.all()
    for definition in changed:
        definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"].clear()
    assert crds.all() == before


def test_a_kind_is_found_by_any_of_its_names():
    for word in ("DataVolume", "datavolume", "DATAVOLUMES", "dv", "dvs"):
        assert crds.crd_for(word)["spec"]["names"]["kind"] == "DataVolume"
    assert crds.crd_for("datavolumes.cdi.kubevirt.io") == crds.crd_for("dv")


def test_no_two_kinds_answer_to_one_name():
    words = [
        word.lower()
        for resource in resources.ALL
        for word in {resource.kind, resource.plural, *resource.short_names}
    ]
    for word in words:
        assert sum(resource.answers_to(word) for resource in resources.ALL) == 1


def test_an_unknown_kind_is_refused_with_the_known_ones():
    with pytest.raises(resources.UnknownKind, match=r"VirtualMachine.*DataVolume"):
        crds.crd_for("VirtualMachine")


def test_a_kind_that_is_never_stored_has_no_definition():
    with pytest.raises(LookupError, match=r"upload\.cdi\.kubevirt\.io"):
        crds.crd_for("UploadTokenRequest")


def test_new_objects_are_written_in_the_storage_version():
    assert resources.resource_of(DataVolume).api_version == "cdi.kubevirt.io/v1beta1"


def broken(change):
    definition = copy.deepcopy(DEFINITIONS["DataSource"])
    change(definition, definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
    return structural.problems_of(definition)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda d, s: s["properties"]["spec"].pop("type"), id="no-type"),
        pytest.param(lambda d, s: s.update({"$ref": "#/x"}), id="reference"),
        pytest.param(
            lambda d, s: s["properties"]["spec"].update(additionalProperties={}), id="both"
        ),
        pytest.param(lambda d, s: s.update(anyOf=[{"type": "object"}]), id="type-in-junctor"),
        pytest.param(lambda d, s: s.update(anyOf=[{"properties": {"x": {}}}]), id="only-inside"),
        pytest.param(lambda d, s: s["required"].append("x"), id="required-but-unknown"),
        pytest.param(lambda d, s: s["properties"].update(x={"type": "array"}), id="no-items"),
        pytest.param(
            lambda d, s: s["properties"].update(x={"type": "string", "default": 1}),
            id="default-of-another-type",
        ),
        pytest.param(
            lambda d, s: s["properties"].update(
                x={"type": "integer", "x-kubernetes-int-or-string": True}
            ),
            id="int-or-string-with-type",
        ),
        pytest.param(
            lambda d, s: s["properties"]["metadata"].update(properties={}), id="root-metadata"
        ),
        pytest.param(lambda d, s: d["spec"]["versions"][0].update(storage=False), id="no-storage"),
        pytest.param(lambda d, s: d["metadata"].update(name="x"), id="wrong-name"),
    ],
)
def test_the_checker_notices_what_an_api_server_would_refuse(change):
    assert broken(change) != []
