"""Whether a claim with a data source can be filled now: its class, and its consumer."""

from collections.abc import Sequence
from dataclasses import dataclass

from cdi.api import annotations
from cdi.controllers import metadata
from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.storage import classes

_IN_TREE = "kubernetes.io/"


class ClassNotUsable(ValueError):
    """The class of a claim cannot be used by populators. The text says what helps."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """`node` is where the consumer will run, if anybody knows; empty otherwise."""

    ready: bool
    node: str = ""


WAIT = Readiness(ready=False)


def readiness_of(claim: Object, storage_classes: Sequence[Object]) -> Readiness:
    """Whether a claim's prime can be made. Raises ClassNotUsable."""
    name = objects.get(claim, "spec", "storageClassName")
    if name is None:
        return WAIT
    if name == "":
        raise ClassNotUsable("a claim without a class cannot be filled; set storageClassName")
    found = classes.named(storage_classes, name)
    if found is None:
        raise ClassNotUsable(f"StorageClass {name} does not exist; create it")
    given = objects.annotations(claim)
    provisioner = str(found.get("provisioner", ""))
    if provisioner.startswith(_IN_TREE) and not given.get(annotations.MIGRATED_TO):
        raise ClassNotUsable(
            f"provisioner {provisioner} of StorageClass {name} is built into Kubernetes and cannot "
            "fill claims from a data source; use a class with a CSI driver"
        )
    if found.get("volumeBindingMode") != classes.WAIT_FOR_FIRST_CONSUMER:
        return Readiness(ready=True)
    node = given.get(annotations.SELECTED_NODE, "")
    return Readiness(bool(node) or metadata.has(claim, annotations.BIND_IMMEDIATE), node)
