"""
The objects that a claim's dataSourceRef names so that a populator fills it: volume sources of
CDI itself, and the two kinds of forklift.
"""

from typing import Annotated

from cdi.api.core.metadata import TypedLocalObjectReference
from cdi.api.kinds.root import Nothing, Root
from cdi.api.kinds.sources import Checkpoint, ImportSource
from cdi.api.view import View, doc

_STATUS = "Always empty: what happens is told on the claim."


class VolumeImportSourceSpec(View):
    """What is wanted. May not change, except for the checkpoints."""

    source: Annotated[ImportSource | None, doc("What to import from: exactly one member.")] = None
    preallocation: Annotated[
        bool | None, doc("Allocate the whole volume; absent means what CDIConfig says.")
    ] = None
    content_type: Annotated[
        str | None, doc("kubevirt: a disk image, the default. archive: a tar, unpacked.")
    ] = None
    target_claim: Annotated[
        str | None,
        doc("The only claim that may be filled; needed for a multi-stage import."),
    ] = None
    checkpoints: Annotated[
        list[Checkpoint] | None,
        doc("Stages of a multi-stage import, oldest first; vddk and imageio only."),
    ] = None
    final_checkpoint: Annotated[
        bool | None, doc("Whether the last checkpoint completes the import.")
    ] = None


class VolumeImportSource(Root, kw_only=True):
    """Claims that refer to this are filled by an import."""

    spec: Annotated[VolumeImportSourceSpec, doc("What is wanted.")]
    status: Annotated[Nothing | None, doc(_STATUS)] = None


class VolumeUploadSourceSpec(View):
    """What is wanted. May not change."""

    content_type: Annotated[
        str | None, doc("kubevirt: a disk image, the default. archive: a tar, unpacked.")
    ] = None
    preallocation: Annotated[
        bool | None, doc("Allocate the whole volume; absent means what CDIConfig says.")
    ] = None


class VolumeUploadSource(Root, kw_only=True):
    """Claims that refer to this are filled by an upload."""

    spec: Annotated[VolumeUploadSourceSpec, doc("What is wanted.")]
    status: Annotated[Nothing | None, doc(_STATUS)] = None


class VolumeCloneSourceSpec(View):
    """What is wanted."""

    source: Annotated[
        TypedLocalObjectReference,
        doc("PersistentVolumeClaim or VolumeSnapshot in the namespace of this object."),
    ]
    preallocation: Annotated[
        bool | None, doc("Allocate the whole volume; absent means what CDIConfig says.")
    ] = None
    priority_class_name: Annotated[str | None, doc("Priority class of the pods that copy.")] = None


class VolumeCloneSource(Root, kw_only=True):
    """Claims that refer to this are filled by a clone."""

    spec: Annotated[VolumeCloneSourceSpec, doc("What is wanted.")]


class PopulatorStatus(View):
    """How far it has come."""

    progress: Annotated[str | None, doc("Not written; progress is shown on the claim.")] = None


class OvirtVolumePopulatorSpec(View):
    """Which disk of which oVirt engine."""

    engine_url: Annotated[str, doc("URL of the engine's API.")]
    secret_ref: Annotated[str, doc("Secret in the same namespace with user and password.")]
    disk_id: Annotated[str, doc("ID of the disk.")]
    transfer_network: Annotated[
        str | None, doc("Network attachment that becomes the pod's default network.")
    ] = None


class OvirtVolumePopulator(Root, kw_only=True):
    """Claims that refer to this are filled with a disk of an oVirt engine."""

    spec: Annotated[OvirtVolumePopulatorSpec, doc("What is wanted.")]
    status: Annotated[PopulatorStatus | None, doc("How far it has come.")] = None


class OpenstackVolumePopulatorSpec(View):
    """Which image of which OpenStack."""

    identity_url: Annotated[str, doc("URL of the identity service.")]
    secret_ref: Annotated[str, doc("Secret in the same namespace with the credentials.")]
    image_id: Annotated[str, doc("ID of the image.")]
    transfer_network: Annotated[
        str | None, doc("Network attachment that becomes the pod's default network.")
    ] = None


class OpenstackVolumePopulator(Root, kw_only=True):
    """Claims that refer to this are filled with an OpenStack image."""

    spec: Annotated[OpenstackVolumePopulatorSpec, doc("What is wanted.")]
    status: Annotated[PopulatorStatus | None, doc("How far it has come.")] = None
