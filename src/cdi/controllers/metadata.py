"""
Labels and annotations that several controllers give to what they create, and reading them.

Elsewhere: the names of all of them (`cdi.api.annotations`, `cdi.api.labels`).
"""

from collections.abc import Mapping
from typing import Any, Final

from cdi.api import annotations, labels, resources
from cdi.controllers.settings import Settings
from cdi.kube import objects
from cdi.kube.objects import Object

_MANAGER: Final = "cdi-controller"
_COMPONENT: Final = "storage"
# What Kubernetes takes, keys and values together, and what of it is kept for what we have to say:
# a worker's last message has 4 KiB. In bytes.
ANNOTATIONS_LIMIT: Final = 256 << 10
_RESERVED: Final = 32 << 10
_TRUE_WORDS: Final = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE_WORDS: Final = frozenset({"0", "f", "F", "false", "FALSE", "False"})


class NotABoolean(ValueError):
    """An annotation should be a truth value, and is not."""

    def __init__(self, key: str, text: str) -> None:
        super().__init__(f"annotation {key} is {text!r}; want true or false")


def recommended_labels(settings: Settings) -> dict[str, str]:
    """What Kubernetes recommends for everything that somebody manages."""
    return {
        labels.MANAGED_BY: _MANAGER,
        labels.APP_COMPONENT: _COMPONENT,
        **settings.installer_labels,
    }


def passed_on(given: Mapping[str, str]) -> dict[str, str]:
    """The annotations of a claim that its workers and its prime get, with their defaults."""
    chosen = {key: given.get(key, default) for key, default in annotations.PASSED_ON.items()}
    return {key: value for key, value in chosen.items() if value is not None}


def parse_boolean(obj: Mapping[str, Any], key: str) -> bool | None:
    """A truth value in an annotation, by Go's rules; None where there is none.

    Raises NotABoolean.
    """
    text = objects.annotations(obj).get(key)
    if text is None:
        return None
    if text in _TRUE_WORDS:
        return True
    if text in _FALSE_WORDS:
        return False
    raise NotABoolean(key, text)


def is_true(obj: Mapping[str, Any], key: str) -> bool:
    """Whether an annotation says exactly `true`."""
    return objects.annotations(obj).get(key) == annotations.TRUE


def has(obj: Mapping[str, Any], key: str) -> bool:
    """Whether an annotation is there, whatever it says."""
    return key in objects.annotations(obj)


def changed(
    obj: Object,
    *,
    annotations: Mapping[str, str | None] | None = None,
    labels: Mapping[str, str | None] | None = None,
) -> Object:
    """A copy of an object with these annotations and labels; None takes one off."""
    wanted = {**obj, "metadata": {**objects.metadata(obj)}}
    for kind, values in (("annotations", annotations), ("labels", labels)):
        if values:
            merged = {**(wanted["metadata"].get(kind) or {}), **values}
            wanted["metadata"][kind] = {k: v for k, v in merged.items() if v is not None}
    return wanted


def annotations_size(values: Mapping[str, str]) -> int:
    """How much of an object's room for annotations these take, in bytes."""
    return sum(len(key.encode()) + len(value.encode()) for key, value in values.items())


def is_too_much(obj: Mapping[str, Any]) -> bool:
    """Whether the API server would refuse an object for its annotations."""
    return annotations_size(objects.annotations(obj)) > ANNOTATIONS_LIMIT


def fitting(given: Mapping[str, str]) -> dict[str, str]:
    """Annotations that leave an object room for ours: the largest of others are left out."""
    kept = dict(given)
    of_others = [key for key in kept if not key.startswith(f"{resources.CDI_GROUP}/")]
    for key in sorted(of_others, key=lambda each: len(kept[each]), reverse=True):
        if annotations_size(kept) <= ANNOTATIONS_LIMIT - _RESERVED:
            break
        del kept[key]
    return kept
