"""Plain YAML: cdi-operator.yaml, cdi-cr.yaml, network-policies.yaml, boot-sources.yaml."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import yaml

from cdi.kube.objects import Object, Objects
from cdi.operator.inventory.bootsources import boot_sources
from cdi.operator.inventory.networkpolicies import network_policies
from cdi.operator.inventory.operator import default_cdi, operator_objects
from cdi.operator.settings import Settings

OPERATOR: Final = "operator"
CDI: Final = "cr"
NETWORK_POLICIES: Final = "network-policies"
BOOT_SOURCES: Final = "boot-sources"
PARTS: Final = (OPERATOR, CDI, NETWORK_POLICIES, BOOT_SOURCES)

_NAMES: Final = {
    OPERATOR: "cdi-operator.yaml",
    CDI: "cdi-cr.yaml",
    NETWORK_POLICIES: "network-policies.yaml",
    BOOT_SOURCES: "boot-sources.yaml",
}


def files(settings: Settings, images: Mapping[str, str] | None = None) -> dict[str, str]:
    """All files."""
    return {_NAMES[part]: yaml_of(objects_of(part, settings, images)) for part in PARTS}


def objects_of(part: str, settings: Settings, images: Mapping[str, str] | None = None) -> Objects:
    """The objects of one file; `images` are templates of boot images, by file name."""
    if part == OPERATOR:
        return operator_objects(settings)
    if part == CDI:
        return [default_cdi(settings.pull_policy)]
    if part == BOOT_SOURCES:
        return boot_sources(settings, images)
    return network_policies(settings.namespace)


def yaml_of(documents: Iterable[Any]) -> str:
    """Documents as people and kubectl read them."""
    text: str = yaml.dump_all(
        documents,
        Dumper=_Plain,
        explicit_start=True,
        sort_keys=False,
        allow_unicode=True,
        width=100,
    )
    return text


class _Plain(yaml.SafeDumper):
    """Writes no anchors: an object that occurs twice is written twice."""

    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True


def without_namespace(objects: Objects) -> Objects:
    """Objects but the namespace itself, for whom somebody else makes it."""
    return [each for each in objects if each["kind"] != "Namespace"]


def split_definitions(objects: Objects) -> tuple[Objects, Objects]:
    """Definitions, and all others."""
    definitions = [each for each in objects if each["kind"] == "CustomResourceDefinition"]
    return definitions, [each for each in objects if each not in definitions]


def named(objects: Objects, kind: str) -> Object:
    """The one object of a kind."""
    (found,) = [each for each in objects if each["kind"] == kind]
    return found
