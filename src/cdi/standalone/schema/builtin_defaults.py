"""
What Kubernetes fills in for built-in kinds when users leave it out.

Values that need the server's state (addresses of services, tokens, the default storage class) are
not set here. Everything is idempotent.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from cdi.standalone.schema import pod_defaults
from cdi.standalone.schema.pod_defaults import set_default

Object = dict[str, Any]

_JOB_BACKOFF = 6
_HISTORY = {"successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 1}
_WEBHOOK_TIMEOUT = 10
"""Seconds."""


def apply(kind: str, obj: Object) -> None:
    """Fill in the defaults of a built-in kind, in place."""
    if fill := _DEFAULTS.get(kind):
        fill(obj)


def _set_all(target: Object, values: Object) -> None:
    for key, value in values.items():
        set_default(target, key, value)


def _namespace(obj: Object) -> None:
    labels = obj.setdefault("metadata", {}).setdefault("labels", {})
    if name := obj["metadata"].get("name"):
        labels.setdefault("kubernetes.io/metadata.name", name)
    set_default(obj.setdefault("spec", {}), "finalizers", ["kubernetes"])
    set_default(obj.setdefault("status", {}), "phase", "Active")


def _secret(obj: Object) -> None:
    set_default(obj, "type", "Opaque")
    # stringData is for writing only: it goes into data, base64, and is never stored.
    given = obj.pop("stringData", None) or {}
    if given:
        data = obj.get("data") or {}
        coded = {key: base64.b64encode(text.encode()).decode() for key, text in given.items()}
        obj["data"] = {**data, **coded}


def _claim(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    claim_spec(spec)
    set_default(obj.setdefault("status", {}), "phase", "Pending")


def claim_spec(spec: Object) -> None:
    """Also for claim templates: Filesystem, and dataSource and dataSourceRef saying the same."""
    set_default(spec, "volumeMode", "Filesystem")
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    if source and not reference:
        spec["dataSourceRef"] = dict(source)
    elif reference and not source and _fits_data_source(reference):
        spec["dataSource"] = {k: v for k, v in reference.items() if k != "namespace"}


def _fits_data_source(reference: Object) -> bool:
    """Only claims and snapshots of the same namespace may stand in the older field."""
    if reference.get("namespace"):
        return False
    kind = (reference.get("apiGroup") or "", reference.get("kind"))
    return kind in (("", "PersistentVolumeClaim"), ("snapshot.storage.k8s.io", "VolumeSnapshot"))


def _volume(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    _set_all(spec, {"persistentVolumeReclaimPolicy": "Retain", "volumeMode": "Filesystem"})
    if host_path := spec.get("hostPath"):
        set_default(host_path, "type", "")
    set_default(obj.setdefault("status", {}), "phase", "Pending")


def _storage_class(obj: Object) -> None:
    _set_all(obj, {"reclaimPolicy": "Delete", "volumeBindingMode": "Immediate"})


def _csi_driver(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    _set_all(
        spec,
        {
            "attachRequired": True,
            "podInfoOnMount": False,
            "storageCapacity": False,
            "fsGroupPolicy": "ReadWriteOnceWithFSType",
            "volumeLifecycleModes": ["Persistent"],
            "requiresRepublish": False,
            "seLinuxMount": False,
        },
    )


def _service(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    _set_all(spec, {"sessionAffinity": "None", "type": "ClusterIP"})
    if spec["sessionAffinity"] == "ClientIP":
        affinity = spec.setdefault("sessionAffinityConfig", {}).setdefault("clientIP", {})
        set_default(affinity, "timeoutSeconds", 10800)
    for port in spec.get("ports") or ():
        set_default(port, "protocol", "TCP")
        if port.get("targetPort") in (None, 0, ""):
            port["targetPort"] = port.get("port")
    if spec["type"] in ("NodePort", "LoadBalancer"):
        set_default(spec, "externalTrafficPolicy", "Cluster")
    if spec["type"] == "LoadBalancer":
        set_default(spec, "allocateLoadBalancerNodePorts", True)
    if spec["type"] != "ExternalName":
        set_default(spec, "internalTrafficPolicy", "Cluster")
    obj.setdefault("status", {}).setdefault("loadBalancer", {})


def _endpoints(obj: Object) -> None:
    for subset in obj.get("subsets") or ():
        for port in subset.get("ports") or ():
            set_default(port, "protocol", "TCP")


def _endpoint_slice(obj: Object) -> None:
    for port in obj.get("ports") or ():
        _set_all(port, {"name": "", "protocol": "TCP"})


def _pod(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    pod_defaults.pod_spec(spec)
    pod_defaults.live_pod_spec(spec)
    obj.setdefault("status", {}).setdefault("phase", "Pending")


def _template(owner: Object) -> None:
    template = owner.setdefault("template", {})
    pod_defaults.pod_spec(template.setdefault("spec", {}))


def _job(obj: Object) -> None:
    _job_spec(obj.setdefault("spec", {}))


def _job_spec(spec: Object) -> None:
    _template(spec)
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = 1
    _set_all(
        spec,
        {
            "parallelism": 1,
            "backoffLimit": _JOB_BACKOFF,
            "completionMode": "NonIndexed",
            "suspend": False,
            "manualSelector": False,
        },
    )
    policy = "Failed" if spec.get("podFailurePolicy") else "TerminatingOrFailed"
    set_default(spec, "podReplacementPolicy", policy)


def _cron_job(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    _set_all(spec, {"concurrencyPolicy": "Allow", "suspend": False, **_HISTORY})
    job = spec.setdefault("jobTemplate", {}).setdefault("spec", {})
    _template(job)


def _deployment(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    _template(spec)
    strategy = spec.setdefault("strategy", {})
    set_default(strategy, "type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        _set_all(rolling, {"maxSurge": "25%", "maxUnavailable": "25%"})
    _set_all(spec, {"replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600})


def _replica_set(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    _template(spec)
    set_default(spec, "replicas", 1)


def _replication_controller(obj: Object) -> None:
    _replica_set(obj)
    labels = obj["spec"]["template"].get("metadata", {}).get("labels")
    if labels:
        set_default(obj["spec"], "selector", dict(labels))


def _stateful_set(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    _template(spec)
    strategy = spec.setdefault("updateStrategy", {})
    set_default(strategy, "type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        set_default(strategy.setdefault("rollingUpdate", {}), "partition", 0)
    _set_all(spec, {"replicas": 1, "podManagementPolicy": "OrderedReady"})
    _set_all(spec, {"revisionHistoryLimit": 10})
    retention = spec.setdefault("persistentVolumeClaimRetentionPolicy", {})
    _set_all(retention, {"whenDeleted": "Retain", "whenScaled": "Retain"})
    for claim in spec.get("volumeClaimTemplates") or ():
        _claim(claim)
        _set_all(claim, {"apiVersion": "v1", "kind": "PersistentVolumeClaim"})


def _daemon_set(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    _template(spec)
    strategy = spec.setdefault("updateStrategy", {})
    set_default(strategy, "type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        _set_all(rolling, {"maxUnavailable": 1, "maxSurge": 0})
    set_default(spec, "revisionHistoryLimit", 10)


def _role_binding(obj: Object) -> None:
    set_default(obj.setdefault("roleRef", {}), "apiGroup", "rbac.authorization.k8s.io")
    for subject in obj.get("subjects") or ():
        if subject.get("kind") in ("User", "Group"):
            set_default(subject, "apiGroup", "rbac.authorization.k8s.io")


def _webhooks(obj: Object, *, mutating: bool) -> None:
    for hook in obj.get("webhooks") or ():
        _set_all(
            hook,
            {
                "failurePolicy": "Fail",
                "matchPolicy": "Equivalent",
                "namespaceSelector": {},
                "objectSelector": {},
                "timeoutSeconds": _WEBHOOK_TIMEOUT,
            },
        )
        if mutating:
            set_default(hook, "reinvocationPolicy", "Never")
        for rule in hook.get("rules") or ():
            set_default(rule, "scope", "*")
        if service := hook.get("clientConfig", {}).get("service"):
            set_default(service, "port", 443)


def _priority_class(obj: Object) -> None:
    set_default(obj, "preemptionPolicy", "PreemptLowerPriority")


def _definition(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    names = spec.setdefault("names", {})
    if kind := names.get("kind"):
        _set_all(names, {"singular": kind.lower(), "listKind": f"{kind}List"})
    set_default(spec.setdefault("conversion", {}), "strategy", "None")


def _api_service(obj: Object) -> None:
    if service := obj.get("spec", {}).get("service"):
        set_default(service, "port", 443)


def _network_policy(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
    for rule in [*(spec.get("ingress") or ()), *(spec.get("egress") or ())]:
        for port in rule.get("ports") or ():
            set_default(port, "protocol", "TCP")


def _limit_range(obj: Object) -> None:
    """For containers a maximum is also the default limit, and that the default request."""
    for item in obj.get("spec", {}).get("limits") or ():
        if item.get("type") != "Container":
            continue
        limits = {**(item.get("max") or {}), **(item.get("default") or {})}
        requests = {**(item.get("min") or {}), **limits, **(item.get("defaultRequest") or {})}
        if limits:
            item["default"] = limits
        if requests:
            item["defaultRequest"] = requests


_DEFAULTS: dict[str, Callable[[Object], None]] = {
    "APIService": _api_service,
    "CSIDriver": _csi_driver,
    "ClusterRoleBinding": _role_binding,
    "CronJob": _cron_job,
    "CustomResourceDefinition": _definition,
    "DaemonSet": _daemon_set,
    "Deployment": _deployment,
    "EndpointSlice": _endpoint_slice,
    "Endpoints": _endpoints,
    "Job": _job,
    "LimitRange": _limit_range,
    "MutatingWebhookConfiguration": lambda obj: _webhooks(obj, mutating=True),
    "Namespace": _namespace,
    "NetworkPolicy": _network_policy,
    "PersistentVolume": _volume,
    "PersistentVolumeClaim": _claim,
    "Pod": _pod,
    "PodTemplate": _template,
    "PriorityClass": _priority_class,
    "ReplicaSet": _replica_set,
    "ReplicationController": _replication_controller,
    "RoleBinding": _role_binding,
    "Secret": _secret,
    "Service": _service,
    "StatefulSet": _stateful_set,
    "StorageClass": _storage_class,
    "ValidatingWebhookConfiguration": lambda obj: _webhooks(obj, mutating=False),
}
