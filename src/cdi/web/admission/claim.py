"""
A labelled claim is created: the mutating rule that completes it from its StorageProfile.

Only claims with label cdi.kubevirt.io/applyStorageProfile=true are touched. Whatever prevents
that refuses the claim, because an incomplete one would be made with Kubernetes' defaults.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cdi.api import annotations, labels, quantity, view
from cdi.api.core.claims import PersistentVolumeClaimSpec
from cdi.api.core.metadata import ObjectMeta
from cdi.kube import objects
from cdi.storage import classes, rendering
from cdi.web.admission import clonesize, decision, resources
from cdi.web.admission.decision import Decision
from cdi.web.admission.inquiry import Get, Seen
from cdi.web.admission.request import CREATE, AdmissionRequest, Object

RESOURCE: Final = resources.CLAIMS

_SNAPSHOT: Final = ("snapshot.storage.k8s.io", "VolumeSnapshot")


@dataclass(frozen=True, slots=True)
class ClaimRendering:
    """The rule; it holds what reads clone tokens."""

    read_token: clonesize.TokenReader

    def decide(self, request: AdmissionRequest, seen: Seen) -> Decision:
        """Complete one claim. Looks up classes, a profile, volumes, and what is cloned."""
        if request.operation != CREATE:
            return decision.allow()
        if request.resource != RESOURCE:
            return decision.error(f"expect resource to be {RESOURCE}")
        claim = request.object or {}
        if not _is_readable(claim):
            return decision.allow()
        if objects.labels(claim).get(labels.APPLY_STORAGE_PROFILE) != annotations.TRUE:
            return decision.allow()
        try:
            spec = self._completed(claim, objects.namespace(claim) or request.namespace, seen)
        except (rendering.ClaimNotValid, quantity.InvalidQuantity) as error:
            return decision.error(str(error))
        return decision.allow_as({**claim, "spec": spec}, claim)

    def _completed(self, claim: Object, namespace: str, seen: Seen) -> Object:
        spec: Object = objects.get(claim, "spec", default={})
        content_type = objects.annotations(claim).get(annotations.CONTENT_TYPE, "")
        cluster = _cluster(spec, content_type, seen)
        spec = rendering.complete_modes(spec, cluster, content_type)
        if clonesize.is_clone(spec):
            target = clonesize.Target(claim, spec, namespace, cluster)
            return clonesize.complete_size(target, seen, self.read_token)
        if _is_restored(spec):
            return spec
        return rendering.complete_size(spec, cluster)


def _is_readable(claim: Object) -> bool:
    """Tell whether this is a claim at all; what is not will be refused with better words."""
    try:
        view.read(ObjectMeta, objects.get(claim, "metadata", default={}))
        view.read(PersistentVolumeClaimSpec, objects.get(claim, "spec", default={}))
    except view.InvalidObject:
        return False
    return True


def _cluster(spec: Mapping[str, Any], content_type: str, seen: Seen) -> rendering.Cluster:
    """Collect what rendering this claim reads, and nothing that it does not."""
    storage_classes = seen.every(resources.CLASSES)
    chosen = classes.choose(storage_classes, spec.get("storageClassName"), content_type)
    if chosen is None:
        return rendering.Cluster(
            storage_classes, {}, seen.every(resources.VOLUMES), seen.one(resources.CONFIG)
        )
    name = objects.name(chosen)
    profile = seen.one(Get(resources.STORAGE_PROFILES, name))
    profiles = {name: profile} if profile is not None else {}
    return rendering.Cluster(storage_classes, profiles, (), seen.one(resources.CONFIG))


def _is_restored(spec: Mapping[str, Any]) -> bool:
    """Tell whether storage restores a snapshot; some drivers insist on exactly its size."""
    return any(
        (objects.get(spec, field, "apiGroup"), objects.get(spec, field, "kind")) == _SNAPSHOT
        for field in ("dataSource", "dataSourceRef")
    )
