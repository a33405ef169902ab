"""Annotations, labels, finalizers, phases, reasons, gates: complete, spelled right, told apart."""

import ast
import inspect

import pytest

from cdi.api import annotations, features, finalizers, labels, phases, reasons

A = "cdi.kubevirt.io/"
GATES = "HonorWaitForFirstConsumer DataVolumeClaimAdoption WebhookPvcRendering BootcImageImport"
ANNOTATIONS = [
    *(
        A + key
        for key in [
            "storage.bind.immediate.requested",
            "storage.usePopulator",
            "storage.prePopulated",
            "storage.populatedFor",
            "storage.checkStaticVolume",
            "storage.persistentVolumeList",
            "allowClaimAdoption",
            "createdForDataVolume",
            "ownedByDataVolume",
            "ownerUID",
            "externalPopulation",
            "storage.contentType",
            "storage.preallocation.requested",
            "storage.preallocation",
            "storage.pod.priorityclassname",
            "storage.pod.serviceAccountName",
            "storage.pod.retainAfterCompletion",
            "storage.pod.phase",
            "storage.pod.ready",
            "storage.pod.restarts",
            "storage.pod.schedulable",
            "storage.pod.vddk.version",
            "storage.pod.vddk.host",
            "storage.pod.vddk.initimageurl",
            "storage.pod.vddk.extraargs",
            "storage.condition.running",
            "storage.condition.running.message",
            "storage.condition.running.reason",
            "storage.condition.source.running",
            "storage.condition.source.running.message",
            "storage.condition.source.running.reason",
            "storage.condition.bound",
            "storage.condition.bound.message",
            "storage.condition.bound.reason",
            "storage.import.source",
            "storage.import.endpoint",
            "storage.import.secretName",
            "storage.import.certConfigMap",
            "storage.import.checksum",
            "storage.import.insecureSkipVerify",
            "storage.import.extraHeaders",
            "storage.import.secretExtraHeaders",
            "storage.import.registryImportMethod",
            "storage.import.registryImageStream",
            "storage.import.registryImageArchitecture",
            "storage.import.diskId",
            "storage.import.uuid",
            "storage.import.backingFile",
            "storage.import.vddk.thumbprint",
            "storage.import.importPodName",
            "storage.import.requiresScratch",
            "storage.import.requiresDirectIo",
            "storage.clone.beside",  # an addition of ours
            "storage.upload.session",  # and another one
            "storage.scratchClass",  # and another one
            "storage.import.virtualSize",  # an addition of ours
            "storage.import.retryFor",  # this and the next two are additions of ours
            "storage.import.failingSince",
            "storage.import.failedWith",
            "storage.import.fatalError",
            "storage.checkpoint.current",
            "storage.checkpoint.previous",
            "storage.checkpoint.final",
            "storage.checkpoint.copied",
            "storage.checkpoint.pod.id",
            "storage.checkpoint.done",
            "storage.upload.target",
            "storage.uploadPodName",
            "uploadClientName",
            "storage.clone.token",
            "storage.extended.clone.token",
            "permissiveClone",
            "cloneType",
            "clonePhase",
            "cloneError",
            "cloneFallbackReason",
            "dataSourceNamespace",
            "storage.sourceClonePodName",
            "storage.populator.kind",
            "storage.populator.pvcPrime",
            "storage.populator.progress",
            "events.source.kind",
            "events.source",
            "objectTransferName",
            "smartCloneSnapshot",
            "CSICloneRequest",
            "storage.deleteAfterCompletion",
            "storage.createdByController",
            "storage.createdByUploadController",
            "storage.ownerRef",
            "storage.import.sourceDesiredDigest",
            "storage.import.imageStreamDockerRef",
            "storage.import.nextCronTime",
            "storage.import.lastCronTime",
            "storage.import.lastPollFailure",  # this and the next are additions of ours
            "storage.import.checksumFile",
            "storage.import.storageClass",
            "storage.import.lastUseTime",
            "storage.import.sourceVolumeMode",
            "storage.import.advisedRestoreSize",
            "minimumSupportedPvcSize",
            "useReadWriteOnceForDataImportCron",
            "snapshotClassForDataImportCron",
            "clone-strategy",
            "configAuthority",
            "customizer-identifier",
        ]
    ),
    "k8s.io/CloneRequest",
    "k8s.io/CloneOf",
    "k8s.io/SmartCloneRequest",
    "cdi.Kubervirt.io/virtualSize",
    "cdi.Kubervirt.io/sourceCapacity",
    "volume.kubernetes.io/selected-node",
    "pv.kubernetes.io/migrated-to",
    "pv.kubernetes.io/bind-completed",
    "k8s.v1.cni.cncf.io/networks",
    "v1.multus-cni.io/default-network",
    "sidecar.istio.io/inject",
    "linkerd.io/inject",
    "k8s.ovn.org/open-default-ports",
    "alpha.image.policy.openshift.io/resolve-names",
    "openshift.io/required-scc",
    "storageclass.kubevirt.io/is-default-virt-class",
    "storageclass.kubernetes.io/is-default-class",
    "snapshot.storage.kubernetes.io/is-default-class",
    "operator.cdi.kubevirt.io/lastAppliedConfiguration",
    "operator.cdi.kubevirt.io/certConfig",
    "auth.openshift.io/certificate-not-before",
    "auth.openshift.io/certificate-not-after",
    "operator.cdi.kubevirt.io/injectUploadProxyCert",
    "dataimportcrontemplate.kubevirt.io/enable",
    "ssp.kubevirt.io/dict.architectures",
    "containerizeddataimporter.kubevirt.io/jsonpatch",
    "ssp.kubevirt.io/jsonpatch",
    "kubevirt.io/operator.paused",
]
LABELS = [
    "app",
    "cdi.kubevirt.io",
    "service",
    "cdi.kubevirt.io/uploadTarget",
    "cdi.kubevirt.io/storage.clone.cloneUniqeId",
    "cdi.kubevirt.io/hostAssistedSourcePodCloneSource",
    "cdi.kubevirt.io/OwnedByUID",
    "prometheus.cdi.kubevirt.io",
    "alerts.k8s.io/KubePersistentVolumeFillingUp",
    "velero.io/exclude-from-backup",
    "cdi.kubevirt.io/dataImportCron",
    "cdi.kubevirt.io/dataImportCronNs",
    "cdi.kubevirt.io/dataImportCronPoller",
    "cdi.kubevirt.io/dataImportCron.cleanup",
    "cdi.kubevirt.io/applyStorageProfile",
    "instancetype.kubevirt.io/default-instancetype",
    "instancetype.kubevirt.io/default-instancetype-kind",
    "instancetype.kubevirt.io/default-preference",
    "instancetype.kubevirt.io/default-preference-kind",
    "kubevirt.io/dynamic-credentials-support",
    "np.kubevirt.io/allow-access-cluster-services",
    "app.kubernetes.io/managed-by",
    "app.kubernetes.io/component",
    "app.kubernetes.io/part-of",
    "app.kubernetes.io/version",
    "operator.cdi.kubevirt.io",
    "operator.cdi.kubevirt.io/createVersion",
    "operator.cdi.kubevirt.io/updateVersion",
    "rbac.authorization.k8s.io/aggregate-to-admin",
    "rbac.authorization.k8s.io/aggregate-to-edit",
    "rbac.authorization.k8s.io/aggregate-to-view",
    "cdi-controller",
]
FINALIZERS = [
    "cdi.kubevirt.io/dataVolumeFinalizer",
    "cdi.kubevirt.io/clonePopulator",
    "cdi.kubevirt.io/cloneSource",
    "cdi.kubevirt.io/importImageStream",
    "cdi.kubevirt.io/objectTransfer",
    "operator.cdi.kubevirt.io",
    "finalizer.delete.hostpath-provisioner",
]
PHASES = [
    "Pending",
    "WaitForFirstConsumer",
    "PendingPopulation",
    "PVCBound",
    "ImportScheduled",
    "ImportInProgress",
    "Paused",
    "UploadScheduled",
    "UploadReady",
    "CloneScheduled",
    "CloneInProgress",
    "SnapshotForSmartCloneInProgress",
    "CloneFromSnapshotSourceInProgress",
    "CSICloneInProgress",
    "PrepClaimInProgress",
    "RebindInProgress",
    "Succeeded",
    "Failed",
    "Unknown",
    "SmartClonePVCInProgress",
    "ExpansionInProgress",
    "NamespaceTransferInProgress",
]
REASONS = [
    "Pod is running",
    "Populator is running",
    "Scratch space required",
    *[
        "Bound",
        "Pending",
        "NotFound",
        "ClaimLost",
        "CreatingScratchSpace",
        "AwaitingVDDK",
        "TransferRunning",
        "Completed",
        "Error",
        "OOMKilled",
        "ImagePullFailed",
        "ChecksumError",
        "Unschedulable",
        "ErrStartingPod",
        "ErrExceededQuota",
        "ErrClaimNotValid",
        "ErrClaimLost",
        "ErrResourceExists",
        "ErrResourceMarkedForDeletion",
        "ErrResourceDoesntExist",
        "ErrIncompatiblePVC",
        "ImportScheduled",
        "ImportInProgress",
        "ImportPaused",
        "ImportSucceeded",
        "ImportFailed",
        "ErrImportFailed",
        "ImportTargetInUse",
        "importSucceeded",
        "importFailed",
        "UploadScheduled",
        "UploadReady",
        "UploadSucceeded",
        "UploadFailed",
        "UploadTargetInUse",
        "CloneScheduled",
        "CloneInProgress",
        "SnapshotForSmartCloneInProgress",
        "CloneFromSnapshotSourceInProgress",
        "CSICloneInProgress",
        "PrepClaimInProgress",
        "RebindInProgress",
        "CloneSucceeded",
        "CloneFailed",
        "CloneWithoutSource",
        "CloneValidationFailed",
        "CloneSourceInUse",
        "SizeDetectionPodCreated",
        "SizeDetectionPodNotReady",
        "ImportPVCNotReady",
        "NoVolumeSnapshotClass",
        "IncompatibleVolumeModes",
        "NoVolumeExpansion",
        "NoProvisionerMatch",
        "IncompatibleProvisioners",
        "NoPopulator",
        "VolumeSnapshotClassSelected",
        "ErrBadArguments",
        "ErrInvalidPath",
        "ErrInvalidFile",
        "ErrBadTermFile",
        "ErrUnknown",
        "CreatedPVCPrimeSuccessfully",
        "ErrCreatingPVCPrime",
        "RetainedPVCPrime",
        "ExternalPopulationSucceeded",
        "NoAnyVolumeDataSource",
        "NoCSIDriverForExternalPopulation",
        "ClaimMisbound",
        "ProvisioningFailed",
        "RecognizedProvisioner",
        "UnrecognizedProvisioner",
        "UnrecognizedStorageClassParameters",
        "Ready",
        "SnapshotNotReady",
        "NoSource",
        "MaxReferenceDepthReached",
        "SelfReference",
        "CrossNamespaceReference",
        "ImportProgressing",
        "NoImport",
        "NotAuthorized",
        "UpToDate",
        "Outdated",
        "NoDigest",
        "ErrDataSourceAlreadyManaged",
        "DeployStarted",
        "DeployCompleted",
        "UpgradeStarted",
        "ConfigError",
        "CreateResources",
        "CreateNamespaceResources",
        "CreateDynamicResources",
        "CreateResourceSuccess",
        "UpdateResourceSuccess",
        "DeleteResourceSuccess",
        "CreateResourceFailed",
        "UpdateResourceFailed",
        "DeleteResourceFailed",
        "UploadProxyRouteInjectSuccess",
    ],
]


def words_of(module):
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, str) and name.isupper() and not name.startswith("_")
    }


@pytest.mark.parametrize("key", ANNOTATIONS)
def test_an_annotation_of_the_reference_is_there(key):
    assert key in words_of(annotations).values()


def test_no_annotation_is_there_that_the_reference_does_not_know():
    assert set(words_of(annotations).values()) - {"true", "false"} == set(ANNOTATIONS)


@pytest.mark.parametrize("key", LABELS)
def test_a_label_of_the_reference_is_there(key):
    assert key in words_of(labels).values()


@pytest.mark.parametrize("key", FINALIZERS)
def test_a_finalizer_of_the_reference_is_there(key):
    assert list(words_of(finalizers).values()).count(key) == 1


@pytest.mark.parametrize("reason", REASONS)
def test_a_reason_of_the_reference_is_there(reason):
    assert reason in words_of(reasons).values()


@pytest.mark.parametrize("module", [annotations, finalizers])
def test_no_key_is_defined_twice(module):
    values = list(words_of(module).values())
    assert sorted(values) == sorted(set(values))


@pytest.mark.parametrize("module", [annotations, labels, finalizers, reasons])
def test_every_constant_is_explained_beside_or_above_it(module):
    lines = inspect.getsource(module).splitlines()
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.Assign) and node.targets[0].id in words_of(module):
            name = node.targets[0].id
            above, own = lines[node.lineno - 2].strip(), lines[node.end_lineno - 1]
            assert above.startswith("#") or "#" in own or name == "APP_VALUE", name


def test_a_data_volume_has_the_phases_of_the_reference():
    assert [phase.value for phase in phases.DataVolume if phase.value] == PHASES


def test_only_two_phases_are_final():
    final = {phase for phase in phases.DataVolume if phase.final}
    assert final == {phases.DataVolume.SUCCEEDED, phases.DataVolume.FAILED}


@pytest.mark.parametrize(
    ("enum", "values"),
    [
        (
            phases.Clone,
            "Pending Snapshot SnapshotClone CSIClone HostClone PrepClaim Rebind Succeeded Error",
        ),
        (phases.Transfer, " Pending Running Complete Error"),
        (phases.Deployment, " Deploying Deployed Upgrading Deleting Deleted Error"),
        (phases.Pod, " Pending Running Succeeded Failed Unknown"),
        (phases.Claim, " Pending Bound Lost"),
        (phases.Pool, "Preparing Mounting Ready"),
        (
            features.Gate,
            GATES,
        ),
    ],
)
def test_an_enumeration_has_the_words_of_the_reference(enum, values):
    assert [member.value for member in enum] == values.split(" ")


def test_a_phase_prints_as_its_word():
    assert f"{phases.DataVolume.IMPORT_IN_PROGRESS}" == "ImportInProgress"


@pytest.mark.parametrize(
    ("gates", "on"),
    [(["HonorWaitForFirstConsumer"], True), ([], False), (["honorWaitForFirstConsumer"], False),
     (["Unknown", "HonorWaitForFirstConsumer"], True)],
)  # fmt: skip
def test_a_gate_is_on_only_by_its_exact_name(gates, on):
    assert features.enabled(features.Gate.HONOR_WAIT_FOR_FIRST_CONSUMER, gates) is on


@pytest.mark.parametrize(
    ("text", "renders"), [("", True), ("Enabled", True), ("disabled", True), ("Disabled", False)]
)
def test_rendering_is_switched_off_by_one_word_only(text, renders):
    assert features.renders_claims(text) is renders


@pytest.mark.parametrize(
    ("key", "travels"),
    [
        ("kubevirt.io/dynamic-credentials-support", True),
        ("instancetype.kubevirt.io/default-preference", True),
        ("template.kubevirt.io/architecture", True),
        ("os.template.kubevirt.io/fedora", True),
        ("cdi.kubevirt.io/dataImportCron.cleanup", False),
        ("cdi.kubevirt.io/applyStorageProfile", False),
        ("operator.cdi.kubevirt.io/createVersion", False),
        ("prometheus.cdi.kubevirt.io", False),
        ("notkubevirt.io/x", False),
        ("app", False),
        ("kubevirt.io", False),
        ("kubevirt.io/a/b", False),
    ],
)
def test_labels_of_kubevirt_travel_and_our_own_do_not(key, travels):
    assert labels.travelling({key: "x"}) == ({key: "x"} if travels else {})


def test_numbered_and_named_keys_are_built_in_one_place():
    assert annotations.extra_header(0) == "cdi.kubevirt.io/storage.import.extraHeaders.0"
    assert (
        annotations.secret_extra_header(2) == "cdi.kubevirt.io/storage.import.secretExtraHeaders.2"
    )
    assert (
        annotations.checkpoint_copied("snap-1")
        == "cdi.kubevirt.io/storage.checkpoint.copied.snap-1"
    )


def test_what_is_passed_on_to_pods_is_a_short_list():
    assert annotations.PASSED_ON == {
        "k8s.v1.cni.cncf.io/networks": None,
        "v1.multus-cni.io/default-network": None,
        "sidecar.istio.io/inject": "false",
        "linkerd.io/inject": "disabled",
        "cdi.kubevirt.io/storage.pod.priorityclassname": None,
        "cdi.kubevirt.io/storage.pod.serviceAccountName": None,
    }


def test_what_a_target_learns_from_its_prime_is_the_list_of_the_reference():
    copied = [
        "storage.pod.phase",
        "storage.pod.ready",
        "storage.pod.restarts",
        "storage.pod.schedulable",
        "storage.preallocation.requested",
        "storage.preallocation",
        "storage.checkpoint.current",
        "storage.checkpoint.done",
        "storage.condition.running",
        "storage.condition.running.message",
        "storage.condition.running.reason",
        "storage.import.fatalError",
    ]
    assert list(annotations.COPIED_FROM_PRIME) == [A + key for key in copied]
