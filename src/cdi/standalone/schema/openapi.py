"""
OpenAPI v3 documents for /openapi/v3/...: what kubectl reads for explain, apply, diff and edit.

Here: the document's shape, with named schemas as components and references between them, and one
path per verb that kubectl looks for. Elsewhere: descriptions of built-in fields (`descriptions`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from cdi.standalone.schema import definitions, descriptions
from cdi.standalone.schema.kinds import KindInfo

Json = dict[str, Any]

_REF = "#/components/schemas/"

_FORMATS: dict[str, tuple[str, Json]] = {
    "quantity": (
        "io.k8s.apimachinery.pkg.api.resource.Quantity",
        {"oneOf": [{"type": "string"}, {"type": "number"}]},
    ),
    "int-or-string": (
        "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
        {"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]},
    ),
    "micro-time": (
        "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime",
        {"type": "string", "format": "date-time"},
    ),
}

_META = "io.k8s.apimachinery.pkg.apis.meta.v1"

_PATCH_WORDS = ("x-kubernetes-patch-strategy", "x-kubernetes-patch-merge-key")
_OF_THE_FIELD = frozenset((*_PATCH_WORDS, definitions.STRUCT))
"""What says something about a field's place, not about its type."""

_ACTIONS = {"list": "get", "create": "post", "deletecollection": "delete"}
_ITEM_ACTIONS = {"get": "get", "update": "put", "patch": "patch", "delete": "delete"}
_ACTION_WORDS = {"create": "post", "update": "put"}
_PATCH_TYPES = (
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
)
_STRATEGIC = "application/strategic-merge-patch+json"


def openapi_v3(kinds: Iterable[KindInfo], group_version: str) -> Json:
    """The document of one group and version: `v1` or `apps/v1`. Other kinds are passed over."""
    components = _Components()
    paths: Json = {}
    for info in kinds:
        if info.api_version == group_version and info.served:
            components.add_kind(info)
            paths.update(_paths(info))
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "unversioned"},
        "paths": paths,
        "components": {"schemas": components.schemas},
    }


class _Components:
    """Named schemas, collected as they are met."""

    def __init__(self) -> None:
        self.schemas: Json = {}

    def add_kind(self, info: KindInfo) -> None:
        schema = dict(info.schema)
        properties = {"apiVersion": _TYPE_FIELDS["apiVersion"], "kind": _TYPE_FIELDS["kind"]}
        schema["properties"] = {**properties, **schema.get("properties", {})}
        marker = [{"group": info.group, "version": info.version, "kind": info.kind}]
        self.schemas[info.component] = {
            **self._body(schema, info.component),
            "x-kubernetes-group-version-kind": marker,
        }
        if "list" in info.verbs:
            self._add_list(info)

    def _add_list(self, info: KindInfo) -> None:
        component = f"{info.component.rpartition('.')[0]}.{info.list_kind}"
        self.schemas[component] = {
            "description": f"{info.list_kind} is a list of {info.kind}",
            "type": "object",
            "required": ["items"],
            "properties": {
                **_TYPE_FIELDS,
                "items": {"type": "array", "items": {"$ref": _REF + info.component}},
                "metadata": {"type": "object", "description": "Standard list metadata."},
            },
            "x-kubernetes-group-version-kind": [
                {"group": info.group, "version": info.version, "kind": info.list_kind}
            ],
        }

    def _value(self, schema: Json) -> Json:
        """A schema at a place where it is used: a reference when it has a name."""
        component = getattr(schema, "component", "")
        if component:
            self._add(component, schema)
            return _reference(component, schema)
        named = _FORMATS.get(schema.get("format", ""))
        if named and "component" not in schema:
            self.schemas[named[0]] = named[1]
            return {"$ref": _REF + named[0]}
        return self._body(schema, "")

    def _add(self, component: str, schema: Json) -> None:
        if component not in self.schemas:
            self.schemas[component] = {}  # a type may contain itself
            self.schemas[component] = self._body(schema, component)

    def _body(self, schema: Json, component: str) -> Json:
        body = {key: value for key, value in schema.items() if key not in _OF_THE_FIELD}
        if not component:
            body.update({key: schema[key] for key in _PATCH_WORDS if key in schema})
        if "properties" in body:
            body["properties"] = {
                name: self._described(component, name, self._value(field))
                for name, field in body["properties"].items()
            }
        for word in ("items", "additionalProperties", "not"):
            if isinstance(body.get(word), dict):
                body[word] = self._value(body[word])
        if component and "description" not in body and (text := descriptions.of_type(component)):
            body["description"] = text
        return body

    def _described(self, component: str, name: str, field: Json) -> Json:
        text = "" if "description" in field else descriptions.of_field(component, name)
        if not text:
            return field
        if "$ref" in field:
            return {"allOf": [field], "description": text}
        return {**field, "description": text}


_TYPE_FIELDS: Json = {
    "apiVersion": {
        "type": "string",
        "description": "The group and version of this representation of the object.",
    },
    "kind": {"type": "string", "description": "The kind of object that this is. In CamelCase."},
}


def _reference(component: str, schema: Json) -> Json:
    """Extensions of the field itself stand beside the reference."""
    own = {key: value for key, value in schema.items() if key in _PATCH_WORDS}
    reference = {"$ref": _REF + component}
    return {"allOf": [reference], **own} if own else reference


def _paths(info: KindInfo) -> Iterator[tuple[str, Json]]:
    root = f"/apis/{info.api_version}" if info.group else f"/api/{info.version}"
    scope = "/namespaces/{namespace}" if info.namespaced else ""
    collection = f"{root}{scope}/{info.plural}"
    where = [_PATH_NAMESPACE] if info.namespaced else []
    if operations := _operations(info, _ACTIONS):
        yield collection, {**operations, "parameters": [*where, _PRETTY]}
    if operations := _operations(info, _ITEM_ACTIONS):
        item = f"{collection}/{{name}}"
        yield item, {**operations, "parameters": [_PATH_NAME, *where, _PRETTY]}
    if info.namespaced and "list" in info.verbs:
        yield (
            f"{root}/{info.plural}",
            {**_operations(info, {"list": "get"}), "parameters": [_PRETTY]},
        )
    if "status" in info.subresources:
        status = {"get": "get", "update": "put", "patch": "patch"}
        yield (
            f"{collection}/{{name}}/status",
            {**_operations(info, status), "parameters": [_PATH_NAME, *where, _PRETTY]},
        )


def _operations(info: KindInfo, actions: dict[str, str]) -> Json:
    return {
        method: _operation(info, verb) for verb, method in actions.items() if verb in info.verbs
    }


def _operation(info: KindInfo, verb: str) -> Json:
    body = {"$ref": _REF + info.component}
    group = info.group.title().replace(".", "")
    operation: Json = {
        "operationId": f"{verb}{group}{info.version.title()}{info.kind}",
        "responses": {
            "200": {"description": "OK", "content": {"application/json": {"schema": body}}}
        },
        "x-kubernetes-action": _ACTION_WORDS.get(verb, verb),
        "x-kubernetes-group-version-kind": {
            "group": info.group,
            "version": info.version,
            "kind": info.kind,
        },
        "parameters": list(_PARAMETERS.get(verb, ())),
    }
    if verb in ("create", "update"):
        operation["requestBody"] = {"content": {"*/*": {"schema": body}}, "required": True}
    if verb == "patch":
        types = _PATCH_TYPES if info.custom else (*_PATCH_TYPES, _STRATEGIC)
        patch = {"schema": {"type": "object"}}
        operation["requestBody"] = {"content": dict.fromkeys(types, patch), "required": True}
    return operation


def _query(name: str, kind: str, description: str) -> Json:
    schema = {"type": kind, "uniqueItems": True}
    return {"name": name, "in": "query", "description": description, "schema": schema}


_PRETTY = _query("pretty", "string", "If 'true', then the output is pretty printed.")
_PATH_NAME: Json = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}
_PATH_NAMESPACE: Json = {**_PATH_NAME, "name": "namespace"}

_WRITE = (
    _query("dryRun", "string", "All: process every stage, store nothing."),
    _query("fieldManager", "string", "The name of the actor that makes these changes."),
    _query("fieldValidation", "string", "Unknown or duplicate fields: Ignore, Warn or Strict."),
)
_SELECT = (
    _query("labelSelector", "string", "Restricts the objects by their labels."),
    _query("fieldSelector", "string", "Restricts the objects by their fields."),
    _query("limit", "integer", "The greatest number of objects in one answer."),
    _query("continue", "string", "Where the answer before this one ended."),
)
_PARAMETERS: dict[str, tuple[Json, ...]] = {
    "create": _WRITE,
    "update": _WRITE,
    "patch": (*_WRITE, _query("force", "boolean", "Take fields over from other managers.")),
    "delete": (
        _query("dryRun", "string", "All: process every stage, store nothing."),
        _query("gracePeriodSeconds", "integer", "How long the object may take to go."),
        _query("propagationPolicy", "string", "Orphan, Background or Foreground."),
    ),
    "list": (*_SELECT, _query("watch", "boolean", "Stream changes instead of listing.")),
    "deletecollection": _SELECT,
}
