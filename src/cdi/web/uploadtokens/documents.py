"""
How the API of upload tokens describes itself: legacy and aggregated discovery, OpenAPI.

Values only, made from the kind's view; what Kubernetes asks an aggregated API server for.
"""

from __future__ import annotations

import functools
import hashlib
import json
from typing import Any, Final

import cdi
from cdi.api import schema
from cdi.api.kinds.uploadtoken import UploadTokenRequest
from cdi.web.uploadtokens.request import API_VERSION, SERVED

Object = dict[str, Any]

GROUP_PATH: Final = f"/apis/{SERVED.group}"
VERSION_PATH: Final = f"/apis/{API_VERSION}"
COLLECTION_PATH: Final = f"{VERSION_PATH}/namespaces/{{namespace}}/{SERVED.plural}"
OPENAPI_V3_PATH: Final = f"/openapi/v3{VERSION_PATH}"
VERBS: Final = ("create",)

_VERSION: Final = {"groupVersion": API_VERSION, "version": SERVED.storage_version}
_GROUP: Final = {
    "name": SERVED.group,
    "versions": [_VERSION],
    "preferredVersion": _VERSION,
    "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": ""}],
}
_KIND: Final = {"group": SERVED.group, "version": SERVED.storage_version, "kind": SERVED.kind}
_COMPONENT: Final = f"io.kubevirt.cdi.upload.{SERVED.storage_version}.{SERVED.kind}"
_TITLE: Final = "KubeVirt Containerized Data Importer API"
_JSON: Final = "application/json"


def root_paths(paths: list[str]) -> Object:
    """/: what there is."""
    return {"paths": sorted(paths)}


def groups() -> Object:
    """/apis."""
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_GROUP]}


def group() -> Object:
    """/apis/GROUP."""
    return {"kind": "APIGroup", "apiVersion": "v1", **_GROUP}


def resources() -> Object:
    """/apis/GROUP/VERSION."""
    resource = {
        "name": SERVED.plural,
        "singularName": SERVED.singular,
        "namespaced": True,
        **_KIND,
        "verbs": list(VERBS),
        "shortNames": list(SERVED.short_names),
    }
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": API_VERSION,
        "resources": [resource],
    }


def aggregated(version: str) -> Object:
    """/apis for clients that want all in one document; `version` is that of its form."""
    resource = {
        "resource": SERVED.plural,
        "responseKind": _KIND,
        "scope": "Namespaced",
        "singularResource": SERVED.singular,
        "verbs": list(VERBS),
        "shortNames": list(SERVED.short_names),
    }
    listed = {
        "version": SERVED.storage_version,
        "freshness": "Current",
        "resources": [resource],
    }
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"apidiscovery.k8s.io/{version}",
        "metadata": {},
        "items": [
            {"metadata": {"name": SERVED.group, "creationTimestamp": None}, "versions": [listed]}
        ],
    }


@functools.cache
def openapi_v2() -> Object:
    """/openapi/v2."""
    reference = {"$ref": f"#/definitions/{_COMPONENT}"}
    body = {"name": "body", "in": "body", "required": True, "schema": reference}
    namespace = {"name": "namespace", "in": "path", "required": True, "type": "string"}
    answers = {
        "200": {"description": "OK", "schema": reference},
        "401": {"description": "Unauthorized"},
    }
    operation = {
        **_operation(),
        "consumes": [_JSON],
        "produces": [_JSON],
        "parameters": [body],
        "responses": answers,
    }
    return {
        "swagger": "2.0",
        "info": _info(),
        "paths": {COLLECTION_PATH: {"parameters": [namespace], "post": operation}},
        "definitions": {_COMPONENT: _schema()},
    }


def openapi_index() -> Object:
    """/openapi/v3; the hash lets clients keep the document."""
    path = VERSION_PATH.removeprefix("/")
    return {"paths": {path: {"serverRelativeURL": f"{OPENAPI_V3_PATH}?hash={openapi_tag()}"}}}


@functools.cache
def openapi_tag() -> str:
    """Changes with the document."""
    return hashlib.sha256(json.dumps(openapi_v3()).encode()).hexdigest().upper()


@functools.cache
def openapi_v3() -> Object:
    """/openapi/v3/apis/GROUP/VERSION."""
    content = {_JSON: {"schema": {"$ref": f"#/components/schemas/{_COMPONENT}"}}}
    operation = {
        **_operation(),
        "parameters": [_query("fieldValidation")],
        "requestBody": {"content": content, "required": True},
        "responses": {
            "200": {"description": "OK", "content": content},
            "401": {"description": "Unauthorized"},
        },
    }
    text = {"type": "string", "uniqueItems": True}
    namespace = {"name": "namespace", "in": "path", "required": True, "schema": text}
    return {
        "openapi": "3.0.0",
        "info": _info(),
        "paths": {COLLECTION_PATH: {"parameters": [namespace], "post": operation}},
        "components": {"schemas": {_COMPONENT: _schema()}},
    }


def _operation() -> Object:
    return {
        "description": "Ask for a token with which one claim may be uploaded to.",
        "operationId": "createUploadV1beta1NamespacedUploadTokenRequest",
        "tags": ["upload_v1beta1"],
        "x-kubernetes-action": "post",
        "x-kubernetes-group-version-kind": _KIND,
    }


def _query(name: str) -> Object:
    return {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}


def _info() -> Object:
    return {"title": _TITLE, "version": cdi.__version__}


def _schema() -> Object:
    return {
        **schema.root_schema_of(UploadTokenRequest),
        "x-kubernetes-group-version-kind": [_KIND],
    }
