"""What is known about one ObjectTransfer when it is decided what to do about it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cdi.kube import objects
from cdi.kube.objects import Key, Object

DATA_VOLUME: Final = "datavolume"
SOURCE: Final = "source"  # keys of what a transfer remembers
VOLUME_NAME: Final = "pvName"
RECLAIM: Final = "pvReclaim"


@dataclass(frozen=True, slots=True)
class Seen:
    """One transfer and what it moves."""

    transfer: Object
    now: str  # RFC 3339
    source: Object | None = None  # whatever has the source's name
    target: Object | None = None  # whatever has the target's name
    claim: Object | None = None  # of the source's name; the source itself, where that is a claim
    target_claim: Object | None = None
    volume: Object | None = None  # of the claim, before and after it has moved
    users: Sequence[Object] = ()  # pods that use the claim and have not ended
    child: Object | None = None  # the transfer of a DataVolume's claim

    @property
    def data(self) -> Mapping[str, str]:
        """What was remembered before anything was deleted."""
        found: Mapping[str, str] = objects.get(self.transfer, "status", "data", default={})
        return found

    @property
    def remembered(self) -> Object | None:
        """The source as it was; None before it is certain that it moves."""
        text = self.data.get(SOURCE)
        return dict(json.loads(text)) if text else None

    @property
    def original(self) -> Object | None:
        """The source, if it still is what was remembered, and no namesake."""
        then = self.remembered
        if self.source is None or then is None:
            return None
        return self.source if objects.uid(self.source) == objects.uid(then) else None


def kind_of(transfer: Object) -> str:
    return str(objects.get(transfer, "spec", "source", "kind", default="")).lower()


def source_of(transfer: Object) -> Key:
    source = objects.get(transfer, "spec", "source", default={})
    return Key(str(source.get("namespace")), str(source.get("name")))


def target_of(transfer: Object) -> Key:
    """What is left out of a target is as it was."""
    target, source = objects.get(transfer, "spec", "target", default={}), source_of(transfer)
    return Key(target.get("namespace") or source.namespace, target.get("name") or source.name)


def child_of(transfer: Object) -> Key:
    return Key("", f"pvc-transfer-{objects.uid(transfer)}")
