"""
From a CustomResourceDefinition to the kinds it serves.

Here: one KindInfo a version, with the schema as the definition gives it. Elsewhere: whether the
definition is a good one (`crd_rules`).
"""

from __future__ import annotations

from typing import Any

from cdi.standalone.schema import crd_rules, definitions, fieldpath
from cdi.standalone.schema.causes import FieldError
from cdi.standalone.schema.kinds import Column, KindInfo, Scale

_STRING = {"type": "string"}


class InvalidCrd(ValueError):
    """The definition breaks a rule; `causes` says which fields."""

    def __init__(self, causes: list[FieldError]) -> None:
        super().__init__("; ".join(map(str, causes)))
        self.causes = causes


def kinds_of_crd(crd: dict[str, Any]) -> tuple[KindInfo, ...]:
    """One kind a served or stored version. Raises InvalidCrd."""
    if causes := crd_rules.validate(crd):
        raise InvalidCrd(causes)
    return kinds_of_stored(crd)


def kinds_of_stored(crd: dict[str, Any]) -> tuple[KindInfo, ...]:
    """The same of a definition that was accepted once, by whichever rules were in force then."""
    spec = crd["spec"]
    return tuple(_kind(spec, version) for version in spec["versions"])


def _kind(spec: dict[str, Any], version: dict[str, Any]) -> KindInfo:
    names = spec["names"]
    group, name = spec["group"], version["name"]
    subresources = version.get("subresources") or {}
    schema = schema_of(version)
    kind = names["kind"]
    return KindInfo(
        group=group,
        version=name,
        kind=kind,
        plural=names["plural"],
        singular=names.get("singular") or kind.lower(),
        build_schema=lambda: schema,
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        namespaced=spec["scope"] == "Namespaced",
        columns=tuple(_column(each) for each in version.get("additionalPrinterColumns") or ()),
        subresources=frozenset(subresources),
        storage=bool(version.get("storage")),
        served=bool(version.get("served")),
        deprecation=_deprecation(group, version, kind),
        custom=True,
        scale=_scale(subresources.get("scale")),
        selectable=tuple(
            ".".join(fieldpath.steps(each["jsonPath"]))
            for each in version.get("selectableFields") or ()
        ),
        list_kind=names.get("listKind") or f"{kind}List",
        component=f"{'.'.join(reversed(group.split('.')))}.{name}.{kind}",
    )


def schema_of(version: dict[str, Any]) -> dict[str, Any]:
    """The version's schema with what every object has: apiVersion, kind and full metadata."""
    given = (version.get("schema") or {}).get("openAPIV3Schema") or {"type": "object"}
    properties = given.get("properties", {})
    metadata = definitions.schema_of("meta", "ObjectMeta")
    return {
        **given,
        "properties": {
            **properties,
            "apiVersion": properties.get("apiVersion", _STRING),
            "kind": properties.get("kind", _STRING),
            "metadata": _narrowed(metadata, properties.get("metadata")),
        },
    }


def _narrowed(metadata: definitions.Schema, given: dict[str, Any] | None) -> dict[str, Any]:
    """A definition may restrict metadata.name and metadata.generateName, nothing else."""
    if not given or "properties" not in given:
        return metadata
    narrowed = definitions.Schema(metadata)
    narrowed["properties"] = {**metadata["properties"], **given["properties"]}
    return narrowed


def _column(given: dict[str, Any]) -> Column:
    return Column(
        name=given["name"],
        type=given["type"],
        format=given.get("format", ""),
        description=given.get("description", ""),
        priority=given.get("priority", 0),
        json_path=given["jsonPath"],
    )


def _deprecation(group: str, version: dict[str, Any], kind: str) -> str | None:
    if not version.get("deprecated"):
        return None
    stated = version.get("deprecationWarning")
    return stated if stated is not None else f"{group}/{version['name']} {kind} is deprecated"


def _scale(given: dict[str, Any] | None) -> Scale | None:
    if not given:
        return None
    return Scale(
        given["specReplicasPath"], given["statusReplicasPath"], given.get("labelSelectorPath", "")
    )
