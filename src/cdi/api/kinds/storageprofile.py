"""StorageProfile: what a storage class can do, as detected and as corrected by hand."""

from typing import Annotated

from cdi.api.core.metadata import Condition
from cdi.api.kinds.root import Root
from cdi.api.view import View, doc

_ACCESS_MODES = "['ReadWriteOnce', 'ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOncePod']"


class ClaimPropertySet(View):
    """A volume mode and access modes that work together."""

    access_modes: Annotated[
        list[str],
        doc(
            "Access modes that claims get when they name none.",
            maxItems=4,
            x_kubernetes_validations=[
                {
                    "rule": f"self.all(mode, mode in {_ACCESS_MODES})",
                    "message": "Illegal AccessMode",
                }
            ],
        ),
    ]
    volume_mode: Annotated[str, doc("Volume mode that claims get.", enum=["Block", "Filesystem"])]


class StorageProfileSpec(View):
    """Corrections by the administrator; each wins over what was detected."""

    clone_strategy: Annotated[
        str | None, doc("Preferred way to clone: copy, snapshot or csi-clone.")
    ] = None
    claim_property_sets: Annotated[
        list[ClaimPropertySet] | None,
        doc("What claims can have, best first. Replaces the detected sets.", maxItems=8),
    ] = None
    data_import_cron_source_format: Annotated[
        str | None, doc("How boot images are kept: snapshot or pvc.")
    ] = None
    snapshot_class: Annotated[
        str | None, doc("VolumeSnapshotClass for the snapshots that CDI takes.")
    ] = None


class StorageProfileStatus(View):
    """What is in effect."""

    storage_class: Annotated[str | None, doc("The StorageClass this is about.")] = None
    provisioner: Annotated[str | None, doc("Who makes volumes of the class.")] = None
    clone_strategy: Annotated[
        str | None, doc("How volumes are cloned: copy, snapshot or csi-clone.")
    ] = None
    claim_property_sets: Annotated[
        list[ClaimPropertySet] | None, doc("What claims can have, best first.", maxItems=8)
    ] = None
    data_import_cron_source_format: Annotated[
        str | None, doc("How boot images are kept: snapshot or pvc.")
    ] = None
    snapshot_class: Annotated[
        str | None, doc("VolumeSnapshotClass of the snapshots that CDI takes.")
    ] = None
    conditions: Annotated[
        list[Condition] | None, doc("Recognized: whether the provisioner is known.")
    ] = None


class StorageProfile(Root, kw_only=True):
    """What a StorageClass can do. One for each class, with the same name."""

    spec: Annotated[StorageProfileSpec, doc("Corrections by the administrator.")]
    status: Annotated[
        StorageProfileStatus | None,
        doc("What is in effect: detected, with the corrections of spec."),
    ] = None
