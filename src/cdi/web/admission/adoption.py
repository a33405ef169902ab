"""Whether a new DataVolume may have the name of a claim that exists already."""

from collections.abc import Collection
from typing import Any, Final

from cdi.api import annotations, features
from cdi.kube import objects, owners

Object = dict[str, Any]

# What counts as yes; anything else, also what makes no sense, is a no.
_TRUE: Final = frozenset({"1", "t", "T", "true", "TRUE", "True"})


def is_filled_for(claim: Object, volume: Object) -> bool:
    """Tell whether the claim counts as filled for this DataVolume."""
    name = objects.name(volume)
    return objects.annotations(claim).get(annotations.POPULATED_FOR) == name != ""


def belongs_to_a_volume(claim: Object) -> bool:
    """Tell whether a DataVolume manages the claim: this one's predecessor, which is going."""
    owner = owners.controller_of(claim)
    return owner is not None and owner.get("kind") == "DataVolume"


def says_so_itself(volume: Object) -> bool | None:
    """Return what the DataVolume's annotation says about adoption, None if it says nothing."""
    said = objects.annotations(volume).get(annotations.ALLOW_CLAIM_ADOPTION)
    return None if said is None else said in _TRUE


def is_own_child(claim: Object, volume: Object) -> bool:
    """Tell whether the claim was created for this very DataVolume; it is never adopted by it."""
    uid = objects.uid(volume)
    return objects.annotations(claim).get(annotations.CREATED_FOR_DATA_VOLUME) == uid != ""


def is_allowed(claim: Object, volume: Object, gates: Collection[str]) -> bool:
    """Tell whether the DataVolume may take the claim over, whatever its size, modes and class."""
    if is_own_child(claim, volume):
        return False
    said = says_so_itself(volume)
    return features.enabled(features.Gate.CLAIM_ADOPTION, gates) if said is None else said
