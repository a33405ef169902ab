"""The cells of pods and of the kinds that make pods, as kubectl prints them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cdi.standalone.schema import age
from cdi.standalone.schema.rows import NONE, Object, Row, age_of, name_of


def labels_text(labels: dict[str, str] | None) -> str:
    """`a=b,c=d`, sorted, or <none>."""
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items())) or NONE


def selector_text(selector: Object | None) -> str:
    """A label selector as kubectl writes one."""
    if not selector:
        return NONE
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for term in selector.get("matchExpressions") or ():
        key, values = term["key"], ",".join(sorted(term.get("values") or ()))
        parts.append(
            {
                "In": f"{key} in ({values})",
                "NotIn": f"{key} notin ({values})",
                "Exists": key,
                "DoesNotExist": f"!{key}",
            }[term["operator"]]
        )
    return ",".join(parts) or NONE


def _containers(template: Object) -> tuple[str, str]:
    containers = template.get("spec", {}).get("containers") or ()
    names = ",".join(each.get("name", "") for each in containers)
    return names, ",".join(each.get("image", "") for each in containers)


def _pod(obj: Object, now: datetime) -> list[Any]:
    spec, status = obj.get("spec", {}), obj.get("status", {})
    addresses = status.get("podIPs") or [{"ip": status.get("podIP")}]
    return [
        name_of(obj),
        _ready(spec, status),
        _pod_status(obj),
        _restarts(spec, status, now),
        age_of(obj, now),
        addresses[0].get("ip") or NONE,
        spec.get("nodeName") or NONE,
        status.get("nominatedNodeName") or NONE,
        _readiness_gates(spec, status),
    ]


def _sidecars(spec: Object) -> set[str]:
    """Init containers that keep running count among the pod's containers."""
    started = spec.get("initContainers") or ()
    return {each["name"] for each in started if each.get("restartPolicy") == "Always"}


def _ready(spec: Object, status: Object) -> str:
    sidecars = _sidecars(spec)
    running = status.get("containerStatuses") or []
    running = running + [
        each for each in status.get("initContainerStatuses") or () if each.get("name") in sidecars
    ]
    ready = sum(1 for each in running if each.get("ready") and _is_running(each))
    return f"{ready}/{len(spec.get('containers') or ()) + len(sidecars)}"


def _is_running(container: Object) -> bool:
    return (container.get("state") or {}).get("running") is not None


def _restarts(spec: Object, status: Object, now: datetime) -> str:
    sidecars = _sidecars(spec)
    if _init_reason(spec, status) is None:
        counted = list(status.get("containerStatuses") or ())
        started = status.get("initContainerStatuses") or ()
        counted += [each for each in started if each.get("name") in sidecars]
    else:
        counted = list(status.get("initContainerStatuses") or ())
    total = sum(each.get("restartCount", 0) for each in counted)
    finished = [
        at
        for each in counted
        if (at := each.get("lastState", {}).get("terminated", {}).get("finishedAt"))
    ]
    if not total or not finished:
        return str(total)
    return f"{total} ({age.since(max(finished), now)} ago)"


def _pod_status(obj: Object) -> str:
    status, meta = obj.get("status", {}), obj.get("metadata", {})
    if meta.get("deletionTimestamp"):
        return "Unknown" if status.get("reason") == "NodeLost" else "Terminating"
    spec = obj.get("spec", {})
    if (reason := _init_reason(spec, status)) is not None:
        return reason
    return _container_reason(status) or str(
        status.get("reason") or _gated(status) or status.get("phase", "")
    )


def _gated(status: Object) -> str:
    conditions = status.get("conditions") or ()
    gated = any(
        each.get("type") == "PodScheduled" and each.get("reason") == "SchedulingGated"
        for each in conditions
    )
    return "SchedulingGated" if gated else ""


def _init_reason(spec: Object, status: Object) -> str | None:
    """What the first unfinished init container is doing; None when all are done."""
    started = status.get("initContainerStatuses") or ()
    sidecars = _sidecars(spec)
    for index, each in enumerate(started):
        state = each.get("state", {})
        terminated, waiting = state.get("terminated"), state.get("waiting") or {}
        if terminated is not None and terminated.get("exitCode", 0) == 0:
            continue
        if each.get("name") in sidecars and each.get("started"):
            continue
        if terminated is not None:
            return f"Init:{_exit_text(terminated)}"
        if waiting.get("reason") not in (None, "", "PodInitializing"):
            return f"Init:{waiting['reason']}"
        return f"Init:{index}/{len(spec.get('initContainers') or ())}"
    return None


def _exit_text(terminated: Object) -> str:
    if terminated.get("reason"):
        return str(terminated["reason"])
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"


def _container_reason(status: Object) -> str:
    """The first container's trouble wins; a finished one yields to one that still runs."""
    reason = ""
    running = False
    for each in reversed(status.get("containerStatuses") or ()):
        state = each.get("state", {})
        if waiting := (state.get("waiting") or {}).get("reason"):
            reason = waiting
        elif state.get("terminated") is not None:
            reason = _exit_text(state["terminated"])
        elif each.get("ready") and state.get("running") is not None:
            running = True
    if reason == "Completed" and running:
        return "Running" if _condition(status, "Ready") else "NotReady"
    return reason


def _condition(status: Object, kind: str) -> bool:
    conditions = status.get("conditions") or ()
    return any(each.get("type") == kind and each.get("status") == "True" for each in conditions)


def _readiness_gates(spec: Object, status: Object) -> str:
    gates = spec.get("readinessGates") or ()
    if not gates:
        return NONE
    return f"{sum(_condition(status, gate['conditionType']) for gate in gates)}/{len(gates)}"


def _job(obj: Object, now: datetime) -> list[Any]:
    spec, status = obj.get("spec", {}), obj.get("status", {})
    return [
        name_of(obj),
        _job_status(obj),
        _completions(spec, status),
        _job_duration(status, now),
        age_of(obj, now),
        *_containers(spec.get("template", {})),
        selector_text(spec.get("selector")),
    ]


def _job_status(obj: Object) -> str:
    status = obj.get("status", {})
    for kind, text in (("Complete", "Complete"), ("Failed", "Failed")):
        if _condition(status, kind):
            return text
    if obj.get("metadata", {}).get("deletionTimestamp"):
        return "Terminating"
    for kind, text in (
        ("Suspended", "Suspended"),
        ("FailureTarget", "FailureTarget"),
        ("SuccessCriteriaMet", "SuccessCriteriaMet"),
    ):
        if _condition(status, kind):
            return text
    return "Running"


def _completions(spec: Object, status: Object) -> str:
    done = status.get("succeeded", 0)
    if spec.get("completions") is not None:
        return f"{done}/{spec['completions']}"
    parallelism = spec.get("parallelism", 0)
    return f"{done}/1 of {parallelism}" if parallelism > 1 else f"{done}/1"


def _job_duration(status: Object, now: datetime) -> str:
    start = age.parse_time(status.get("startTime", ""))
    if start is None:
        return ""
    end = age.parse_time(status.get("completionTime", "")) or now
    return age.human((end - start).total_seconds())


def _cron_job(obj: Object, now: datetime) -> list[Any]:
    spec, status = obj.get("spec", {}), obj.get("status", {})
    last = status.get("lastScheduleTime")
    return [
        name_of(obj),
        spec.get("schedule", ""),
        spec.get("timeZone") or NONE,
        bool(spec.get("suspend", False)),
        len(status.get("active") or ()),
        age.since(last, now) if last else NONE,
        age_of(obj, now),
        *_containers(spec.get("jobTemplate", {}).get("spec", {}).get("template", {})),
        selector_text(spec.get("jobTemplate", {}).get("spec", {}).get("selector")),
    ]


def _deployment(obj: Object, now: datetime) -> list[Any]:
    spec, status = obj.get("spec", {}), obj.get("status", {})
    return [
        name_of(obj),
        f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}",
        str(status.get("updatedReplicas", 0)),
        str(status.get("availableReplicas", 0)),
        age_of(obj, now),
        *_containers(spec.get("template", {})),
        selector_text(spec.get("selector")),
    ]


def _replicas(obj: Object, now: datetime) -> list[Any]:
    spec, status = obj.get("spec", {}), obj.get("status", {})
    selector = spec.get("selector") or {}
    plain = obj.get("kind") == "ReplicationController"
    return [
        name_of(obj),
        spec.get("replicas", 0),
        status.get("replicas", 0),
        status.get("readyReplicas", 0),
        age_of(obj, now),
        *_containers(spec.get("template", {})),
        labels_text(selector) if plain else selector_text(selector),
    ]


def _daemon_set(obj: Object, now: datetime) -> list[Any]:
    spec, status = obj.get("spec", {}), obj.get("status", {})
    template = spec.get("template", {})
    return [
        name_of(obj),
        status.get("desiredNumberScheduled", 0),
        status.get("currentNumberScheduled", 0),
        status.get("numberReady", 0),
        status.get("updatedNumberScheduled", 0),
        status.get("numberAvailable", 0),
        labels_text(template.get("spec", {}).get("nodeSelector")),
        age_of(obj, now),
        *_containers(template),
        selector_text(spec.get("selector")),
    ]


def _stateful_set(obj: Object, now: datetime) -> list[Any]:
    spec, status = obj.get("spec", {}), obj.get("status", {})
    ready = f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}"
    return [name_of(obj), ready, age_of(obj, now), *_containers(spec.get("template", {}))]


def _pod_template(obj: Object, now: datetime) -> list[Any]:
    del now
    template = obj.get("template", {})
    labels = template.get("metadata", {}).get("labels")
    return [name_of(obj), *_containers(template), labels_text(labels)]


def _disruption_budget(obj: Object, now: datetime) -> list[Any]:
    spec = obj.get("spec", {})
    allowed = obj.get("status", {}).get("disruptionsAllowed", 0)
    low, high = spec.get("minAvailable", "N/A"), spec.get("maxUnavailable", "N/A")
    return [name_of(obj), str(low), str(high), allowed, age_of(obj, now)]


def _controller_revision(obj: Object, now: datetime) -> list[Any]:
    owners = obj.get("metadata", {}).get("ownerReferences") or ()
    owner = next((each for each in owners if each.get("controller")), None)
    group = owner["apiVersion"].rpartition("/")[0] if owner else ""
    suffix = f".{group}" if group else ""
    controller = f"{owner['kind'].lower()}{suffix}/{owner['name']}" if owner else NONE
    return [name_of(obj), controller, str(obj.get("revision", 0)), age_of(obj, now)]


ROWS: dict[str, Row] = {
    "ControllerRevision": _controller_revision,
    "CronJob": _cron_job,
    "DaemonSet": _daemon_set,
    "Deployment": _deployment,
    "Job": _job,
    "Pod": _pod,
    "PodDisruptionBudget": _disruption_budget,
    "PodTemplate": _pod_template,
    "ReplicaSet": _replicas,
    "ReplicationController": _replicas,
    "StatefulSet": _stateful_set,
}
