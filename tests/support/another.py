"""
What another operator of CDI leaves on a cluster when its Deployment is replaced by ours.

Names, labels, owners and marks are those of the API; the programs in its containers, and a few
objects that ours does not have, are its own. `installation` is everything that it manages, with
the CDI object first; whoever takes it gives the CDI object a UID by `owned`.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable
from typing import Any, Final

from cdi.operator.inventory import deployments
from cdi.operator.inventory.installed import Facts, installed
from cdi.operator.settings import Images, Settings

Object = dict[str, Any]

VERSION: Final = "v1.66.0"
IMAGE: Final = "registry.example/cdi-of-others:v1.66.0"
_CREATED: Final = "operator.cdi.kubevirt.io/createVersion"
_UPDATED: Final = "operator.cdi.kubevirt.io/updateVersion"
_APPLIED: Final = "operator.cdi.kubevirt.io/lastAppliedConfiguration"
# Kinds that belong to the controllers' Deployment, and have no marks.
_OF_CONTROLLERS: Final = ("PrometheusRule", "ServiceMonitor", "Route")

# What ours does not have: kind, name, namespaced.
LEFTOVERS: Final = (
    ("rbac.authorization.k8s.io/v1", "ClusterRole", "cdi-of-old", False),
    ("rbac.authorization.k8s.io/v1", "Role", "cdi-of-old", True),
    ("v1", "Service", "cdi-of-old", True),
    ("v1", "ServiceAccount", "cdi-of-old", True),
    ("apps/v1", "Deployment", "cdi-of-old", True),
    (
        "admissionregistration.k8s.io/v1",
        "MutatingWebhookConfiguration",
        "cdi-api-dataimportcron-mutate",
        False,
    ),
)


def cdi_object(name: str = "cdi", phase: str = "Deployed") -> Object:
    """The CDI object, as it is once everything has been rolled out."""
    said = {"Available": "True", "Progressing": "False", "Degraded": "False"}
    conditions = [
        {
            "type": kind,
            "status": status,
            "lastHeartbeatTime": "2026-01-01T00:00:00Z",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
            **(
                {"reason": "DeployCompleted", "message": "Deployment Completed"}
                if kind == "Available"
                else {}
            ),
        }
        for kind, status in said.items()
    ]
    return {
        "apiVersion": "cdi.kubevirt.io/v1beta1",
        "kind": "CDI",
        "metadata": {
            "name": name,
            "finalizers": ["operator.cdi.kubevirt.io"],
            "annotations": {"cdi.kubevirt.io/configAuthority": ""},
        },
        "spec": {"config": {"featureGates": ["HonorWaitForFirstConsumer"]}},
        "status": {
            "phase": phase,
            "conditions": conditions,
            "operatorVersion": VERSION,
            "targetVersion": VERSION,
            "observedVersion": VERSION,
        },
    }


def installation(
    cdi: Object, namespace: str, *, monitoring: bool = True, authority: str = ""
) -> list[Object]:
    """Everything that the other operator has made for a CDI object that has a UID.

    `authority` is what its webhooks and its APIService are believed by, as PEM.
    """
    settings = Settings(namespace=namespace, version=VERSION, images=Images.all(IMAGE))
    facts = Facts(has_monitoring=monitoring, api_authority=authority)
    wanted = [_of_another(each) for each in installed(settings, cdi, facts)]
    found = [_marked(each, cdi) for each in wanted]
    for api_version, kind, name, namespaced in LEFTOVERS:
        made: Object = {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}}
        if namespaced:
            made["metadata"]["namespace"] = namespace
        found.append(_marked({**made, **_content(kind, name)}, cdi))
    claim = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "cdi-config",
            "namespace": namespace,
            "labels": {"operator.cdi.kubevirt.io": ""},
            "ownerReferences": [_reference(cdi)],
        },
    }
    return [*found, claim]


def given_to(controllers: Object, found: Iterable[Object]) -> list[Object]:
    """What belongs to the controllers' Deployment, once that has a UID: it bears no marks."""
    given = []
    for each in found:
        if not _is_of_controllers(each):
            continue
        metadata = copy.deepcopy(each["metadata"])
        metadata["ownerReferences"] = [{**_reference(controllers), "apiVersion": "apps/v1"}]
        for label in (_CREATED, _UPDATED):
            metadata["labels"].pop(label, None)
        metadata["annotations"].pop(_APPLIED, None)
        given.append({**each, "metadata": metadata})
    return given


def _is_of_controllers(obj: Object) -> bool:
    name = obj["metadata"]["name"]
    return obj["kind"] in _OF_CONTROLLERS or name in ("cdi-monitoring", "cdi-metrics-reader-token")


def _of_another(obj: Object) -> Object:
    """With other programs, and what goes with them."""
    if obj["kind"] != "Deployment":
        return obj
    made = copy.deepcopy(obj)
    container = made["spec"]["template"]["spec"]["containers"][0]
    del container["command"]
    container["env"] = [*container["env"][::-1], {"name": "OF_OTHERS", "value": "x"}]
    container["livenessProbe"] = {"exec": {"command": ["theirs"]}}
    return made


def _marked(obj: Object, cdi: Object) -> Object:
    made = copy.deepcopy(obj)
    metadata = made["metadata"]
    metadata["labels"] = {**metadata.get("labels", {}), _CREATED: "v1.60.0", _UPDATED: VERSION}
    applied = {**copy.deepcopy(obj), "status": {}}
    applied["metadata"]["creationTimestamp"] = None
    metadata["annotations"] = {**metadata.get("annotations", {}), _APPLIED: json.dumps(applied)}
    metadata["ownerReferences"] = [_reference(cdi)]
    return made


def _reference(owner: Object) -> Object:
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _content(kind: str, name: str) -> Object:
    if kind in ("ClusterRole", "Role"):
        return {"rules": []}
    if kind == "Service":
        return {"spec": {"ports": [{"port": 443}], "selector": {"app": name}}}
    if kind == "Deployment":
        container = {"name": name, "image": IMAGE}
        return {
            "spec": {
                "replicas": 0,
                "selector": {"matchLabels": {"app": name}},
                "template": {
                    "metadata": {"labels": {"app": name}},
                    "spec": {"containers": [container]},
                },
            }
        }
    return {}


NAMES: Final = deployments.NAMES
