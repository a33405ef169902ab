"""
Whether the schema of a CustomResourceDefinition is one that Kubernetes would accept.

Two sets of rules, as in apiextensions' validation: those of *structural* schemas (each field has
one type, nothing about values stands in two places, the metadata of the root are left alone) and
those of single words (defaults, texts of rules). Elsewhere: how lists and maps are merged
(`list_rules`), the rest of the definition (`crd_rules`), and whether CEL can read a rule.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cdi.standalone.schema import causes, fieldpath, list_rules, pruning, structural
from cdi.standalone.schema.causes import FieldError
from cdi.standalone.schema.list_rules import LIST_KEYS, LIST_TYPE, MAP_TYPE

Schema = dict[str, Any]

TYPES = ("array", "boolean", "integer", "number", "object", "string")
PRESERVE = pruning.PRESERVE
EMBEDDED = pruning.EMBEDDED
INT_OR_STRING = structural.INT_OR_STRING
RULES = "x-kubernetes-validations"

_EITHER = [{"type": "integer"}, {"type": "string"}]
_JUNCTORS = ("allOf", "anyOf", "oneOf")
_UNSUPPORTED = (
    "id",
    "additionalItems",
    "patternProperties",
    "definitions",
    "dependencies",
    "$ref",
)  # fmt: skip
# What a branch of a junctor may not say, and how the objection goes on.
_ONLY_OUTSIDE = {
    "type": "empty",
    "default": "undefined",
    "title": "empty",
    "description": "empty",
    "nullable": "false",
    PRESERVE: "false",
    EMBEDDED: "false",
    INT_OR_STRING: "false",
    LIST_KEYS: "empty",
    LIST_TYPE: "undefined",
    MAP_TYPE: "undefined",
    RULES: "empty",
}
_RESOURCE_META = ("metadata", "kind", "apiVersion")
_REASONS = (
    "FieldValueDuplicate",
    "FieldValueForbidden",
    "FieldValueInvalid",
    "FieldValueRequired",
)
# Where `status` is validated by itself, the root may say nothing about both.
_ROOT_WITH_STATUS = {
    "description",
    "type",
    "format",
    "title",
    "maximum",
    "exclusiveMaximum",
    "minimum",
    "exclusiveMinimum",
    "maxLength",
    "minLength",
    "pattern",
    "maxItems",
    "minItems",
    "uniqueItems",
    "multipleOf",
    "required",
    "items",
    "properties",
    "externalDocs",
    "example",
    PRESERVE,
    RULES,
}


def validate(schema: Schema, path: str, *, has_status: bool = False) -> list[FieldError]:
    """Every objection to the root schema of a version, which stands at `path`."""
    found = list(_check_root(schema, path, has_status=has_status))
    words = list(_check_words(schema, path, root=True))
    if _has_unsupported(schema):
        if not words:
            words = [causes.invalid(path, "", "OpenAPIV3Schema 'schema' is not supported")]
        return found + words
    shape = sorted([*_check_shape(schema, path, "root"), *_incomplete(schema, path)], key=str)
    return found + (shape or list(_check_defaults(schema, path, root=True))) + words


def _check_root(schema: Schema, path: str, *, has_status: bool) -> Iterator[FieldError]:
    if has_status:
        kind = schema.get("type", "")
        if kind != "object":
            detail = (
                'only "object" is allowed as the type at the root of the schema if the status '
                "subresource is enabled"
            )
            yield causes.invalid(f"{path}.type", kind, detail)
        elif odd := [key for key, value in schema.items() if _odd_beside_status(key, value)]:
            detail = (
                "only fields that say nothing about the object as a whole are allowed at the root "
                "of the schema if the status subresource is enabled"
            )
            yield causes.invalid(path, odd, detail)
    if schema.get("nullable"):
        yield causes.forbidden(f"{path}.nullable", "nullable cannot be true at the root")


def _odd_beside_status(key: str, value: Any) -> bool:
    return key not in _ROOT_WITH_STATUS and value not in (None, False, "", [], {})


def _has_unsupported(schema: Any) -> bool:
    """Whether some node cannot be read as a structural schema at all."""
    if not isinstance(schema, dict):
        return False
    if any(word in schema for word in (*_UNSUPPORTED, "$schema")):
        return True
    if isinstance(schema.get("items"), list):
        return True
    return any(
        _has_unsupported(below) for below, _ in (*_children(schema, ""), *_inside(schema, ""))
    )


def _children(schema: Schema, path: str) -> Iterator[tuple[Schema, str]]:
    """The nodes below one, outside of junctors."""
    for name, field in (schema.get("properties") or {}).items():
        if isinstance(field, dict):
            yield field, f"{path}.properties[{name}]"
    for word in ("additionalProperties", "items"):
        if isinstance(schema.get(word), dict):
            yield schema[word], f"{path}.{word}"


def _inside(schema: Schema, path: str) -> Iterator[tuple[Schema, str]]:
    """The branches of a node's junctors."""
    if isinstance(schema.get("not"), dict):
        yield schema["not"], f"{path}.not"
    for word in _JUNCTORS:
        for index, branch in enumerate(schema.get(word) or ()):
            yield branch, f"{path}.{word}[{index}]"


# --- structural ---------------------------------------------------------------------------------


def _check_shape(schema: Schema, path: str, level: str) -> Iterator[FieldError]:
    if schema.get("type") == "array" and "items" not in schema:
        yield causes.required(f"{path}.items", "must be specified")
    for below, where in _children(schema, path):
        yield from _check_shape(below, where, "item" if where.endswith(".items") else "field")
    if level == "root" and schema.get("additionalProperties") is not None:
        yield causes.forbidden(f"{path}.additionalProperties", "must not be used at the root")
    yield from _check_type(schema, path, level)
    if schema.get(EMBEDDED):
        yield from _check_embedded(schema, path)
    if schema.get(INT_OR_STRING):
        for word in (PRESERVE, EMBEDDED):
            if schema.get(word):
                detail = f"must be false if {INT_OR_STRING} is true"
                yield causes.invalid(f"{path}.{word}", True, detail)
    if level == "root" or schema.get(EMBEDDED):
        yield from _check_resource(schema, path, root=level == "root")
    yield from _check_values(schema, path)


def _check_type(schema: Schema, path: str, level: str) -> Iterator[FieldError]:
    kind = schema.get("type", "")
    if schema.get(EMBEDDED) and kind != "object":
        detail = f"must be object if {EMBEDDED} is true"
        where = f"{path}.type"
        yield causes.invalid(where, kind, detail) if kind else causes.required(where, detail)
    elif not kind and not schema.get(INT_OR_STRING) and not schema.get(PRESERVE):
        place = {
            "root": "at the root",
            "item": "for specified array items",
            "field": "for specified object fields",
        }[level]
        yield causes.required(f"{path}.type", f"must not be empty {place}")
    if level == "root" and kind not in ("", "object"):
        yield causes.invalid(f"{path}.type", kind, "must be object at the root")


def _check_embedded(schema: Schema, path: str) -> Iterator[FieldError]:
    if schema.get("additionalProperties") is not None:
        detail = f"must not be used if {EMBEDDED} is set"
        yield causes.forbidden(f"{path}.additionalProperties", detail)
    if not schema.get(PRESERVE) and not schema.get("properties"):
        detail = f"must not be empty if {EMBEDDED} is true without {PRESERVE}"
        yield causes.required(f"{path}.properties", detail)


def _check_resource(schema: Schema, path: str, *, root: bool) -> Iterator[FieldError]:
    """What is said of apiVersion, kind and metadata, which the server knows by itself."""
    properties = schema.get("properties") or {}
    for name, kind in (("kind", "string"), ("apiVersion", "string"), ("metadata", "object")):
        given = (properties.get(name) or {}).get("type", "")
        if name in properties and given != kind:
            yield causes.invalid(f"{path}.properties[{name}].type", given, f"must be {kind}")
    metadata = properties.get("metadata")
    if root and isinstance(metadata, dict) and not _is_plain_metadata(metadata):
        detail = (
            "must not specify anything other than name and generateName, but metadata is "
            "implicitly specified"
        )
        yield causes.forbidden(f"{path}.properties[metadata]", detail)


def _is_plain_metadata(metadata: Schema) -> bool:
    said = {key for key, value in metadata.items() if value not in (None, False, "", [], {})}
    return said <= {"type", "properties", "default"} and set(metadata.get("properties") or ()) <= {
        "name",
        "generateName",
    }


def _check_values(schema: Schema, path: str) -> Iterator[FieldError]:
    """The junctors and the pattern of a node, wherever it stands."""
    first = (schema.get("allOf") or [{}])[0]
    for branch, where in _inside(schema, path):
        plain = where.startswith(f"{path}.anyOf") and schema.get("anyOf") == _EITHER
        nested = where == f"{path}.allOf[0]" and first.get("anyOf") == _EITHER
        if not plain:
            yield from _check_branch(branch, where, skip_any_of=nested)
    pattern = schema.get("pattern")
    if pattern and (problem := structural.pattern_problem(pattern)):
        detail = f"must be a valid regular expression, but isn't: {problem}"
        yield causes.invalid(f"{path}.pattern", pattern, detail)


def _check_branch(branch: Schema, path: str, *, skip_any_of: bool = False) -> Iterator[FieldError]:
    """Inside of a junctor only values may be restricted: types and the like stand outside."""
    inner = {key: value for key, value in branch.items() if key != "anyOf" or not skip_any_of}
    yield from _check_values(inner, path)
    if isinstance(branch.get("items"), dict):
        yield from _check_branch(branch["items"], f"{path}.items")
    for name, field in (branch.get("properties") or {}).items():
        yield from _check_branch(field, f"{path}.properties[{name}]")
    if branch.get("additionalProperties") is not None:
        where = f"{path}.additionalProperties"
        yield causes.forbidden(where, "must be undefined to be structural")
    for word, wanted in _ONLY_OUTSIDE.items():
        if branch.get(word) not in (None, False, "", []):
            yield causes.forbidden(f"{path}.{word}", f"must be {wanted} to be structural")
    if "metadata" in (branch.get("properties") or {}):
        detail = "must not be specified in a nested context"
        yield causes.forbidden(f"{path}.properties[metadata]", detail)


def _incomplete(schema: Schema, path: str) -> Iterator[FieldError]:
    """Fields that a branch restricts and nobody outside of it describes."""
    for branch, where in _inside(schema, path):
        yield from _missing(branch, schema, path, where)


def _missing(branch: Schema, outside: Schema, path: str, where: str) -> Iterator[FieldError]:
    for inner, place in _inside(branch, where):
        yield from _missing(inner, outside, path, place)
    pairs = [
        (field, (outside.get("properties") or {}).get(name), f".properties[{name}]")
        for name, field in (branch.get("properties") or {}).items()
    ]
    if isinstance(branch.get("items"), dict):
        pairs.append((branch["items"], outside.get("items"), ".items"))
    for inner, described, step in pairs:
        if isinstance(described, dict):
            yield from _missing(inner, described, path + step, where + step)
        else:
            yield causes.required(path + step, f"because it is defined in {where + step}")


# --- defaults -----------------------------------------------------------------------------------


def _check_defaults(schema: Schema, path: str, *, root: bool = False) -> Iterator[FieldError]:
    default = schema.get("default")
    if default is not None:
        resource = root or schema.get(EMBEDDED)
        named = path.endswith(".properties[metadata]")  # refused there in other words
        if isinstance(default, dict) and not named and pruning.unknown_fields(schema, default):
            yield causes.invalid(f"{path}.default", default, "must not have unknown fields")
        if resource and isinstance(default, dict):
            for name in ("apiVersion", "kind"):
                if not default.get(name):
                    yield causes.required(f"{path}.default.{name}")
        for objection in structural.validate(schema, default):
            where = f"{path}.default{_below(objection.field)}"
            yield FieldError(objection.type, where, objection.value, objection.message)
    for below, where in _children(schema, path):
        if not where.endswith(".additionalProperties"):
            yield from _check_defaults(below, where)


def _below(field: str) -> str:
    field = field.removeprefix("<nil>")
    return field if not field or field.startswith(("[", ".")) else f".{field}"


# --- words --------------------------------------------------------------------------------------


def _check_words(
    schema: Schema, path: str, *, root: bool = False, no_default: str = ""
) -> Iterator[FieldError]:
    """Whether each word of a node, and of all below it, makes sense where it stands."""
    yield from _check_support(schema, path, no_default)
    properties = schema.get("properties") or {}
    others = schema.get("additionalProperties")
    if properties and (others is False or isinstance(others, dict)):
        where = f"{path}.additionalProperties"
        yield causes.forbidden(where, "additionalProperties and properties are mutual exclusive")
    if isinstance(others, dict):
        beneath = "inside additionalProperties applying to object metadata" if no_default else ""
        yield from _check_words(others, f"{path}.additionalProperties", no_default=beneath)
    for name, field in properties.items():
        inside = no_default
        if root and name in _RESOURCE_META:
            inside = f"in top-level {name}"
        yield from _check_words(field, f"{path}.properties[{name}]", no_default=inside)
    for branch, where in _inside(schema, path):
        yield from _check_words(branch, where)
    if isinstance(schema.get("items"), dict):
        yield from _check_words(schema["items"], f"{path}.items", no_default=no_default)
    yield from list_rules.check_maps(schema, path)
    yield from list_rules.check_lists(schema, path)
    for index, rule in enumerate(schema.get(RULES) or ()):
        yield from _check_rule(schema, rule, f"{path}.{RULES}[{index}]")


def _check_support(schema: Schema, path: str, no_default: str) -> Iterator[FieldError]:
    kind = schema.get("type", "")
    if kind and kind not in TYPES:
        yield causes.unsupported(f"{path}.type", kind, TYPES)
    if kind == "null":
        detail = "type cannot be set to null, use nullable as an alternative"
        yield causes.forbidden(f"{path}.type", detail)
    if no_default and schema.get("default") is not None:
        yield causes.forbidden(f"{path}.default", f"must not be set {no_default}")
    for word in _UNSUPPORTED:
        if word in schema:
            yield causes.forbidden(f"{path}.{word}", f"{word} is not supported")
    if isinstance(schema.get("items"), list):
        yield causes.forbidden(f"{path}.items", "items must be a schema object and not an array")
    if schema.get("uniqueItems"):
        detail = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        yield causes.forbidden(f"{path}.uniqueItems", detail)
    if schema.get(PRESERVE) is False:
        yield causes.invalid(f"{path}.{PRESERVE}", False, "must be true or undefined")


def _check_rule(schema: Schema, rule: dict[str, Any], path: str) -> Iterator[FieldError]:
    """The texts around a CEL rule; whether CEL can read it is found out later."""
    text, message = rule.get("rule") or "", rule.get("message") or ""
    if not text.strip():
        yield causes.required(f"{path}.rule", "rule is not specified")
    elif message and not message.strip():
        yield causes.invalid(f"{path}.message", message, "must be non-empty if specified")
    elif "\n" in message.strip():
        yield causes.invalid(f"{path}.message", message, "must not contain line breaks")
    elif "\n" in text.strip() and not message.strip():
        detail = "message must be specified if rule contains line breaks"
        yield causes.required(f"{path}.message", detail)
    expression = rule.get("messageExpression") or ""
    if expression and not expression.strip():
        detail = "messageExpression must be non-empty if specified"
        yield causes.required(f"{path}.messageExpression", detail)
    if rule.get("reason") is not None and rule["reason"] not in _REASONS:
        yield causes.unsupported(f"{path}.reason", rule["reason"], _REASONS)
    place = rule.get("fieldPath") or ""
    if place and not place.strip():
        yield causes.invalid(f"{path}.fieldPath", place, "must be non-empty if specified")
    if "\n" in place:
        yield causes.invalid(f"{path}.fieldPath", place, "must not contain line breaks")
    if place:
        try:
            fieldpath.find(schema, place)
        except fieldpath.NoSuchField:
            yield causes.invalid(f"{path}.fieldPath", place, "must be a valid path")
