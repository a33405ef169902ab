"""What Kubernetes fills in for pods and pod templates."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]

_GRACE_PERIOD = 30
_FILE_MODE = 0o644
_TOKEN_LIFETIME = 3600
_PROBE = {
    "failureThreshold": 3,
    "periodSeconds": 10,
    "successThreshold": 1,
    "timeoutSeconds": 1,
}


def set_default(target: Object, key: str, value: Any) -> None:
    """A null counts as left out."""
    if target.get(key) is None:
        target[key] = value


def pod_spec(spec: Object) -> None:
    """Fill in a pod's spec, in place."""
    set_default(spec, "dnsPolicy", "ClusterFirst")
    set_default(spec, "restartPolicy", "Always")
    set_default(spec, "schedulerName", "default-scheduler")
    set_default(spec, "securityContext", {})
    set_default(spec, "terminationGracePeriodSeconds", _GRACE_PERIOD)
    # The older spelling is kept in step, as on a cluster.
    if account := spec.get("serviceAccountName") or spec.get("serviceAccount"):
        spec["serviceAccountName"] = spec["serviceAccount"] = account
    for volume in spec.get("volumes") or ():
        _volume(volume)
    for key in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(key) or ():
            _container(container, host_network=bool(spec.get("hostNetwork")))


def live_pod_spec(spec: Object) -> None:
    """What only pods get, not templates: filled in when a pod is created."""
    set_default(spec, "enableServiceLinks", True)
    set_default(spec, "preemptionPolicy", "PreemptLowerPriority")
    set_default(spec, "priority", 0)
    for container in [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]:
        _requests_from_limits(container)


def _requests_from_limits(container: Object) -> None:
    resources = container.get("resources") or {}
    if limits := resources.get("limits"):
        resources["requests"] = {**limits, **(resources.get("requests") or {})}


def _container(container: Object, *, host_network: bool) -> None:
    set_default(container, "imagePullPolicy", _pull_policy(container.get("image", "")))
    set_default(container, "terminationMessagePath", "/dev/termination-log")
    set_default(container, "terminationMessagePolicy", "File")
    set_default(container, "resources", {})
    for port in container.get("ports") or ():
        set_default(port, "protocol", "TCP")
        if host_network and not port.get("hostPort"):
            port["hostPort"] = port.get("containerPort")
    for variable in container.get("env") or ():
        if reference := (variable.get("valueFrom") or {}).get("fieldRef"):
            set_default(reference, "apiVersion", "v1")
    for key in ("livenessProbe", "readinessProbe", "startupProbe"):
        if probe := container.get(key):
            _probe(probe)
    for handler in (container.get("lifecycle") or {}).values():
        if isinstance(handler, dict):
            _http_get(handler)


def _pull_policy(image: str) -> str:
    name = image.rpartition("/")[2]
    if "@" in name:
        return "IfNotPresent"
    tag = name.partition(":")[2]
    return "Always" if tag in ("", "latest") else "IfNotPresent"


def _probe(probe: Object) -> None:
    for key, value in _PROBE.items():
        if not probe.get(key):
            probe[key] = value
    _http_get(probe)
    if grpc := probe.get("grpc"):
        set_default(grpc, "service", "")


def _http_get(handler: Object) -> None:
    if request := handler.get("httpGet"):
        set_default(request, "path", "/")
        set_default(request, "scheme", "HTTP")


def _volume(volume: Object) -> None:
    if set(volume) <= {"name"}:
        volume["emptyDir"] = {}
    for key in ("secret", "configMap", "downwardAPI", "projected"):
        if source := volume.get(key):
            set_default(source, "defaultMode", _FILE_MODE)
    _references(volume.get("downwardAPI"))
    for source in (volume.get("projected") or {}).get("sources") or ():
        _references(source.get("downwardAPI"))
        if token := source.get("serviceAccountToken"):
            set_default(token, "expirationSeconds", _TOKEN_LIFETIME)
    if host_path := volume.get("hostPath"):
        set_default(host_path, "type", "")
    if claim := (volume.get("ephemeral") or {}).get("volumeClaimTemplate"):
        set_default(claim.setdefault("spec", {}), "volumeMode", "Filesystem")


def _references(source: Object | None) -> None:
    for item in (source or {}).get("items") or ():
        if reference := item.get("fieldRef"):
            set_default(reference, "apiVersion", "v1")
