"""
Whether a CustomResourceDefinition is one that Kubernetes would accept.

Names, versions, and that every schema is structural: each field has one type, nothing about values
is said in two places, `metadata` is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cdi.standalone.schema import causes, cel_rules, jsonpath, names, structural
from cdi.standalone.schema.causes import FieldError

Schema = dict[str, Any]

_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_PRESERVE = "x-kubernetes-preserve-unknown-fields"
_FORBIDDEN_KEYS = ("definitions", "dependencies", "patternProperties", "$ref", "additionalItems")
_METADATA_MAY_RESTRICT = {"name", "generateName"}


def validate(crd: dict[str, Any]) -> list[FieldError]:
    """Every objection to the definition."""
    spec = crd.get("spec")
    if not isinstance(spec, dict):
        return [causes.required("spec")]
    return list(_check(crd, spec))


def _check(crd: dict[str, Any], spec: dict[str, Any]) -> Iterator[FieldError]:
    found = spec.get("names") or {}
    group, plural = spec.get("group", ""), found.get("plural", "")
    name = crd.get("metadata", {}).get("name", "")
    if group and plural and name != f"{plural}.{group}":
        detail = 'must be spec.names.plural+"."+spec.group'
        yield causes.invalid("metadata.name", name, detail)
    yield from _check_group(group)
    yield from _check_names(found)
    if "scope" not in spec:
        yield causes.required("spec.scope")
    elif spec["scope"] not in ("Cluster", "Namespaced"):
        yield causes.unsupported("spec.scope", spec["scope"], ("Cluster", "Namespaced"))
    yield from _check_versions(spec.get("versions") or [])
    if spec.get("preserveUnknownFields"):
        detail = "must be false in order to use defaults in the schema"
        yield causes.invalid("spec.preserveUnknownFields", True, detail)


def _check_group(group: str) -> Iterator[FieldError]:
    if not group:
        yield causes.required("spec.group")
    elif objections := names.subdomain(group):
        yield causes.invalid("spec.group", group, ",".join(objections))
    elif "." not in group:
        yield causes.invalid("spec.group", group, "should be a domain with at least one dot")


def _check_names(found: dict[str, Any]) -> Iterator[FieldError]:
    for key in ("plural", "singular", "kind", "listKind"):
        text = found.get(key, "")
        if not text:
            if key in ("plural", "kind"):
                yield causes.required(f"spec.names.{key}")
            continue
        lowered = text.lower() if key in ("kind", "listKind") else text
        if objections := names.label_1035(lowered):
            prefix = "may have mixed case, but should otherwise match: " if lowered != text else ""
            yield causes.invalid(f"spec.names.{key}", text, prefix + ",".join(objections))
    if found.get("kind") and found.get("kind") == found.get("listKind"):
        detail = "kind and listKind may not be the same"
        yield causes.invalid("spec.names.listKind", found["listKind"], detail)
    for key in ("shortNames", "categories"):
        for index, text in enumerate(found.get(key) or ()):
            if objections := names.label_1035(text):
                yield causes.invalid(f"spec.names.{key}[{index}]", text, ",".join(objections))


def _check_versions(versions: list[dict[str, Any]]) -> Iterator[FieldError]:
    stored = [version for version in versions if version.get("storage")]
    if len(stored) != 1:
        detail = "must have exactly one version marked as storage version"
        yield causes.invalid("spec.versions", [v.get("name") for v in versions], detail)
    seen: set[str] = set()
    for index, version in enumerate(versions):
        path = f"spec.versions[{index}]"
        name = version.get("name", "")
        if objections := names.label_1035(name):
            yield causes.invalid(f"{path}.name", name, ",".join(objections))
        elif name in seen:
            detail = "must contain unique version names"
            yield causes.invalid("spec.versions", [v.get("name") for v in versions], detail)
        seen.add(name)
        yield from _check_version(version, path)


def _check_version(version: dict[str, Any], path: str) -> Iterator[FieldError]:
    for key in ("served", "storage"):
        if not isinstance(version.get(key), bool):
            yield causes.required(f"{path}.{key}")
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    where = f"{path}.schema.openAPIV3Schema"
    if schema is None:
        yield causes.required(where, "schemas are required")
    else:
        yield from check_schema(schema, where)
    for index, column in enumerate(version.get("additionalPrinterColumns") or ()):
        yield from _check_column(column, f"{path}.additionalPrinterColumns[{index}]")


def _check_column(column: dict[str, Any], path: str) -> Iterator[FieldError]:
    if not column.get("name"):
        yield causes.required(f"{path}.name")
    if not column.get("type"):
        types = ", ".join(_COLUMN_TYPES)
        yield causes.required(f"{path}.type", f"must be one of {types}")
    elif column["type"] not in _COLUMN_TYPES:
        detail = f"must be one of {','.join(_COLUMN_TYPES)}"
        yield causes.invalid(f"{path}.type", column["type"], detail)
    text = column.get("jsonPath", "")
    if not text:
        yield causes.required(f"{path}.jsonPath")
        return
    try:
        jsonpath.steps(text)
    except jsonpath.InvalidPath as error:
        yield causes.invalid(f"{path}.jsonPath", text, str(error))


def check_schema(schema: Schema, path: str) -> Iterator[FieldError]:
    """The root of one version's schema."""
    if schema.get("type") != "object":
        kind = schema.get("type", "")
        if kind:
            yield causes.invalid(f"{path}.type", kind, "must be object at the root")
        else:
            yield causes.required(f"{path}.type", "must not be empty at the root")
    if schema.get("nullable"):
        yield causes.forbidden(f"{path}.nullable", "nullable cannot be true at the root")
    metadata = schema.get("properties", {}).get("metadata")
    if isinstance(metadata, dict):
        yield from _check_metadata(metadata, f"{path}.properties[metadata]")
    yield from _check_node(schema, path, root=True)


def _check_metadata(schema: Schema, path: str) -> Iterator[FieldError]:
    if schema.get("type") not in (None, "object"):
        yield causes.invalid(f"{path}.type", schema["type"], "must be object")
    if set(schema.get("properties", {})) - _METADATA_MAY_RESTRICT:
        detail = "must not specify anything other than name and generateName, but metadata is implicitly specified"  # noqa: E501
        yield causes.forbidden(path, detail)


def _check_node(schema: Schema, path: str, *, root: bool = False) -> Iterator[FieldError]:
    yield from _check_type(schema, path, root=root)
    yield from _check_words(schema, path)
    if "properties" in schema and "additionalProperties" in schema:
        where = f"{path}.additionalProperties"
        yield causes.forbidden(where, "additionalProperties and properties are mutual exclusive")
    for name, field in (schema.get("properties") or {}).items():
        yield from _check_node(field, f"{path}.properties[{name}]")
    others = schema.get("additionalProperties")
    if others is False:
        detail = "additionalProperties cannot be set to false"
        yield causes.forbidden(f"{path}.additionalProperties", detail)
    elif isinstance(others, dict):
        yield from _check_node(others, f"{path}.additionalProperties")
    yield from _check_items(schema, path)
    yield from _check_branches(schema, path)


def _check_type(schema: Schema, path: str, *, root: bool) -> Iterator[FieldError]:
    kind = schema.get("type", "")
    free = schema.get(structural.INT_OR_STRING) or schema.get(_PRESERVE)
    if kind and kind not in _TYPES:
        yield causes.unsupported(f"{path}.type", kind, _TYPES)
    elif schema.get(structural.INT_OR_STRING) and kind:
        detail = f"must be empty if {structural.INT_OR_STRING} is true"
        yield causes.invalid(f"{path}.type", kind, detail)
    elif not kind and not free and not root:
        yield causes.required(f"{path}.type", "must not be empty for specified object fields")


def _check_words(schema: Schema, path: str) -> Iterator[FieldError]:
    for word in _FORBIDDEN_KEYS:
        if word in schema:
            yield causes.forbidden(f"{path}.{word}", f"{word} is not supported")
    if schema.get("uniqueItems"):
        detail = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        yield causes.forbidden(f"{path}.uniqueItems", detail)
    pattern = schema.get("pattern")
    if pattern is not None and not structural.compiles(pattern):
        yield causes.invalid(f"{path}.pattern", pattern, "must be a valid regular expression")
    if "default" in schema:
        yield from structural.validate(schema, schema["default"], f"{path}.default")


def _check_items(schema: Schema, path: str) -> Iterator[FieldError]:
    items = schema.get("items")
    if isinstance(items, list):
        yield causes.forbidden(f"{path}.items", "items must be a schema object and not an array")
    elif isinstance(items, dict):
        yield from _check_node(items, f"{path}.items")
    elif schema.get("type") == "array":
        yield causes.required(f"{path}.items", "must be specified")
    kind = schema.get("x-kubernetes-list-type")
    keys = schema.get("x-kubernetes-list-map-keys")
    if kind is not None and kind not in ("atomic", "set", "map"):
        yield causes.unsupported(f"{path}.x-kubernetes-list-type", kind, ("atomic", "set", "map"))
    if kind == "map" and not keys:
        detail = "must not be empty if x-kubernetes-list-type is map"
        yield causes.required(f"{path}.x-kubernetes-list-map-keys", detail)
    elif keys and kind != "map":
        detail = "must be map if x-kubernetes-list-map-keys is non-empty"
        yield causes.invalid(f"{path}.x-kubernetes-list-type", kind or "", detail)


def _check_branches(schema: Schema, path: str) -> Iterator[FieldError]:
    """Inside a combination only values may be restricted: types and the like stand outside."""
    nested = [(f"{path}.not", schema["not"])] if isinstance(schema.get("not"), dict) else []
    for word in ("allOf", "anyOf", "oneOf"):
        nested += [(f"{path}.{word}[{i}]", each) for i, each in enumerate(schema.get(word) or ())]
    for where, branch in nested:
        yield from _check_branch(branch, where, bool(schema.get(structural.INT_OR_STRING)))


def _check_branch(branch: Schema, path: str, int_or_string: bool) -> Iterator[FieldError]:
    for word in ("additionalProperties", "default", "description", "nullable", "title", "type"):
        if word in branch and not (word == "type" and int_or_string):
            detail = (
                "must be undefined to be structural"
                if word != "type"
                else "must be empty to be structural"
            )
            yield causes.forbidden(f"{path}.{word}", detail)
    for name, field in (branch.get("properties") or {}).items():
        yield from _check_branch(field, f"{path}.properties[{name}]", False)
    if isinstance(branch.get("items"), dict):
        yield from _check_branch(branch["items"], f"{path}.items", False)
    for word in ("allOf", "anyOf", "oneOf"):
        for index, each in enumerate(branch.get(word) or ()):
            yield from _check_branch(each, f"{path}.{word}[{index}]", int_or_string)


def check_rules(crd: dict[str, Any]) -> list[FieldError]:
    """Objections to the CEL rules of a definition. Loads the language if there is a rule."""
    found = []
    for index, version in enumerate((crd.get("spec") or {}).get("versions") or ()):
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        for path, rule in cel_rules.rules_of(
            schema, f"spec.versions[{index}].schema.openAPIV3Schema"
        ):
            text = rule.get("rule") or ""
            if not text.strip():
                found.append(causes.required(f"{path}.rule", "rule is not specified"))
            elif error := cel_rules.compile_error(text):
                found.append(causes.invalid(f"{path}.rule", text, f"compilation failed: {error}"))
    return found


def validate_update(crd: dict[str, Any], old: dict[str, Any] | None) -> list[FieldError]:
    """A definition keeps its names and its scope."""
    if old is None:
        return []
    spec, before = crd.get("spec") or {}, old.get("spec") or {}
    found = [
        causes.invalid(f"spec.{key}", spec.get(key), "field is immutable")
        for key in ("group", "scope")
        if spec.get(key) != before.get(key)
    ]
    for key in ("kind", "plural"):
        name = (spec.get("names") or {}).get(key)
        if name != (before.get("names") or {}).get(key):
            found.append(causes.invalid(f"spec.names.{key}", name, "field is immutable"))
    return found
