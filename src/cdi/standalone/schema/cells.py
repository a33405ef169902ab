"""
The cells of built-in kinds, in the order of `columns`, as kubectl prints them.

Here: configuration, network, cluster kinds. Elsewhere: storage (`storage_cells`), pods and what
makes pods (`workload_cells`). A row function takes the object and the present moment, and changes
neither.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cdi.standalone.schema import age, storage_cells, workload_cells
from cdi.standalone.schema.rows import NONE, UNSET, Object, Row, age_of, name_of


def row_of(kind: str) -> Row:
    """The row function of a built-in kind."""
    return _ROWS.get(kind, _named)


def _named(obj: Object, now: datetime) -> list[Any]:
    del now
    meta = obj.get("metadata", {})
    return [meta.get("name", ""), meta.get("creationTimestamp")]


def _limited(names: list[str], limit: int = 3) -> str:
    if not names:
        return NONE
    more = f" + {len(names) - limit} more..." if len(names) > limit else ""
    return ",".join(names[:limit]) + more


def _config_map(obj: Object, now: datetime) -> list[Any]:
    count = len(obj.get("data") or ()) + len(obj.get("binaryData") or ())
    return [name_of(obj), str(count), age_of(obj, now)]


def _secret(obj: Object, now: datetime) -> list[Any]:
    return [name_of(obj), obj.get("type", ""), str(len(obj.get("data") or ())), age_of(obj, now)]


def _service_account(obj: Object, now: datetime) -> list[Any]:
    return [name_of(obj), str(len(obj.get("secrets") or ())), age_of(obj, now)]


def _namespace(obj: Object, now: datetime) -> list[Any]:
    return [name_of(obj), obj.get("status", {}).get("phase", ""), age_of(obj, now)]


def _service(obj: Object, now: datetime) -> list[Any]:
    spec = obj.get("spec", {})
    return [
        name_of(obj),
        spec.get("type", ""),
        (spec.get("clusterIPs") or [spec.get("clusterIP") or NONE])[0],
        _external_ip(obj),
        ",".join(map(_service_port, spec.get("ports") or ())) or NONE,
        age_of(obj, now),
        workload_cells.labels_text(spec.get("selector")),
    ]


def _service_port(port: Object) -> str:
    node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port.get('port')}{node_port}/{port.get('protocol', 'TCP')}"


def _external_ip(obj: Object) -> str:
    spec = obj.get("spec", {})
    kind = spec.get("type", "ClusterIP")
    if kind == "ExternalName":
        return str(spec.get("externalName", ""))
    ingress = obj.get("status", {}).get("loadBalancer", {}).get("ingress") or ()
    balancers = [each.get("ip") or each.get("hostname", "") for each in ingress]
    addresses = (balancers if kind == "LoadBalancer" else []) + (spec.get("externalIPs") or [])
    return ",".join(addresses) or ("<pending>" if kind == "LoadBalancer" else NONE)


def _endpoints(obj: Object, now: datetime) -> list[Any]:
    found: list[str] = []
    for subset in obj.get("subsets") or ():
        addresses = [address.get("ip", "") for address in subset.get("addresses") or ()]
        ports = subset.get("ports")
        found += (
            [f"{address}:{port.get('port')}" for port in ports for address in addresses]
            if ports
            else addresses
        )
    return [name_of(obj), _limited(found), age_of(obj, now)]


def _endpoint_slice(obj: Object, now: datetime) -> list[Any]:
    ports = [str(port.get("port", "*")) for port in obj.get("ports") or ()]
    addresses = [a for each in obj.get("endpoints") or () for a in each.get("addresses") or ()]
    shown_ports = _limited(ports) if ports else UNSET
    shown_addresses = _limited(addresses) if addresses else UNSET
    return [
        name_of(obj),
        obj.get("addressType", ""),
        shown_ports,
        shown_addresses,
        age_of(obj, now),
    ]


def _event(obj: Object, now: datetime) -> list[Any]:
    first = obj.get("firstTimestamp") or obj.get("eventTime")
    series = obj.get("series")
    last = series.get("lastObservedTime") if series else obj.get("lastTimestamp") or first
    target = obj.get("involvedObject") or obj.get("regarding") or {}
    count = series.get("count", 0) + 1 if series else obj.get("count") or 1
    name = f"/{target['name']}" if target.get("name") else ""
    return [
        age.since(last, now),
        obj.get("type", ""),
        obj.get("reason", ""),
        f"{target.get('kind', '').lower()}{name}",
        target.get("fieldPath", ""),
        _event_source(obj),
        (obj.get("message") or obj.get("note") or "").strip(),
        age.since(first, now),
        str(count),
        name_of(obj),
    ]


def _event_source(obj: Object) -> str:
    source = obj.get("source") or {}
    component = source.get("component") or obj.get("reportingComponent", "")
    instance = source.get("host") or obj.get("reportingInstance", "")
    return f"{component}, {instance}" if instance else component


def _node(obj: Object, now: datetime) -> list[Any]:
    info = obj.get("status", {}).get("nodeInfo", {})
    return [
        name_of(obj),
        _node_status(obj),
        _node_roles(obj.get("metadata", {}).get("labels", {})),
        age_of(obj, now),
        info.get("kubeletVersion", ""),
        _node_address(obj, "InternalIP"),
        _node_address(obj, "ExternalIP"),
        info.get("osImage") or age.UNKNOWN,
        info.get("kernelVersion") or age.UNKNOWN,
        info.get("containerRuntimeVersion") or age.UNKNOWN,
    ]


def _node_status(obj: Object) -> str:
    conditions = obj.get("status", {}).get("conditions") or ()
    ready = next((c.get("status") == "True" for c in conditions if c.get("type") == "Ready"), None)
    words = ["Unknown" if ready is None else "Ready" if ready else "NotReady"]
    if obj.get("spec", {}).get("unschedulable"):
        words.append("SchedulingDisabled")
    return ",".join(words)


def _node_roles(labels: dict[str, str]) -> str:
    prefix = "node-role.kubernetes.io/"
    roles = {key.removeprefix(prefix) for key in labels if key.startswith(prefix)}
    roles |= {value for key, value in labels.items() if key == "kubernetes.io/role"}
    return ",".join(sorted(roles - {""})) or NONE


def _node_address(obj: Object, kind: str) -> str:
    addresses = obj.get("status", {}).get("addresses") or ()
    return next((each["address"] for each in addresses if each.get("type") == kind), NONE)


def _lease(obj: Object, now: datetime) -> list[Any]:
    return [name_of(obj), obj.get("spec", {}).get("holderIdentity", ""), age_of(obj, now)]


def _binding(obj: Object, now: datetime) -> list[Any]:
    role = obj.get("roleRef", {})
    subjects = obj.get("subjects") or ()

    def named(kind: str) -> str:
        return ", ".join(
            f"{each['namespace']}/{each['name']}" if kind == "ServiceAccount" else each["name"]
            for each in subjects
            if each.get("kind") == kind
        )

    role_text = f"{role.get('kind', '')}/{role.get('name', '')}"
    users, groups, accounts = named("User"), named("Group"), named("ServiceAccount")
    return [name_of(obj), role_text, age_of(obj, now), users, groups, accounts]


def _webhooks(obj: Object, now: datetime) -> list[Any]:
    return [name_of(obj), len(obj.get("webhooks") or ()), age_of(obj, now)]


def _priority_class(obj: Object, now: datetime) -> list[Any]:
    policy = obj.get("preemptionPolicy", "PreemptLowerPriority")
    is_default = bool(obj.get("globalDefault", False))
    return [name_of(obj), obj.get("value", 0), is_default, age_of(obj, now), policy]


def _resource_quota(obj: Object, now: datetime) -> list[Any]:
    status = obj.get("status", {})
    hard, used = status.get("hard") or {}, status.get("used") or {}
    shown = {key: f"{key}: {used.get(key, '0')}/{hard[key]}" for key in sorted(hard)}
    limits = ", ".join(text for key, text in shown.items() if key.startswith("limits."))
    requests = ", ".join(text for key, text in shown.items() if not key.startswith("limits."))
    return [name_of(obj), age_of(obj, now), requests, limits]


def _api_service(obj: Object, now: datetime) -> list[Any]:
    service = obj.get("spec", {}).get("service")
    where = f"{service.get('namespace')}/{service.get('name')}" if service else "Local"
    conditions = obj.get("status", {}).get("conditions") or ()
    available = next((c for c in conditions if c.get("type") == "Available"), None)
    text = "Unknown" if available is None else available.get("status", "Unknown")
    if text == "False" and available:
        text = f"False ({available.get('reason', '')})"
    return [name_of(obj), where, text, age_of(obj, now)]


def _ingress(obj: Object, now: datetime) -> list[Any]:
    spec = obj.get("spec", {})
    hosts = [rule["host"] for rule in spec.get("rules") or () if rule.get("host")]
    balancers = obj.get("status", {}).get("loadBalancer", {}).get("ingress") or ()
    addresses = ",".join(each.get("ip") or each.get("hostname", "") for each in balancers)
    ports = "80, 443" if spec.get("tls") else "80"
    shown = _limited(hosts) if hosts else "*"
    return [
        name_of(obj),
        spec.get("ingressClassName", NONE),
        shown,
        addresses,
        ports,
        age_of(obj, now),
    ]


def _network_policy(obj: Object, now: datetime) -> list[Any]:
    selector = obj.get("spec", {}).get("podSelector")
    return [name_of(obj), workload_cells.selector_text(selector), age_of(obj, now)]


_ROWS: dict[str, Row] = {
    **storage_cells.ROWS,
    **workload_cells.ROWS,
    "APIService": _api_service,
    "ClusterRoleBinding": _binding,
    "ComponentStatus": lambda o, _: [name_of(o), "Healthy", "ok", ""],
    "ConfigMap": _config_map,
    "EndpointSlice": _endpoint_slice,
    "Endpoints": _endpoints,
    "Event": _event,
    "Ingress": _ingress,
    "Lease": _lease,
    "MutatingWebhookConfiguration": _webhooks,
    "Namespace": _namespace,
    "NetworkPolicy": _network_policy,
    "Node": _node,
    "PriorityClass": _priority_class,
    "ResourceQuota": _resource_quota,
    "RoleBinding": _binding,
    "Secret": _secret,
    "Service": _service,
    "ServiceAccount": _service_account,
    "ValidatingWebhookConfiguration": _webhooks,
}
