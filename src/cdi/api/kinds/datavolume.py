"""DataVolume: a claim, and what it is to be filled from."""

from typing import Annotated

from cdi.api.core.claims import PersistentVolumeClaimSpec, VolumeResourceRequirements
from cdi.api.core.metadata import (
    Condition,
    LabelSelector,
    TypedLocalObjectReference,
    TypedObjectReference,
)
from cdi.api.kinds.root import Root
from cdi.api.kinds.sources import Checkpoint, DataVolumeSource
from cdi.api.view import Int32, View, doc

CONTENT_TYPES = ("kubevirt", "archive")


class DataVolumeSourceRef(View):
    """An object that knows what to fill the volume from."""

    kind: Annotated[str, doc("Kind of the object: DataSource.")]
    name: Annotated[str, doc("Name of the object.")]
    namespace: Annotated[
        str | None, doc("Namespace of the object; absent means the DataVolume's own.")
    ] = None


class StorageSpec(View):
    """A claim of which the StorageProfile completes what is left out."""

    access_modes: Annotated[
        list[str] | None,
        doc(
            "How nodes may use the volume: ReadWriteOnce, ReadOnlyMany, ReadWriteMany, "
            "ReadWriteOncePod. Absent means what the StorageProfile says."
        ),
    ] = None
    data_source: Annotated[
        TypedLocalObjectReference | None,
        doc("Object in the same namespace from which a foreign populator fills the volume."),
    ] = None
    data_source_ref: Annotated[
        TypedObjectReference | None,
        doc("Object from which a foreign populator fills the volume."),
    ] = None
    resources: Annotated[
        VolumeResourceRequirements | None,
        doc("Usable size of the disk; room for a file system is added to it."),
    ] = None
    selector: Annotated[
        LabelSelector | None, doc("Labels that a PersistentVolume must have to be bound.")
    ] = None
    storage_class_name: Annotated[
        str | None,
        doc(
            "StorageClass of the volume; absent means the default for virtual machines, then "
            "the cluster's default. Empty means none."
        ),
    ] = None
    volume_mode: Annotated[
        str | None,
        doc("Filesystem or Block; absent means what the StorageProfile says."),
    ] = None
    volume_name: Annotated[str | None, doc("The PersistentVolume to be bound to.")] = None


class DataVolumeSpec(View):
    """What is wanted. May not change, except for the checkpoints of a multi-stage import."""

    source: Annotated[
        DataVolumeSource | None, doc("What to fill the volume from: at most one member.")
    ] = None
    source_ref: Annotated[
        DataVolumeSourceRef | None, doc("A DataSource that says what to fill the volume from.")
    ] = None
    pvc: Annotated[
        PersistentVolumeClaimSpec | None,
        doc("The claim, word for word. Either this or storage."),
    ] = None
    storage: Annotated[
        StorageSpec | None,
        doc("The claim, completed from the StorageProfile. Either this or pvc."),
    ] = None
    priority_class_name: Annotated[
        str | None, doc("Priority class of the pods that fill the volume.")
    ] = None
    service_account_name: Annotated[
        str | None, doc("Service account of the importer and upload server pods.")
    ] = None
    content_type: Annotated[
        str | None,
        doc(
            "kubevirt: a disk image, converted to raw, the default. archive: a tar, unpacked.",
            enum=list(CONTENT_TYPES),
        ),
    ] = None
    checkpoints: Annotated[
        list[Checkpoint] | None,
        doc("Stages of a multi-stage import, oldest first; vddk and imageio only."),
    ] = None
    final_checkpoint: Annotated[
        bool | None, doc("Whether the last checkpoint completes the import.")
    ] = None
    preallocation: Annotated[
        bool | None, doc("Allocate the whole volume; absent means what CDIConfig says.")
    ] = None


class DataVolumeStatus(View):
    """How far it has come."""

    claim_name: Annotated[str | None, doc("The claim; it has the DataVolume's name.")] = None
    phase: Annotated[str | None, doc("What is happening: Pending, ..., Succeeded, Failed.")] = None
    progress: Annotated[str | None, doc("N/A, or a percentage such as 57.23%.")] = None
    restart_count: Annotated[
        Int32 | None, doc("How often the pod that fills the volume was restarted.")
    ] = None
    conditions: Annotated[
        list[Condition] | None, doc("Bound, Ready and Running, with reasons.")
    ] = None


class DataVolume(Root, kw_only=True):
    """A claim for a volume together with what the volume is to be filled from."""

    spec: Annotated[DataVolumeSpec, doc("What is wanted.")]
    status: Annotated[
        DataVolumeStatus | None, doc("How far the volume is filled, and what it waits for.")
    ] = None
