"""HostPathProvisioner: volumes in directories of the nodes."""

from typing import Annotated

from cdi.api.core.claims import PersistentVolumeClaimSpec, PersistentVolumeClaimStatus
from cdi.api.core.placement import NodePlacement
from cdi.api.kinds.cdi import InstallationStatus
from cdi.api.kinds.root import Root
from cdi.api.view import ATOMIC_LIST, Int64, View, doc


class PathConfig(View):
    """One directory on every node, for the legacy provisioner."""

    path: Annotated[str, doc("Directory that holds the volumes.", minLength=1)]
    use_naming_prefix: Annotated[
        bool | None, doc("Begin the names of directories with the name of the claim.")
    ] = None


class StoragePool(View):
    """A place on every node for volumes."""

    name: Annotated[
        str,
        doc("Name by which a StorageClass refers to the pool.", minLength=1, maxLength=50),
    ]
    path: Annotated[
        str, doc("Directory on the node that holds the volumes.", minLength=1, maxLength=255)
    ]
    pvc_template: Annotated[
        PersistentVolumeClaimSpec | None,
        doc("The directory is on a claim of its own, made from this, instead of on the node."),
    ] = None
    snapshot_path: Annotated[str | None, doc("Directory that holds the snapshots.")] = None
    snapshot_provider: Annotated[
        str | None, doc("How snapshots are taken: file copies that share blocks.", enum=["reflink"])
    ] = None
    overlay_class_name: Annotated[
        str | None, doc("StorageClass for a shared pool; hpp-overlay by default.")
    ] = None


class HostPathProvisionerSpec(View):
    """What is wanted: either a pathConfig or storage pools."""

    image_pull_policy: Annotated[
        str | None, doc("When images are pulled: Always, IfNotPresent or Never.")
    ] = None
    path_config: Annotated[PathConfig | None, doc("One directory for all volumes. Deprecated.")] = (
        None
    )
    storage_pools: Annotated[
        list[StoragePool] | None, doc("Places for volumes.", **ATOMIC_LIST)
    ] = None
    workload: Annotated[NodePlacement | None, doc("Which nodes have volumes.")] = None
    feature_gates: Annotated[
        list[str] | None,
        doc("Behaviours that are off unless listed: Snapshotting.", x_kubernetes_list_type="set"),
    ] = None


class ClaimStatus(View):
    """One node's claim of a pool that is on claims."""

    name: Annotated[str, doc("Name of the claim.")]
    status: Annotated[PersistentVolumeClaimStatus, doc("What the claim has got.")]


class StoragePoolStatus(View):
    """How far a pool has come."""

    name: Annotated[str, doc("Name of the pool.")]
    phase: Annotated[
        str, doc("What is happening to the pool.", enum=["Preparing", "Mounting", "Ready"])
    ]
    desired_ready: Annotated[
        Int64 | None, doc("On how many nodes a pool on claims should be mounted.")
    ] = None
    current_ready: Annotated[
        Int64 | None, doc("On how many nodes a pool on claims is mounted.")
    ] = None
    claim_statuses: Annotated[
        list[ClaimStatus] | None, doc("The claims of a pool on claims.", **ATOMIC_LIST)
    ] = None


class HostPathProvisionerStatus(InstallationStatus):
    """How far the operator has come."""

    storage_pool_statuses: Annotated[
        list[StoragePoolStatus] | None, doc("The pools, sorted by name.", **ATOMIC_LIST)
    ] = None


class HostPathProvisioner(Root, kw_only=True):
    """Volumes in directories of the nodes. There is one."""

    spec: Annotated[HostPathProvisionerSpec, doc("What is wanted.")]
    status: Annotated[HostPathProvisionerStatus | None, doc("How far the operator has come.")] = (
        None
    )
