"""
Whether a claim that exists has to be filled for a DataVolume.

A claim that is marked as filled for it, or that it may take over as it is, needs no work.
"""

from collections.abc import Collection

from cdi.api import annotations, features
from cdi.controllers import metadata
from cdi.kube import objects
from cdi.kube.objects import Object


def is_populated_for(claim: Object, volume: Object) -> bool:
    """Whether a claim is marked as filled for a DataVolume of this name."""
    name = objects.annotations(claim).get(annotations.POPULATED_FOR)
    return name is not None and name == objects.name(volume)


def is_adoptable(claim: Object, volume: Object, gates: Collection[str]) -> bool:
    """Whether a DataVolume may take over a claim of its name that it did not create."""
    created_for = objects.annotations(claim).get(annotations.CREATED_FOR_DATA_VOLUME)
    if created_for == objects.uid(volume):
        return False
    try:
        allowed = metadata.parse_boolean(volume, annotations.ALLOW_CLAIM_ADOPTION)
    except metadata.NotABoolean:
        return False
    return features.enabled(features.Gate.CLAIM_ADOPTION, gates) if allowed is None else allowed


def needs_work(claim: Object, volume: Object, gates: Collection[str]) -> bool:
    return not (is_populated_for(claim, volume) or is_adoptable(claim, volume, gates))
