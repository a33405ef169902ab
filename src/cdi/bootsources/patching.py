"""JSON patches that administrators put into annotations, for what has no setting of its own. Pure.

They are applied to objects as they are made from the settings, last of all. What a patch removes
is taken off. Raises InvalidPatch.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

import jsonpatch

from cdi.kube import objects
from cdi.kube.objects import Object


class InvalidPatch(ValueError):
    """The JSON patch in an annotation makes no sense."""


def patched(made: Object, hyperconverged: Object, annotation: str) -> Object:
    """A merge patch, with the JSON patch of an annotation, if there is one, on top."""
    text = objects.annotations(hyperconverged).get(annotation)
    if not text:
        return made
    try:
        found: Object = jsonpatch.JsonPatch(json.loads(text)).apply(copy.deepcopy(made))
    except (
        ValueError,
        TypeError,
        jsonpatch.JsonPatchException,
        jsonpatch.JsonPointerException,
    ) as error:
        raise InvalidPatch(
            f"annotation {annotation} is no JSON patch that fits: {error}"
        ) from error
    if not isinstance(found, dict) or found.get("metadata", {}).get("name") != objects.name(made):
        raise InvalidPatch(f"annotation {annotation} makes another object; patch its spec")
    return _with_removals(made, found)


def _with_removals(before: Mapping[str, Any], after: Mapping[str, Any]) -> Object:
    """In a merge patch, what is not there is left alone; what has gone has to be said."""
    made: Object = {key: None for key in before if key not in after}
    for key, value in after.items():
        earlier = before.get(key)
        if isinstance(value, Mapping) and isinstance(earlier, Mapping):
            made[key] = _with_removals(earlier, value)
        else:
            made[key] = value
    return made
