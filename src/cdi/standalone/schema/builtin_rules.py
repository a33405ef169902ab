"""
Rules for the values of built-in kinds, in Kubernetes' words.

Here: what the type tables say (required values, enumerations) and which kind has which further
rules. Elsewhere: those rules (`storage_rules`, `config_rules`, `pod_rules`, `workload_rules`,
`service_rules`, `crd_rules`). The server's own part, `status`, is not checked: controllers write
it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from cdi.standalone.schema import (
    causes,
    config_rules,
    crd_rules,
    limit_rules,
    paths,
    pod_rules,
    service_rules,
    storage_rules,
    workload_rules,
)
from cdi.standalone.schema.causes import FieldError
from cdi.standalone.schema.definitions import STRUCT
from cdi.standalone.schema.kinds import KindInfo

Object = dict[str, Any]
Rule = Callable[[Object, Object | None], Iterable[FieldError]]


def validate(
    info: KindInfo, obj: Object, old: Object | None, subresource: str = ""
) -> list[FieldError]:
    """Objections to a built-in object; of a status update only its metadata matter.

    A binding changes a pod's node and nothing else, which no other update may.
    """
    if subresource in ("status", "binding"):
        return []
    if info.kind == "CustomResourceDefinition":
        if old is not None and old.get("spec") == obj.get("spec"):
            return []  # accepted once, by whichever rules were in force then
        found = crd_rules.validate(obj) + crd_rules.validate_update(obj, old)
        return found or crd_rules.check_rules(obj)
    found = list(_by_table(info.schema, obj, ""))
    if rule := _RULES.get(info.kind):
        stated = {error.field for error in found}
        found += [error for error in rule(obj, old) if error.field not in stated]
    return found


def _by_table(schema: dict[str, Any], value: Any, path: str) -> Iterator[FieldError]:
    if isinstance(value, list):
        for index, each in enumerate(value):
            # Kubernetes numbers the items of every list but this one.
            where = path if path.endswith(".accessModes") else paths.item(path, index)
            yield from _by_table(schema.get("items", {}), each, where)
    elif isinstance(value, dict):
        yield from _fields_by_table(schema, value, path)
    elif value and "enum" in schema and value not in schema["enum"]:
        yield causes.unsupported(path, value, sorted(schema["enum"]))


def _fields_by_table(schema: dict[str, Any], value: Object, path: str) -> Iterator[FieldError]:
    properties = schema.get("properties", {})
    for name in schema.get("required", ()):
        if not value.get(name, None) and _is_checked(properties[name], value.get(name)):
            yield causes.required(paths.child(path, name))
    for name, each in value.items():
        if name in properties and not (not path and name in ("metadata", "status")):
            yield from _by_table(properties[name], each, paths.child(path, name))


def _is_checked(field: dict[str, Any], value: Any) -> bool:
    """Zeros, false and what is there even when empty are values; an empty text is none."""
    if field.get(STRUCT) or field.get("type") in ("array", "object"):
        return False
    return value is None or value == ""


_RULES: dict[str, Rule] = {
    "ConfigMap": config_rules.config_map,
    "ClusterRole": config_rules.role,
    "ClusterRoleBinding": config_rules.role_binding,
    "CronJob": workload_rules.cron_job,
    "CSIDriver": storage_rules.csi_driver,
    "DaemonSet": workload_rules.selecting,
    "Deployment": workload_rules.selecting,
    "Job": workload_rules.job,
    "Lease": config_rules.lease,
    "PersistentVolume": storage_rules.volume,
    "PersistentVolumeClaim": storage_rules.claim,
    "Pod": pod_rules.pod,
    "PriorityClass": config_rules.priority_class,
    "ReplicaSet": workload_rules.selecting,
    "ResourceQuota": limit_rules.resource_quota,
    "LimitRange": limit_rules.limit_range,
    "Role": config_rules.role,
    "RoleBinding": config_rules.role_binding,
    "Secret": config_rules.secret,
    "Service": service_rules.service,
    "StatefulSet": workload_rules.selecting,
    "StorageClass": storage_rules.storage_class,
    "VolumeSnapshot": storage_rules.snapshot,
    "VolumeSnapshotClass": storage_rules.snapshot_class,
}
