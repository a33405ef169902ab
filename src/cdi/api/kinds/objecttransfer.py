"""ObjectTransfer (deprecated): moves a DataVolume or a claim to another name or namespace."""

from typing import Annotated

from cdi.api.core.metadata import Condition
from cdi.api.kinds.root import Root
from cdi.api.view import View, doc


class TransferSource(View):
    """What is moved."""

    kind: Annotated[str, doc("DataVolume or PersistentVolumeClaim.")]
    namespace: Annotated[str, doc("Namespace of the object.")]
    name: Annotated[str, doc("Name of the object.")]
    api_version: Annotated[str | None, doc("Accepted, and not used: the kind says enough.")] = None
    required_annotations: Annotated[
        dict[str, str] | None, doc("Annotations that the object must have before it is moved.")
    ] = None


class TransferTarget(View):
    """Where it is moved to; what is left out stays as it was."""

    namespace: Annotated[str | None, doc("New namespace; absent means the same.")] = None
    name: Annotated[str | None, doc("New name; absent means the same.")] = None


class ObjectTransferSpec(View):
    """What is wanted. May not change."""

    source: Annotated[TransferSource, doc("The object that is moved.")]
    target: Annotated[TransferTarget, doc("Where it is moved to.")]
    parent_name: Annotated[str | None, doc("The transfer that this one is a part of.")] = None


class ObjectTransferStatus(View):
    """How far it has come."""

    data: Annotated[
        dict[str, str] | None, doc("What has to be remembered while the object is moved.")
    ] = None
    phase: Annotated[
        str | None, doc("Pending, Running, Complete or Error; empty before the first look.")
    ] = None
    conditions: Annotated[list[Condition] | None, doc("Complete, with the state in words.")] = None


class ObjectTransfer(Root, kw_only=True):
    """Moves a DataVolume or a claim to another name or namespace. Deprecated."""

    spec: Annotated[ObjectTransferSpec, doc("What is wanted.")]
    status: Annotated[ObjectTransferStatus | None, doc("How far the move has come.")] = None
