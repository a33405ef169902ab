"""The import populator: primes are filled by the import controller, at once or in stages."""

from collections.abc import Mapping, Sequence

from cdi.api import annotations, phases, reasons
from cdi.controllers import kinds, plan
from cdi.controllers.importing import checkpoints, pod, requests
from cdi.controllers.populating import news
from cdi.controllers.populating import prime as primes
from cdi.controllers.populating.populator import Populator, pod_phase
from cdi.controllers.populating.seen import Seen
from cdi.kube import objects
from cdi.kube.objects import Object


class ImportPopulator(Populator):
    """Fills claims that name a VolumeImportSource."""

    controller = "import-populator"
    resource = kinds.IMPORT_SOURCES
    cache = "import_sources"
    inherited = (annotations.VDDK_EXTRA_ARGS, annotations.RETRY_FOR, annotations.SCRATCH_CLASS)

    def request(self, source: Object) -> Mapping[str, str]:
        spec = objects.get(source, "spec", default={})
        wanted = spec.get("source") or {}
        asked = requests.annotations_for(wanted)
        if requests.can_have_stages(wanted):
            final = spec.get("finalCheckpoint") is True
            first = checkpoints.first(spec.get("checkpoints") or (), final=final)
            asked |= {key: value for key, value in first.items() if value is not None}
        return asked

    def worker_of(self, prime: Object) -> str:
        return pod.pod_name_of(prime)

    def is_filled(self, prime: Object) -> bool:
        return super().is_filled(prime) and not checkpoints.in_progress(prime)

    def shown(self, prime: Object) -> Mapping[str, str]:
        given = objects.annotations(prime)
        if given.get(annotations.SOURCE) != requests.VDDK:
            return {}
        reported = (annotations.VDDK_HOST, annotations.VDDK_VERSION)
        return {key: given[key] for key in reported if given.get(key)}

    def advance(self, seen: Seen, prime: Object) -> plan.Plan:
        staged = checkpoints.in_progress(prime)
        if pod_phase(prime) == phases.Pod.SUCCEEDED and staged:
            return _next_stage(seen, prime)
        if pod_phase(prime) == phases.Pod.RUNNING:
            return _first_stage(seen, prime)
        return plan.NOTHING

    def news(self, seen: Seen, prime: Object) -> Sequence[plan.Event]:
        return news.of_import(seen, prime, filled=self.is_filled(prime))


def _first_stage(seen: Seen, prime: Object) -> plan.Plan:
    stages, final = _stages(seen)
    if not checkpoints.are_missing(prime, stages):
        return plan.NOTHING
    return primes.changed(prime, checkpoints.first(stages, final=final))


def _next_stage(seen: Seen, prime: Object) -> plan.Plan:
    stages, final = _stages(seen)
    changes = checkpoints.after_stage(prime, stages, final=final)
    message = f"a stage of the import into PVC {objects.name(seen.target)} is complete"
    paused = plan.normal(seen.target, reasons.IMPORT_PAUSED, message)
    moved = primes.changed(prime, changes)
    return moved.with_events(paused) if moved.steps else moved


def _stages(seen: Seen) -> tuple[Sequence[Object], bool]:
    """Checkpoints of the source; one that was deleted has none, and must not be in the way."""
    spec = objects.get(seen.source_object, "spec", default={})
    return spec.get("checkpoints") or (), spec.get("finalCheckpoint") is True
