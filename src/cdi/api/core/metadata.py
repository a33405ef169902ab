"""Object metadata, label selectors, references to other objects, conditions."""

from typing import Annotated, ClassVar

import msgspec

from cdi.api.view import ATOMIC_LIST, ATOMIC_MAP, Int64, Time, View, doc


class OwnerReference(View):
    """An object without which this one should not exist."""

    SCHEMA: ClassVar = ATOMIC_MAP

    api_version: Annotated[str, doc("Group and version of the owner.")]
    kind: Annotated[str, doc("Kind of the owner.")]
    name: Annotated[str, doc("Name of the owner, in the same namespace or cluster-wide.")]
    uid: Annotated[str, doc("UID of the owner.")]
    controller: Annotated[bool | None, doc("Whether the owner manages this object.")] = None
    block_owner_deletion: Annotated[
        bool | None, doc("Whether a foreground deletion of the owner waits for this object.")
    ] = None


class ObjectMeta(View):
    """The part of an object that is the same for every kind."""

    name: Annotated[str | None, doc("Name, unique for its kind in its namespace.")] = None
    generate_name: Annotated[str | None, doc("Beginning of a name that the server completes.")] = (
        None
    )
    namespace: Annotated[str | None, doc("Namespace; absent on cluster-wide objects.")] = None
    labels: Annotated[dict[str, str] | None, doc("Keys and values to select objects by.")] = None
    annotations: Annotated[dict[str, str] | None, doc("Keys and values for programs.")] = None
    finalizers: Annotated[list[str] | None, doc("Who has to agree before the object may go.")] = (
        None
    )
    owner_references: Annotated[
        list[OwnerReference] | None, doc("Objects without which this one should not exist.")
    ] = None
    uid: Annotated[str | None, doc("Unique in time and space; set by the server.")] = None
    resource_version: Annotated[
        str | None, doc("Version of the stored object, to be compared for equality only.")
    ] = None
    generation: Annotated[
        Int64 | None, doc("Counts the changes of the wanted state; set by the server.")
    ] = None
    creation_timestamp: Annotated[Time | None, doc("When the object was created.")] = None
    deletion_timestamp: Annotated[
        Time | None, doc("Set once the object is being deleted and waits for its finalizers.")
    ] = None
    deletion_grace_period_seconds: Annotated[
        Int64 | None, doc("Seconds that the object is given to end by itself.")
    ] = None


class TemplateMeta(View):
    """The metadata that objects made from a template receive."""

    labels: Annotated[dict[str, str] | None, doc("Labels of the objects made from this.")] = None
    annotations: Annotated[
        dict[str, str] | None, doc("Annotations of the objects made from this.")
    ] = None


class LabelSelectorRequirement(View):
    """One condition on the labels of an object."""

    key: Annotated[str, doc("Label that the condition is about.")]
    operator: Annotated[str, doc("In, NotIn, Exists or DoesNotExist.")]
    values: Annotated[
        list[str] | None,
        doc("Values to compare with; empty for Exists and DoesNotExist.", **ATOMIC_LIST),
    ] = None


class LabelSelector(View):
    """Conditions on the labels of objects, all of which have to hold."""

    SCHEMA: ClassVar = ATOMIC_MAP

    match_expressions: Annotated[
        list[LabelSelectorRequirement] | None,
        doc("Conditions, all of which have to hold.", **ATOMIC_LIST),
    ] = None
    match_labels: Annotated[
        dict[str, str] | None, doc("Labels that have to be present with exactly these values.")
    ] = None


class LocalObjectReference(View):
    """The name of an object in the same namespace."""

    SCHEMA: ClassVar = ATOMIC_MAP

    name: Annotated[str | None, doc("Name of the object.", default="")] = None


class TypedLocalObjectReference(View):
    """An object of a named kind in the same namespace."""

    SCHEMA: ClassVar = ATOMIC_MAP

    kind: Annotated[str, doc("Kind of the object.")]
    name: Annotated[str, doc("Name of the object.")]
    api_group: Annotated[
        str | None, doc("Group of the kind; absent or empty for Kubernetes' core group.")
    ] = None


class TypedObjectReference(View):
    """An object of a named kind, possibly in another namespace."""

    kind: Annotated[str, doc("Kind of the object.")]
    name: Annotated[str, doc("Name of the object.")]
    api_group: Annotated[
        str | None, doc("Group of the kind; absent or empty for Kubernetes' core group.")
    ] = None
    namespace: Annotated[
        str | None, doc("Namespace of the object; absent means the referring object's own.")
    ] = None


class ObjectReference(View):
    """An object anywhere, as named by whoever refers to it."""

    SCHEMA: ClassVar = ATOMIC_MAP

    api_version: Annotated[str | None, doc("Group and version.")] = None
    field_path: Annotated[str | None, doc("Part of the object that is meant.")] = None
    kind: Annotated[str | None, doc("Kind.")] = None
    name: Annotated[str | None, doc("Name.")] = None
    namespace: Annotated[str | None, doc("Namespace.")] = None
    resource_version: Annotated[str | None, doc("Version of the object that is meant.")] = None
    uid: Annotated[str | None, doc("UID.")] = None


class Condition(View):
    """One aspect of an object's state, and since when it has been so."""

    type_: Annotated[str, doc("What the condition is about.")] = msgspec.field(name="type")
    status: Annotated[str, doc("True, False or Unknown.")]
    reason: Annotated[str | None, doc("One word for programs: why it is so.")] = None
    message: Annotated[str | None, doc("A sentence for people: why it is so.")] = None
    last_transition_time: Annotated[Time | None, doc("When the status changed last.")] = None
    last_heartbeat_time: Annotated[
        Time | None, doc("When status, reason or message changed last.")
    ] = None
