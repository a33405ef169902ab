"""
Volumes that somebody prepared by hand for a DataVolume, and reserved for its claim.

Asked to look for them, a DataVolume takes one as it is instead of importing: its claim is made
without anything to import, and only a volume of the list counts.
"""

import json
from collections.abc import Iterable, Mapping
from enum import Enum, auto
from typing import Any

from cdi.api import annotations, phases
from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.storage import volumes


class Verdict(Enum):
    """What became of a claim that looks for a prepared volume."""

    NOT_LOOKING = auto()
    WAITING = auto()  # not bound yet
    FOUND = auto()  # bound to one of them
    MISSED = auto()  # bound to another volume


def reserved(found: Iterable[Object], volume: Object, spec: Mapping[str, Any]) -> list[str]:
    """Names of the available volumes that are reserved for a DataVolume's claim and suit it."""
    return sorted(
        objects.name(each)
        for each in found
        if objects.get(each, "spec", "claimRef", "name") == objects.name(volume)
        and objects.get(each, "spec", "claimRef", "namespace") == objects.namespace(volume)
        and volumes.satisfies(each, spec)
    )


def listed(names: Iterable[str]) -> str:
    """The value of the claim's annotation."""
    return json.dumps(list(names))


def verdict_of(claim: Object) -> Verdict:
    text = objects.annotations(claim).get(annotations.PERSISTENT_VOLUME_LIST)
    if text is None:
        return Verdict.NOT_LOOKING
    if objects.get(claim, "status", "phase") != phases.Claim.BOUND:
        return Verdict.WAITING
    bound_to = objects.get(claim, "spec", "volumeName")
    return Verdict.FOUND if bound_to in _parsed(text) else Verdict.MISSED


def _parsed(text: str) -> list[Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return []
    return found if isinstance(found, list) else []
