"""
What an SSP comes to: the namespace of boot images, who may do what in it, crons, DataSources. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cdi.api import finalizers
from cdi.bootsources import fixed, golden, kinds, plan
from cdi.bootsources.plan import Plan
from cdi.bootsources.settings import golden_namespace
from cdi.bootsources.ssp import wanted_by
from cdi.kube import objects
from cdi.kube.objects import Key, Object
from cdi.kube.resource import NAMESPACES


@dataclass(frozen=True, slots=True)
class Seen:
    """An SSP and what concerns it, at one moment."""

    ssp: Object
    now: str  # RFC 3339
    crons: Sequence[Object] = ()
    data_sources: Sequence[Object] = ()
    claims: frozenset[Key] = frozenset()
    fixtures: Sequence[Object] = ()  # of `fixed` that are there; looked at in the end only
    disks: Sequence[str] = ()  # in the namespace of boot images, that no cron takes with it
    policies: bool = True  # whether network policies mean anything here
    openshift: bool = False


def decide(seen: Seen) -> Plan:
    """Choose what to do. No I/O, no clock."""
    if objects.is_deleting(seen.ssp):
        return _end(seen)
    if wanted_by(seen.ssp).paused:
        return Plan(status={**(seen.ssp.get("status") or {}), "paused": True})
    try:
        return _keep(seen)
    except (KeyError, TypeError) as error:
        failure = f"a template is not complete: {type(error).__name__}: {error}"
        return Plan(status=_status(seen, failure))


def _keep(seen: Seen) -> Plan:
    wanted, owner = wanted_by(seen.ssp), objects.key(seen.ssp)
    found = golden.decide(
        golden.Seen(
            owner=owner,
            namespace=golden_namespace(owner.namespace),
            templates=wanted.templates,
            architectures=wanted.architectures,
            multi_arch=wanted.multi_arch,
            crons=seen.crons,
            data_sources=seen.data_sources,
            claims=seen.claims,
        )
    )
    sources = [each for each in found.ensure if each["kind"] == kinds.DATA_SOURCES.kind]
    crons = [each for each in found.ensure if each["kind"] != kinds.DATA_SOURCES.kind]
    ensure = (
        *(
            golden.owned(each, owner)
            for each in fixed.objects_for(golden_namespace(owner.namespace))
        ),
        *sources,
        *(golden.owned(each, owner) for each in _policies(seen)),
        *crons,
    )
    itself = plan.held(seen.ssp, finalizers.SSP)
    return Plan(ensure, found.remove, itself, _status(seen, ""))


def _policies(seen: Seen) -> list[Object]:
    if not seen.policies:
        return []
    namespace = golden_namespace(objects.namespace(seen.ssp))
    return fixed.network_policies(namespace, openshift=seen.openshift)


def _end(seen: Seen) -> Plan:
    """Crons go first, and what they made with them; all the rest only when no cron is left.

    The namespace stays while there are disks in it that no cron takes with it.
    """
    owner = objects.key(seen.ssp)
    crons = [each for each in seen.crons if golden.is_owned(each, owner)]
    if crons:
        return Plan(remove=tuple(each for each in crons if not objects.is_deleting(each)))
    sources = [
        each
        for each in seen.data_sources
        if golden.is_owned(each, owner) and not objects.is_deleting(each)
    ]
    fixtures = [
        each
        for each in seen.fixtures
        if golden.is_owned(each, owner) and not (each["kind"] == NAMESPACES.kind and seen.disks)
    ]
    itself = plan.released(seen.ssp, finalizers.SSP)
    return Plan(remove=(*sources, *fixtures), itself=itself)


def _status(seen: Seen, failure: str) -> Object:
    before: Object = {
        key: value for key, value in (seen.ssp.get("status") or {}).items() if key != "paused"
    }
    said = plan.outcome(before, failure, seen.now)
    generation = objects.metadata(seen.ssp).get("generation")
    known = {"observedGeneration": generation} if generation is not None else {}
    return {**said, **known, "phase": "Deploying" if failure else "Deployed"}
