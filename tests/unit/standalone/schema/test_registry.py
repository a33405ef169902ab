"""Built-in kinds, custom kinds, and the documents about both."""

import pytest

from cdi.api import crds
from cdi.standalone.schema import admit, definitions, registry

KINDS = {(kind.group, kind.kind): kind for kind in registry.builtin_kinds()}
OBJECT = {"type": "object"}


def definition(schema=None, **spec):
    return {
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget"},
            "versions": [version(schema or OBJECT)],
            **spec,
        },
    }


def version(schema, **more):
    return {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        **more,
    }


def field(schema):
    return {"type": "object", "properties": {"f": schema}}


AT = "spec.validation.openAPIV3Schema"


@pytest.mark.parametrize(
    ("crd", "want"),
    [
        pytest.param(
            {**definition(), "metadata": {"name": "w"}},
            'metadata.name: Invalid value: "w": must be spec.names.plural+"."+spec.group',
            id="name",
        ),
        pytest.param(
            definition(names={"plural": "widgets", "singular": "widget", "listKind": "WidgetList"}),
            "spec.names.kind: Required value",
            id="no-kind",
        ),
        pytest.param(
            definition(scope="Galaxy"),
            'spec.scope: Unsupported value: "Galaxy": supported values: "Cluster", "Namespaced"',
            id="scope",
        ),
        pytest.param(
            definition(versions=[version(OBJECT, storage=False)]),
            'spec.versions: Invalid value: ["v1"]: must have exactly one version marked as storage '
            "version",
            id="no-storage-version",
        ),
        pytest.param(
            definition(versions=[{"name": "v1", "served": True, "storage": True}]),
            "spec.versions[0].schema.openAPIV3Schema: Required value",
            id="no-schema",
        ),
        pytest.param(
            definition({"type": "string"}),
            f'{AT}.type: Invalid value: "string": must be object at the root',
            id="root-type",
        ),
        pytest.param(
            definition(field({})),
            f"{AT}.properties[f].type: Required value: must not be empty for specified object "
            "fields",
            id="field-without-type",
        ),
        pytest.param(
            definition(field({"type": "array"})),
            f"{AT}.properties[f].items: Required value: must be specified",
            id="list-without-items",
        ),
        pytest.param(
            definition(
                field(
                    {
                        "type": "object",
                        "properties": {"a": {"type": "string"}},
                        "additionalProperties": {"type": "string"},
                    }
                )
            ),
            f"{AT}.properties[f].additionalProperties: Forbidden: additionalProperties and "
            "properties are mutual exclusive",
            id="map-and-fields",
        ),
        pytest.param(
            definition(field({"type": "string", "anyOf": [{"type": "string"}]})),
            f"{AT}.properties[f].anyOf[0].type: Forbidden: must be empty to be structural",
            id="type-in-a-branch",
        ),
        pytest.param(
            definition(field({"type": "string", "$ref": "#/x"})),
            f"{AT}.properties[f].$ref: Forbidden: $ref is not supported",
            id="reference",
        ),
        pytest.param(
            definition(field({"type": "string", "pattern": "("})),
            f'{AT}.properties[f].pattern: Invalid value: "(": must be a valid regular expression, '
            "but isn't: missing ), unterminated subpattern at position 0",
            id="pattern",
        ),
        pytest.param(
            definition(field({"type": "string", "default": 1})),
            f'{AT}.properties[f].default: Invalid value: "integer":  in body must be of type '
            'string: "integer"',
            id="default-of-another-type",
        ),
        pytest.param(
            definition(
                versions=[version(OBJECT, additionalPrinterColumns=[{"name": "a", "type": "text"}])]
            ),
            'spec.additionalPrinterColumns[0].type: Invalid value: "text": must be one of '
            "boolean,date,integer,number,string",
            id="column-type",
        ),
    ],
)
def test_a_definition_is_refused(crd, want):
    with pytest.raises(registry.InvalidCrd) as caught:
        registry.kinds_of_crd(crd)
    assert str(caught.value.causes[0]) == want


def test_a_definition_with_a_rule_that_is_no_cel_is_refused():
    schema = field({"type": "string", "x-kubernetes-validations": [{"rule": "self ==="}]})
    crd = {**definition(schema), "apiVersion": "apiextensions.k8s.io/v1"}
    (error,) = admit.validate(KINDS["apiextensions.k8s.io", "CustomResourceDefinition"], crd, None)
    assert error.field == f"{AT}.properties[f].x-kubernetes-validations[0].rule"
    assert "compilation failed" in error.message


def test_a_definition_gives_a_kind_for_every_version():
    crd = definition(
        versions=[
            version(OBJECT, subresources={"status": {}}),
            version(OBJECT, name="v1beta1", storage=False, deprecated=True),
        ],
        names={"plural": "widgets", "kind": "Widget", "shortNames": ["w"], "categories": ["all"]},
    )
    new, old = registry.kinds_of_crd(crd)
    assert (new.api_version, new.singular, new.short_names, new.categories) == (
        "example.com/v1", "widget", ("w",), ("all",),
    )  # fmt: skip
    assert (new.subresources, new.storage, new.deprecation) == (frozenset({"status"}), True, None)
    assert old.deprecation == "example.com/v1beta1 Widget is deprecated"
    assert new.schema["properties"]["metadata"]["properties"]["labels"]["type"] == "object"


@pytest.mark.parametrize("crd", crds.all(), ids=lambda crd: crd["metadata"]["name"])
def test_our_own_definitions_are_accepted(crd):
    info = KINDS["apiextensions.k8s.io", "CustomResourceDefinition"]
    assert admit.decode_problem(info, crd) is None
    assert admit.unknown_fields(info, crd) == []
    assert admit.validate(info, crd, None) == []
    assert registry.kinds_of_crd(crd)


def test_a_definition_keeps_its_scope():
    info = KINDS["apiextensions.k8s.io", "CustomResourceDefinition"]
    errors = admit.validate(info, definition(scope="Cluster"), definition())
    assert [str(error) for error in errors] == [
        'spec.scope: Invalid value: "Cluster": field is immutable'
    ]


def test_names_of_kinds_are_unique_within_their_group():
    seen = set()
    for kind in KINDS.values():
        for name in {kind.plural, kind.singular, *kind.short_names}:
            assert (kind.group, name) not in seen
            seen.add((kind.group, name))


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: f"{kind.group}/{kind.kind}")
def test_every_kind_has_a_schema_with_metadata(kind):
    assert kind.schema["properties"]["metadata"] or kind.kind.endswith("Review")
    assert kind.schema.component == kind.component


def test_list_keys_and_merge_keys_come_from_the_tables():
    spec = definitions.schema_of("core/v1", "PodSpec")["properties"]
    containers = spec["containers"]
    assert containers["x-kubernetes-list-map-keys"] == ["name"]
    assert containers["x-kubernetes-patch-merge-key"] == "name"
    assert spec["nodeSelector"]["x-kubernetes-map-type"] == "atomic"
    with pytest.raises(KeyError):
        definitions.schema_of("core/v1", "Nothing")


def references(node):
    if isinstance(node, dict):
        if "$ref" in node and isinstance(node["$ref"], str):
            yield node["$ref"]
        for each in node.values():
            yield from references(each)
    elif isinstance(node, list):
        for each in node:
            yield from references(each)


@pytest.mark.parametrize(
    "group_version", sorted({kind.api_version for kind in registry.builtin_kinds()})
)
def test_every_reference_of_a_document_leads_somewhere(group_version):
    document = registry.openapi_v3(registry.builtin_kinds(), group_version)
    schemas = document["components"]["schemas"]
    for reference in references(document):
        assert reference.removeprefix("#/components/schemas/") in schemas
    assert "x-cdi" not in repr(schemas)


def test_a_document_says_what_kubectl_looks_for():
    document = registry.openapi_v3(registry.builtin_kinds(), "v1")
    item = document["paths"]["/api/v1/namespaces/{namespace}/pods/{name}"]
    assert item["patch"]["x-kubernetes-action"] == "patch"
    assert item["patch"]["x-kubernetes-group-version-kind"] == {
        "group": "", "version": "v1", "kind": "Pod",
    }  # fmt: skip
    assert "fieldValidation" in {p["name"] for p in item["patch"]["parameters"]}
    pod = document["components"]["schemas"]["io.k8s.api.core.v1.Pod"]
    marker = [{"group": "", "version": "v1", "kind": "Pod"}]
    assert pod["x-kubernetes-group-version-kind"] == marker
    assert "Pod" in pod["description"]
    spec = document["components"]["schemas"]["io.k8s.api.core.v1.PodSpec"]
    assert spec["properties"]["containers"]["description"]
    assert spec["properties"]["containers"]["x-kubernetes-patch-merge-key"] == "name"


def test_a_document_of_a_custom_group_has_its_schema():
    kinds = registry.kinds_of_crd(definition(field({"type": "string", "description": "d"})))
    document = registry.openapi_v3(kinds, "example.com/v1")
    schema = document["components"]["schemas"]["com.example.v1.Widget"]
    assert schema["properties"]["f"] == {"type": "string", "description": "d"}
    patch = document["paths"]["/apis/example.com/v1/namespaces/{namespace}/widgets/{name}"]["patch"]
    assert "application/strategic-merge-patch+json" not in patch["requestBody"]["content"]
