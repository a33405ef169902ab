"""Rules for jobs, cron jobs and the kinds that keep pods running."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cdi.standalone.schema import causes, pod_rules, storage_rules
from cdi.standalone.schema.causes import FieldError

Object = dict[str, Any]

_IMMUTABLE = "field is immutable"
_JOB_POLICIES = ("OnFailure", "Never")
_CRON_FIELDS = 5


def job(obj: Object, old: Object | None) -> Iterator[FieldError]:
    """A job's pods end, and what it runs never changes."""
    spec = obj.get("spec") or {}
    yield from _job_spec(spec, "spec")
    if old is None:
        return
    before = old.get("spec") or {}
    suspended = bool(before.get("suspend")) and not (old.get("status") or {}).get("startTime")
    for key in ("completions", "selector", "template", "completionMode"):
        if key == "template" and suspended:
            continue
        if spec.get(key) != before.get(key):
            yield causes.invalid(f"spec.{key}", spec.get(key), _IMMUTABLE)


def _job_spec(spec: Object, path: str) -> Iterator[FieldError]:
    for key in ("parallelism", "completions", "backoffLimit", "activeDeadlineSeconds"):
        value = spec.get(key)
        if value is not None and value < 0:
            yield causes.invalid(f"{path}.{key}", value, "must be greater than or equal to 0")
    pod = (spec.get("template") or {}).get("spec") or {}
    policy = pod.get("restartPolicy")
    where = f"{path}.template.spec"
    yield from pod_rules.pod_spec(pod, where)
    if policy not in _JOB_POLICIES:
        yield causes.unsupported(f"{where}.restartPolicy", policy, _JOB_POLICIES)


def cron_job(obj: Object, old: Object | None) -> Iterator[FieldError]:
    """A schedule, and a job's rules for what it makes."""
    del old
    spec = obj.get("spec") or {}
    schedule = spec.get("schedule") or ""
    if not schedule:
        yield causes.required("spec.schedule")
    elif not schedule.startswith("@") and len(schedule.split()) != _CRON_FIELDS:
        found = schedule.split()
        detail = f"expected exactly 5 fields, found {len(found)}: [{' '.join(found)}]"
        yield causes.invalid("spec.schedule", schedule, detail)
    yield from _job_spec((spec.get("jobTemplate") or {}).get("spec") or {}, "spec.jobTemplate.spec")


def selecting(obj: Object, old: Object | None) -> Iterator[FieldError]:
    """A selector that finds the template's pods, for good."""
    spec = obj.get("spec") or {}
    selector = spec.get("selector") or {}
    template = spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels") or {}
    if (replicas := spec.get("replicas")) is not None and replicas < 0:
        yield causes.invalid("spec.replicas", replicas, "must be greater than or equal to 0")
    if not selector:
        yield causes.required("spec.selector")
    elif any(
        labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()
    ):
        detail = "`selector` does not match template `labels`"
        yield causes.invalid("spec.template.metadata.labels", labels, detail)
    yield from pod_rules.pod_spec(template.get("spec") or {}, "spec.template.spec")
    policy = (template.get("spec") or {}).get("restartPolicy")
    if policy not in (None, "Always"):
        yield causes.unsupported("spec.template.spec.restartPolicy", policy, ("Always",))
    for index, claim in enumerate(spec.get("volumeClaimTemplates") or ()):
        where = f"spec.volumeClaimTemplates[{index}].spec"
        yield from storage_rules.claim_spec(claim.get("spec") or {}, where)
    if old is not None and selector != ((old.get("spec") or {}).get("selector") or {}):
        yield causes.invalid("spec.selector", selector, _IMMUTABLE)
