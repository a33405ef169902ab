"""
Whether a CustomResourceDefinition is one that Kubernetes would accept.

Here: names, versions, columns, subresources, selectable fields, conversion, what an update may not
change. Elsewhere: the schemas (`schema_rules`), and what may be said in a rule (`cel_rules`).

Kubernetes keeps what all versions say alike in one place, and objects to it there: paths begin with
`spec.validation` where every version has the same schema, with `spec.versions[i].schema` elsewhere.

Not here: the types and the estimated cost of CEL rules, on which Kubernetes refuses more.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cdi.standalone.schema import causes, cel_rules, fieldpath, names, schema_rules
from cdi.standalone.schema.causes import FieldError

Schema = dict[str, Any]
Version = dict[str, Any]

_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_COLUMN_FORMATS = (
    "byte",
    "date",
    "date-time",
    "double",
    "float",
    "int32",
    "int64",
    "password",
)
_STRATEGIES = ("None", "Webhook")
_REVIEWS = ("v1", "v1beta1")
_MAX_WARNING = 256
_MAX_SELECTABLE = 8
_SELECTABLE_TYPES = ("string", "boolean", "integer")
_APPROVAL = "api-approved.kubernetes.io"
_PROTECTED = ("k8s.io", "kubernetes.io")


def validate(crd: dict[str, Any]) -> list[FieldError]:
    """Every objection to the definition."""
    spec = crd.get("spec")
    if not isinstance(spec, dict):
        return [causes.required("spec")]
    return list(_check(crd, spec))


def _check(crd: dict[str, Any], spec: dict[str, Any]) -> Iterator[FieldError]:
    found = spec.get("names") or {}
    group = spec.get("group", "")
    name = crd.get("metadata", {}).get("name", "")
    if name != f"{found.get('plural', '')}.{group}":
        detail = 'must be spec.names.plural+"."+spec.group'
        yield causes.invalid("metadata.name", name, detail)
    yield from _check_group(group)
    if not spec.get("scope"):
        yield causes.required("spec.scope")
    elif spec["scope"] not in ("Cluster", "Namespaced"):
        yield causes.unsupported("spec.scope", spec["scope"], ("Cluster", "Namespaced"))
    yield from _check_versions(spec.get("versions"))
    yield from _check_names(found)
    if spec.get("conversion") is not None:
        yield from _check_conversion(spec["conversion"])
    if spec.get("preserveUnknownFields"):
        detail = (
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in "
            "spec.versions[*].schema instead"
        )
        yield causes.invalid("spec.preserveUnknownFields", True, detail)
    yield from _check_approval(crd, group)


def _check_group(group: str) -> Iterator[FieldError]:
    if not group:
        yield causes.required("spec.group")
    elif objections := names.subdomain(group):
        yield causes.invalid("spec.group", group, ",".join(objections))
    elif "." not in group:
        yield causes.invalid("spec.group", group, "should be a domain with at least one dot")


def _check_approval(crd: dict[str, Any], group: str) -> Iterator[FieldError]:
    """Kubernetes' own groups are for what its reviewers have seen."""
    protected = any(group == own or group.endswith(f".{own}") for own in _PROTECTED)
    annotations = crd.get("metadata", {}).get("annotations") or {}
    if protected and not annotations.get(_APPROVAL):
        detail = (
            f'protected groups must have approval annotation "{_APPROVAL}", see '
            "https://github.com/kubernetes/enhancements/pull/1111"
        )
        yield causes.required(f"metadata.annotations[{_APPROVAL}]", detail)


def _check_names(found: dict[str, Any]) -> Iterator[FieldError]:
    # The server fills in singular and listKind where there is a kind to make them from.
    needed = ("plural", "kind") if found.get("kind") else ("plural", "singular", "kind", "listKind")
    for key in ("plural", "singular", "kind", "listKind"):
        text = found.get(key, "")
        if not text:
            if key in needed:
                yield causes.required(f"spec.names.{key}")
            continue
        mixed = key in ("kind", "listKind")
        if objections := names.label_1035(text.lower() if mixed else text):
            prefix = "may have mixed case, but should otherwise match: " if mixed else ""
            yield causes.invalid(f"spec.names.{key}", text, prefix + ",".join(objections))
    if found.get("kind") and found.get("kind") == found.get("listKind"):
        detail = "kind and listKind may not be the same"
        yield causes.invalid("spec.names.listKind", found["listKind"], detail)
    for key in ("shortNames", "categories"):
        for index, text in enumerate(found.get(key) or ()):
            if objections := names.label_1035(text):
                yield causes.invalid(f"spec.names.{key}[{index}]", text, ",".join(objections))


def _check_versions(given: list[Version] | None) -> Iterator[FieldError]:
    versions = given or []
    called = [version.get("name", "") for version in versions]
    if len(set(called)) < len(called):
        yield causes.invalid("spec.versions", called, "must contain unique version names")
    if sum(bool(version.get("storage")) for version in versions) != 1:
        detail = "must have exactly one version marked as storage version"
        yield causes.invalid("spec.versions", given if given is None else called, detail)
        if not any(version.get("storage") for version in versions):
            detail = "must have at least one stored version"
            yield causes.invalid("status.storedVersions", None, detail)
    for index, version in enumerate(versions):
        yield from _check_version(version, index)
    has_status = any("status" in (version.get("subresources") or {}) for version in versions)
    for schema, where, owner in _schemas(versions):
        own = has_status if owner is None else "status" in (owner.get("subresources") or {})
        yield from schema_rules.validate(schema, where, has_status=own)
    for subresources, where in _said(versions, "subresources", "subresources"):
        if subresources.get("scale") is not None:
            yield from _check_scale(subresources["scale"], f"{where}.scale")
    for columns, where in _said(versions, "additionalPrinterColumns", "additionalPrinterColumns"):
        for index, column in enumerate(columns):
            yield from _check_column(column, f"{where}[{index}]")
    yield from _check_all_selectable(versions)


def _check_version(version: Version, index: int) -> Iterator[FieldError]:
    path, name = f"spec.versions[{index}]", version.get("name", "")
    if objections := names.label_1035(name):
        yield causes.invalid(f"{path}.name", name, ",".join(objections))
        if not index:
            yield causes.invalid("spec.version", name, ",".join(objections))
    if (version.get("schema") or {}).get("openAPIV3Schema") is None:
        yield causes.required(f"{path}.schema.openAPIV3Schema")
    warning = version.get("deprecationWarning")
    if warning is not None:
        deprecated = bool(version.get("deprecated"))
        for problem in _warning_problems(warning, deprecated=deprecated):
            yield causes.invalid(f"{path}.deprecationWarning", warning, problem)


def _warning_problems(warning: str, *, deprecated: bool) -> Iterator[str]:
    if not deprecated:
        yield "can only be set for deprecated versions"
        return
    if len(warning) > _MAX_WARNING:
        yield f"must be <= {_MAX_WARNING} characters long"
    if not warning:
        yield "must not be an empty string"
    odd = [index for index, sign in enumerate(warning) if not sign.isprintable()]
    if odd:
        yield (
            "must only contain printable UTF-8 characters; non-printable character found at "
            f"index {odd[0]}"
        )


def _said(versions: list[Version], key: str, shared: str) -> list[tuple[Any, str]]:
    """What versions say under `key`, and where: once where all of them say the same."""
    values = [version.get(key) for version in versions]
    if values and values[0] and all(value == values[0] for value in values):
        return [(values[0], f"spec.{shared}")]
    return [(value, f"spec.versions[{i}].{key}") for i, value in enumerate(values) if value]


def _schemas(versions: list[Version]) -> list[tuple[Schema, str, Version | None]]:
    """The schemas, where they stand, and whose each is; None for all versions'."""
    schemas = [(version.get("schema") or {}).get("openAPIV3Schema") for version in versions]
    if schemas and schemas[0] is not None and all(schema == schemas[0] for schema in schemas):
        return [(schemas[0], "spec.validation.openAPIV3Schema", None)]
    return [
        (schema, f"spec.versions[{index}].schema.openAPIV3Schema", versions[index])
        for index, schema in enumerate(schemas)
        if schema is not None
    ]


def _check_column(column: dict[str, Any], path: str) -> Iterator[FieldError]:
    if not column.get("name"):
        yield causes.required(f"{path}.name")
    types = f"must be one of {','.join(_COLUMN_TYPES)}"
    if not column.get("type"):
        yield causes.required(f"{path}.type", types)
    elif column["type"] not in _COLUMN_TYPES:
        yield causes.invalid(f"{path}.type", column["type"], types)
    form = column.get("format", "")
    if form and form not in _COLUMN_FORMATS:
        detail = f"must be one of {','.join(_COLUMN_FORMATS)}"
        yield causes.invalid(f"{path}.format", form, detail)
    text = column.get("jsonPath", "")
    if not text:
        yield causes.required(f"{path}.JSONPath")
    else:
        yield from _check_simple(text, f"{path}.JSONPath")


def _check_simple(text: str, path: str) -> Iterator[FieldError]:
    if not text.startswith("."):
        yield causes.invalid(path, text, "must be a simple json path starting with .")


def _check_scale(scale: dict[str, Any], path: str) -> Iterator[FieldError]:
    for key, wanted in (("specReplicasPath", ".spec"), ("statusReplicasPath", ".status")):
        text = scale.get(key, "")
        if not text:
            yield causes.required(f"{path}.{key}")
        elif not text.startswith("."):
            yield from _check_simple(text, f"{path}.{key}")
        elif not text.startswith(f"{wanted}."):
            yield causes.invalid(f"{path}.{key}", text, f"should be a json path under {wanted}")
    text = scale.get("labelSelectorPath") or ""
    where = f"{path}.labelSelectorPath"
    if text and not text.startswith("."):
        yield from _check_simple(text, where)
    elif text and not text.startswith((".spec.", ".status.")):
        yield causes.invalid(where, text, "should be a json path under either .spec or .status")


def _check_all_selectable(versions: list[Version]) -> Iterator[FieldError]:
    schemas: dict[str, Schema] = {path: schema for schema, path, _ in _schemas(versions)}
    for selectable, path in _said(versions, "selectableFields", "selectableFields"):
        where = path.replace("selectableFields", "schema.openAPIV3Schema")
        schema = schemas.get(where) or next(iter(schemas.values()), None)
        if schema is not None:
            yield from _check_selectable(selectable, schema, path)


def _check_selectable(
    selectable: list[dict[str, Any]], schema: Schema, path: str
) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, each in enumerate(selectable):
        text, where = each.get("jsonPath", ""), f"{path}[{index}].jsonPath"
        if not text:
            yield causes.required(where)
            continue
        try:
            node = fieldpath.find(schema, text)
        except fieldpath.NoSuchField as error:
            yield causes.invalid(where, text, f"is an invalid path: {error}")
            continue
        if fieldpath.steps(text)[:1] == ["metadata"]:
            yield causes.invalid(where, text, "must not point to fields in metadata")
        if node.get("type") not in _SELECTABLE_TYPES:
            detail = (
                "must point to a field of type string, boolean or integer. Enum string fields and "
                "strings with formats are allowed."
            )
            yield causes.invalid(where, text, detail)
        if text in seen:
            yield causes.duplicate(where, text)
        seen.add(text)
    if len(seen) > _MAX_SELECTABLE:
        yield causes.too_many(path, len(seen), _MAX_SELECTABLE)


def _check_conversion(conversion: dict[str, Any]) -> Iterator[FieldError]:
    strategy, path = conversion.get("strategy", ""), "spec.conversion"
    if not strategy:
        yield causes.required(f"{path}.strategy")
    elif strategy not in _STRATEGIES:
        yield causes.unsupported(f"{path}.strategy", strategy, _STRATEGIES)
    webhook = conversion.get("webhook") or {}
    client, reviews = webhook.get("clientConfig"), webhook.get("conversionReviewVersions") or []
    if strategy == "Webhook":
        yield from _check_webhook(client, f"{path}.webhookClientConfig")
        yield from _check_reviews(reviews, f"{path}.conversionReviewVersions")
        return
    detail = "should not be set when strategy is not set to Webhook"
    if client is not None:
        yield causes.forbidden(f"{path}.webhookClientConfig", detail)
    if reviews:
        yield causes.forbidden(f"{path}.conversionReviewVersions", detail)


def _check_webhook(client: dict[str, Any] | None, path: str) -> Iterator[FieldError]:
    if client is None:
        yield causes.required(path, "required when strategy is set to Webhook")
        return
    url = client.get("url")
    if (url is None) == (client.get("service") is None):
        yield causes.required(path, "exactly one of url or service is required")
    elif url is not None and not url.startswith("https://"):
        scheme = url.partition(":")[0]
        detail = "'https' is the only allowed URL scheme; desired format: https://host[/path]"
        yield causes.invalid(f"{path}.url", scheme, detail)


def _check_reviews(reviews: list[str], path: str) -> Iterator[FieldError]:
    if not reviews:
        yield causes.required(path)
        return
    for index, review in enumerate(reviews):
        if review in reviews[:index]:
            yield causes.invalid(f"{path}[{index}]", review, "duplicate version")
        elif objections := names.label_1035(review):
            yield causes.invalid(f"{path}[{index}]", review, ",".join(objections))
    if not set(reviews) & set(_REVIEWS):
        detail = f"must include at least one of {', '.join(_REVIEWS)}"
        yield causes.invalid(path, reviews, detail)


def check_rules(crd: dict[str, Any]) -> list[FieldError]:
    """Objections to the CEL rules of a definition. Loads the language if there is a rule."""
    found = []
    for schema, path, _ in _schemas((crd.get("spec") or {}).get("versions") or []):
        for where, rule, alone in cel_rules.rules_of(schema, path):
            text = rule.get("rule") or ""
            if error := cel_rules.compile_error(text):
                detail = f"compilation failed: {error}"
                found.append(causes.invalid(f"{where}.rule", text, detail))
            elif cel_rules.is_transition(text) and alone:
                detail = (
                    "oldSelf cannot be used on the uncorrelatable portion of the schema within "
                    f"{alone}"
                )
                found.append(causes.invalid(f"{where}.rule", text, detail))
            elif not cel_rules.is_transition(text) and rule.get("optionalOldSelf") is not None:
                detail = "may not be set if oldSelf is not used in rule"
                given = rule["optionalOldSelf"]
                found.append(causes.invalid(f"{where}.optionalOldSelf", given, detail))
    return found


def validate_update(crd: dict[str, Any], old: dict[str, Any] | None) -> list[FieldError]:
    """A definition keeps its names, its scope, and every version that objects may be stored in."""
    if old is None:
        return []
    spec, before = crd.get("spec") or {}, old.get("spec") or {}
    found = [
        causes.invalid(f"spec.{key}", spec.get(key), "field is immutable")
        for key in ("scope", "group")
        if spec.get(key) != before.get(key)
    ]
    for key in ("kind", "plural"):
        name = (spec.get("names") or {}).get(key)
        if name != (before.get("names") or {}).get(key):
            found.append(causes.invalid(f"spec.names.{key}", name, "field is immutable"))
    left = {version.get("name") for version in spec.get("versions") or ()}
    for index, name in enumerate((old.get("status") or {}).get("storedVersions") or ()):
        if name not in left:
            detail = (
                f"missing from spec.versions; {name} was previously a storage version, and must "
                "remain in spec.versions until a storage migration ensures no data remains "
                f"persisted in {name} and removes {name} from status.storedVersions"
            )
            found.append(causes.invalid(f"status.storedVersions[{index}]", name, detail))
    return found
