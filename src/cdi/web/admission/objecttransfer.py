"""An ObjectTransfer is created or changed. All refusals are errors without fields."""

from typing import Final

from cdi.kube import objects
from cdi.web.admission import decision, resources, sameness
from cdi.web.admission.decision import Decision
from cdi.web.admission.inquiry import Get, Seen
from cdi.web.admission.request import CREATE, UPDATE, AdmissionRequest, Object

RESOURCE: Final = resources.OBJECT_TRANSFERS

_SOURCES: Final = {
    "DataVolume": resources.DATA_VOLUMES,
    "PersistentVolumeClaim": resources.CLAIMS,
}
_DEPRECATED: Final = "cdi.kubevirt.io/v1beta1 ObjectTransfer is deprecated"


def decide(request: AdmissionRequest, seen: Seen) -> Decision:
    """Judge one write. Looks up what may already be where the object is to go."""
    if request.resource != RESOURCE:
        return decision.error(f"expect resource to be {RESOURCE}")
    spec = objects.get(request.object, "spec", default={})
    if request.operation == UPDATE:
        if not sameness.same(objects.get(request.old, "spec", default={}), spec):
            return decision.error("ObjectTransfer spec is immutable")
        return decision.allow()
    if request.operation != CREATE:
        return decision.allow()
    return _decide_new(spec, seen)


def _decide_new(spec: Object, seen: Seen) -> Decision:
    source, target = spec.get("source") or {}, spec.get("target") or {}
    if not target.get("namespace") and not target.get("name"):
        return decision.error("Target namespace and/or target name must be supplied")
    kind = source.get("kind", "")
    if kind not in _SOURCES:
        return decision.error(f"Unsupported kind {kind!r}: want {' or '.join(_SOURCES)}")
    namespace = target.get("namespace") or source.get("namespace", "")
    name = target.get("name") or source.get("name", "")
    if seen.one(Get(_SOURCES[kind], name, namespace)) is not None:
        return decision.error(f"ObjectTransfer target {kind} {namespace}/{name} already exists")
    return decision.allow(warnings=(_DEPRECATED,))
