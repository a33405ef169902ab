"""
The templates in effect: those that are shipped, as far as they are wanted, and a cluster's own.

One of the same name as a shipped template changes it, field by field: what it leaves out stays as
shipped. Pure. Raises DuplicateTemplate, IncompleteTemplate.
"""

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from cdi.api import annotations, bootimages, reasons
from cdi.bootsources.settings import Settings
from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.storage.conditions import with_condition

_ARCHITECTURES: Final = annotations.CRON_TEMPLATE_ARCHITECTURES
_SCALARS: Final = (
    "schedule", "garbageCollect", "importsToKeep", "retentionPolicy", "managedDataSource",
    "serviceAccountName",
)  # fmt: skip
_NEEDED: Final = (("managedDataSource",), ("template", "spec", "source"))


class DuplicateTemplate(ValueError):
    """Two templates of a HyperConverged have one name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there are two templates called {name}; rename or remove one of them")


class IncompleteTemplate(ValueError):
    """A template leaves out what no shipped one of its name says."""

    def __init__(self, name: str, field: str) -> None:
        super().__init__(f"template {name} has no spec.{field}, and no common template of its name")


@dataclass(frozen=True, slots=True)
class InEffect:
    """A template as it is in effect."""

    template: Object
    common: bool = False
    modified: bool = False
    original_architectures: str | None = None
    conditions: tuple[Object, ...] = ()

    @property
    def name(self) -> str:
        return objects.name(self.template)

    @property
    def deployed(self) -> bool:
        return not any(each["status"] == "False" for each in self.conditions)

    @property
    def architectures(self) -> tuple[str, ...]:
        """Those that a cron is made for, each; none where there is only one."""
        said = objects.annotations(self.template).get(_ARCHITECTURES, "")
        return tuple(filter(None, (each.strip() for each in said.split(","))))

    def as_document(self) -> Object:
        """The entry of the status."""
        status: Object = {}
        if self.common:
            status["commonTemplate"] = True
        if self.modified:
            status["modified"] = True
        if self.original_architectures is not None:
            status["originalSupportedArchitectures"] = self.original_architectures
        if self.conditions:
            status["conditions"] = list(self.conditions)
        return {**self.template, "status": status}


@dataclass(frozen=True, slots=True)
class Cluster:
    """What templates depend on, beside themselves."""

    schedule: str = ""  # of common images
    architectures: Sequence[str] = ()  # of the nodes on which machines run
    before: Sequence[Object] = field(default=())  # the entries of the status as it was
    now: str = ""  # RFC 3339


def in_effect(common: Iterable[Object], settings: Settings, cluster: Cluster) -> list[InEffect]:
    """All templates in effect, by name."""
    own = _by_name(settings.templates)
    shipped = {objects.name(each): each for each in common}
    found = []
    if settings.imports_common:
        for name, template in shipped.items():
            if made := _common(template, own.get(name), settings, cluster.schedule):
                found.append(made)
    found += [
        InEffect(_whole(bootimages.completed_template(template)))
        for name, template in own.items()
        if name not in shipped and bootimages.is_enabled(template)
    ]
    if settings.multi_arch:
        found = [_fitting(each, shipped.get(each.name), cluster) for each in found]
    return sorted(found, key=lambda each: each.name)


def for_crons(templates: Iterable[InEffect], settings: Settings) -> list[InEffect]:
    """The templates of which crons are made, with what a cron has to carry."""
    return [_handed_on(each, settings) for each in templates if each.deployed]


def merged(common: Object, own: Object) -> Object:
    """A shipped template with what a cluster's own of the same name says."""
    made = copy.deepcopy(common)
    meta = made.setdefault("metadata", {})
    for kind in ("annotations", "labels"):
        if added := objects.get(own, "metadata", kind):
            meta[kind] = {**(meta.get(kind) or {}), **added}
    if namespace := objects.namespace(own):
        meta["namespace"] = namespace
    spec, said = made["spec"], own.get("spec") or {}
    spec |= {key: said[key] for key in _SCALARS if said.get(key) not in (None, "")}
    template = objects.get(said, "template", default={})
    _merge_template(spec["template"], template)
    return made


def _merge_template(target: Object, own: Object) -> None:
    if meta := own.get("metadata"):
        target["metadata"] = _deeply(target.get("metadata") or {}, meta)
    said = own.get("spec") or {}
    spec = target["spec"]
    for key, value in said.items():
        if value is None:
            continue
        if key == "storage" and spec.get("storage") is not None:
            spec["storage"] = _deeply(spec["storage"], value)
        else:
            spec[key] = copy.deepcopy(value)
    if said.get("pvc") is not None:
        spec.pop("storage", None)  # a DataVolume has one of the two


def _deeply(target: Object, own: Object) -> Object:
    made = dict(target)
    for key, value in own.items():
        if isinstance(value, dict) and isinstance(made.get(key), dict):
            made[key] = _deeply(made[key], value)
        elif value is not None:
            made[key] = copy.deepcopy(value)
    return made


def _by_name(templates: Iterable[Object]) -> dict[str, Object]:
    found: dict[str, Object] = {}
    for template in templates:
        name = objects.name(template)
        if name in found:
            raise DuplicateTemplate(name)
        found[name] = template
    return found


def _common(
    template: Object, own: Object | None, settings: Settings, schedule: str
) -> InEffect | None:
    if own is not None and not bootimages.is_enabled(own):
        return None
    made = copy.deepcopy(template)
    if schedule:
        made["spec"]["schedule"] = schedule
    if settings.namespace:
        made["metadata"]["namespace"] = settings.namespace
    if own is None:
        return InEffect(made, common=True)
    return InEffect(merged(made, own), common=True, modified=True)


def _whole(template: Object) -> Object:
    for path in _NEEDED:
        if not objects.get(template, "spec", *path):
            raise IncompleteTemplate(objects.name(template), ".".join(path))
    return template


def _handed_on(each: InEffect, settings: Settings) -> InEffect:
    made = copy.deepcopy(each.template)
    given = {annotations.BIND_IMMEDIATE: annotations.TRUE, **objects.annotations(made)}
    given.pop(annotations.CRON_TEMPLATE_ENABLE, None)
    if not settings.multi_arch:
        given.pop(_ARCHITECTURES, None)
    made["metadata"]["annotations"] = given
    return replace(each, template=made)


# Architectures.


def _fitting(each: InEffect, common: Object | None, cluster: Cluster) -> InEffect:
    """A template for the architectures of the cluster alone."""
    said = _said_architectures(each, common)
    if said is None:
        return each
    wanted = [part.strip() for part in said.split(",") if part.strip()]
    kept = [part for part in wanted if part in cluster.architectures]
    made = copy.deepcopy(each.template)
    meta = made.setdefault("metadata", {})
    meta["annotations"] = {**(meta.get("annotations") or {}), _ARCHITECTURES: ",".join(kept)}
    fitted = replace(each, template=made, original_architectures=said)
    return fitted if kept else replace(fitted, conditions=_undeployed(each.name, cluster))


def _said_architectures(each: InEffect, common: Object | None) -> str | None:
    """Which architectures its image has: a shipped image's are known, whatever anybody says."""
    own = objects.annotations(each.template).get(_ARCHITECTURES)
    if common is None:
        return own
    shipped = objects.annotations(common).get(_ARCHITECTURES)
    if _registry(each.template) == _registry(common):
        return shipped
    return own if own != shipped else None


def _registry(template: Object) -> Any:
    return objects.get(template, "spec", "template", "spec", "source", "registry")


def _undeployed(name: str, cluster: Cluster) -> tuple[Object, ...]:
    before = next((each for each in cluster.before if objects.name(each) == name), {})
    return tuple(
        with_condition(
            objects.get(before, "status", "conditions", default=[]),
            reasons.Condition.DEPLOYED.value,
            reasons.Status.FALSE.value,
            reasons.UNSUPPORTED_ARCHITECTURES,
            "no node of the cluster has an architecture of this image",
            cluster.now,
        )
    )
