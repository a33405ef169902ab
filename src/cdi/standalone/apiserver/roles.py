"""
The roles that every cluster has: cluster-admin, admin, edit, view; and roles made up of others.

Here: their rules, made when missing and brought up to date at each start, and the rules of roles
with an `aggregationRule`, which are those of all roles that its selectors choose. Elsewhere: what a
role allows (`authorization`), when roles change (`housekeeping`).

Rules name the resources that are served here. Users' own kinds join by a role with a label such as
`rbac.authorization.k8s.io/aggregate-to-edit: "true"`, as CDI's do.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from cdi.kube import selectors
from cdi.kube.labelsyntax import Malformed
from cdi.standalone.apiserver import identity
from cdi.standalone.apiserver.authorization import RBAC
from cdi.standalone.apiserver.catalog import resource_of
from cdi.standalone.apiserver.objects import Objects
from cdi.standalone.apiserver.options import WriteOptions
from cdi.standalone.apiserver.reference import ObjectRef
from cdi.standalone.apiserver.status import ApiError

Document = dict[str, Any]

RESOURCE = resource_of(RBAC, "clusterroles")
NESTED = 8  # roles that hold roles that hold roles: more is a mistake of somebody
_API_VERSION = f"{RBAC}/v1"
_TO = f"{RBAC}/aggregate-to-"
_LABELS = {"kubernetes.io/bootstrapping": "rbac-defaults"}
_INSTALL = WriteOptions(manager="cdi", force=True, validation="Ignore")
_AGGREGATE = WriteOptions(manager="clusterrole-aggregation-controller", validation="Ignore")

_READ = ("get", "list", "watch")
_WRITE = ("create", "delete", "deletecollection", "patch", "update")
_ALL = ("*",)

# Resources of the namespaced kinds, by group; whoever may view may read these.
_VIEWED: dict[str, tuple[str, ...]] = {
    "": (
        "configmaps",
        "endpoints",
        "events",
        "limitranges",
        "namespaces",
        "persistentvolumeclaims",
        "persistentvolumeclaims/status",
        "pods",
        "pods/log",
        "pods/status",
        "replicationcontrollers",
        "replicationcontrollers/scale",
        "replicationcontrollers/status",
        "resourcequotas",
        "resourcequotas/status",
        "serviceaccounts",
        "services",
        "services/status",
    ),
    "apps": (
        "controllerrevisions",
        "daemonsets",
        "daemonsets/status",
        "deployments",
        "deployments/scale",
        "deployments/status",
        "replicasets",
        "replicasets/scale",
        "replicasets/status",
        "statefulsets",
        "statefulsets/scale",
        "statefulsets/status",
    ),
    "batch": ("cronjobs", "cronjobs/status", "jobs", "jobs/status"),
    "discovery.k8s.io": ("endpointslices",),
    "events.k8s.io": ("events",),
    "networking.k8s.io": ("ingresses", "ingresses/status", "networkpolicies"),
    "policy": ("poddisruptionbudgets", "poddisruptionbudgets/status"),
    "snapshot.storage.k8s.io": ("volumesnapshots",),
}
# And whoever may edit may write these. Secrets and tokens may only be had by who may edit.
_EDITED: dict[str, tuple[str, ...]] = {
    "": (
        "configmaps",
        "events",
        "persistentvolumeclaims",
        "pods",
        "pods/eviction",
        "replicationcontrollers",
        "replicationcontrollers/scale",
        "secrets",
        "serviceaccounts",
        "services",
    ),
    "apps": (
        "daemonsets",
        "deployments",
        "deployments/scale",
        "replicasets",
        "replicasets/scale",
        "statefulsets",
        "statefulsets/scale",
    ),
    "batch": ("cronjobs", "jobs"),
    "coordination.k8s.io": ("leases",),
    "networking.k8s.io": ("ingresses", "networkpolicies"),
    "policy": ("poddisruptionbudgets",),
    "snapshot.storage.k8s.io": ("volumesnapshots",),
}
_CDI = "cdi.kubevirt.io"
_CDI_EDITED = (
    "dataimportcrons",
    "datasources",
    "datavolumes",
    "volumeclonesources",
    "volumeimportsources",
    "volumeuploadsources",
)
_CDI_VIEWED = (*_CDI_EDITED, "cdiconfigs", "objecttransfers", "storageprofiles")
_FORKLIFT = f"forklift.{_CDI}"
_FORKLIFT_KINDS = ("openstackvolumepopulators", "ovirtvolumepopulators")


def defaults() -> tuple[Document, ...]:
    """The roles and the binding that are there from the start."""
    everything = (_rule(_ALL, _ALL, _ALL), {"nonResourceURLs": ["*"], "verbs": ["*"]})
    viewing = [_rule([group], plurals, _READ) for group, plurals in _VIEWED.items()]
    editing = [_rule([group], plurals, _WRITE) for group, plurals in _EDITED.items()]
    editing += [
        _rule([""], ["secrets"], _READ),
        _rule(["coordination.k8s.io"], ["leases"], _READ),
        _rule([""], ["serviceaccounts"], ["impersonate"]),
        _rule([""], ["serviceaccounts/token"], ["create"]),
    ]
    granting = [
        _rule([RBAC], ["rolebindings", "roles"], (*_READ, *_WRITE)),
        _rule(["authorization.k8s.io"], ["localsubjectaccessreviews"], ["create"]),
    ]
    own = [
        _rule([_CDI], _CDI_EDITED, _ALL),
        _rule([_CDI], ["datavolumes/source"], ["create"]),
        _rule([f"upload.{_CDI}"], ["uploadtokenrequests"], _ALL),
        _rule([_FORKLIFT], _FORKLIFT_KINDS, _ALL),
    ]
    own_view = [_rule([_CDI], _CDI_VIEWED, _READ), _rule([_FORKLIFT], _FORKLIFT_KINDS, _READ)]
    return (
        _role("cluster-admin", everything),
        _role("system:aggregate-to-admin", granting, to="admin"),
        _role("system:aggregate-to-edit", editing, to="edit"),
        _role("system:aggregate-to-view", viewing, to="view"),
        _role(f"{_CDI}:admin", own, to="admin"),
        _role(f"{_CDI}:edit", own, to="edit"),
        _role(f"{_CDI}:view", own_view, to="view"),
        _aggregated("admin"),
        _aggregated("edit", to="admin"),
        _aggregated("view", to="edit"),
        _masters_binding(),
    )


def aggregated_rules(
    selecting: Sequence[Document], roles: Iterable[Document], but: str
) -> list[Document]:
    """The rules of all roles that a selector chooses, each once, in the order of their names."""
    chosen = [_parsed(selector) for selector in selecting]
    found: list[Document] = []
    for role in sorted(roles, key=lambda role: role["metadata"]["name"]):
        if role["metadata"]["name"] == but:
            continue
        if any(selector is not None and selector.selects(role) for selector in chosen):
            found += [rule for rule in role.get("rules") or () if rule not in found]
    return found


class Roles:
    """Keeps the default roles, and the rules of aggregated ones."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    async def ensure(self) -> None:
        """Have the default roles as they are in this version of the program."""
        # Side by side, so that they share the disk's syncs.
        await asyncio.gather(*map(self._ensure, defaults()))
        await self.settle("")

    async def _ensure(self, document: Document) -> None:
        kind = self._objects.catalog.kind_of(document["apiVersion"], document["kind"])
        if kind is None:
            raise LookupError(f"the built-in kinds lack {document['kind']}")
        ref = ObjectRef(kind, "", document["metadata"]["name"])
        await self._objects.apply(ref, document, _INSTALL)

    async def settle(self, name: str) -> None:  # noqa: ARG002 (a step of housekeeping)
        """Bring every aggregated role up to date; one may hold another, so until none changes."""
        for _ in range(NESTED):
            roles = [entry.document() for _, entry in self._objects.store.entries(RESOURCE)]
            held = [role for role in roles if role.get("aggregationRule")]
            if not any([await self._settle(role, roles) for role in held]):
                return

    async def _settle(self, role: Document, roles: list[Document]) -> bool:
        name = role["metadata"]["name"]
        selecting = role["aggregationRule"].get("clusterRoleSelectors") or ()
        rules = aggregated_rules(selecting, roles, name)
        kind = self._objects.catalog.of_resource(RESOURCE)
        if kind is None or rules == (role.get("rules") or []):
            return False
        try:
            await self._objects.modify(
                ObjectRef(kind, "", name), lambda live: {**live, "rules": rules}, _AGGREGATE
            )
        except ApiError as error:
            if error.code != 404:
                raise
            return False
        return True


def _parsed(selector: Document) -> selectors.Selector | None:
    """A selector as a role holds it; None for one that can choose nothing."""
    try:
        return selectors.selector_for(selector)
    except Malformed:
        return None


def _rule(groups: Sequence[str], plurals: Sequence[str], verbs: Sequence[str]) -> Document:
    return {"apiGroups": list(groups), "resources": list(plurals), "verbs": list(verbs)}


def _role(name: str, rules: Sequence[Document], *, to: str = "") -> Document:
    labels = {**_LABELS, **({f"{_TO}{to}": "true"} if to else {})}
    return {
        "apiVersion": _API_VERSION,
        "kind": "ClusterRole",
        "metadata": {"name": name, "labels": labels},
        "rules": list(rules),
    }


def _aggregated(name: str, *, to: str = "") -> Document:
    role = _role(name, (), to=to)
    del role["rules"]
    selector = {"matchLabels": {f"{_TO}{name}": "true"}}
    return {**role, "aggregationRule": {"clusterRoleSelectors": [selector]}}


def _masters_binding() -> Document:
    return {
        "apiVersion": _API_VERSION,
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "cluster-admin", "labels": dict(_LABELS)},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": RBAC, "kind": "Group", "name": identity.MASTERS}],
    }
