"""
The phases of our kinds, each with the moment it is set. Plain strings, as clients see them.

An absent phase reads as the empty string. Which phase follows from what is decided by the
controllers; here are only the words.
"""

from __future__ import annotations

from enum import StrEnum


class DataVolume(StrEnum):
    """`status.phase` of a DataVolume."""

    UNSET = ""  # not looked at yet, or its claim could not be rendered
    PENDING = "Pending"  # no claim yet, or the claim cannot be bound yet
    WAIT_FOR_FIRST_CONSUMER = "WaitForFirstConsumer"  # the claim waits for a pod that uses it
    PENDING_POPULATION = "PendingPopulation"  # the same, where a populator will fill it
    PVC_BOUND = "PVCBound"  # the claim is bound; the worker follows
    IMPORT_SCHEDULED = "ImportScheduled"  # the importer is waiting to run
    IMPORT_IN_PROGRESS = "ImportInProgress"  # the importer runs
    PAUSED = "Paused"  # a stage is copied; the next checkpoint is awaited
    UPLOAD_SCHEDULED = "UploadScheduled"  # the upload server is not ready yet
    UPLOAD_READY = "UploadReady"  # bytes may be sent
    CLONE_SCHEDULED = "CloneScheduled"  # the clone waits to begin
    CLONE_IN_PROGRESS = "CloneInProgress"  # bytes are being copied by pods
    SNAPSHOT_IN_PROGRESS = "SnapshotForSmartCloneInProgress"  # a snapshot is being taken
    CLONE_FROM_SNAPSHOT_IN_PROGRESS = "CloneFromSnapshotSourceInProgress"  # one is restored
    CSI_CLONE_IN_PROGRESS = "CSICloneInProgress"  # the storage clones
    PREP_CLAIM_IN_PROGRESS = "PrepClaimInProgress"  # the temporary claim is bound or resized
    REBIND_IN_PROGRESS = "RebindInProgress"  # the volume moves to its target claim
    SUCCEEDED = "Succeeded"  # the volume is filled
    FAILED = "Failed"  # the claim is lost, or another attempt would fail the same way
    UNKNOWN = "Unknown"  # the claim's phase makes no sense
    # kept in the API, never set any more
    SMART_CLONE_IN_PROGRESS = "SmartClonePVCInProgress"
    EXPANSION_IN_PROGRESS = "ExpansionInProgress"
    NAMESPACE_TRANSFER_IN_PROGRESS = "NamespaceTransferInProgress"

    @property
    def final(self) -> bool:
        """Whether nothing more happens by itself."""
        return self in {DataVolume.SUCCEEDED, DataVolume.FAILED}


class Clone(StrEnum):
    """Annotation `clonePhase` of a claim: what the clone populator is doing."""

    PENDING = "Pending"  # waiting for the source, or for a consumer
    SNAPSHOT = "Snapshot"  # taking a snapshot
    SNAPSHOT_CLONE = "SnapshotClone"  # restoring a snapshot
    CSI_CLONE = "CSIClone"  # the storage clones
    HOST_CLONE = "HostClone"  # pods copy bytes
    PREP_CLAIM = "PrepClaim"  # binding or resizing the temporary claim
    REBIND = "Rebind"  # moving the volume to its target
    SUCCEEDED = "Succeeded"  # done
    ERROR = "Error"  # failed; annotation cloneError says why, and it is tried again


class Transfer(StrEnum):
    """`status.phase` of an ObjectTransfer."""

    EMPTY = ""  # not looked at yet
    PENDING = "Pending"  # conditions for the transfer are not met
    RUNNING = "Running"  # the object is between its two places
    COMPLETE = "Complete"  # the object has arrived
    ERROR = "Error"  # the transfer cannot be done


class Deployment(StrEnum):
    """`status.phase` of a CDI."""

    EMPTY = ""  # not looked at yet
    DEPLOYING = "Deploying"  # first installation under way
    DEPLOYED = "Deployed"  # installed
    UPGRADING = "Upgrading"  # another version is being rolled out
    DELETING = "Deleting"  # removal under way
    DELETED = "Deleted"  # everything is removed
    ERROR = "Error"  # not the active CDI object, or in a state that cannot be


class Pod(StrEnum):
    """`status.phase` of a pod, and annotation `storage.pod.phase` of its claim."""

    EMPTY = ""  # no pod, or one that is to be replaced
    PENDING = "Pending"  # not running yet
    RUNNING = "Running"  # at least one container runs or is being restarted
    SUCCEEDED = "Succeeded"  # ended well
    FAILED = "Failed"  # ended badly and will not be restarted
    UNKNOWN = "Unknown"  # its node does not answer


class Claim(StrEnum):
    """`status.phase` of a PersistentVolumeClaim."""

    EMPTY = ""  # just created
    PENDING = "Pending"  # not bound yet
    BOUND = "Bound"  # has its volume
    LOST = "Lost"  # its volume has gone


class Pool(StrEnum):
    """`phase` of a HostPathProvisioner's storage pool."""

    PREPARING = "Preparing"  # claims are being created
    MOUNTING = "Mounting"  # claims are being mounted on their nodes
    READY = "Ready"  # volumes can be created
