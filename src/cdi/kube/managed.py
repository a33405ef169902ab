"""
What tells a managed object from others, and how one that has drifted is brought back. Pure.

What others have added to an object stays; what they have changed or taken away comes back; what
we once wanted and want no more goes. That takes three states: what was applied last, recorded in
an annotation, what is wanted, and what there is.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cdi.kube import objects, owners
from cdi.kube.objects import Object

# Data of these is somebody else's: certificates, and what users put in.
_OPAQUE: Final = frozenset({"ConfigMap", "Secret"})
# The server adds nothing to items of their lists, so a foreign field there is drift.
_EXACT: Final = frozenset({"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"})
# Means something else with every key that is added.
_INDIVISIBLE: Final = frozenset({"selector", "nodeSelector"})
_NOT_OURS: Final = frozenset({"status", "metadata", "apiVersion", "kind"})


@dataclass(frozen=True, slots=True)
class Marks:
    """By which an operator knows what it has made: an annotation, and two labels."""

    last_applied: str  # annotation: what was wanted last
    created: str  # label: the version of the operator that made it
    updated: str  # label: the version that changed it last


def marked(desired: Object, owner: Object, version: str, marks: Marks) -> Object:
    """`desired` as it is created: with its marks and its owner."""
    made = _with_last_applied(desired, marks)
    made["metadata"]["labels"] = {
        **objects.labels(desired),
        marks.created: version,
        marks.updated: version,
    }
    made["metadata"]["ownerReferences"] = [owners.owner_reference(owner)]
    return made


def restored(
    current: Object, desired: Object, owner: Object, version: str, marks: Marks
) -> Object | None:
    """`current` brought back to what is wanted; None where nothing is to be done.

    Raises owners.AlreadyControlledError where somebody else manages the object.
    """
    wanted = copy.deepcopy(current)
    _merge_metadata(wanted, desired, marks)
    if current.get("kind", desired["kind"]) not in _OPAQUE:
        _merge_content(wanted, desired, _last_applied(current, marks))
    owners.add_owner(wanted, owners.owner_reference(owner))
    given = objects.labels(wanted)
    if wanted == current and marks.created in given:
        return None
    wanted["metadata"]["labels"] = {
        marks.created: version,
        **given,
        marks.updated: version,
    }
    return wanted


def is_managed_by(obj: Object, owner: Object, marks: Marks) -> bool:
    """Whether an operator made the object for this owner."""
    return marks.created in objects.labels(obj) and owners.is_controlled_by(obj, owner)


def merged(last: Any, desired: Any, current: Any, *, exact: bool = False) -> Any:
    """Three states to one; see above. Lists of equal length are merged item by item, unless
    `exact`, all others are replaced."""
    if isinstance(desired, Mapping) and isinstance(current, Mapping):
        before = last if isinstance(last, Mapping) else {}
        kept = {key: value for key, value in current.items() if key in desired or key not in before}
        for key, value in desired.items():
            if value is None:
                continue  # the server leaves out what is null
            if key in _INDIVISIBLE:
                kept[key] = copy.deepcopy(value)
                continue
            kept[key] = merged(before.get(key), value, current.get(key), exact=exact)
        return kept
    if _are_lists_of_objects(desired, current) and not exact:
        was: list[Any] = [None] * len(desired)
        if isinstance(last, list) and len(last) == len(desired):
            was = last
        return [_item(*each) for each in zip(was, desired, current, strict=True)]
    return copy.deepcopy(desired)


def _item(last: Any, desired: Any, current: Any) -> Any:
    """One item of a list; what has another name is another thing, with nothing to keep."""
    if desired.get("name") != current.get("name"):
        return copy.deepcopy(desired)
    same = isinstance(last, Mapping) and last.get("name") == desired.get("name")
    return merged(last if same else None, desired, current)


def _are_lists_of_objects(desired: Any, current: Any) -> bool:
    return (
        isinstance(desired, list)
        and isinstance(current, list)
        and len(desired) == len(current)
        and all(isinstance(each, Mapping) for each in (*desired, *current))
    )


def _merge_content(wanted: Object, desired: Object, last: Object) -> None:
    """Everything beside metadata and status, in place."""
    exact = desired["kind"] in _EXACT
    content = {key: value for key, value in desired.items() if key not in _NOT_OURS}
    before = {key: value for key, value in last.items() if key not in _NOT_OURS}
    now = {key: value for key, value in wanted.items() if key not in _NOT_OURS}
    after = merged(before, content, now, exact=exact)
    for key in now:
        if key not in after:
            del wanted[key]
    wanted.update(after)


def _merge_metadata(wanted: Object, desired: Object, marks: Marks) -> None:
    given = objects.metadata(_with_last_applied(desired, marks))
    for kind in ("labels", "annotations"):
        if given.get(kind):
            have = wanted["metadata"].get(kind) or {}
            wanted["metadata"][kind] = {**have, **given[kind]}


def _with_last_applied(desired: Object, marks: Marks) -> Object:
    made = copy.deepcopy(desired)
    text = json.dumps(desired, separators=(",", ":"), sort_keys=True)
    metadata = made["metadata"]
    metadata["annotations"] = {
        **(metadata.get("annotations") or {}),
        marks.last_applied: text,
    }
    return made


def _last_applied(current: Object, marks: Marks) -> Object:
    text = objects.annotations(current).get(marks.last_applied, "")
    try:
        found = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
