"""
What an object counts for: the resources that quotas and limits speak of, from one object.

Here: pure functions on objects; names as in ResourceQuotas (`requests.storage`, `count/pods`,
`fast.storageclass.storage.k8s.io/requests.storage`). Elsewhere: quotas and limits themselves
(`apiserver.quota`, `apiserver.limits`). Amounts are exact Kubernetes quantities.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cdi.api import quantity
from cdi.api.quantity import Quantity

Object = dict[str, Any]
Usage = dict[str, Quantity]

ONE = quantity.of_number(1)
NONE = quantity.of_number(0)

# Core kinds that are counted by their plural alone, as well as by count/<plural>.
COUNTED = frozenset(
    {
        "configmaps",
        "persistentvolumeclaims",
        "replicationcontrollers",
        "resourcequotas",
        "secrets",
        "services",
    }
)
OF_CLASS = ".storageclass.storage.k8s.io/"
_BETA_CLASS = "volume.beta.kubernetes.io/storage-class"
_COMPUTE = ("cpu", "memory", "ephemeral-storage")
_ENDED = ("Succeeded", "Failed")


def of_object(resource: str, document: Object) -> Usage:
    """What an object of `resource` ("pods", "deployments.apps") counts for."""
    usage = {f"count/{resource}": ONE}
    if resource in COUNTED:
        usage[resource] = ONE
    if resource == "pods":
        usage |= _of_pod(document)
    elif resource == "persistentvolumeclaims":
        usage |= _of_claim(document)
    elif resource == "services":
        usage |= _of_service(document.get("spec") or {})
    return usage


def added(left: Mapping[str, Quantity], right: Mapping[str, Quantity]) -> Usage:
    """Both together."""
    total = dict(left)
    for name, amount in right.items():
        total[name] = total[name] + amount if name in total else amount
    return total


def _of_claim(claim: Object) -> Usage:
    spec = claim.get("spec") or {}
    requests = (spec.get("resources") or {}).get("requests") or {}
    allocated = (claim.get("status") or {}).get("allocatedResources") or {}
    usage = {}
    if "storage" in requests:
        # While a claim shrinks back to what it was, it has what it was given.
        sizes = [requests["storage"], allocated.get("storage", requests["storage"])]
        usage["requests.storage"] = max(map(quantity.parse, sizes))
    annotations = (claim.get("metadata") or {}).get("annotations") or {}
    name = annotations.get(_BETA_CLASS) or spec.get("storageClassName")
    if name:
        usage |= {f"{name}{OF_CLASS}{what}": amount for what, amount in usage.items()}
        usage[f"{name}{OF_CLASS}persistentvolumeclaims"] = ONE
    return usage


def _of_service(spec: Object) -> Usage:
    kind = spec.get("type", "ClusterIP")
    ports = quantity.of_number(len(spec.get("ports") or ()))
    balanced = kind == "LoadBalancer"
    opens = kind == "NodePort" or (balanced and spec.get("allocateLoadBalancerNodePorts", True))
    return {
        "services.loadbalancers": ONE if balanced else NONE,
        "services.nodeports": ports if opens else NONE,
    }


def _of_pod(pod: Object) -> Usage:
    if (pod.get("status") or {}).get("phase") in _ENDED:
        return {}
    usage = {"pods": ONE}
    requests, limits = totals(pod, "requests"), totals(pod, "limits")
    for name in _COMPUTE:
        if name in requests:
            usage[name] = usage[f"requests.{name}"] = requests[name]
        if name in limits:
            usage[f"limits.{name}"] = limits[name]
    return usage


def totals(pod: Object, key: str) -> Usage:
    """The requests or limits of a whole pod: of all that runs at once, at the most."""
    spec = pod.get("spec") or {}
    running: Usage = {}
    starting: Usage = {}
    for container in spec.get("initContainers") or ():
        own = amounts(container, key)
        if container.get("restartPolicy") == "Always":
            running = added(running, own)
            own = running
        else:
            own = added(running, own)
        starting = _larger(starting, own)
    for container in spec.get("containers") or ():
        running = added(running, amounts(container, key))
    total = _larger(starting, running)
    overhead = {name: quantity.parse(text) for name, text in (spec.get("overhead") or {}).items()}
    if key == "limits":
        overhead = {name: amount for name, amount in overhead.items() if name in total}
    return added(total, overhead)


def amounts(container: Object, key: str) -> Usage:
    """The requests or limits of one container."""
    found = (container.get("resources") or {}).get(key) or {}
    return {name: quantity.parse(text) for name, text in found.items()}


def _larger(left: Usage, right: Usage) -> Usage:
    return {name: max(left.get(name, NONE), right.get(name, NONE)) for name in {**left, **right}}


def unstated(pod: Object, names: Iterable[str]) -> dict[str, list[str]]:
    """The containers that leave open what a quota counts, by the name of what it counts."""
    spec = pod.get("spec") or {}
    found: dict[str, list[str]] = {}
    for name in sorted(names):
        key, _, what = name.rpartition(".")
        if what not in ("cpu", "memory"):
            continue
        for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
            if what not in amounts(container, key or "requests"):
                found.setdefault(name, []).append(container["name"])
    return found


def is_best_effort(pod: Object) -> bool:
    """Whether nothing is reserved or limited for any container."""
    spec = pod.get("spec") or {}
    return not any(
        amount
        for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
        for key in ("requests", "limits")
        for name, amount in amounts(container, key).items()
        if name in ("cpu", "memory")
    )


def in_scope(pod: Object, scope: str, operator: str = "Exists", values: Iterable[str] = ()) -> bool:
    """Whether a quota with this scope is about the pod."""
    spec = pod.get("spec") or {}
    if scope in ("Terminating", "NotTerminating"):
        return (spec.get("activeDeadlineSeconds") is not None) is (scope == "Terminating")
    if scope in ("BestEffort", "NotBestEffort"):
        return is_best_effort(pod) is (scope == "BestEffort")
    if scope == "PriorityClass":
        given = spec.get("priorityClassName", "")
        return {
            "Exists": bool(given),
            "DoesNotExist": not given,
            "In": given in values,
            "NotIn": given not in values,
        }.get(operator, False)
    if scope == "CrossNamespacePodAffinity":
        return _crosses(spec.get("affinity"))
    return False


def _crosses(value: Any) -> bool:
    """Whether an affinity looks at pods of other namespaces."""
    if isinstance(value, list):
        return any(map(_crosses, value))
    if not isinstance(value, dict):
        return False
    if value.get("namespaces") or value.get("namespaceSelector") is not None:
        return True
    return any(map(_crosses, value.values()))
