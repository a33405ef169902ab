"""
LimitRanges: how large single pods, containers and claims may be, and what they get unless they say.

Here: the admission rules, in Kubernetes' words. Elsewhere: what a namespace may hold altogether
(`quota`), whether a LimitRange itself makes sense (`schema.limit_rules`).
"""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from cdi.api import quantity
from cdi.api.quantity import Quantity
from cdi.standalone.apiserver import status
from cdi.standalone.apiserver.admission import Admission, AdmissionRequest
from cdi.standalone.schema import usage
from cdi.standalone.store.store import Store

Document = dict[str, Any]
Amounts = Mapping[str, Quantity]

RESOURCE = "limitranges"
ANNOTATION = "kubernetes.io/limit-ranger"


class Limits:
    """All limits of all namespaces."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def install(self, admission: Admission) -> None:
        """Have every write of pods and claims looked at."""
        admission.mutate_with("pods", self.complete)
        admission.validate_with("pods", self.check_pod)
        admission.validate_with("persistentvolumeclaims", self.check_claim)

    async def complete(self, request: AdmissionRequest) -> Document:
        """Give a new pod's containers what they do not ask for."""
        pod = request.object or {}
        if request.operation != "CREATE" or request.subresource:
            return pod
        for item in self._items(request.namespace, "Container"):
            pod = completed(pod, item)
        return pod

    async def check_pod(self, request: AdmissionRequest) -> None:
        """Refuse a new pod that is too small or too large. Raises ApiError (403)."""
        pod = request.object
        if pod is None or request.operation != "CREATE" or request.subresource:
            return
        spec = pod.get("spec") or {}
        wrong: list[str] = []
        for item in self._items(request.namespace, "Container"):
            for each in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
                asked, limit = usage.amounts(each, "requests"), usage.amounts(each, "limits")
                wrong += objections(item, asked, limit)
        for item in self._items(request.namespace, "Pod"):
            wrong += objections(item, usage.totals(pod, "requests"), usage.totals(pod, "limits"))
        _refuse(request, wrong)

    async def check_claim(self, request: AdmissionRequest) -> None:
        """Refuse a claim that is too small or too large. Raises ApiError (403)."""
        claim = request.object
        if claim is None or request.operation == "DELETE" or request.subresource:
            return
        asked = usage.amounts(claim.get("spec") or {}, "requests")
        wrong: list[str] = []
        for item in self._items(request.namespace, "PersistentVolumeClaim"):
            wrong += [*_too_small(item, asked, {}), *_too_much(item, asked)]
        _refuse(request, wrong)

    def _items(self, namespace: str, kind: str) -> Iterator[Document]:
        for _, entry in self._store.entries(RESOURCE, namespace):
            for item in (entry.document().get("spec") or {}).get("limits") or ():
                if item.get("type") == kind:
                    yield item


def completed(pod: Document, item: Document) -> Document:
    """The pod with an item's defaults where its containers are silent; it says so itself."""
    limits, requests = item.get("default") or {}, item.get("defaultRequest") or {}
    made, told = copy.deepcopy(pod), []
    spec = made.get("spec") or {}
    for key, what in (("containers", "container"), ("initContainers", "init container")):
        for each in spec.get(key) or ():
            added = _fill(each, "requests", requests), _fill(each, "limits", limits)
            for names, word in zip(added, ("request", "limit"), strict=True):
                if names:
                    told.append(f"{', '.join(names)} {word} for {what} {each['name']}")
    if not told:
        return pod
    annotations = made["metadata"].setdefault("annotations", {})
    annotations[ANNOTATION] = f"LimitRanger plugin set: {'; '.join(told)}"
    return made


def _fill(container: Document, key: str, defaults: Document) -> list[str]:
    resources = container.setdefault("resources", {})
    missing = sorted(set(defaults) - set(resources.get(key) or {}))
    if missing:
        resources[key] = {**(resources.get(key) or {}), **{n: defaults[n] for n in missing}}
    return missing


def objections(item: Document, asked: Amounts, limit: Amounts) -> list[str]:
    """What is wrong with the requests and limits of one thing."""
    return [
        *_too_small(item, asked, limit),
        *_too_large(item, asked, limit),
        *_too_far_apart(item, asked, limit),
    ]


def _amounts(item: Document, key: str) -> Iterator[tuple[str, Quantity]]:
    for name, text in sorted((item.get(key) or {}).items()):
        yield name, quantity.parse(text)


def _too_small(item: Document, asked: Amounts, limit: Amounts) -> Iterator[str]:
    for name, least in _amounts(item, "min"):
        head = f"minimum {name} usage per {item['type']} is {least}"
        if name not in asked:
            yield f"{head}.  No request is specified"
        elif asked[name] < least:
            yield f"{head}, but request is {asked[name]}"
        elif name in limit and limit[name] < least:
            yield f"{head}, but limit is {limit[name]}"


def _too_large(item: Document, asked: Amounts, limit: Amounts) -> Iterator[str]:
    for name, most in _amounts(item, "max"):
        head = f"maximum {name} usage per {item['type']} is {most}"
        if name not in limit:
            yield f"{head}.  No limit is specified"
        elif limit[name] > most:
            yield f"{head}, but limit is {limit[name]}"
        elif name in asked and asked[name] > most:
            yield f"{head}, but request is {asked[name]}"


def _too_much(item: Document, asked: Amounts) -> Iterator[str]:
    """Claims have requests and no limits."""
    for name, most in _amounts(item, "max"):
        head = f"maximum {name} usage per {item['type']} is {most}"
        if name not in asked:
            yield f"{head}.  No request is specified"
        elif asked[name] > most:
            yield f"{head}, but request is {asked[name]}"


def _too_far_apart(item: Document, asked: Amounts, limit: Amounts) -> Iterator[str]:
    for name, most in _amounts(item, "maxLimitRequestRatio"):
        head = f"{name} max limit to request ratio per {item['type']} is {most}"
        if not asked.get(name):
            yield f"{head}, but no request is specified or request is 0"
        elif not limit.get(name):
            yield f"{head}, but no limit is specified or limit is 0"
        elif (ratio := limit[name].number / asked[name].number) > most.number:
            yield f"{head}, but provided ratio is {ratio:.6f}"


def _refuse(request: AdmissionRequest, wrong: list[str]) -> None:
    if wrong:
        why = wrong[0] if len(wrong) == 1 else f"[{', '.join(wrong)}]"
        raise status.forbidden(request.kind, request.name, why)
