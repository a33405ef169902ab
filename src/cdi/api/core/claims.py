"""What a PersistentVolumeClaim asks for, and what containers may use."""

from typing import Annotated

import msgspec

from cdi.api.core.metadata import (
    LabelSelector,
    TypedLocalObjectReference,
    TypedObjectReference,
)
from cdi.api.view import ATOMIC_LIST, Quantity, Time, View, doc


class VolumeResourceRequirements(View):
    """How large a volume has to be."""

    limits: Annotated[dict[str, Quantity] | None, doc("The most that is wanted, by resource.")] = (
        None
    )
    requests: Annotated[
        dict[str, Quantity] | None, doc("The least that is wanted, by resource: storage.")
    ] = None


class PersistentVolumeClaimSpec(View):
    """What a claim asks for. Field for field as Kubernetes has it."""

    access_modes: Annotated[
        list[str] | None,
        doc(
            "How nodes may use the volume: ReadWriteOnce, ReadOnlyMany, ReadWriteMany, "
            "ReadWriteOncePod.",
            **ATOMIC_LIST,
        ),
    ] = None
    data_source: Annotated[
        TypedLocalObjectReference | None,
        doc("A claim or a snapshot in the same namespace to fill the volume from."),
    ] = None
    data_source_ref: Annotated[
        TypedObjectReference | None,
        doc("Any object to fill the volume from; a populator of that kind has to exist."),
    ] = None
    resources: Annotated[
        VolumeResourceRequirements | None, doc("The least and the most size that is wanted.")
    ] = None
    selector: Annotated[
        LabelSelector | None, doc("Labels that a PersistentVolume must have to be bound.")
    ] = None
    storage_class_name: Annotated[
        str | None,
        doc("StorageClass of the volume; absent means the default, empty means none."),
    ] = None
    volume_attributes_class_name: Annotated[
        str | None, doc("VolumeAttributesClass of the volume; may change later.")
    ] = None
    volume_mode: Annotated[str | None, doc("Filesystem or Block; absent means Filesystem.")] = None
    volume_name: Annotated[str | None, doc("The PersistentVolume to be bound to.")] = None


class ResourceClaim(View):
    """A claim on a device, as listed by the pod."""

    name: Annotated[str, doc("Name of the entry in the pod's resourceClaims.")]
    request: Annotated[
        str | None, doc("The one request of that claim which is meant; absent means all.")
    ] = None


class ResourceRequirements(View):
    """What a container may use at most, and what is set aside for it."""

    claims: Annotated[
        list[ResourceClaim] | None,
        doc(
            "Devices that the container uses. Accepted, and not used by CDI.",
            x_kubernetes_list_type="map",
            x_kubernetes_list_map_keys=["name"],
        ),
    ] = None
    limits: Annotated[
        dict[str, Quantity] | None, doc("The most that the container may use, by resource.")
    ] = None
    requests: Annotated[
        dict[str, Quantity] | None, doc("What is set aside for the container, by resource.")
    ] = None


class PersistentVolumeClaimCondition(View):
    """One aspect of a claim's state."""

    type_: Annotated[str, doc("What the condition is about.")] = msgspec.field(name="type")
    status: Annotated[str, doc("True, False or Unknown.")]
    reason: Annotated[str | None, doc("One word for programs: why it is so.")] = None
    message: Annotated[str | None, doc("A sentence for people: why it is so.")] = None
    last_probe_time: Annotated[Time | None, doc("When it was looked at last.")] = None
    last_transition_time: Annotated[Time | None, doc("When the status changed last.")] = None


class ModifyVolumeStatus(View):
    """A change of a volume's attributes that is under way."""

    status: Annotated[str, doc("Pending, InProgress or Infeasible.")]
    target_volume_attributes_class_name: Annotated[
        str | None, doc("VolumeAttributesClass that is being applied.")
    ] = None


class VolumeHealthCondition(View):
    """Something that is wrong with a volume."""

    status: Annotated[str, doc("Inaccessible, DataLoss or Degraded.")]
    reason: Annotated[str, doc("One word for programs: what is wrong.")]
    message: Annotated[str | None, doc("A sentence for people: what is wrong.")] = None


class VolumeHealthStatus(View):
    """What the storage says about a volume's health."""

    health_conditions: Annotated[
        list[VolumeHealthCondition] | None,
        doc("What is wrong with the volume; empty while nothing is.", **ATOMIC_LIST),
    ] = None
    last_transition_time: Annotated[Time | None, doc("When this list became what it is.")] = None


class PersistentVolumeClaimStatus(View):
    """What a claim has got. Field for field as Kubernetes has it."""

    access_modes: Annotated[
        list[str] | None, doc("How nodes may use the volume.", **ATOMIC_LIST)
    ] = None
    allocated_resource_statuses: Annotated[
        dict[str, str] | None,
        doc("How far a change of size has come, by resource.", x_kubernetes_map_type="granular"),
    ] = None
    allocated_resources: Annotated[
        dict[str, Quantity] | None, doc("What is set aside for the volume, by resource.")
    ] = None
    capacity: Annotated[dict[str, Quantity] | None, doc("What the volume has, by resource.")] = None
    conditions: Annotated[
        list[PersistentVolumeClaimCondition] | None,
        doc(
            "What is going on; resizing, for example.",
            x_kubernetes_list_type="map",
            x_kubernetes_list_map_keys=["type"],
        ),
    ] = None
    current_volume_attributes_class_name: Annotated[
        str | None, doc("VolumeAttributesClass that is in effect.")
    ] = None
    health_status: Annotated[
        VolumeHealthStatus | None, doc("What the storage says about the volume's health.")
    ] = None
    modify_volume_status: Annotated[
        ModifyVolumeStatus | None, doc("A change of attributes that is under way.")
    ] = None
    phase: Annotated[str | None, doc("Pending, Bound or Lost.")] = None
