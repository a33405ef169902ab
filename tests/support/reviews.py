"""Reviews of every kind that a rule judges, and a cluster that knows nothing."""

import asyncio
from collections.abc import Iterator
from typing import Any

from cdi.web.admission import registry, review
from cdi.web.admission.inquiry import Access, List, Lookup
from cdi.web.admission.registry import Registration

Object = dict[str, Any]


def registrations() -> list[Registration]:
    return list(registry.registrations(lambda _: "token", lambda _: None, str))


async def knows_nothing(lookup: Lookup) -> Any:
    if isinstance(lookup, Access):
        return False
    return [] if isinstance(lookup, List) else None


async def knows_of_everything(lookup: Lookup) -> Any:
    """Everything exists, is allowed, and says nothing of itself."""
    if isinstance(lookup, Access):
        return True
    return [{"metadata": {"name": "x"}}] if isinstance(lookup, List) else {"metadata": {}}


def sound() -> Iterator[Object]:
    """One sound review for each resource and operation that some rule is about."""
    for registration in registrations():
        for resource in registration.resources:
            for operation in sorted(registration.operations):
                yield _review(resource, operation)


def judged(document: object) -> None:
    """Have every rule judge it, in two worlds; whatever it is, that ends in an answer."""
    try:
        uid, request = review.parse_review(document)
    except review.NotAReview:
        return
    for look in (knows_nothing, knows_of_everything):
        for registration in registrations():
            decision = asyncio.run(registry.decide(registration, request, look))
            answer = review.answer_to(uid, request, decision)
            assert answer["response"]["allowed"] is decision.allowed


def _review(resource: str, operation: str) -> Object:
    plural, _, group = resource.partition(".")
    source = {"http": {"url": "https://images.example/disk"}}
    storage = {"resources": {"requests": {"storage": "1Gi"}}}
    template = {"spec": {"source": {"registry": {"url": "docker://x/y"}}, "storage": storage}}
    labelled = {"cdi.kubevirt.io/applyStorageProfile": "true"}
    obj: Object = {
        "apiVersion": f"{group}/v1beta1" if group else "v1",
        "kind": plural.removesuffix("s"),
        "metadata": {"name": "x", "namespace": "ns", "labels": labelled, "annotations": {}},
        "spec": {
            "source": {**source, "kind": "DataVolume", "namespace": "ns", "name": "y"},
            "sourceRef": {"kind": "DataSource", "name": "s"},
            "target": {"namespace": "other"},
            "storage": storage,
            "resources": storage["resources"],
            "dataSourceRef": {
                "apiGroup": "cdi.kubevirt.io",
                "kind": "VolumeCloneSource",
                "name": "v",
            },
            "checkpoints": [{"current": "a", "previous": ""}],
            "schedule": "0 * * * *",
            "managedDataSource": "d",
            "template": template,
            "uninstallStrategy": "BlockUninstallIfWorkloadsExist",
        },
        "status": {"phase": "Deployed"},
    }
    user = {"username": "u", "groups": ["g"], "extra": {"k": ["v"]}}
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "u",
            "operation": operation,
            "kind": {"group": group, "version": "v1beta1", "kind": obj["kind"]},
            "resource": {
                "group": group,
                "version": "v1beta1" if group else "v1",
                "resource": plural,
            },
            "namespace": "ns",
            "name": "x",
            "object": None if operation == "DELETE" else obj,
            "oldObject": None if operation == "CREATE" else obj,
            "userInfo": user,
        },
    }
