"""
Whether a claim that exists has to be filled for a DataVolume.

A claim that is marked as filled for it, or that it may take over as it is, needs no work. What
is taken over has to be whole: a claim that somebody still fills, or has failed to fill, is not.
"""

from collections.abc import Collection

from cdi.api import annotations, features, phases
from cdi.controllers import metadata
from cdi.kube import objects
from cdi.kube.objects import Object

_IMPORT_OR_UPLOAD = (annotations.SOURCE, annotations.ENDPOINT, annotations.UPLOAD_TARGET)


def is_populated_for(claim: Object, volume: Object) -> bool:
    """Whether a claim is marked as filled for a DataVolume of this name."""
    name = objects.annotations(claim).get(annotations.POPULATED_FOR)
    return name is not None and name == objects.name(volume)


def may_adopt(claim: Object, volume: Object, gates: Collection[str]) -> bool:
    """Whether a DataVolume may take over a claim of its name, once that is whole."""
    created_for = objects.annotations(claim).get(annotations.CREATED_FOR_DATA_VOLUME)
    if created_for == objects.uid(volume):
        return False
    try:
        allowed = metadata.parse_boolean(volume, annotations.ALLOW_CLAIM_ADOPTION)
    except metadata.NotABoolean:
        return False
    return features.enabled(features.Gate.CLAIM_ADOPTION, gates) if allowed is None else allowed


def needs_work(claim: Object, volume: Object, gates: Collection[str]) -> bool:
    if is_populated_for(claim, volume):
        return False
    return not may_adopt(claim, volume, gates) or bool(why_unfinished(claim))


def why_unfinished(claim: Object) -> str:
    """Why the disk of a claim is not whole, as far as the claim says; empty if nothing does."""
    given = objects.annotations(claim)
    pod_phase = given.get(annotations.POD_PHASE)
    if metadata.is_true(claim, annotations.FATAL_ERROR) or pod_phase == phases.Pod.FAILED:
        return "filling it has failed; delete it"
    if annotations.CHECKPOINT_CURRENT in given and annotations.CHECKPOINT_DONE not in given:
        return "its import has a further stage"
    begun = pod_phase is not None or any(key in given for key in _IMPORT_OR_UPLOAD)
    cloned = annotations.CLONE_REQUEST in given and annotations.CLONE_OF not in given
    if (begun or cloned) and pod_phase != phases.Pod.SUCCEEDED:
        return "it is still being filled"
    bound = objects.get(claim, "status", "phase") == phases.Claim.BOUND
    if not bound and (claim["spec"].get("dataSourceRef") or claim["spec"].get("dataSource")):
        return "its populator has not filled it yet"
    return ""
