"""
Kubernetes' rules for structural schemas and for CustomResourceDefinitions, as a checker.

`problems_of(definition)` returns one line for each rule that is broken; none means that an API
server takes the definition.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs

Schema = dict[str, Any]

KEYWORDS = {
    "description", "type", "format", "title", "default", "maximum", "exclusiveMaximum", "minimum",
    "exclusiveMinimum", "maxLength", "minLength", "pattern", "maxItems", "minItems", "uniqueItems",
    "multipleOf", "enum", "maxProperties", "minProperties", "required", "items", "allOf", "oneOf",
    "anyOf", "not", "properties", "additionalProperties", "externalDocs", "example", "nullable",
    "x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource",
    "x-kubernetes-int-or-string", "x-kubernetes-list-map-keys", "x-kubernetes-list-type",
    "x-kubernetes-map-type", "x-kubernetes-validations",
}  # fmt: skip
TYPES = {"object", "array", "string", "integer", "number", "boolean"}
INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]
ONLY_OUTSIDE = {"description", "type", "default", "additionalProperties", "nullable"}
COLUMN_TYPES = {"integer", "number", "string", "boolean", "date"}
LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")


def problems_of(definition: dict[str, Any]) -> list[str]:
    return [*_definition(definition), *_versions(definition)]


def _definition(definition: dict[str, Any]) -> Iterator[str]:
    spec, names = definition["spec"], definition["spec"]["names"]
    if definition["metadata"]["name"] != f"{names['plural']}.{spec['group']}":
        yield "metadata.name is not plural.group"
    if spec["scope"] not in {"Namespaced", "Cluster"}:
        yield f"scope {spec['scope']}"
    words = [names["plural"], names["singular"], *names.get("shortNames", [])]
    yield from (f"name {word!r}" for word in words if not LABEL.fullmatch(word))
    if sum(version["storage"] for version in spec["versions"]) != 1:
        yield "want exactly one storage version"
    if len({version["name"] for version in spec["versions"]}) != len(spec["versions"]):
        yield "a version is listed twice"


def _versions(definition: dict[str, Any]) -> Iterator[str]:
    for version in definition["spec"]["versions"]:
        at = version["name"]
        if version.get("deprecationWarning") and not version.get("deprecated"):
            yield f"{at}: a warning without deprecation"
        for column in version.get("additionalPrinterColumns", []):
            if column["type"] not in COLUMN_TYPES or not column["jsonPath"].startswith("."):
                yield f"{at}: column {column}"
        root = version["schema"]["openAPIV3Schema"]
        if root.get("type") != "object":
            yield f"{at}: the root is not an object"
        metadata = root.get("properties", {}).get("metadata", {})
        if metadata != {"type": "object"}:
            yield f"{at}: the root says more of metadata than that it is an object"
        yield from _node(root, at)


def _node(node: Schema, at: str) -> Iterator[str]:
    """Check a node whose keywords are in an allowed position: outside of any junctor."""
    yield from (f"{at}: keyword {keyword}" for keyword in set(node) - KEYWORDS)
    yield from _type(node, at)
    yield from _members(node, at)
    yield from _lists_and_maps(node, at)
    yield from _values(node, at)
    for junctor in ("allOf", "anyOf", "oneOf"):
        if junctor in node and not _is_int_or_string(node, junctor):
            for number, inner in enumerate(node[junctor]):
                yield from _junctor(inner, node, f"{at}.{junctor}[{number}]")
    if "not" in node:
        yield from _junctor(node["not"], node, f"{at}.not")


def _is_int_or_string(node: Schema, junctor: str) -> bool:
    return bool(node.get("x-kubernetes-int-or-string")) and node[junctor] == INT_OR_STRING


def _type(node: Schema, at: str) -> Iterator[str]:
    for marker in ("x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields"):
        if node.get(marker, True) is not True:
            yield f"{at}: {marker} may only be true"
    if node.get("x-kubernetes-int-or-string"):
        if "type" in node:
            yield f"{at}: int-or-string has a type"
        if node.get("anyOf") != INT_OR_STRING:
            yield f"{at}: int-or-string without its anyOf"
    elif "type" not in node:
        if not node.get("x-kubernetes-preserve-unknown-fields"):
            yield f"{at}: no type"
    elif node["type"] not in TYPES:
        yield f"{at}: type {node['type']!r}"


def _members(node: Schema, at: str) -> Iterator[str]:
    if "properties" in node and "additionalProperties" in node:
        yield f"{at}: properties exclude additionalProperties"
    if node.get("additionalProperties", {}) in (True, False):
        yield f"{at}: additionalProperties is no schema"
    if node.get("uniqueItems"):
        yield f"{at}: uniqueItems"
    if (node.get("type") == "array") != ("items" in node):
        yield f"{at}: array and items belong together"
    if node.get("type") != "object" and ("properties" in node or "required" in node):
        yield f"{at}: properties of something that is no object"
    if missing := set(node.get("required", [])) - set(node.get("properties", {})):
        yield f"{at}: requires {missing}, which it does not describe"
    for name, inner in node.get("properties", {}).items():
        yield from _node(inner, f"{at}.{name}")
    if isinstance(node.get("items"), dict):
        yield from _node(node["items"], f"{at}[]")
    if isinstance(node.get("additionalProperties"), dict):
        yield from _node(node["additionalProperties"], f"{at}{{}}")


def _lists_and_maps(node: Schema, at: str) -> Iterator[str]:
    kind = node.get("x-kubernetes-list-type")
    items = node.get("items", {})
    if kind is not None and (node.get("type") != "array" or kind not in {"atomic", "set", "map"}):
        yield f"{at}: list type {kind!r}"
    if kind == "set" and items.get("type") in {"object", "array"}:
        yield f"{at}: a set of things that are not scalar"
    keys = node.get("x-kubernetes-list-map-keys", [])
    if (kind == "map") != bool(keys):
        yield f"{at}: map lists, and only they, have keys"
    for key in keys:
        described = items.get("properties", {}).get(key, {})
        if key not in items.get("required", []) and "default" not in described:
            yield f"{at}: key {key} is neither required nor has a default"
    if node.get("x-kubernetes-map-type", "atomic") not in {"atomic", "granular"}:
        yield f"{at}: map type"
    if "x-kubernetes-map-type" in node and node.get("type") != "object":
        yield f"{at}: map type of something that is no object"


def _values(node: Schema, at: str) -> Iterator[str]:
    if node.get("enum", True) == []:
        yield f"{at}: empty enum"
    if "pattern" in node:
        re.compile(node["pattern"])
    for rule in node.get("x-kubernetes-validations", []):
        if not rule["rule"].strip() or "\n" in rule.get("message", ""):
            yield f"{at}: rule {rule}"
    if "default" in node and not jsonschema_rs.is_valid(node, node["default"]):
        yield f"{at}: its default is not valid"


def _junctor(node: Schema, outside: Schema, at: str) -> Iterator[str]:
    yield from (f"{at}: {keyword} in a junctor" for keyword in set(node) & ONLY_OUTSIDE)
    extensions = {keyword for keyword in node if keyword.startswith("x-kubernetes")}
    yield from (f"{at}: {keyword} in a junctor" for keyword in extensions)
    for name, inner in node.get("properties", {}).items():
        if name not in outside.get("properties", {}):
            yield f"{at}: {name} is not described outside"
        else:
            yield from _junctor(inner, outside["properties"][name], f"{at}.{name}")
    for junctor in ("allOf", "anyOf", "oneOf"):
        for number, inner in enumerate(node.get(junctor, [])):
            yield from _junctor(inner, outside, f"{at}.{junctor}[{number}]")
