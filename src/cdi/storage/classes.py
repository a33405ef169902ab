"""
Which StorageClass a claim gets.

A name that is given is either found or not: it never falls back to a default, and the empty
string is a name too. Where none is given, disks prefer the default for virtual machines, and
archives take the default of the cluster. Of several classes marked in the same way the newest
counts, then the first by name, which is Kubernetes' own rule.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from cdi.api import annotations
from cdi.storage import documents, modes

Object = dict[str, Any]

IMMEDIATE: Final = "Immediate"  # binding modes; absent means this one
WAIT_FOR_FIRST_CONSUMER: Final = "WaitForFirstConsumer"


def choose(classes: Iterable[Object], name: str | None, content_type: str = "") -> Object | None:
    """Return the class of a claim that is rendered, or None."""
    if name is not None:
        return named(classes, name)
    classes = list(classes)
    if content_type == modes.ARCHIVE:
        return default(classes)
    return default_for_machines(classes) or default(classes)


def choose_as_kubernetes(classes: Iterable[Object], name: str | None) -> Object | None:
    """Return the class that Kubernetes gives a claim, or None."""
    return default(classes) if name is None else named(classes, name)


def named(classes: Iterable[Object], name: str) -> Object | None:
    return next((each for each in classes if documents.name(each) == name), None)


def default(classes: Iterable[Object]) -> Object | None:
    """Return the default class of the cluster, or None."""
    return _newest_marked(classes, annotations.DEFAULT_STORAGE_CLASS)


def default_for_machines(classes: Iterable[Object]) -> Object | None:
    """Return the default class for disks of virtual machines, or None."""
    return _newest_marked(classes, annotations.DEFAULT_VIRT_STORAGE_CLASS)


def waits_for_consumer(storage_class: Mapping[str, Any] | None) -> bool:
    """Tell whether volumes of a class are made only when a pod wants to use them."""
    return bool(documents.at(storage_class, "volumeBindingMode") == WAIT_FOR_FIRST_CONSUMER)


def is_marked(obj: Mapping[str, Any], annotation: str) -> bool:
    """Tell whether an annotation says `true`, in exactly this spelling."""
    return documents.annotation(obj, annotation) == annotations.TRUE


def _newest_marked(classes: Iterable[Object], annotation: str) -> Object | None:
    marked = [each for each in classes if is_marked(each, annotation)]
    by_name = sorted(marked, key=documents.name)
    return max(by_name, key=_created, default=None)  # max keeps the first of equals


def _created(obj: Object) -> str:
    # Kubernetes writes every creation time in one format and in UTC: text order is time order.
    return str(documents.at(obj, "metadata", "creationTimestamp") or "")
