"""
Whether an installation that is there was made by another operator of CDI. Pure.

Names, labels, owners and the CDI object itself are the same whichever operator made them; what the
containers run is not. Versions of two operators mean nothing to each other, so that an
installation of another one is always brought to this one's, whatever it calls itself.

    made by another   the CDI object says that it is upgraded, to what; nothing else is changed yet
    under way         everything is brought to what is wanted, and the rest removed at the end

What belongs to the Deployment of another operator's controllers belongs to the CDI object here.
"""

from __future__ import annotations

from typing import Final

from cdi.api import labels
from cdi.kube import objects, owners
from cdi.kube.installing.ref import ref_of
from cdi.kube.objects import Object, Objects
from cdi.operator.seen import Seen
from cdi.operator.status import DEPLOYED, UPGRADING

_OURS: Final = "cdi"  # the first word of every command


def is_due(seen: Seen, phase: str, wanted: Objects) -> bool:
    """Whether another operator has rolled this out, and nobody has begun to take it over."""
    if phase not in (DEPLOYED, UPGRADING) or is_under_way(seen):
        return False
    return any(
        _is_of_another(each, current)
        for each in wanted
        if each["kind"] == "Deployment" and (current := seen.current.get(ref_of(each)))
    )


def is_under_way(seen: Seen) -> bool:
    """Whether an upgrade to exactly this version has been announced, and has not ended.

    Where it began may be a version that looks newer, of another operator.
    """
    aimed = objects.get(seen.cdi, "status", "targetVersion", default="")
    return seen.phase == UPGRADING and aimed == seen.settings.version


def _is_of_another(wanted: Object, current: Object) -> bool:
    """Whether a Deployment runs some other program; a user may have put one before ours."""
    return _program_of(current) not in (_OURS, _program_of(wanted))


def _program_of(deployment: Object) -> str:
    return str(
        objects.get(deployment, "spec", "template", "spec", "containers", 0, "command", 0) or ""
    )


def released(obj: Object) -> Object:
    """The object, no longer a part of the controllers' Deployment, if it was."""
    reference = owners.controller_of(obj)
    if reference is None or not _is_controllers(reference):
        return obj
    kept = [each for each in owners.references_of(obj) if each != reference]
    return {**obj, "metadata": {**objects.metadata(obj), "ownerReferences": kept}}


def _is_controllers(reference: Object) -> bool:
    return reference.get("kind") == "Deployment" and reference.get("name") == labels.CONTROLLER
