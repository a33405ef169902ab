"""
What a HyperConverged comes to: objects that should exist, objects that should go, its status. Pure.

What should exist is given as merge patches: fields that are None are taken off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cdi.api import finalizers, reasons
from cdi.bootsources import fixed, golden, installation, kinds, templates
from cdi.bootsources.settings import GOLDEN_NAMESPACE, settings_of, with_switch
from cdi.kube import objects
from cdi.kube.objects import Key, Object
from cdi.storage.conditions import with_condition

_DONE, _FAILED = "ReconcileCompleted", reasons.RECONCILE_FAILED


@dataclass(frozen=True, slots=True)
class Seen:
    """A HyperConverged and what concerns it, at one moment."""

    hyperconverged: Object
    now: str  # RFC 3339
    drawn: str  # a schedule for common images, for a cluster that has none yet
    common: Sequence[Object] = ()
    architectures: Sequence[str] = ("amd64",)  # of the cluster, the default one first
    installations: Sequence[Object] = ()  # CDI objects
    crons: Sequence[Object] = ()
    data_sources: Sequence[Object] = ()
    claims: frozenset[Key] = frozenset()
    policies: bool = True  # whether network policies mean anything here


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, in order: what should exist, what should go, and the HyperConverged itself."""

    ensure: tuple[Object, ...] = ()
    remove: tuple[Object, ...] = ()
    hyperconverged: Object | None = None  # as it should be, without its status
    status: Object | None = None


def decide(seen: Seen) -> Plan:
    """Choose what to do. No I/O, no clock."""
    if objects.is_deleting(seen.hyperconverged):
        return _end(seen)
    try:
        return _keep(seen)
    except (templates.DuplicateTemplate, installation.InvalidPatch, KeyError, TypeError) as error:
        return Plan(status=_status(seen, _why(error)))


def refused(seen: Seen, status: Object | None, why: Sequence[str]) -> Object:
    """A status that says which objects the server does not take."""
    given = {**seen.hyperconverged, "status": status or {}}
    return _status(replace(seen, hyperconverged=given), "; ".join(why))


def _why(error: Exception) -> str:
    if isinstance(error, ValueError):
        return str(error)
    return f"a template is not complete: {type(error).__name__}: {error}"


def _keep(seen: Seen) -> Plan:
    settings = settings_of(seen.hyperconverged)
    status: Object = seen.hyperconverged.get("status") or {}
    schedule = status.get("dataImportSchedule") or seen.drawn
    found = templates.in_effect(
        seen.common,
        settings,
        templates.Cluster(
            schedule=schedule,
            architectures=seen.architectures,
            before=status.get("dataImportCronTemplates") or (),
            now=seen.now,
        ),
    )
    wanted = golden.decide(
        golden.Seen(
            owner=objects.key(seen.hyperconverged),
            namespace=GOLDEN_NAMESPACE,
            templates=templates.for_crons(found, settings),
            architectures=seen.architectures,
            multi_arch=settings.multi_arch,
            crons=seen.crons,
            data_sources=seen.data_sources,
            claims=seen.claims,
        )
    )
    name = _installation_name(seen)
    policies = fixed.network_policies(GOLDEN_NAMESPACE) if seen.policies else []
    ensure = (
        installation.cdi_for(seen.hyperconverged, settings, name),
        *fixed.objects_for(GOLDEN_NAMESPACE),
        *_sources_first(wanted.ensure),
        *policies,
    )
    after = _status(seen, "") | {
        "dataImportSchedule": schedule,
        "dataImportCronTemplates": [each.as_document() for each in found],
    }
    return Plan(ensure, wanted.remove, _held(with_switch(seen.hyperconverged)), after)


def _sources_first(wanted: Sequence[Object]) -> list[Object]:
    return sorted(wanted, key=lambda each: each["kind"] != kinds.DATA_SOURCES.kind)


def _installation_name(seen: Seen) -> str:
    """That of the CDI object that is there: there may be only one."""
    if not seen.installations:
        return installation.NAME
    oldest = min(
        seen.installations,
        key=lambda each: str(objects.metadata(each).get("creationTimestamp")),
    )
    return objects.name(oldest)


def _held(hyperconverged: Object) -> Object:
    have = objects.finalizers(hyperconverged)
    if finalizers.HYPERCONVERGED in have:
        return hyperconverged
    meta = {**objects.metadata(hyperconverged), "finalizers": [*have, finalizers.HYPERCONVERGED]}
    return {**hyperconverged, "metadata": meta}


def _end(seen: Seen) -> Plan:
    """Crons go first, and what they made with them; DataSources only when no cron is left."""
    owner = objects.key(seen.hyperconverged)
    crons = [each for each in seen.crons if golden.is_owned(each, owner)]
    if crons:
        return Plan(remove=tuple(each for each in crons if not objects.is_deleting(each)))
    sources = tuple(
        each
        for each in seen.data_sources
        if golden.is_owned(each, owner) and not objects.is_deleting(each)
    )
    kept = [each for each in objects.finalizers(seen.hyperconverged)
            if each != finalizers.HYPERCONVERGED]  # fmt: skip
    meta = {**objects.metadata(seen.hyperconverged), "finalizers": kept}
    return Plan(remove=sources, hyperconverged={**seen.hyperconverged, "metadata": meta})


def _status(seen: Seen, failure: str) -> Object:
    status: Object = dict(seen.hyperconverged.get("status") or {})
    conditions = status.get("conditions") or []
    reason, message = (_FAILED, failure) if failure else (_DONE, "")
    for kind, well in (("Available", True), ("Progressing", False), ("Degraded", False)):
        said = well if not failure else kind == "Degraded"
        text = (reasons.Status.TRUE if said else reasons.Status.FALSE).value
        conditions = with_condition(conditions, kind, text, reason, message, seen.now)
    return {**status, "conditions": conditions}
