"""
Templates of boot images in a HyperConverged: what is filled in, and what makes no sense. Pure.

Here because two parts need it, and must not differ: the webhook that is asked first, and the
controller, which does the same where nobody asks a webhook.
"""

import copy
from collections.abc import Iterator, Mapping
from typing import Any, Final

from cdi.api import annotations
from cdi.api.kinds.hyperconverged import IMPORT_GATE

Object = dict[str, Any]

SWITCH: Final = "enableCommonBootImageImport"
_TEMPLATES: Final = "dataImportCronTemplates"
_DEFAULTS: Final = {"retentionPolicy": "None", "importsToKeep": 1}
_TRUTHS: Final = (annotations.TRUE, annotations.FALSE)


def places(hyperconverged: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Where templates and their switch may be, newest place first: its path, and what is there."""
    spec = hyperconverged.get("spec") or {}
    yield "spec.workloadSources", spec.get("workloadSources") or {}
    yield "spec", spec


def gate(hyperconverged: Mapping[str, Any]) -> bool | None:
    """What the oldest place of the switch says; None where it says nothing."""
    gates = (hyperconverged.get("spec") or {}).get("featureGates")
    said = gates.get(IMPORT_GATE) if isinstance(gates, Mapping) else None
    return said if isinstance(said, bool) else None


def switch(hyperconverged: Mapping[str, Any]) -> bool | None:
    """What the newer places of the switch say; None where they say nothing."""
    said = (place.get(SWITCH) for _, place in places(hyperconverged))
    return next((each for each in said if isinstance(each, bool)), None)


def is_enabled(template: Mapping[str, Any]) -> bool:
    """Whether a template is wanted."""
    said = _annotations(template).get(annotations.CRON_TEMPLATE_ENABLE)
    return said is None or str(said).lower() == annotations.TRUE


def completed(hyperconverged: Mapping[str, Any]) -> Object:
    """A copy with the defaults of its templates, and with the switch at its oldest place.

    Clients replace the switch there by a JSON patch, which fails where there is nothing.
    """
    made = copy.deepcopy(dict(hyperconverged))
    for _, place in places(made):
        if place.get(_TEMPLATES):
            place[_TEMPLATES][:] = map(completed_template, place[_TEMPLATES])
    spec = made.setdefault("spec", {}) or {}
    gates = spec.get("featureGates")
    if isinstance(gates, list) or (isinstance(gates, Mapping) and IMPORT_GATE in gates):
        return made
    wanted = switch(made) is not False
    made["spec"] = {**spec, "featureGates": {**(gates or {}), IMPORT_GATE: wanted}}
    return made


def completed_template(template: Mapping[str, Any]) -> Object:
    """A copy with what is usual for boot images; one that is not wanted needs none of it."""
    made = copy.deepcopy(dict(template))
    if not is_enabled(made):
        return made
    meta = made.setdefault("metadata", {})
    bound = {annotations.BIND_IMMEDIATE: annotations.TRUE}
    meta["annotations"] = {**bound, **(meta.get("annotations") or {})}
    if made.get("spec"):
        missing = {key: value for key, value in _DEFAULTS.items() if made["spec"].get(key) is None}
        made["spec"] = {**made["spec"], **missing}
    return made


def problems(hyperconverged: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What makes no sense: a sentence, and the field that it is about."""
    found = []
    for path, place in places(hyperconverged):
        for number, template in enumerate(place.get(_TEMPLATES) or ()):
            if problem := _problem(template):
                found.append((problem, f"{path}.{_TEMPLATES}[{number}]"))
    return found


def _problem(template: Mapping[str, Any]) -> str:
    name = (template.get("metadata") or {}).get("name") or "without a name"
    said = _annotations(template).get(annotations.CRON_TEMPLATE_ENABLE)
    if said is not None and str(said).lower() not in _TRUTHS:
        return (
            f"invalid {annotations.CRON_TEMPLATE_ENABLE} annotation of template {name}: "
            f"{said!r}; want true or false"
        )
    if is_enabled(template) and not template.get("spec"):
        return (
            f"dataImportCronTemplate spec is empty for an enabled DataImportCronTemplate: {name}; "
            f"give it a spec, or annotation {annotations.CRON_TEMPLATE_ENABLE}: 'false'"
        )
    return ""


def warnings(hyperconverged: Mapping[str, Any]) -> list[str]:
    """What is not wrong, and not what it looks like."""
    old, new = gate(hyperconverged), switch(hyperconverged)
    if old is None or new is None or old == new:
        return []
    said = (
        f"spec.featureGates.{IMPORT_GATE} is {str(old).lower()}, which counts for nothing beside "
        f"the newer field {SWITCH}, which is {str(new).lower()}"
    )
    return [said]


def _annotations(template: Mapping[str, Any]) -> Mapping[str, Any]:
    return (template.get("metadata") or {}).get("annotations") or {}
