"""
Every annotation that is part of the API, once. Values are strings; a truth value is `true` or
`false` unless the comment says "presence", which means that the value is not read.

Labels are in `labels`, finalizers in `finalizers`. DV is a DataVolume, DIC a DataImportCron,
"prime" the claim in which a populator fills a volume before its target takes it over.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Final

_CDI = "cdi.kubevirt.io/"
_STORAGE = _CDI + "storage."
_IMPORT = _STORAGE + "import."
_CHECKPOINT = _STORAGE + "checkpoint."

# What Kubernetes allows in a key, after the slash.
_LONGEST_KEY_NAME: Final = 63
_KEY_NAME: Final = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?")
_HASHED_DIGITS: Final = 24

TRUE: Final = "true"
FALSE: Final = "false"

# How a volume is to be filled

# DV, PVC; presence: fill without waiting for a consumer
BIND_IMMEDIATE = _STORAGE + "bind.immediate.requested"
# DV, copied to the PVC: fill through a volume populator; parsed by Go's rules (1, t, TRUE, ...)
USE_POPULATOR = _STORAGE + "usePopulator"
# DV; presence: the PVC is or will be filled by someone else; waives clone authorization
PREPOPULATED = _STORAGE + "prePopulated"
# PVC, DV: name of the DataVolume for which the PVC counts as filled
POPULATED_FOR = _STORAGE + "populatedFor"
# DV; presence: look for an Available PV reserved for this DV first; waives clone authorization
CHECK_STATIC_VOLUME = _STORAGE + "checkStaticVolume"
# PVC: JSON array of the PV names that the static volume check accepts
PERSISTENT_VOLUME_LIST = _STORAGE + "persistentVolumeList"
# DV: may take over an existing PVC of its name; wins over the gate DataVolumeClaimAdoption
ALLOW_CLAIM_ADOPTION = _CDI + "allowClaimAdoption"
# PVC: UID of the DV it was created for; such a PVC is never adopted by that DV
CREATED_FOR_DATA_VOLUME = _CDI + "createdForDataVolume"
# objects in another namespace: `<namespace>/<name>` of the DV they belong to
OWNED_BY_DATA_VOLUME = _CDI + "ownedByDataVolume"
# PVC, pod, temporary claim: UID under which progress is published
OWNER_UID = _CDI + "ownerUID"
# PVC: filled by a foreign populator; our importers leave it alone
EXTERNAL_POPULATION = _CDI + "externalPopulation"
# PVC, prime: `kubevirt` (a disk) or `archive` (a tar); anything else counts as kubevirt
CONTENT_TYPE = _STORAGE + "contentType"
# PVC, prime, temporary claim: allocate the whole volume
PREALLOCATION_REQUESTED = _STORAGE + "preallocation.requested"
# PVC: the whole volume has been allocated
PREALLOCATION = _STORAGE + "preallocation"
# DV, PVC; ignored since finished DataVolumes are no longer collected
DELETE_AFTER_COMPLETION = _STORAGE + "deleteAfterCompletion"

# What worker pods are given

# PVC: priority class of worker pods
PRIORITY_CLASS = _STORAGE + "pod.priorityclassname"
# PVC: service account of importer and upload pods
SERVICE_ACCOUNT = _STORAGE + "pod.serviceAccountName"
# DV, PVC, prime, DIC: keep worker pods and the prime when they are done
RETAIN_AFTER_COMPLETION = _STORAGE + "pod.retainAfterCompletion"
# DV, PVC, pods: further networks of a worker pod
MULTUS_NETWORKS = "k8s.v1.cni.cncf.io/networks"
# DV, PVC, pods: default network of a worker pod
MULTUS_DEFAULT_NETWORK = "v1.multus-cni.io/default-network"
# DV, PVC, pods: Istio sidecar in a worker pod, off unless asked for
ISTIO_INJECT = "sidecar.istio.io/inject"
# DV, PVC, pods: Linkerd sidecar in a worker pod, off unless asked for
LINKERD_INJECT = "linkerd.io/inject"

# What worker pods report

# PVC, prime: phase of the worker pod; virtctl reads it
POD_PHASE = _STORAGE + "pod.phase"
# PVC, prime: the upload pod takes bytes; virtctl and the upload proxy read it
POD_READY = _STORAGE + "pod.ready"
# PVC: how often the worker was restarted; never goes down
POD_RESTARTS = _STORAGE + "pod.restarts"
# PVC: `false` while no node takes the importer pod
POD_SCHEDULABLE = _STORAGE + "pod.schedulable"
# PVC, DV: version of the VDDK library that was used
VDDK_VERSION = _STORAGE + "pod.vddk.version"
# PVC, DV: ESXi host that was read from
VDDK_HOST = _STORAGE + "pod.vddk.host"
# PVC: image with the VDDK library
VDDK_INIT_IMAGE = _STORAGE + "pod.vddk.initimageurl"
# DV, PVC, prime: ConfigMap with further VDDK arguments
VDDK_EXTRA_ARGS = _STORAGE + "pod.vddk.extraargs"

# Conditions on their way to the DataVolume

# PVC: status of condition Running
RUNNING = _STORAGE + "condition.running"
# PVC: message of condition Running
RUNNING_MESSAGE = RUNNING + ".message"
# PVC: reason of condition Running
RUNNING_REASON = RUNNING + ".reason"
# PVC: whether the clone source pod is running
SOURCE_RUNNING = _STORAGE + "condition.source.running"
# PVC: message about the clone source pod
SOURCE_RUNNING_MESSAGE = SOURCE_RUNNING + ".message"
# PVC: reason about the clone source pod
SOURCE_RUNNING_REASON = SOURCE_RUNNING + ".reason"
# PVC: overrides condition Bound; gone once the PVC is bound
BOUND = _STORAGE + "condition.bound"
# PVC: message of condition Bound
BOUND_MESSAGE = BOUND + ".message"
# PVC: reason of condition Bound
BOUND_REASON = BOUND + ".reason"

# Import

# PVC: http, s3, gcs, glance, none, registry, imageio, vddk; unknown means http, none is blank
SOURCE = _IMPORT + "source"
# PVC: URL, or name of an ImageStream
ENDPOINT = _IMPORT + "endpoint"
# PVC: Secret with the credentials of the source
SECRET = _IMPORT + "secretName"
# PVC: ConfigMap with the CA certificates of the source
CERT_CONFIG_MAP = _IMPORT + "certConfigMap"
# PVC: promised digest, `<algorithm>:<hex>`
CHECKSUM = _IMPORT + "checksum"
# PVC: do not verify the source's TLS certificate; http and imageio only
INSECURE_SKIP_VERIFY = _IMPORT + "insecureSkipVerify"
# PVC; prefix, a number follows: one header line
EXTRA_HEADERS = _IMPORT + "extraHeaders"
# PVC; prefix, a number follows: Secret with header lines
SECRET_EXTRA_HEADERS = _IMPORT + "secretExtraHeaders"
# PVC: `pod` or `node`: who pulls an image
REGISTRY_IMPORT_METHOD = _IMPORT + "registryImportMethod"
# PVC: the endpoint is an ImageStream
REGISTRY_IMAGE_STREAM = _IMPORT + "registryImageStream"
# PVC: wanted architecture of an image, by its Go name
REGISTRY_ARCHITECTURE = _IMPORT + "registryImageArchitecture"
# PVC: oVirt disk
DISK_ID = _IMPORT + "diskId"
# PVC: VMware virtual machine
UUID = _IMPORT + "uuid"
# PVC: VMware disk
BACKING_FILE = _IMPORT + "backingFile"
# PVC: thumbprint of the VMware server's certificate
THUMBPRINT = _IMPORT + "vddk.thumbprint"
# PVC, prime: importer pod; absent between checkpoints
IMPORT_POD = _IMPORT + "importPodName"
# PVC, prime: run the importer again, with scratch space
REQUIRES_SCRATCH = _IMPORT + "requiresScratch"
# PVC, prime: run the importer again, without the page cache, after it was killed for memory
REQUIRES_DIRECT_IO = _IMPORT + "requiresDirectIo"
# PVC, prime: no further attempt makes sense
FATAL_ERROR = _IMPORT + "fatalError"
# DV, PVC, prime: how long an import is tried again after what somebody may mend elsewhere: `30m`
RETRY_FOR = _IMPORT + "retryFor"
# PVC, prime: since when an import fails with what somebody may mend elsewhere; RFC 3339
FAILING_SINCE = _IMPORT + "failingSince"
# PVC, prime: what the import depended on when it failed; a change of it is another chance
FAILED_WITH = _IMPORT + "failedWith"

# Multi-stage import

# PVC, prime: checkpoint being copied
CHECKPOINT_CURRENT = _CHECKPOINT + "current"
# PVC, prime: checkpoint the current one builds on
CHECKPOINT_PREVIOUS = _CHECKPOINT + "previous"
# PVC, prime: the current checkpoint is the last
CHECKPOINT_FINAL = _CHECKPOINT + "final"
# PVC, prime; prefix, a dot and the checkpoint follow: UID of the pod that copied it
CHECKPOINT_COPIED = _CHECKPOINT + "copied"
# PVC, prime: UID of the current pod
CHECKPOINT_POD = _CHECKPOINT + "pod.id"
# PVC, prime: all stages are finished
CHECKPOINT_DONE = _CHECKPOINT + "done"

# Upload

# PVC, prime; presence: takes an upload; removing it cancels
UPLOAD_TARGET = _STORAGE + "upload.target"
# PVC, prime: upload pod
UPLOAD_POD = _STORAGE + "uploadPodName"
# PVC, prime: the resumable upload that filled it, see `uploadsession`; the upload proxy reads it
UPLOAD_SESSION = _STORAGE + "upload.session"
# clone target: certificate name that the upload server accepts
UPLOAD_CLIENT = _CDI + "uploadClientName"

# Clone

# PVC: `<namespace>/<name>` of the PVC to copy from
CLONE_REQUEST = "k8s.io/CloneRequest"
# PVC: `true`: the copy is done by a pod that has both PVCs, and nobody serves an upload
CLONE_BESIDE = _STORAGE + "clone.beside"
# PVC: the copy is complete
CLONE_OF = "k8s.io/CloneOf"
# DV, PVC: clone token, good for minutes
CLONE_TOKEN = _STORAGE + "clone.token"
# DV, PVC: clone token, good for years
EXTENDED_CLONE_TOKEN = _STORAGE + "extended.clone.token"
# DV, PVC; presence: the target may be smaller than its source
PERMISSIVE_CLONE = _CDI + "permissiveClone"
# DV, PVC: `copy`, `snapshot`, `csi-clone`; preset on a PVC it fixes the strategy
CLONE_TYPE = _CDI + "cloneType"
# PVC: what the clone populator is doing
CLONE_PHASE = _CDI + "clonePhase"
# PVC: last error of the clone populator
CLONE_ERROR = _CDI + "cloneError"
# PVC: why bytes are copied although something faster was wanted
CLONE_FALLBACK_REASON = _CDI + "cloneFallbackReason"
# PVC: namespace of the VolumeCloneSource, for clones between namespaces
DATA_SOURCE_NAMESPACE = _CDI + "dataSourceNamespace"
# clone target: clone source pod
SOURCE_CLONE_POD = _STORAGE + "sourceClonePodName"
# clone source PVC: size in bytes of the disk in it; the odd domain is part of the API
VIRTUAL_SIZE = "cdi.Kubervirt.io/virtualSize"
# DataVolume, PVC: StorageClass of the scratch space of its worker
SCRATCH_CLASS = _STORAGE + "scratchClass"
# DataVolume: size in bytes of the disk at its source, as it was found where no size was asked for
IMPORT_VIRTUAL_SIZE = _STORAGE + "import.virtualSize"
# clone source PVC: its capacity when the disk was measured; the odd domain is part of the API
SOURCE_CAPACITY = "cdi.Kubervirt.io/sourceCapacity"
# clone source pod: `<namespace>/<name>` of the target PVC
OWNER_REF = _STORAGE + "ownerRef"
# PVC: legacy, removed before a PVC is created
SMART_CLONE_REQUEST = "k8s.io/SmartCloneRequest"
# PVC: legacy, unused
SMART_CLONE_SNAPSHOT = _CDI + "smartCloneSnapshot"
# PVC: legacy, unused
CSI_CLONE_REQUEST = _CDI + "CSICloneRequest"

# Populators

# prime, temporary claims, populate pod: kind that made it, or `forklift`
POPULATOR_KIND = _STORAGE + "populator.kind"
# target PVC: name of its prime; virtctl and the upload proxy read it
PVC_PRIME = _STORAGE + "populator.pvcPrime"
# target PVC: `N/A`, `12.34%`, `100.0%`; foreign populators may write it too
POPULATOR_PROGRESS = _STORAGE + "populator.progress"
# temporary claims: kind of the object on which events are shown
EVENT_SOURCE_KIND = _CDI + "events.source.kind"
# temporary claims: `<namespace>/<name>` of the object on which events are shown
EVENT_SOURCE = _CDI + "events.source"

# ObjectTransfer

# DV, PVC: the ObjectTransfer that holds the object
OBJECT_TRANSFER = _CDI + "objectTransferName"

# Kubernetes' own, read or copied here

# PVC, prime, scratch: node on which the consumer will run
SELECTED_NODE = "volume.kubernetes.io/selected-node"
# PVC: driver that took over an in-tree class
MIGRATED_TO = "pv.kubernetes.io/migrated-to"
# PVC: binding is complete
BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
# StorageClass: default of the cluster
DEFAULT_STORAGE_CLASS = "storageclass.kubernetes.io/is-default-class"
# VolumeSnapshotClass: default of its driver
DEFAULT_SNAPSHOT_CLASS = "snapshot.storage.kubernetes.io/is-default-class"

# On pods and other objects that controllers create

# importer, clone source and prep pods, clone Secrets: `yes`
CREATED_BY_CONTROLLER = _STORAGE + "createdByController"
# upload pod, Service, Secret: `yes`
CREATED_BY_UPLOAD_CONTROLLER = _STORAGE + "createdByUploadController"
# upload pod: ports that OVN lets through, as JSON
OVN_OPEN_PORTS = "k8s.ovn.org/open-default-ports"
# importer pod of an ImageStream: `*`
RESOLVE_NAMES = "alpha.image.policy.openshift.io/resolve-names"
# control plane pods, poller jobs: `restricted-v2`
REQUIRED_SCC = "openshift.io/required-scc"

# Boot sources

# DIC: digest to import, `sha256:` or `uid:`; anybody may write it
DESIRED_DIGEST = _IMPORT + "sourceDesiredDigest"
# DIC: image behind the ImageStream
IMAGE_STREAM_DOCKER_REF = _IMPORT + "imageStreamDockerRef"
# DIC: next poll, RFC 3339
NEXT_CRON_TIME = _IMPORT + "nextCronTime"
# DIC: last poll, RFC 3339
LAST_CRON_TIME = _IMPORT + "lastCronTime"
# DIC: why the last poll failed, since the last one that did not
LAST_POLL_FAILURE = _IMPORT + "lastPollFailure"
# DIC with an http source: URL of a file with the image's checksum, such as SHA256SUMS; one
# without a scheme is beside the image
CHECKSUM_FILE = _IMPORT + "checksumFile"
# DIC: storage class of its present imports
STORAGE_CLASS = _IMPORT + "storageClass"
# DV, PVC, snapshot: last use, RFC 3339 with nanoseconds, UTC; the oldest are collected first
LAST_USE_TIME = _IMPORT + "lastUseTime"
# VolumeSnapshot: volume mode of the PVC it was taken from
SOURCE_VOLUME_MODE = _IMPORT + "sourceVolumeMode"
# VolumeSnapshot: size that a restored PVC should ask for
ADVISED_RESTORE_SIZE = _IMPORT + "advisedRestoreSize"

# Storage

# StorageProfile: the smallest size its storage gives
MINIMUM_PVC_SIZE = _CDI + "minimumSupportedPvcSize"
# StorageProfile: boot images are imported ReadWriteOnce
USE_RWO_FOR_CRON = _CDI + "useReadWriteOnceForDataImportCron"
# StorageProfile: VolumeSnapshotClass for boot images
SNAPSHOT_CLASS_FOR_CRON = _CDI + "snapshotClassForDataImportCron"
# StorageClass: clone strategy of the class
CLONE_STRATEGY = _CDI + "clone-strategy"
# StorageClass: default for virtual machines
DEFAULT_VIRT_STORAGE_CLASS = "storageclass.kubevirt.io/is-default-virt-class"

# Operator

# CDI; presence: spec.config overwrites CDIConfig
CONFIG_AUTHORITY = _CDI + "configAuthority"
# patched objects: hash of customizeComponents
CUSTOMIZER_IDENTIFIER = _CDI + "customizer-identifier"
# managed objects: what the operator applied last, as JSON
LAST_APPLIED_CONFIGURATION = "operator.cdi.kubevirt.io/lastAppliedConfiguration"
# certificate Secrets: JSON of lifetime and refresh; a change forces rotation
CERT_CONFIG = "operator.cdi.kubevirt.io/certConfig"
# certificate Secrets: start of validity
CERT_NOT_BEFORE = "auth.openshift.io/certificate-not-before"
# certificate Secrets: end of validity
CERT_NOT_AFTER = "auth.openshift.io/certificate-not-after"
# Route: wants the upload proxy's CA filled in
INJECT_UPLOAD_PROXY_CERT = "operator.cdi.kubevirt.io/injectUploadProxyCert"

# HyperConverged

# data import cron template: `true` or `false`, whether a common template is wanted
CRON_TEMPLATE_ENABLE = "dataimportcrontemplate.kubevirt.io/enable"
# data import cron template: architectures of the image, separated by commas
CRON_TEMPLATE_ARCHITECTURES = "ssp.kubevirt.io/dict.architectures"
# HyperConverged: JSON patch for the CDI object
CDI_JSON_PATCH = "containerizeddataimporter.kubevirt.io/jsonpatch"
# SSP: `true` while nothing is to be done for it
PAUSED = "kubevirt.io/operator.paused"
# HyperConverged: JSON patch for the SSP object
SSP_JSON_PATCH = "ssp.kubevirt.io/jsonpatch"

# Kept from users' DataVolumes and claims, passed on to worker pods and primes. The value is what
# a pod gets where nobody set one; None means that the annotation then stays away.
PASSED_ON: Final[Mapping[str, str | None]] = {
    MULTUS_NETWORKS: None,
    MULTUS_DEFAULT_NETWORK: None,
    ISTIO_INJECT: FALSE,
    LINKERD_INJECT: "disabled",
    PRIORITY_CLASS: None,
    SERVICE_ACCOUNT: None,
}

# Copied from a prime to its target, and removed there when they are gone from the prime.
COPIED_FROM_PRIME: Final = (
    POD_PHASE,
    POD_READY,
    POD_RESTARTS,
    POD_SCHEDULABLE,
    PREALLOCATION_REQUESTED,
    PREALLOCATION,
    CHECKPOINT_CURRENT,
    CHECKPOINT_DONE,
    RUNNING,
    RUNNING_MESSAGE,
    RUNNING_REASON,
    FATAL_ERROR,
)

# The same, with what is ours.
LEARNED_FROM_PRIME: Final = (*COPIED_FROM_PRIME, UPLOAD_SESSION, VIRTUAL_SIZE, SOURCE_CAPACITY)


def extra_header(number: int) -> str:
    """Return the key of the header line with this number."""
    return f"{EXTRA_HEADERS}.{number}"


def secret_extra_header(number: int) -> str:
    """Return the key of the header Secret with this number."""
    return f"{SECRET_EXTRA_HEADERS}.{number}"


def checkpoint_copied(checkpoint: str) -> str:
    """Return the key that marks a checkpoint as copied; a name that does not fit is hashed."""
    readable = f"{CHECKPOINT_COPIED}.{checkpoint}"
    name = readable.partition("/")[2]
    if len(name) <= _LONGEST_KEY_NAME and _KEY_NAME.fullmatch(name):
        return readable
    digest = hashlib.sha256(checkpoint.encode()).hexdigest()
    return f"{CHECKPOINT_COPIED}.sha256-{digest[:_HASHED_DIGITS]}"
