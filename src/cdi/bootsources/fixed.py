"""
What is always there for boot images: their namespace, and who may do what in it.

Everybody may look at boot images and clone them. Whoever is to change them is bound to the
ClusterRole for that, in this namespace, by an administrator.
"""

from __future__ import annotations

from typing import Any, Final

from cdi.bootsources import kinds
from cdi.kube.objects import Object, Objects
from cdi.kube.resource import NAMESPACES, Resource

VIEW: Final = "os-images.kubevirt.io:view"
EDIT: Final = "os-images.kubevirt.io:edit"
_READ: Final = ["get", "list", "watch"]
_WRITE: Final = ["create", "delete", "get", "list", "patch", "update", "watch"]
_CDI: Final = "cdi.kubevirt.io"
_SNAPSHOTS: Final = "snapshot.storage.k8s.io"
_RBAC: Final = "rbac.authorization.k8s.io"
_OURS: Final = ["datavolumes", "datasources", "dataimportcrons"]
_POLICY: Final = "ssp-operator-"


def objects_for(namespace: str) -> Objects:
    """Namespace, roles and binding, in the order of their making."""
    return [
        _object(NAMESPACES, namespace),
        _object(kinds.ROLES, VIEW, namespace, rules=_viewing()),
        _object(
            kinds.ROLE_BINDINGS,
            VIEW,
            namespace,
            roleRef={"apiGroup": _RBAC, "kind": "Role", "name": VIEW},
            subjects=[_group("system:authenticated"), _group("system:serviceaccounts")],
        ),
        _object(kinds.CLUSTER_ROLES, EDIT, rules=_editing()),
    ]


def network_policies(namespace: str, *, openshift: bool = False) -> Objects:
    """What importers, clone sources and upload servers of this namespace need of the network."""
    importer = {"cdi.kubevirt.io": "importer"}
    source = {"cdi.kubevirt.io": "cdi-clone-source"}
    server = {"cdi.kubevirt.io": "cdi-upload-server"}
    proxy = {"cdi.kubevirt.io": "cdi-uploadproxy"}
    dns = 5353 if openshift else 53
    https: list[Object] = [{"protocol": "TCP", "port": 8443}]
    workers = {
        "matchExpressions": [
            {
                "key": "cdi.kubevirt.io",
                "operator": "In",
                "values": ["importer", "cdi-clone-source"],
            }
        ]
    }
    to_api: list[Object] = [
        {"ports": [{"protocol": "TCP", "port": 6443}]},
        {"ports": [{"protocol": "TCP", "port": dns}, {"protocol": "UDP", "port": dns}]},
    ]
    anywhere: Object = {"namespaceSelector": {}}
    return [
        _policy(
            namespace,
            "allow-egress-to-kube-api-and-dns-importer-cdi-clone-source",
            workers,
            egress=to_api,
        ),
        _policy(
            namespace,
            "allow-ingress-to-importer-metrics",
            {"matchLabels": importer},
            ingress=[{"ports": https}],
        ),
        _policy(
            namespace,
            "allow-ingress-from-cdi-upload-server-to-cdi-clone-source",
            {"matchLabels": source},
            ingress=[{"from": [{**anywhere, "podSelector": {"matchLabels": server}}]}],
        ),
        _policy(
            namespace,
            "allow-ingress-from-cdi-upload-proxy-to-cdi-upload-server",
            {"matchLabels": server},
            ingress=[
                {"from": [{**anywhere, "podSelector": {"matchLabels": proxy}}], "ports": https}
            ],
        ),
        _policy(
            namespace,
            "allow-egress-from-cdi-clone-source-to-cdi-upload-server",
            {"matchLabels": source},
            egress=[{"to": [{**anywhere, "podSelector": {"matchLabels": server}}], "ports": https}],
        ),
        _policy(
            namespace,
            "allow-egress-from-importer-to-datasource",
            {"matchLabels": importer},
            egress=[{}],
        ),
    ]


def _viewing() -> list[Object]:
    return [
        _rule("", ["persistentvolumeclaims", "persistentvolumeclaims/status"], _READ),
        _rule(_SNAPSHOTS, ["volumesnapshots", "volumesnapshots/status"], _READ),
        _rule(_CDI, _OURS, _READ),
        _rule("", ["namespaces"], _READ),
        _rule(_CDI, ["datavolumes/source"], ["create"]),
    ]


def _editing() -> list[Object]:
    return [
        _rule("", ["persistentvolumeclaims"], _WRITE),
        _rule("", ["persistentvolumeclaims/status"], _READ),
        _rule(_CDI, _OURS, _WRITE),
        _rule(_CDI, ["datavolumes/source"], ["create"]),
    ]


def _rule(group: str, resources: list[str], verbs: list[str]) -> Object:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}


def _group(name: str) -> Object:
    return {"apiGroup": _RBAC, "kind": "Group", "name": name}


def _policy(namespace: str, name: str, pods: Object, **directions: Any) -> Object:
    spec = {
        "podSelector": pods,
        "policyTypes": [direction.capitalize() for direction in directions],
        **directions,
    }
    return _object(kinds.NETWORK_POLICIES, _POLICY + name, namespace, spec=spec)


def _object(resource: Resource, name: str, namespace: str = "", **fields: Any) -> Object:
    meta = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": meta, **fields}
