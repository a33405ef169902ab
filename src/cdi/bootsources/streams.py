"""
ImageStreams of common images, as OpenShift has them: which there should be, and where. Pure.

One of somebody else, without the label of ours, is left alone.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Final

from cdi.api import labels
from cdi.bootsources.settings import Settings
from cdi.kube import objects
from cdi.kube.objects import Key, Object

KIND: Final = "ImageStream"
MANAGER: Final = "hco-operator"  # value of the label of those that are ours


def is_ours(stream: Object) -> bool:
    return objects.labels(stream).get(labels.MANAGED_BY) == MANAGER


def wanted(shipped: Sequence[Object], settings: Settings, golden: str) -> list[Object]:
    """Those that there should be, in the namespace of common images; `golden` is the usual one."""
    if not settings.imports_common:
        return []
    return [_placed(each, settings, golden) for each in shipped]


def unwanted(there: Sequence[Object], kept: Sequence[Object]) -> tuple[Object, ...]:
    """Those of ours that should go: switched off, or in a namespace where they were before."""
    keys: set[Key] = {objects.key(each) for each in kept}
    return tuple(
        each
        for each in there
        if is_ours(each) and objects.key(each) not in keys and not objects.is_deleting(each)
    )


def _placed(stream: Object, settings: Settings, golden: str) -> Object:
    made = copy.deepcopy(stream)
    meta = made["metadata"]
    meta["namespace"] = settings.namespace or meta.get("namespace") or golden
    meta["labels"] = {**(meta.get("labels") or {}), labels.MANAGED_BY: MANAGER}
    return made
