"""
Owner references: who made an object, and with whom it goes.

Here: reading and building them, on plain dicts, no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cdi.kube import objects
from cdi.kube.objects import Object


class AlreadyControlledError(ValueError):
    """Another controller has this object; only one may."""


def owner_reference(
    owner: Mapping[str, Any], *, controller: bool = True, block_deletion: bool = True
) -> dict[str, Any]:
    """The reference that makes an object a dependent of `owner`.

    The owner needs apiVersion, kind and uid. `block_deletion` keeps an owner that is deleted in
    the foreground until the dependent is gone.
    """
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": controller,
        "blockOwnerDeletion": block_deletion,
    }


def references_of(obj: Mapping[str, Any]) -> list[dict[str, Any]]:
    return objects.metadata(obj).get("ownerReferences") or []


def controller_of(obj: Mapping[str, Any]) -> dict[str, Any] | None:
    """The reference to the one owner that manages this object."""
    return next((ref for ref in references_of(obj) if ref.get("controller")), None)


def is_controlled_by(obj: Mapping[str, Any], owner: Mapping[str, Any]) -> bool:
    """Whether exactly this owner, not a namesake, manages the object."""
    ref = controller_of(obj)
    return ref is not None and ref.get("uid") == objects.uid(owner) != ""


def is_owned_by(obj: Mapping[str, Any], owner: Mapping[str, Any]) -> bool:
    owner_uid = objects.uid(owner)
    return owner_uid != "" and any(ref.get("uid") == owner_uid for ref in references_of(obj))


def controller_name(obj: Mapping[str, Any], kind: str, group: str) -> str:
    """The name of the managing owner, if it is of this kind; empty otherwise."""
    ref = controller_of(obj)
    if ref is None or ref.get("kind") != kind:
        return ""
    of_group = str(ref.get("apiVersion", "")).rpartition("/")[0]
    return str(ref.get("name", "")) if of_group == group else ""


def add_owner(obj: Object, reference: Mapping[str, Any]) -> bool:
    """Put a reference on `obj`, in place; return whether that changed it.

    Raises AlreadyControlledError where the object has another controller already.
    """
    have = controller_of(obj)
    if reference.get("controller") and have is not None and have["uid"] != reference["uid"]:
        raise AlreadyControlledError(
            f"{objects.key(obj)} is controlled by {have.get('kind')} {have.get('name')!r}"
        )
    refs = references_of(obj)
    kept = [ref for ref in refs if ref.get("uid") != reference["uid"]]
    if len(kept) < len(refs) and dict(reference) in refs:
        return False
    obj.setdefault("metadata", {})["ownerReferences"] = [*kept, dict(reference)]
    return True
