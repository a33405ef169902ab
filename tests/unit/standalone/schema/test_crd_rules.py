"""
Which definitions are refused, and for which fields.

Every row was asked of kube-apiserver, and what it said is what is expected here.
"""

import copy
from typing import Any

import pytest

from cdi.standalone.schema import crd_rules

SCHEMA = "spec.validation.openAPIV3Schema"
REASONS = {
    "FieldValueInvalid": "invalid",
    "FieldValueRequired": "required",
    "FieldValueForbidden": "forbidden",
    "FieldValueNotSupported": "unsupported",
    "FieldValueDuplicate": "duplicate",
    "FieldValueTypeInvalid": "type",
}


def definition() -> dict[str, Any]:
    properties = {
        "a": {"type": "string"},
        "l": {"type": "array", "items": {"type": "string"}},
    }
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": properties}},
    }
    return {
        "metadata": {"name": "things.p10.example.com"},
        "spec": {
            "group": "p10.example.com",
            "scope": "Namespaced",
            "names": {
                "plural": "things",
                "singular": "thing",
                "kind": "Thing",
                "listKind": "ThingList",
            },
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                }
            ],
        },
    }


def objections(crd: dict[str, Any]) -> list[str]:
    found = crd_rules.validate(crd) or crd_rules.check_rules(crd)
    return sorted(
        f"{REASONS[error.type]} {error.field.replace(SCHEMA, 'SCHEMA')}" for error in found
    )


def put(crd: dict[str, Any], path: str, value: Any) -> None:
    """Set what stands at a path of names and indexes."""
    *steps, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    for step in steps:
        crd = crd[step]
    crd[last] = copy.deepcopy(value)


def row(name: str, change: Any, want: list[str]) -> Any:
    return pytest.param(change, want, id=name)


NODES = [
    row("notype", {}, ["required .type"]),
    row("badtype", {"type": "foo"}, ["unsupported .type"]),
    row("null", {"type": "null"}, ["forbidden .type", "unsupported .type"]),
    row("array-noitems", {"type": "array"}, ["required .items"]),
    row("array-items-notype", {"type": "array", "items": {}}, ["required .items.type"]),
    row("addl-false", {"type": "object", "additionalProperties": False}, []),
    row("addl-true", {"type": "object", "additionalProperties": True}, []),
    row(
        "addl+props",
        {
            "type": "object",
            "properties": {"a": {"type": "string"}},
            "additionalProperties": {"type": "string"},
        },
        ["forbidden .additionalProperties"],
    ),
    row(
        "addl-true+props",
        {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": True},
        [],
    ),
    row(
        "addl-notype",
        {"type": "object", "additionalProperties": {}},
        ["required .additionalProperties.type"],
    ),
    row(
        "unique",
        {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        ["forbidden .uniqueItems"],
    ),
    row("pattern", {"type": "string", "pattern": "("}, ["invalid .pattern"]),
    row("ref", {"type": "string", "$ref": "#/x"}, ["forbidden .$ref"]),
    row("ref-only", {"$ref": "#/x"}, ["forbidden .$ref"]),
    row(
        "definitions",
        {"type": "object", "definitions": {"a": {"type": "string"}}},
        ["forbidden .definitions"],
    ),
    row(
        "dependencies",
        {"type": "object", "dependencies": {"a": ["b"]}},
        ["forbidden .dependencies"],
    ),
    row(
        "patternProperties",
        {"type": "object", "patternProperties": {"a": {"type": "string"}}},
        ["forbidden .patternProperties"],
    ),
    row(
        "additionalItems",
        {"type": "array", "items": {"type": "string"}, "additionalItems": False},
        ["forbidden .additionalItems"],
    ),
    row("id", {"type": "string", "id": "x"}, ["forbidden .id"]),
    row("$schema", {"type": "string", "$schema": "x"}, ["invalid SCHEMA"]),
    row("int-or-string", {"x-kubernetes-int-or-string": True}, []),
    row(
        "ios-anyOf",
        {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]},
        [],
    ),
    row(
        "ios-anyOf-swapped",
        {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "string"}, {"type": "integer"}]},
        ["forbidden .anyOf[0].type", "forbidden .anyOf[1].type"],
    ),
    row("ios-type", {"type": "string", "x-kubernetes-int-or-string": True}, []),
    row(
        "ios-oneOf",
        {"x-kubernetes-int-or-string": True, "oneOf": [{"type": "integer"}, {"type": "string"}]},
        ["forbidden .oneOf[0].type", "forbidden .oneOf[1].type"],
    ),
    row(
        "ios-allOf",
        {
            "x-kubernetes-int-or-string": True,
            "allOf": [{"anyOf": [{"type": "integer"}, {"type": "string"}]}, {"pattern": "x"}],
        },
        [],
    ),
    row("ios-false", {"type": "string", "x-kubernetes-int-or-string": False}, []),
    row(
        "ios-preserve",
        {"x-kubernetes-int-or-string": True, "x-kubernetes-preserve-unknown-fields": True},
        ["invalid .x-kubernetes-preserve-unknown-fields"],
    ),
    row("preserve", {"x-kubernetes-preserve-unknown-fields": True}, []),
    row(
        "preserve-false",
        {"type": "object", "x-kubernetes-preserve-unknown-fields": False},
        ["invalid .x-kubernetes-preserve-unknown-fields"],
    ),
    row(
        "embedded",
        {
            "type": "object",
            "x-kubernetes-embedded-resource": True,
            "x-kubernetes-preserve-unknown-fields": True,
        },
        [],
    ),
    row(
        "embedded-empty",
        {"type": "object", "x-kubernetes-embedded-resource": True},
        ["required .properties"],
    ),
    row(
        "embedded-string",
        {"type": "string", "x-kubernetes-embedded-resource": True},
        ["invalid .type", "required .properties"],
    ),
    row(
        "embedded-notype",
        {"x-kubernetes-embedded-resource": True},
        ["required .properties", "required .type"],
    ),
    row(
        "embedded-meta",
        {
            "type": "object",
            "x-kubernetes-embedded-resource": True,
            "properties": {"metadata": {"type": "string"}, "kind": {"type": "integer"}},
        },
        ["invalid .properties[kind].type", "invalid .properties[metadata].type"],
    ),
    row(
        "embedded-addl",
        {
            "type": "object",
            "x-kubernetes-embedded-resource": True,
            "additionalProperties": {"type": "string"},
        },
        ["forbidden .additionalProperties", "required .properties"],
    ),
    row(
        "list-type-bad",
        {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "foo"},
        ["unsupported .x-kubernetes-list-type"],
    ),
    row("list-type-on-obj", {"type": "object", "x-kubernetes-list-type": "set"}, ["invalid .type"]),
    row(
        "list-set-of-obj",
        {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "object"}},
        ["invalid .items.x-kubernetes-map-type"],
    ),
    row(
        "list-set-of-atomic-obj",
        {
            "type": "array",
            "x-kubernetes-list-type": "set",
            "items": {"type": "object", "x-kubernetes-map-type": "atomic"},
        },
        [],
    ),
    row(
        "list-set-nullable",
        {
            "type": "array",
            "x-kubernetes-list-type": "set",
            "items": {"type": "string", "nullable": True},
        },
        ["forbidden .items.nullable"],
    ),
    row(
        "map-nokeys",
        {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "items": {"type": "object", "properties": {"a": {"type": "string"}}},
        },
        ["required .x-kubernetes-list-map-keys"],
    ),
    row(
        "map-key-unknown",
        {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["b"],
            "items": {"type": "object", "properties": {"a": {"type": "string"}}},
        },
        ["invalid .x-kubernetes-list-map-keys"],
    ),
    row(
        "map-key-optional",
        {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["a"],
            "items": {"type": "object", "properties": {"a": {"type": "string"}}},
        },
        ["required .items.properties[a].default"],
    ),
    row(
        "map-ok",
        {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["a"],
            "items": {"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}},
        },
        [],
    ),
    row(
        "map-default-key",
        {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["a"],
            "items": {"type": "object", "properties": {"a": {"type": "string", "default": "x"}}},
        },
        [],
    ),
    row(
        "map-of-strings",
        {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["a"],
            "items": {"type": "string"},
        },
        ["invalid .items.type"],
    ),
    row(
        "map-key-obj",
        {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["a"],
            "items": {"type": "object", "required": ["a"], "properties": {"a": {"type": "object"}}},
        },
        ["invalid .items.properties[a].type"],
    ),
    row(
        "map-dup-keys",
        {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["a", "a"],
            "items": {"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}},
        },
        ["invalid .x-kubernetes-list-map-keys"],
    ),
    row(
        "map-nullable-key",
        {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["a"],
            "items": {
                "type": "object",
                "required": ["a"],
                "properties": {"a": {"type": "string", "nullable": True}},
            },
        },
        ["forbidden .items.properties[a].nullable"],
    ),
    row(
        "keys-no-type",
        {
            "type": "array",
            "x-kubernetes-list-map-keys": ["a"],
            "items": {"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}},
        },
        ["required .x-kubernetes-list-type"],
    ),
    row(
        "keys-set",
        {
            "type": "array",
            "x-kubernetes-list-type": "set",
            "x-kubernetes-list-map-keys": ["a"],
            "items": {"type": "string"},
        },
        ["invalid .x-kubernetes-list-type"],
    ),
    row(
        "map-type-bad",
        {"type": "object", "x-kubernetes-map-type": "foo"},
        ["unsupported .x-kubernetes-map-type"],
    ),
    row(
        "map-type-on-list",
        {"type": "array", "items": {"type": "string"}, "x-kubernetes-map-type": "atomic"},
        ["invalid .type"],
    ),
    row(
        "oneOf-type",
        {"type": "object", "oneOf": [{"type": "object"}]},
        ["forbidden .oneOf[0].type"],
    ),
    row(
        "oneOf-desc",
        {"type": "object", "oneOf": [{"description": "x"}]},
        ["forbidden .oneOf[0].description"],
    ),
    row("not-type", {"type": "string", "not": {"type": "string"}}, ["forbidden .not.type"]),
    row(
        "anyOf-undefined-prop",
        {
            "type": "object",
            "properties": {"a": {"type": "string"}},
            "anyOf": [{"properties": {"b": {"minLength": 1}}}],
        },
        [],
    ),
    row(
        "anyOf-defined-prop",
        {
            "type": "object",
            "properties": {"a": {"type": "string"}},
            "anyOf": [{"properties": {"a": {"minLength": 1}}}],
        },
        [],
    ),
    row("anyOf-items-undefined", {"type": "object", "anyOf": [{"items": {"minLength": 1}}]}, []),
    row(
        "anyOf-nullable",
        {"type": "string", "anyOf": [{"nullable": True}]},
        ["forbidden .anyOf[0].nullable"],
    ),
    row(
        "anyOf-default",
        {"type": "string", "anyOf": [{"default": "a"}]},
        ["forbidden .anyOf[0].default"],
    ),
    row(
        "allOf-addl",
        {"type": "object", "allOf": [{"additionalProperties": {"minLength": 1}}]},
        ["forbidden .allOf[0].additionalProperties"],
    ),
    row(
        "allOf-title", {"type": "string", "allOf": [{"title": "x"}]}, ["forbidden .allOf[0].title"]
    ),
    row(
        "allOf-rules",
        {"type": "string", "allOf": [{"x-kubernetes-validations": [{"rule": "true"}]}]},
        ["forbidden .allOf[0].x-kubernetes-validations"],
    ),
    row(
        "not-metadata",
        {
            "type": "object",
            "properties": {"metadata": {"type": "object"}},
            "not": {"properties": {"metadata": {"required": ["x"]}}},
        },
        ["forbidden .not.properties[metadata]"],
    ),
    row("oneOf-required-undefined", {"type": "object", "oneOf": [{"required": ["zz"]}]}, []),
    row("required-undefined", {"type": "object", "required": ["zz"]}, []),
    row(
        "oneOf-list-ext",
        {
            "type": "array",
            "items": {"type": "string"},
            "oneOf": [{"x-kubernetes-list-type": "set"}],
        },
        ["forbidden .oneOf[0].x-kubernetes-list-type", "required .oneOf[0].type"],
    ),
    row("default-type", {"type": "string", "default": 1}, ["type .default"]),
    row("default-ok", {"type": "string", "default": "a"}, []),
    row(
        "default-prune",
        {"type": "object", "properties": {"a": {"type": "string"}}, "default": {"b": 1}},
        ["invalid .default"],
    ),
    row(
        "default-enum", {"type": "string", "enum": ["a"], "default": "b"}, ["unsupported .default"]
    ),
    row("default-min", {"type": "string", "minLength": 3, "default": "a"}, ["invalid .default"]),
    row("default-null", {"type": "string", "default": None}, []),
    row("default-nullable", {"type": "string", "nullable": True, "default": None}, []),
    row(
        "rule-bad",
        {"type": "string", "x-kubernetes-validations": [{"rule": "self ="}]},
        ["invalid .x-kubernetes-validations[0].rule"],
    ),
    row(
        "rule-empty",
        {"type": "string", "x-kubernetes-validations": [{"rule": " "}]},
        ["required .x-kubernetes-validations[0].rule"],
    ),
    row(
        "rule-msg-empty",
        {"type": "string", "x-kubernetes-validations": [{"rule": "true", "message": " "}]},
        ["invalid .x-kubernetes-validations[0].message"],
    ),
    row(
        "rule-msg-nl",
        {"type": "string", "x-kubernetes-validations": [{"rule": "true", "message": "a\nb"}]},
        ["invalid .x-kubernetes-validations[0].message"],
    ),
    row(
        "rule-nl",
        {"type": "string", "x-kubernetes-validations": [{"rule": "true ||\nfalse"}]},
        ["required .x-kubernetes-validations[0].message"],
    ),
    row(
        "rule-reason",
        {"type": "string", "x-kubernetes-validations": [{"rule": "true", "reason": "Foo"}]},
        ["unsupported .x-kubernetes-validations[0].reason"],
    ),
    row(
        "rule-fieldPath",
        {
            "type": "object",
            "properties": {"a": {"type": "string"}},
            "x-kubernetes-validations": [{"rule": "true", "fieldPath": ".zz"}],
        },
        ["invalid .x-kubernetes-validations[0].fieldPath"],
    ),
    row(
        "rule-fieldPath-ok",
        {
            "type": "object",
            "properties": {"a": {"type": "string"}},
            "x-kubernetes-validations": [{"rule": "true", "fieldPath": ".a"}],
        },
        [],
    ),
    row(
        "rule-msgexpr-empty",
        {
            "type": "string",
            "x-kubernetes-validations": [{"rule": "true", "messageExpression": " "}],
        },
        ["required .x-kubernetes-validations[0].messageExpression"],
    ),
    row(
        "rule-optionalOldSelf",
        {"type": "string", "x-kubernetes-validations": [{"rule": "true", "optionalOldSelf": True}]},
        ["invalid .x-kubernetes-validations[0].optionalOldSelf"],
    ),
    row("format-bad", {"type": "string", "format": "zzz"}, []),
    row("min-str", {"type": "string", "minimum": 3}, []),
    row("enum-empty", {"type": "string", "enum": []}, []),
    row("unknown-word", {"type": "string", "foo": 1}, []),
    row("example", {"type": "string", "example": 1}, []),
    row("multipleOf-0", {"type": "integer", "multipleOf": 0}, []),
    row("minLength-neg", {"type": "string", "minLength": -1}, []),
    row("maxLength-neg", {"type": "string", "maxLength": -5}, []),
    row("string-props", {"type": "string", "properties": {"a": {"type": "string"}}}, []),
    row("string-items", {"type": "string", "items": {"type": "string"}}, []),
]


@pytest.mark.parametrize(("node", "want"), NODES)
def test_a_field_of_a_schema_is_as_kubernetes_wants_it(node, want):
    crd = definition()
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"]["f"] = copy.deepcopy(node)
    found = [text.replace("SCHEMA.properties[f]", "") for text in objections(crd)]
    assert found == want


METADATA = [
    row("bare", {"type": "object"}, []),
    row("desc", {"type": "object", "description": "d"}, ["forbidden "]),
    row("nothing", {}, ["invalid .type", "required .type"]),
    row("string", {"type": "string"}, ["invalid .type"]),
    row("name", {"type": "object", "properties": {"name": {"type": "string", "maxLength": 5}}}, []),
    row(
        "both",
        {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "generateName": {"type": "string", "pattern": "a"},
            },
        },
        [],
    ),
    row("labels", {"type": "object", "properties": {"labels": {"type": "object"}}}, ["forbidden "]),
    row(
        "name+labels",
        {
            "type": "object",
            "properties": {"name": {"type": "string"}, "labels": {"type": "object"}},
        },
        ["forbidden "],
    ),
    row("required", {"type": "object", "required": ["name"]}, ["forbidden "]),
    row("default", {"type": "object", "default": {"name": "x"}}, ["forbidden .default"]),
    row(
        "preserve", {"type": "object", "x-kubernetes-preserve-unknown-fields": True}, ["forbidden "]
    ),
    row("nullable", {"type": "object", "nullable": True}, ["forbidden "]),
    row("title", {"type": "object", "title": "t"}, ["forbidden "]),
    row("minProps", {"type": "object", "minProperties": 1}, ["forbidden "]),
    row(
        "rule",
        {"type": "object", "x-kubernetes-validations": [{"rule": "self.name=='x'"}]},
        ["forbidden "],
    ),
    row(
        "additional", {"type": "object", "additionalProperties": {"type": "string"}}, ["forbidden "]
    ),
    row(
        "name-desc",
        {"type": "object", "description": "d", "properties": {"name": {"type": "string"}}},
        ["forbidden "],
    ),
    row("anyOf", {"type": "object", "anyOf": [{"required": ["name"]}]}, ["forbidden "]),
    row("map", {"type": "object", "x-kubernetes-map-type": "atomic"}, ["forbidden "]),
]


@pytest.mark.parametrize(("node", "want"), METADATA)
def test_a_schema_says_of_metadata_only_which_names_are_allowed(node, want):
    crd = definition()
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"]["metadata"] = copy.deepcopy(node)
    found = [text.replace("SCHEMA.properties[metadata]", "") for text in objections(crd)]
    assert found == want


CHANGES = [
    row(
        "map-at-the-root",
        {
            "spec.versions.0.schema.openAPIV3Schema": {
                "type": "object",
                "additionalProperties": {"type": "string"},
            }
        },
        ["forbidden SCHEMA.additionalProperties"],
    ),
    row(
        "type-of-kind-and-version",
        {
            "spec.versions.0.schema.openAPIV3Schema.properties.kind": {"type": "integer"},
            "spec.versions.0.schema.openAPIV3Schema.properties.apiVersion": {"type": "object"},
        },
        [
            "invalid SCHEMA.properties[apiVersion].type",
            "invalid SCHEMA.properties[kind].type",
        ],
    ),
    row("good", {}, []),
    row("bad-name", {"metadata.name": "x.p10.example.com"}, ["invalid metadata.name"]),
    row("no-group", {"spec.group": ""}, ["invalid metadata.name", "required spec.group"]),
    row("group-nodot", {"spec.group": "x"}, ["invalid metadata.name", "invalid spec.group"]),
    row("group-bad", {"spec.group": "X_.y"}, ["invalid metadata.name", "invalid spec.group"]),
    row("scope-bad", {"spec.scope": "Foo"}, ["unsupported spec.scope"]),
    row("scope-empty", {"spec.scope": ""}, ["required spec.scope"]),
    row(
        "no-versions",
        {"spec.versions": []},
        ["invalid spec.versions", "invalid status.storedVersions"],
    ),
    row("kind-bad", {"spec.names.kind": "9x"}, ["invalid spec.names.kind"]),
    row(
        "plural-bad",
        {"spec.names.plural": "Things"},
        ["invalid metadata.name", "invalid spec.names.plural"],
    ),
    row("no-kind", {"spec.names.kind": ""}, ["required spec.names.kind"]),
    row(
        "no-plural",
        {"spec.names.plural": ""},
        ["invalid metadata.name", "required spec.names.plural"],
    ),
    row("singular-bad", {"spec.names.singular": "T"}, ["invalid spec.names.singular"]),
    row("short-bad", {"spec.names.shortNames": ["A"]}, ["invalid spec.names.shortNames[0]"]),
    row("cat-bad", {"spec.names.categories": ["A b"]}, ["invalid spec.names.categories[0]"]),
    row("list-same", {"spec.names.listKind": "Thing"}, ["invalid spec.names.listKind"]),
    row("listKind-bad", {"spec.names.listKind": "9"}, ["invalid spec.names.listKind"]),
    row(
        "kind-long",
        {"spec.names.kind": "K" * 64},
        ["invalid spec.names.kind"],
    ),
    row(
        "ver-name",
        {"spec.versions.0.name": "V1"},
        ["invalid spec.version", "invalid spec.versions[0].name"],
    ),
    row(
        "ver-not-stored",
        {"spec.versions.0.storage": False},
        ["invalid spec.versions", "invalid status.storedVersions"],
    ),
    row(
        "no-schema",
        {"spec.versions.0.schema": None},
        ["required spec.versions[0].schema.openAPIV3Schema"],
    ),
    row(
        "schema-empty",
        {"spec.versions.0.schema.openAPIV3Schema": None},
        ["required spec.versions[0].schema.openAPIV3Schema"],
    ),
    row("not-served", {"spec.versions.0.served": False}, []),
    row(
        "two-versions-same-name",
        {
            "spec.versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "properties": {
                                "spec": {
                                    "type": "object",
                                    "properties": {
                                        "a": {"type": "string"},
                                        "l": {"type": "array", "items": {"type": "string"}},
                                    },
                                }
                            },
                        }
                    },
                },
                {
                    "name": "v1",
                    "served": True,
                    "storage": False,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "properties": {
                                "spec": {
                                    "type": "object",
                                    "properties": {
                                        "a": {"type": "string"},
                                        "l": {"type": "array", "items": {"type": "string"}},
                                    },
                                }
                            },
                        }
                    },
                },
            ]
        },
        ["invalid spec.versions"],
    ),
    row(
        "two-good",
        {
            "spec.versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "properties": {
                                "spec": {
                                    "type": "object",
                                    "properties": {
                                        "a": {"type": "string"},
                                        "l": {"type": "array", "items": {"type": "string"}},
                                    },
                                }
                            },
                        }
                    },
                },
                {
                    "name": "v2",
                    "served": True,
                    "storage": False,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "properties": {
                                "spec": {
                                    "type": "object",
                                    "properties": {
                                        "a": {"type": "string"},
                                        "l": {"type": "array", "items": {"type": "string"}},
                                    },
                                }
                            },
                        }
                    },
                },
            ]
        },
        [],
    ),
    row(
        "two-different,-one-bad",
        {
            "spec.versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "properties": {
                                "spec": {
                                    "type": "object",
                                    "properties": {
                                        "a": {"type": "string"},
                                        "l": {"type": "array", "items": {"type": "string"}},
                                    },
                                }
                            },
                        }
                    },
                },
                {
                    "name": "v2",
                    "served": True,
                    "storage": False,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "properties": {
                                "spec": {
                                    "type": "object",
                                    "properties": {
                                        "a": {"type": "string"},
                                        "l": {"type": "array", "items": {"type": "string"}},
                                    },
                                },
                                "x": {},
                            },
                        }
                    },
                },
            ]
        },
        ["required spec.versions[1].schema.openAPIV3Schema.properties[x].type"],
    ),
    row(
        "warning-only",
        {"spec.versions.0.deprecationWarning": "x"},
        ["invalid spec.versions[0].deprecationWarning"],
    ),
    row(
        "warning-empty",
        {"spec.versions.0.deprecated": True, "spec.versions.0.deprecationWarning": ""},
        ["invalid spec.versions[0].deprecationWarning"],
    ),
    row(
        "warning-long",
        {
            "spec.versions.0.deprecated": True,
            "spec.versions.0.deprecationWarning": "x" * 257,
        },
        ["invalid spec.versions[0].deprecationWarning"],
    ),
    row(
        "warning-ctl",
        {"spec.versions.0.deprecated": True, "spec.versions.0.deprecationWarning": "a\nb"},
        ["invalid spec.versions[0].deprecationWarning"],
    ),
    row("preserve", {"spec.preserveUnknownFields": True}, ["invalid spec.preserveUnknownFields"]),
    row(
        "conv-bad",
        {"spec.conversion": {"strategy": "Foo"}},
        ["unsupported spec.conversion.strategy"],
    ),
    row("conv-none", {"spec.conversion": {"strategy": "None"}}, []),
    row(
        "conv-webhook",
        {"spec.conversion": {"strategy": "Webhook"}},
        [
            "required spec.conversion.conversionReviewVersions",
            "required spec.conversion.webhookClientConfig",
        ],
    ),
    row(
        "conv-none+webhook",
        {"spec.conversion": {"strategy": "None", "webhook": {"conversionReviewVersions": ["v1"]}}},
        ["forbidden spec.conversion.conversionReviewVersions"],
    ),
    row(
        "conv-webhook-both",
        {
            "spec.conversion": {
                "strategy": "Webhook",
                "webhook": {"conversionReviewVersions": ["v1"], "clientConfig": {}},
            }
        },
        ["required spec.conversion.webhookClientConfig"],
    ),
    row(
        "conv-webhook-vers",
        {
            "spec.conversion": {
                "strategy": "Webhook",
                "webhook": {
                    "conversionReviewVersions": ["v9"],
                    "clientConfig": {"url": "https://x/y"},
                },
            }
        },
        ["invalid spec.conversion.conversionReviewVersions"],
    ),
    row(
        "conv-webhook-http",
        {
            "spec.conversion": {
                "strategy": "Webhook",
                "webhook": {
                    "conversionReviewVersions": ["v1"],
                    "clientConfig": {"url": "http://x/y"},
                },
            }
        },
        ["invalid spec.conversion.webhookClientConfig.url"],
    ),
    row(
        "col-noname",
        {"spec.versions.0.additionalPrinterColumns": [{"type": "string", "jsonPath": ".a"}]},
        ["required spec.additionalPrinterColumns[0].name"],
    ),
    row(
        "col-notype",
        {"spec.versions.0.additionalPrinterColumns": [{"name": "A", "jsonPath": ".a"}]},
        ["required spec.additionalPrinterColumns[0].type"],
    ),
    row(
        "col-type",
        {
            "spec.versions.0.additionalPrinterColumns": [
                {"name": "A", "type": "foo", "jsonPath": ".a"}
            ]
        },
        ["invalid spec.additionalPrinterColumns[0].type"],
    ),
    row(
        "col-format",
        {
            "spec.versions.0.additionalPrinterColumns": [
                {"name": "A", "type": "string", "format": "foo", "jsonPath": ".a"}
            ]
        },
        ["invalid spec.additionalPrinterColumns[0].format"],
    ),
    row(
        "col-path",
        {
            "spec.versions.0.additionalPrinterColumns": [
                {"name": "A", "type": "string", "jsonPath": "a"}
            ]
        },
        ["invalid spec.additionalPrinterColumns[0].JSONPath"],
    ),
    row(
        "col-path2",
        {
            "spec.versions.0.additionalPrinterColumns": [
                {"name": "A", "type": "string", "jsonPath": ".a["}
            ]
        },
        [],
    ),
    row(
        "col-nopath",
        {"spec.versions.0.additionalPrinterColumns": [{"name": "A", "type": "string"}]},
        ["required spec.additionalPrinterColumns[0].JSONPath"],
    ),
    row(
        "scale-empty",
        {"spec.versions.0.subresources": {"scale": {}}},
        [
            "required spec.subresources.scale.specReplicasPath",
            "required spec.subresources.scale.statusReplicasPath",
        ],
    ),
    row(
        "scale-ok",
        {
            "spec.versions.0.subresources": {
                "scale": {"specReplicasPath": ".spec.r", "statusReplicasPath": ".status.r"}
            }
        },
        [],
    ),
    row(
        "scale-bad",
        {
            "spec.versions.0.subresources": {
                "scale": {
                    "specReplicasPath": ".status.r",
                    "statusReplicasPath": ".spec.r",
                    "labelSelectorPath": ".spec.x",
                }
            }
        },
        [
            "invalid spec.subresources.scale.specReplicasPath",
            "invalid spec.subresources.scale.statusReplicasPath",
        ],
    ),
    row(
        "scale-idx",
        {
            "spec.versions.0.subresources": {
                "scale": {"specReplicasPath": ".spec.r[0]", "statusReplicasPath": ".status.r"}
            }
        },
        [],
    ),
    row("status-ok", {"spec.versions.0.subresources": {"status": {}}}, []),
    row("sel-ok", {"spec.versions.0.selectableFields": [{"jsonPath": ".spec.a"}]}, []),
    row(
        "sel-none",
        {"spec.versions.0.selectableFields": [{"jsonPath": ".spec.nope"}]},
        ["invalid spec.selectableFields[0].jsonPath"],
    ),
    row(
        "sel-list",
        {"spec.versions.0.selectableFields": [{"jsonPath": ".spec.l"}]},
        ["invalid spec.selectableFields[0].jsonPath"],
    ),
    row(
        "sel-meta",
        {"spec.versions.0.selectableFields": [{"jsonPath": ".metadata.name"}]},
        ["invalid spec.selectableFields[0].jsonPath"],
    ),
    row(
        "sel-dup",
        {"spec.versions.0.selectableFields": [{"jsonPath": ".spec.a"}, {"jsonPath": ".spec.a"}]},
        ["duplicate spec.selectableFields[1].jsonPath"],
    ),
    row(
        "sel-empty",
        {"spec.versions.0.selectableFields": [{"jsonPath": ""}]},
        ["required spec.selectableFields[0].jsonPath"],
    ),
    row(
        "sel-nodot",
        {"spec.versions.0.selectableFields": [{"jsonPath": "spec.a"}]},
        ["invalid spec.selectableFields[0].jsonPath"],
    ),
    row(
        "sel-obj",
        {"spec.versions.0.selectableFields": [{"jsonPath": ".spec"}]},
        ["invalid spec.selectableFields[0].jsonPath"],
    ),
    row(
        "root-type",
        {"spec.versions.0.schema.openAPIV3Schema.type": "string"},
        ["invalid SCHEMA.type"],
    ),
    row(
        "root-notype", {"spec.versions.0.schema.openAPIV3Schema.type": ""}, ["required SCHEMA.type"]
    ),
    row(
        "root-nullable",
        {"spec.versions.0.schema.openAPIV3Schema.nullable": True},
        ["forbidden SCHEMA.nullable"],
    ),
    row(
        "root-preserve",
        {"spec.versions.0.schema.openAPIV3Schema.x-kubernetes-preserve-unknown-fields": True},
        [],
    ),
    row("root-desc", {"spec.versions.0.schema.openAPIV3Schema.description": "x"}, []),
    row(
        "root-default",
        {"spec.versions.0.schema.openAPIV3Schema.default": {"spec": {}}},
        ["required SCHEMA.default.apiVersion", "required SCHEMA.default.kind"],
    ),
    row(
        "status-+-oneOf-at-root",
        {
            "spec.versions.0.schema.openAPIV3Schema.oneOf": [{"required": ["spec"]}],
            "spec.versions.0.subresources": {"status": {}},
        },
        ["invalid SCHEMA"],
    ),
    row(
        "status-+-required-at-root",
        {
            "spec.versions.0.schema.openAPIV3Schema.required": ["spec"],
            "spec.versions.0.schema.openAPIV3Schema.description": "d",
            "spec.versions.0.schema.openAPIV3Schema.title": "t",
            "spec.versions.0.schema.openAPIV3Schema.minProperties": 1,
            "spec.versions.0.subresources": {"status": {}},
        },
        ["invalid SCHEMA"],
    ),
]


@pytest.mark.parametrize(("changes", "want"), CHANGES)
def test_the_rest_of_a_definition_is_as_kubernetes_wants_it(changes, want):
    crd = definition()
    for path, value in changes.items():
        put(crd, path, value)
    assert objections(crd) == want
