"""By which marks this operator knows what it has made; what they are good for: `kube.managed`."""

from typing import Final

from cdi.api import annotations, labels
from cdi.kube import managed
from cdi.kube.objects import Object

MARKS: Final = managed.Marks(
    annotations.LAST_APPLIED_CONFIGURATION, labels.CREATE_VERSION, labels.UPDATE_VERSION
)


def marked(desired: Object, owner: Object, version: str) -> Object:
    return managed.marked(desired, owner, version, MARKS)


def restored(current: Object, desired: Object, owner: Object, version: str) -> Object | None:
    return managed.restored(current, desired, owner, version, MARKS)


def is_managed_by(obj: Object, owner: Object) -> bool:
    return managed.is_managed_by(obj, owner, MARKS)
