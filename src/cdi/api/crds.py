"""
CustomResourceDefinitions of every kind that the API server stores.

They are generated from the typed views, so that the schema and the code cannot drift apart.
Every version of a kind has the same schema; no conversion is needed. Each call returns new
dicts, which the caller may change.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from cdi.api import resources
from cdi.api.resources import Column, Resource, Version
from cdi.api.schema import root_schema_of
from cdi.api.view import Object

# Some tools tell generated definitions by this annotation; the value is the form they have.
GENERATOR_ANNOTATION: Final = "controller-gen.kubebuilder.io/version"
GENERATOR_VERSION: Final = "v0.18.0"


def all() -> list[Object]:  # noqa: A001  # reads as crds.all()
    """Return every definition, in the order in which `resources.ALL` lists the kinds."""
    return [definition_of(resource) for resource in resources.ALL if resource.stored]


def named(words: Iterable[str]) -> list[Object]:
    """Return the definitions of the kinds that `words` name, each once; of all without any.

    Raises resources.UnknownKind, and LookupError for a kind that is served without one.
    """
    found = {resource.kind: resource for resource in map(resources.find, words)}
    return [definition_of(resource) for resource in found.values()] or all()


def crd_for(kind: str) -> Object:
    """Return the definition of one kind, by any of its names.

    Raises resources.UnknownKind, and LookupError for a kind that is served without one.
    """
    return definition_of(resources.find(kind))


def definition_of(resource: Resource) -> Object:
    """Return the definition of a kind. Raises LookupError for a kind without one."""
    if not resource.stored:
        raise LookupError(
            f"{resource.kind} has no CustomResourceDefinition: "
            f"group {resource.group} is answered by CDI's own API server"
        )
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": resource.name,
            "annotations": {GENERATOR_ANNOTATION: GENERATOR_VERSION},
        },
        "spec": {
            "group": resource.group,
            "names": _names_of(resource),
            "scope": "Namespaced" if resource.namespaced else "Cluster",
            "versions": [_version_of(resource, version) for version in resource.versions],
        },
    }


def _names_of(resource: Resource) -> Object:
    names: Object = {
        "kind": resource.kind,
        "listKind": resource.list_kind,
        "plural": resource.plural,
        "singular": resource.singular,
    }
    if resource.short_names:
        names["shortNames"] = list(resource.short_names)
    if resource.categories:
        names["categories"] = list(resource.categories)
    return names


def _version_of(resource: Resource, version: Version) -> Object:
    served: Object = {
        "name": version.name,
        "served": True,
        "storage": version.storage,
        "schema": {"openAPIV3Schema": root_schema_of(resource.view)},
    }
    if version.deprecation:
        served |= {"deprecated": True, "deprecationWarning": version.deprecation}
    if resource.columns:
        served["additionalPrinterColumns"] = [_column(column) for column in resource.columns]
    if resource.status_subresource:
        served["subresources"] = {"status": {}}
    return served


def _column(column: Column) -> Object:
    return {"name": column.name, "type": column.type, "jsonPath": column.path}
