"""
What a pod may name and has to exist: its service account and its priority class.

Both are filled in and checked when a pod is created, as Kubernetes' admission plugins of these
names do. The `default` account is not waited for: a new namespace gets it a moment later.
"""

from collections.abc import Iterator
from typing import Final

from cdi.standalone.apiserver import status
from cdi.standalone.apiserver.admission import AdmissionRequest
from cdi.standalone.store.record import Document, Key
from cdi.standalone.store.store import Store

_DEFAULT_ACCOUNT: Final = "default"
_CLASSES: Final = "priorityclasses.scheduling.k8s.io"
_PREEMPTS: Final = "PreemptLowerPriority"
# They exist on every cluster, and cannot be made by hand.
_SYSTEM: Final = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}


class PodAdmission:
    """Rules for Admission, over the objects of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def complete(self, request: AdmissionRequest) -> Document:
        """Return a new pod with account and priority; a rule for Admission. Raises ApiError."""
        pod = request.object or {}
        if request.operation == "CREATE" and not request.subresource:
            spec = pod.setdefault("spec", {})
            self._account(spec, request)
            self._priority(spec, request)
        return pod

    def _account(self, spec: Document, request: AdmissionRequest) -> None:
        name = spec.get("serviceAccountName") or spec.get("serviceAccount") or _DEFAULT_ACCOUNT
        spec["serviceAccountName"] = spec["serviceAccount"] = name
        key = Key("serviceaccounts", request.namespace, name)
        if name != _DEFAULT_ACCOUNT and self._store.get(key) is None:
            why = (
                f"error looking up service account {request.namespace}/{name}: "
                f'serviceaccount "{name}" not found'
            )
            raise status.forbidden(request.kind, request.name, why)

    def _priority(self, spec: Document, request: AdmissionRequest) -> None:
        name = spec.get("priorityClassName") or ""
        if not name:
            chosen = next((each for each in self._classes() if each.get("globalDefault")), None)
            if chosen is None:
                return
            spec["priorityClassName"] = chosen["metadata"]["name"]
        elif name in _SYSTEM:
            chosen = {"value": _SYSTEM[name]}
        else:
            entry = self._store.get(Key(_CLASSES, "", name))
            if entry is None:
                why = f"no PriorityClass with name {name} was found"
                raise status.forbidden(request.kind, request.name, why)
            chosen = entry.document()
        spec["priority"] = chosen.get("value", 0)
        spec.setdefault("preemptionPolicy", chosen.get("preemptionPolicy") or _PREEMPTS)

    def _classes(self) -> Iterator[Document]:
        for _, entry in self._store.entries(_CLASSES):
            yield entry.document()
