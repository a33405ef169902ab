"""
What a HyperConverged comes to: the CDI object, the SSP object, ImageStreams, alerts, its status.
Pure.

Elsewhere: what becomes of the SSP object (`sspdecide`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cdi.api import bootimages, finalizers
from cdi.bootsources import alerts, installation, patching, plan, ssp, streams, templates
from cdi.bootsources.nodes import NO_NODES, Architectures
from cdi.bootsources.plan import Plan
from cdi.bootsources.settings import Settings, golden_namespace, settings_of
from cdi.kube import objects
from cdi.kube.objects import Object


@dataclass(frozen=True, slots=True)
class Seen:
    """A HyperConverged and what concerns it, at one moment."""

    hyperconverged: Object
    now: str  # RFC 3339
    drawn: str  # a schedule for common images, for a cluster that has none yet
    common: Sequence[Object] = ()
    architectures: Architectures = NO_NODES
    installations: Sequence[Object] = ()  # CDI objects
    ssp: Object | None = None
    shipped_streams: Sequence[Object] = ()
    streams: Sequence[Object] = ()  # ImageStreams that were made for a HyperConverged
    monitored: bool = False  # whether the cluster knows alerts


def decide(seen: Seen) -> Plan:
    """Choose what to do. No I/O, no clock."""
    if objects.is_deleting(seen.hyperconverged):
        return _end(seen)
    try:
        return _keep(seen)
    except (
        templates.DuplicateTemplate,
        templates.IncompleteTemplate,
        patching.InvalidPatch,
    ) as error:
        return Plan(status=_status(seen, str(error)))


def _keep(seen: Seen) -> Plan:
    settings = settings_of(seen.hyperconverged)
    status: Object = seen.hyperconverged.get("status") or {}
    schedule = status.get("dataImportSchedule") or seen.drawn
    found = templates.in_effect(
        seen.common,
        settings,
        templates.Cluster(
            schedule=schedule,
            architectures=seen.architectures.workloads,
            before=status.get("dataImportCronTemplates") or (),
            now=seen.now,
        ),
    )
    wanted_streams = streams.wanted(
        seen.shipped_streams,
        settings,
        golden_namespace(objects.namespace(seen.hyperconverged)),
    )
    ensure = (
        installation.cdi_for(seen.hyperconverged, settings, _installation_name(seen)),
        *wanted_streams,
        _ssp(seen, settings, found),
        *([alerts.rule_for(seen.hyperconverged)] if seen.monitored else ()),
    )
    failure = plan.failure_of(seen.ssp)
    after = _status(seen, f"SSP: {failure}" if failure else "") | {
        "dataImportSchedule": schedule,
        "dataImportCronTemplates": [each.as_document() for each in found],
    }
    itself = plan.held(bootimages.completed(seen.hyperconverged), finalizers.HYPERCONVERGED)
    return Plan(ensure, streams.unwanted(seen.streams, wanted_streams), itself, after)


def _ssp(seen: Seen, settings: Settings, found: Sequence[templates.InEffect]) -> Object:
    given = templates.for_crons(found, settings)
    return ssp.ssp_for(seen.hyperconverged, settings, given, seen.architectures)


def _installation_name(seen: Seen) -> str:
    """That of the CDI object that is there: there may be only one."""
    if not seen.installations:
        return installation.NAME
    oldest = min(
        seen.installations,
        key=lambda each: str(objects.metadata(each).get("creationTimestamp")),
    )
    return objects.name(oldest)


def _end(seen: Seen) -> Plan:
    """The SSP object goes first, and what it stands for; the CDI object and its volumes stay."""
    if seen.ssp is not None:
        return Plan(remove=() if objects.is_deleting(seen.ssp) else (seen.ssp,))
    itself = plan.released(seen.hyperconverged, finalizers.HYPERCONVERGED)
    return Plan(remove=tuple(seen.streams), itself=itself)


def _status(seen: Seen, failure: str) -> Object:
    return plan.outcome(seen.hyperconverged.get("status"), failure, seen.now)
