"""
Reasons of conditions and events, once each, grouped by what they are about.

A reason is a stable word for programs; the message beside it is for people and may change
unless a constant for it stands here. Reasons of a stopped transfer (`ChecksumError`,
`TargetTooSmall`, ...) are fixed by the error classes of `cdi.images.errors` and travel in the
worker's termination message; those that controllers must know by name stand here too. The
reason of a container that stopped or waits (`ContainerCreating`, `OOMKilled`) is passed on.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Condition(StrEnum):
    """Types of conditions."""

    BOUND = "Bound"  # DataVolume: its claim has a volume
    READY = "Ready"  # DataVolume: filled; DataSource: can be cloned from
    RUNNING = "Running"  # DataVolume: bytes are flowing
    RECOGNIZED = "Recognized"  # StorageProfile: its provisioner is known
    PROGRESSING = "Progressing"  # DataImportCron: importing; CDI: rolling out
    UP_TO_DATE = "UpToDate"  # DataImportCron: the newest digest is imported
    COMPLETE = "Complete"  # ObjectTransfer: the object has arrived
    AVAILABLE = "Available"  # CDI, HostPathProvisioner: usable
    DEGRADED = "Degraded"  # CDI, HostPathProvisioner: not as it should be
    DEPLOYED = "Deployed"  # data import cron template: handed on


class Status(StrEnum):
    """Status of a condition."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class EventType(StrEnum):
    """Types of events."""

    NORMAL = "Normal"
    WARNING = "Warning"


# DataVolume, conditions Bound and Ready

CLAIM_BOUND = "Bound"  # the claim has its volume
CLAIM_PENDING = "Pending"  # the claim waits for its volume
CLAIM_NOT_FOUND = "NotFound"  # there is no claim
CLAIM_LOST = "ClaimLost"  # the claim's volume has gone
CREATING_SCRATCH = "CreatingScratchSpace"  # a scratch claim is being created
AWAITING_VDDK = "AwaitingVDDK"  # nobody has named an image with the VDDK library
TRANSFER_RUNNING = "TransferRunning"  # not ready because bytes are flowing

# DataVolume, condition Running

POD_RUNNING = "Pod is running"  # the worker runs; clients match these words
POPULATOR_RUNNING = "Populator is running"  # a clone populator is at work
COMPLETED = "Completed"  # the worker ended well
ERROR = "Error"  # the worker ended badly; KubeVirt shows the machine as failed
OOM_KILLED = "OOMKilled"  # the worker was killed for memory
CANCELLED = "Cancelled"  # the worker was told to stop, and will continue
IMAGE_PULL_FAILED = "ImagePullFailed"  # a container image cannot be pulled
SCRATCH_REQUIRED = "Scratch space required"  # the worker is run again with scratch space
CHECKSUM_ERROR = "ChecksumError"  # the source is not what was promised
UNSCHEDULABLE = "Unschedulable"  # no node takes the worker
CLONE_PENDING = "Pending"  # the clone waits to begin

# DataVolume and claim, failures

ERR_STARTING_POD = "ErrStartingPod"  # a pod could not be created
ERR_EXCEEDED_QUOTA = "ErrExceededQuota"  # a quota forbids a pod or a claim
ERR_CLAIM_NOT_VALID = "ErrClaimNotValid"  # the DataVolume's claim cannot be rendered
ERR_CLAIM_LOST = "ErrClaimLost"  # the claim's volume has gone
ERR_RESOURCE_EXISTS = "ErrResourceExists"  # a claim of that name belongs to someone else
ERR_RESOURCE_MARKED = "ErrResourceMarkedForDeletion"  # the claim is being deleted
ERR_RESOURCE_MISSING = "ErrResourceDoesntExist"  # something that is referred to does not exist
ERR_INCOMPATIBLE_PVC = "ErrIncompatiblePVC"  # source and target of a clone do not fit

# Import

IMPORT_SCHEDULED = "ImportScheduled"  # phase change
IMPORT_IN_PROGRESS = "ImportInProgress"  # phase change
IMPORT_PAUSED = "ImportPaused"  # a stage is copied
IMPORT_SUCCEEDED = "ImportSucceeded"  # done
IMPORT_FAILED = "ImportFailed"  # on the DataVolume
ERR_IMPORT_FAILED = "ErrImportFailed"  # on the claim
IMPORT_TARGET_IN_USE = "ImportTargetInUse"  # another pod uses the claim
POPULATOR_IMPORT_SUCCEEDED = "importSucceeded"  # from the populator, lower case on purpose
POPULATOR_IMPORT_FAILED = "importFailed"  # from the populator, lower case on purpose

# Upload

UPLOAD_SCHEDULED = "UploadScheduled"  # phase change
UPLOAD_READY = "UploadReady"  # phase change
UPLOAD_SUCCEEDED = "UploadSucceeded"  # done
UPLOAD_FAILED = "UploadFailed"  # the upload pod failed
UPLOAD_TARGET_IN_USE = "UploadTargetInUse"  # another pod uses the claim

# Clone

CLONE_SCHEDULED = "CloneScheduled"  # accepted, waiting
CLONE_IN_PROGRESS = "CloneInProgress"  # pods copy bytes
SNAPSHOT_IN_PROGRESS = "SnapshotForSmartCloneInProgress"  # a snapshot is being taken
CLONE_FROM_SNAPSHOT_IN_PROGRESS = "CloneFromSnapshotSourceInProgress"  # one is restored
CSI_CLONE_IN_PROGRESS = "CSICloneInProgress"  # the storage clones
PREP_CLAIM_IN_PROGRESS = "PrepClaimInProgress"  # the temporary claim is prepared
REBIND_IN_PROGRESS = "RebindInProgress"  # the volume moves to its target
CLONE_SUCCEEDED = "CloneSucceeded"  # done
CLONE_FAILED = "CloneFailed"  # a pod failed
CLONE_WITHOUT_SOURCE = "CloneWithoutSource"  # the source does not exist
CLONE_VALIDATION_FAILED = "CloneValidationFailed"  # source and target do not fit
CLONE_SOURCE_IN_USE = "CloneSourceInUse"  # a pod writes the source
SIZE_DETECTION_POD_CREATED = "SizeDetectionPodCreated"  # the source is being measured
SIZE_DETECTION_POD_NOT_READY = "SizeDetectionPodNotReady"  # the measurement has no answer yet
IMPORT_PVC_NOT_READY = "ImportPVCNotReady"  # the source is still being filled
NO_VOLUME_SNAPSHOT_CLASS = "NoVolumeSnapshotClass"  # bytes are copied: nothing takes snapshots
INCOMPATIBLE_VOLUME_MODES = "IncompatibleVolumeModes"  # bytes are copied: modes differ
NO_VOLUME_EXPANSION = "NoVolumeExpansion"  # bytes are copied: the class cannot grow volumes
NO_PROVISIONER_MATCH = "NoProvisionerMatch"  # bytes are copied: nobody clones between these
INCOMPATIBLE_PROVISIONERS = "IncompatibleProvisioners"  # bytes are copied: provisioners differ
CLONE_ATTEMPT_FAILED = "CloneAttemptFailed"  # bytes are copied: the storage could not clone
NO_POPULATOR = "NoPopulator"  # bytes are copied: the class has no CSI driver
SNAPSHOT_CLASS_SELECTED = "VolumeSnapshotClassSelected"  # which snapshot class, and why

# Size detection, one for each exit code of its pod

ERR_BAD_ARGUMENTS = "ErrBadArguments"  # called wrongly
ERR_INVALID_PATH = "ErrInvalidPath"  # no disk at the path
ERR_INVALID_FILE = "ErrInvalidFile"  # not a disk
ERR_BAD_TERM_FILE = "ErrBadTermFile"  # the answer could not be written
ERR_UNKNOWN = "ErrUnknown"  # anything else

# Populators

PRIME_CREATED = "CreatedPVCPrimeSuccessfully"  # the prime claim exists
ERR_CREATING_PRIME = "ErrCreatingPVCPrime"  # the prime claim could not be created
PRIME_RETAINED = "RetainedPVCPrime"  # the prime claim is kept for debugging
EXTERNAL_POPULATION_SUCCEEDED = "ExternalPopulationSucceeded"  # a foreign populator is done
NO_ANY_VOLUME_DATA_SOURCE = "NoAnyVolumeDataSource"  # the cluster dropped dataSourceRef
NO_CSI_DRIVER = "NoCSIDriverForExternalPopulation"  # the class cannot use populators
CLAIM_MISBOUND = "ClaimMisbound"  # Kubernetes' own; the one event that primes do not pass on
PROVISIONING_SUCCEEDED = "ProvisioningSucceeded"  # Kubernetes' own: there is a volume
PROVISIONING_FAILED = "ProvisioningFailed"  # Kubernetes' own; virtctl waits for it

# StorageProfile, condition Recognized

RECOGNIZED_PROVISIONER = "RecognizedProvisioner"  # its capabilities are known
UNRECOGNIZED_PROVISIONER = "UnrecognizedProvisioner"  # its capabilities are not known
UNRECOGNIZED_PARAMETERS = "UnrecognizedStorageClassParameters"  # known, but not this class

# DataSource, condition Ready

SOURCE_READY = "Ready"  # can be cloned from
SOURCE_NOT_FOUND = "NotFound"  # what it points to does not exist
SNAPSHOT_NOT_READY = "SnapshotNotReady"  # the snapshot cannot be restored yet
NO_SOURCE = "NoSource"  # it points to nothing
MAX_REFERENCE_DEPTH = "MaxReferenceDepthReached"  # it points to one that points on
SELF_REFERENCE = "SelfReference"  # it points to itself
CROSS_NAMESPACE_REFERENCE = "CrossNamespaceReference"  # it points into another namespace

# DataImportCron, conditions Progressing and UpToDate

CRON_IMPORT_SCHEDULED = "ImportScheduled"  # an import waits to run
CRON_IMPORT_PROGRESSING = "ImportProgressing"  # an import runs
NO_IMPORT = "NoImport"  # nothing is being imported
NOT_AUTHORIZED = "NotAuthorized"  # the service account may not clone the source
UP_TO_DATE = "UpToDate"  # the newest digest is imported
OUTDATED = "Outdated"  # a newer digest exists
NO_DIGEST = "NoDigest"  # no digest is known yet
POLL_FAILED = "PollFailed"  # nobody could say what the newest version is; the last image stays
INVALID_DIGEST = "InvalidDigest"  # the digest annotation holds no digest
NO_SNAPSHOT_CLASS = "NoSnapshotClass"  # images are to be snapshots, and nothing can take them
ERR_DATA_SOURCE_MANAGED = "ErrDataSourceAlreadyManaged"  # another cron manages the DataSource

# CDI

DEPLOY_STARTED = "DeployStarted"  # installation began
DEPLOY_COMPLETED = "DeployCompleted"  # installed
UPGRADE_STARTED = "UpgradeStarted"  # another version is being rolled out
CONFIG_ERROR = "ConfigError"  # a second CDI object, or a state that cannot be
CREATE_RESOURCES = "CreateResources"  # cluster-wide objects could not be generated
CREATE_NAMESPACE_RESOURCES = "CreateNamespaceResources"  # namespaced ones could not
CREATE_DYNAMIC_RESOURCES = "CreateDynamicResources"  # ones that depend on the cluster could not
CREATE_RESOURCE_SUCCESS = "CreateResourceSuccess"  # one object was created
CREATE_RESOURCE_FAILED = "CreateResourceFailed"  # one object was not created
UPDATE_RESOURCE_SUCCESS = "UpdateResourceSuccess"  # one object was changed
UPDATE_RESOURCE_FAILED = "UpdateResourceFailed"  # one object was not changed
DELETE_RESOURCE_SUCCESS = "DeleteResourceSuccess"  # one object was deleted
DELETE_RESOURCE_FAILED = "DeleteResourceFailed"  # one object was not deleted
ROUTE_INJECT_SUCCESS = "UploadProxyRouteInjectSuccess"  # a Route got its destination CA

# HostPathProvisioner and HyperConverged

PROVISIONER_COMPLETE = "Complete"  # every node is ready
PROVISIONER_HEALTHY = "ProvisionerHealthy"  # event: became ready
PROVISIONER_DEGRADED = "Degraded"  # some node is not ready
RECONCILE_FAILED = "ReconcileFailed"  # an object could not be applied
UNSUPPORTED_ARCHITECTURES = "UnsupportedArchitectures"  # no node can run the boot image

# What users read in annotation cloneFallbackReason; clients compare these texts.
FALLBACK_TEXTS: Final[Mapping[str, str]] = {
    NO_VOLUME_SNAPSHOT_CLASS: "No compatible volumesnapshotclass found",
    INCOMPATIBLE_VOLUME_MODES: "The volume modes of source and target are incompatible",
    NO_VOLUME_EXPANSION: "No volume expansion is possible",
    NO_PROVISIONER_MATCH: (
        "The storageclass provisioner does not match the volumesnapshotcontent driver"
    ),
    INCOMPATIBLE_PROVISIONERS: "Provisioners are incompatible",
    NO_POPULATOR: "In tree storage class does not support snapshot/clone",
    CLONE_ATTEMPT_FAILED: "The storage did not make the clone",
}

# Messages that clients match on

TOO_SMALL_MESSAGE: Final = "DataVolume too small to contain image"
IMPORT_COMPLETE_MESSAGE: Final = "Import Complete"
UPLOAD_COMPLETE_MESSAGE: Final = "Upload Complete"
CLONE_COMPLETE_MESSAGE: Final = "Clone Complete"
DEADLINE_PASSED_MESSAGE: Final = "Deadline Passed"
PREALLOCATION_APPLIED_MESSAGE: Final = "Preallocation applied"
NO_CLAIM_MESSAGE: Final = "No PVC found"
CLAIM_LOST_MESSAGE: Final = "Claim Lost"
STARTING_POD_MESSAGE: Final = "Error starting pod"
SEE_LOGS_MESSAGE: Final = (
    "For more information, request access to cdi-deploy logs from your sysadmin"
)
UNSCHEDULABLE_MESSAGE: Final = "Importer pod cannot be scheduled"
IMAGE_PULL_MESSAGE: Final = "failed to pull image"
SCRATCH_REQUIRED_MESSAGE: Final = "scratch space required and none found"
EXCEEDED_QUOTA_TEXT: Final = "exceeded quota:"  # in Kubernetes' own error
