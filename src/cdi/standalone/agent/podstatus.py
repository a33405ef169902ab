"""A pod's status from the states of its containers, by the kubelet's rules. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.standalone.agent import containers, lifecycle
from cdi.standalone.agent.containers import Container, Ended, Running, Waiting

HOST = "127.0.0.1"
PENDING, RUNNING, SUCCEEDED, FAILED = "Pending", "Running", "Succeeded", "Failed"


def phase_of(states: Sequence[Container], policy: str) -> str:
    """Return the phase of a pod that has been assigned to the node."""
    if not all(_has_run(container) for container in states):
        return PENDING
    ends = [container.state for container in states if isinstance(container.state, Ended)]
    if len(ends) < len(states) or any(lifecycle.restarts_after(end, policy) for end in ends):
        return RUNNING
    return FAILED if any(end.code for end in ends) else SUCCEEDED


def _has_run(container: Container) -> bool:
    return isinstance(container.state, Running | Ended) or container.last is not None


def status_for(pod: Object, states: Sequence[Container], address: str, now: datetime) -> Object:
    """Return the whole status of a pod on this node."""
    status = _status(pod, states, policy_of(pod), now)
    if address:
        status |= {"podIP": address, "podIPs": [{"ip": address}]}
    return status


def _status(pod: Object, states: Sequence[Container], policy: str, now: datetime) -> Object:
    spec = pod.get("spec") or {}
    specs = {container["name"]: container for container in spec.get("containers", [])}
    phase = phase_of(states, policy)
    status = dict(pod.get("status") or {})
    status |= {
        "phase": phase,
        "hostIP": HOST,
        "hostIPs": [{"ip": HOST}],
        "startTime": status.get("startTime") or containers.written(now),
        "containerStatuses": sorted(
            (containers.status_of(each, specs[each.name], objects.uid(pod)) for each in states),
            key=lambda entry: str(entry["name"]),
        ),
    }
    status["conditions"] = _conditions(status.get("conditions") or [], states, phase, now)
    return status


def steps_to(pod: Object, status: Object) -> list[Object]:
    """The statuses to show one after another until `status` is reached.

    A kubelet shows that the containers have ended some time before it shows that their pod is
    over, and controllers meet both. So they do here.
    """
    shown = pod.get("status") or {}
    over = status["phase"] in (SUCCEEDED, FAILED)
    if not over or shown.get("phase") != RUNNING or _all_ended(shown):
        return [status]
    return [{**status, "phase": RUNNING}, status]


def _all_ended(status: Object) -> bool:
    shown = status.get("containerStatuses") or []
    return all(objects.get(each, "state", "terminated") is not None for each in shown)


def stopped_status_for(pod: Object, states: Sequence[Container], now: datetime) -> Object:
    """Return the status of a pod that was stopped for good: nothing of it is started again."""
    last = [
        replace(each, state=each.last) if isinstance(each.state, Waiting) and each.last else each
        for each in states
    ]
    return _status(pod, last, lifecycle.NEVER, now)


def policy_of(pod: Object) -> str:
    return str(objects.get(pod, "spec", "restartPolicy", default=lifecycle.ALWAYS))


def unscheduled(pod: Object, why: str, now: datetime) -> Object:
    """Return the status of a pod that has no node, and why."""
    status = dict(pod.get("status") or {})
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    condition["message"] = why
    status["phase"] = PENDING
    status["conditions"] = merged(status.get("conditions") or [], [condition], now)
    return status


def _conditions(
    old: list[Object], states: Sequence[Container], phase: str, now: datetime
) -> list[Object]:
    idle = [each.name for each in states if not each.is_ready]
    ready: dict[str, str] = {"status": "False" if idle else "True"}
    if phase == SUCCEEDED:
        ready["reason"] = "PodCompleted"
    elif phase == FAILED:
        ready["reason"] = "PodFailed"
    elif idle:
        ready |= {
            "reason": "ContainersNotReady",
            "message": f"containers with unready status: [{' '.join(idle)}]",
        }
    wanted = [
        {"type": "Initialized", "status": "True"},
        {"type": "Ready", **ready},
        {"type": "ContainersReady", **ready},
        {"type": "PodScheduled", "status": "True"},
    ]
    return merged(old, wanted, now)


def merged(old: list[Object], wanted: Sequence[Mapping[str, Any]], now: datetime) -> list[Object]:
    """Return the conditions with `wanted` in them; a moment changes only with its status."""
    before = {condition.get("type"): condition for condition in old}
    result = [one for one in old if one.get("type") not in {new["type"] for new in wanted}]
    for condition in wanted:
        known = before.get(condition["type"], {})
        same = known.get("status") == condition["status"]
        moment = known.get("lastTransitionTime") if same else None
        result.append(
            {"lastProbeTime": None, "lastTransitionTime": moment or containers.written(now)}
            | dict(condition)
        )
    return result
