"""Who says what CDIConfig says: from the first pass on, the CDI object. Pure."""

from __future__ import annotations

from cdi.api import annotations as known
from cdi.kube import objects
from cdi.kube.installing.ref import Ref
from cdi.kube.objects import Object
from cdi.operator.seen import Seen


def may_take(seen: Seen) -> bool:
    """Whether there is a CDIConfig, and the CDI object does not speak for it yet."""
    definition = Ref("CustomResourceDefinition", "", "cdiconfigs.cdi.kubevirt.io")
    taken = known.CONFIG_AUTHORITY in objects.annotations(seen.cdi)
    return definition in seen.current and not taken


def adopted(seen: Seen) -> Object | None:
    """What a CDIConfig of old says, for a CDI object that says nothing."""
    if not may_take(seen) or objects.get(seen.cdi, "spec", "config") is not None:
        return None
    if len(seen.configs) != 1:
        return None
    found: Object | None = seen.configs[0].get("spec") or None
    return found


def with_config(cdi: Object, config: Object) -> Object:
    """The CDI object, saying this."""
    return {**cdi, "spec": {**cdi.get("spec", {}), "config": config}}
