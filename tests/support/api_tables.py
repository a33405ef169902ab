"""
The tables of the API reference as data: one line for each field of each kind.

A line holds the path, the type, `R` for required or `-`, and whatever else the schema has to
say about the field. `[]` is an item of a list, `{}` a value of a map. `list` and `map` are
followed by lines for their items. A type that begins with `@` is one of Kubernetes' own; it is
checked against Kubernetes' models, and its fields are not listed here. `=NAME` inserts one of
the shared blocks.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

CONDITIONS = """
conditions                          list   -
conditions[]                        object -
conditions[].type                   string R
conditions[].status                 string R
conditions[].lastTransitionTime     time   -
conditions[].lastHeartbeatTime      time   -
conditions[].reason                 string -
conditions[].message                string -
"""

IMPORT_SOURCE = """
http                        object -
http.url                    string R
http.secretRef              string -
http.certConfigMap          string -
http.extraHeaders           list   -
http.extraHeaders[]         string -
http.secretExtraHeaders     list   -
http.secretExtraHeaders[]   string -
http.checksum               string -
http.insecureSkipVerify     bool   -
s3                          object -
s3.url                      string R
s3.secretRef                string -
s3.certConfigMap            string -
gcs                         object -
gcs.url                     string R
gcs.secretRef               string -
registry                    object -
registry.url                string -
registry.imageStream        string -
registry.pullMethod         string -
registry.secretRef          string -
registry.certConfigMap      string -
registry.platform           object -
registry.platform.architecture string -
blank                       object -
imageio                     object -
imageio.url                 string R
imageio.diskId              string R
imageio.secretRef           string -
imageio.certConfigMap       string -
imageio.insecureSkipVerify  bool   -
vddk                        object -
vddk.url                    string -
vddk.uuid                   string -
vddk.backingFile            string -
vddk.thumbprint             string -
vddk.secretRef              string -
vddk.certConfigMap          string -
vddk.initImageURL           string -
vddk.extraArgs              string -
"""

CLONE_SOURCE = """
pvc                         object -
pvc.namespace               string R
pvc.name                    string R
snapshot                    object -
snapshot.namespace          string R
snapshot.name               string R
"""

CHECKPOINTS = """
checkpoints                 list   -
checkpoints[]               object -
checkpoints[].previous      string R
checkpoints[].current       string R
finalCheckpoint             bool   -
"""

DATA_VOLUME_SPEC = """
source                      object -
source=IMPORT_SOURCE
source=CLONE_SOURCE
source.upload               object -
sourceRef                   object -
sourceRef.kind              string R
sourceRef.name              string R
sourceRef.namespace         string -
pvc                         @PersistentVolumeClaimSpec -
storage                     object -
storage.accessModes         list   -
storage.accessModes[]       string -
storage.volumeMode          string -
storage.resources           @VolumeResourceRequirements -
storage.storageClassName    string -
storage.selector            @LabelSelector -
storage.volumeName          string -
storage.dataSource          @TypedLocalObjectReference -
storage.dataSourceRef       @TypedObjectReference -
priorityClassName           string -
serviceAccountName          string -
contentType                 string - enum=kubevirt,archive
=CHECKPOINTS
preallocation               bool   -
"""

DATA_VOLUME_STATUS = """
claimName                   string -
phase                       string -
progress                    string -
restartCount                int32  -
=CONDITIONS
"""

PLACEMENT = """
nodeSelector                map    -
nodeSelector{}              string -
affinity                    @Affinity -
tolerations                 list   -
tolerations[]               @Toleration -
"""

OVERHEAD = r"""
filesystemOverhead                 object -
filesystemOverhead.global          string - 'pattern=^(0(?:\.\d{1,3})?|1)$'
filesystemOverhead.storageClass    map    -
filesystemOverhead.storageClass{}  string - 'pattern=^(0(?:\.\d{1,3})?|1)$'
"""

PROXY = """
importProxy                 object -
importProxy.HTTPProxy       string -
importProxy.HTTPSProxy      string -
importProxy.noProxy         string -
importProxy.trustedCAProxy  string -
"""

PULL_SECRETS = """
imagePullSecrets            list   -
imagePullSecrets[]          @LocalObjectReference -
"""

TLS_PROFILE = """
tlsSecurityProfile                       object -
tlsSecurityProfile.type                  string - enum=Old,Intermediate,Modern,Custom
tlsSecurityProfile.old                   object - nullable
tlsSecurityProfile.intermediate          object - nullable
tlsSecurityProfile.modern                object - nullable
tlsSecurityProfile.custom                object - nullable
tlsSecurityProfile.custom.ciphers        list   R
tlsSecurityProfile.custom.ciphers[]      string -
tlsSecurityProfile.custom.minTLSVersion string R 'enum=VersionTLS10,VersionTLS11,VersionTLS12,\
VersionTLS13'
"""

# `importRetryFor` is an addition of ours.
CONFIG_SPEC = r"""
uploadProxyURLOverride      string -
=PROXY
scratchSpaceStorageClass    string -
podResourceRequirements     @ResourceRequirements -
featureGates                list   -
featureGates[]              string -
webhookPvcRendering         string -
=OVERHEAD
preallocation               bool   -
insecureRegistries          list   -
insecureRegistries[]        string -
importRetryFor              string - 'pattern=^(0|([0-9]+(\.[0-9]+)?(ms|s|m|h))+)$'
dataVolumeTTLSeconds        int32  -
=TLS_PROFILE
=PULL_SECRETS
logVerbosity                int32  -
"""

CLAIM_PROPERTY_SETS = """
claimPropertySets                list   - maxItems=8
claimPropertySets[]              object -
claimPropertySets[].accessModes  list   R maxItems=4 rule
claimPropertySets[].accessModes[] string -
claimPropertySets[].volumeMode   string R enum=Block,Filesystem
"""

INSTALLATION_STATUS = """
operatorVersion             string -
targetVersion               string -
observedVersion             string -
=CONDITIONS
"""

CERTIFICATES = """
certConfig                     object -
certConfig.ca                  object -
certConfig.ca.duration         dur    -
certConfig.ca.renewBefore      dur    -
certConfig.server              object -
certConfig.server.duration     dur    -
certConfig.server.renewBefore  dur    -
certConfig.client              object -
certConfig.client.duration     dur    -
certConfig.client.renewBefore  dur    -
"""

KINDS = {
    "DataVolume": """
spec                        object R
spec=DATA_VOLUME_SPEC
status                      object -
status=DATA_VOLUME_STATUS
""",
    "CDI": """
spec                                      object R
spec.imagePullPolicy                      string - enum=Always,IfNotPresent,Never
spec.uninstallStrategy string - enum=RemoveWorkloads,BlockUninstallIfWorkloadsExist
spec.infra                                object -
spec.infra=PLACEMENT
spec.infra.deploymentReplicas             int32  -
spec.infra.apiServerReplicas              int32  -
spec.infra.uploadProxyReplicas            int32  -
spec.workload                             object -
spec.workload=PLACEMENT
spec.customizeComponents                  object -
spec.customizeComponents.patches          list   - atomic
spec.customizeComponents.patches[]        object -
spec.customizeComponents.patches[].resourceName  string R minLength=1
spec.customizeComponents.patches[].resourceType  string R minLength=1
spec.customizeComponents.patches[].patch  string R
spec.customizeComponents.patches[].type   string R
spec.customizeComponents.flags            object -
spec.customizeComponents.flags.api        map    -
spec.customizeComponents.flags.api{}      string -
spec.customizeComponents.flags.controller map    -
spec.customizeComponents.flags.controller{} string -
spec.customizeComponents.flags.uploadProxy map   -
spec.customizeComponents.flags.uploadProxy{} string -
spec.cloneStrategyOverride                string - enum=copy,snapshot,csi-clone
spec.config                               object -
spec.config=CONFIG_SPEC
spec=CERTIFICATES
spec.priorityClass                        string -
status                                    object -
status.phase                              string -
status=INSTALLATION_STATUS
""",
    "CDIConfig": """
spec                                   object R
spec=CONFIG_SPEC
status                                 object -
status.uploadProxyURL                  string -
status.uploadProxyCA                   string -
status=PROXY
status.scratchSpaceStorageClass        string -
status.defaultPodResourceRequirements  @ResourceRequirements -
status=OVERHEAD
status.preallocation                   bool   -
status=PULL_SECRETS
""",
    "StorageProfile": """
spec                                object R
spec.cloneStrategy                  string -
spec=CLAIM_PROPERTY_SETS
spec.dataImportCronSourceFormat     string -
spec.snapshotClass                  string -
status                              object -
status.storageClass                 string -
status.provisioner                  string -
status.cloneStrategy                string -
status=CLAIM_PROPERTY_SETS
status.dataImportCronSourceFormat   string -
status.snapshotClass                string -
status=CONDITIONS
""",
    "DataSource": """
spec                                object R
spec.source                         object R rule
spec.source=CLONE_SOURCE
spec.source.dataSource              object -
spec.source.dataSource.namespace    string R
spec.source.dataSource.name         string R
status                              object -
status.source                       object -
status.source=CLONE_SOURCE
status.source.dataSource            object -
status.source.dataSource.namespace  string R
status.source.dataSource.name       string R
status=CONDITIONS
""",
    "DataImportCron": """
spec                                    object R
spec.template                           object R
spec.template.apiVersion                string -
spec.template.kind                      string -
spec.template.metadata                  object -
spec.template.metadata.labels           map    -
spec.template.metadata.labels{}         string -
spec.template.metadata.annotations      map    -
spec.template.metadata.annotations{}    string -
spec.template.spec                      object R
spec.template.spec=DATA_VOLUME_SPEC
spec.template.status                    object -
spec.template.status=DATA_VOLUME_STATUS
spec.schedule                           string R
spec.garbageCollect                     string -
spec.importsToKeep                      int32  -
spec.managedDataSource                  string R
spec.retentionPolicy                    string -
spec.serviceAccountName                 string - minLength=1
status                                  object -
status.currentImports                   list   -
status.currentImports[]                 object -
status.currentImports[].DataVolumeName  string R
status.currentImports[].Digest          string R
status.lastImportedPVC                  object -
status.lastImportedPVC.namespace        string R
status.lastImportedPVC.name             string R
status.lastExecutionTimestamp           time   -
status.lastImportTimestamp              time   -
status.sourceFormat                     string -
status=CONDITIONS
""",
    "ObjectTransfer": """
spec                              object R
spec.source                       object R
spec.source.apiVersion            string -
spec.source.kind                  string R
spec.source.namespace             string R
spec.source.name                  string R
spec.source.requiredAnnotations   map    -
spec.source.requiredAnnotations{} string -
spec.target                       object R
spec.target.namespace             string -
spec.target.name                  string -
spec.parentName                   string -
status                            object -
status.data                       map    -
status.data{}                     string -
status.phase                      string -
status=CONDITIONS
""",
    "VolumeImportSource": """
spec                object R
spec.source         object -
spec.source=IMPORT_SOURCE
spec.preallocation  bool   -
spec.contentType    string -
spec.targetClaim    string -
spec=CHECKPOINTS
status              object -
""",
    "VolumeUploadSource": """
spec                object R
spec.contentType    string -
spec.preallocation  bool   -
status              object -
""",
    "VolumeCloneSource": """
spec                    object R
spec.source             @TypedLocalObjectReference R
spec.preallocation      bool   -
spec.priorityClassName  string -
""",
    "OvirtVolumePopulator": """
spec                  object R
spec.engineUrl        string R
spec.secretRef        string R
spec.diskId           string R
spec.transferNetwork  string -
status                object -
status.progress       string -
""",
    "OpenstackVolumePopulator": """
spec                  object R
spec.identityUrl      string R
spec.secretRef        string R
spec.imageId          string R
spec.transferNetwork  string -
status                object -
status.progress       string -
""",
    "HostPathProvisioner": """
spec                                            object R
spec.imagePullPolicy                            string -
spec.pathConfig                                 object -
spec.pathConfig.path                            string R minLength=1
spec.pathConfig.useNamingPrefix                 bool   -
spec.storagePools                               list   - atomic
spec.storagePools[]                             object -
spec.storagePools[].name                        string R minLength=1 maxLength=50
spec.storagePools[].path                        string R minLength=1 maxLength=255
spec.storagePools[].pvcTemplate                 @PersistentVolumeClaimSpec -
spec.storagePools[].snapshotPath                string -
spec.storagePools[].snapshotProvider            string - enum=reflink
spec.storagePools[].overlayClassName            string -
spec.workload                                   object -
spec.workload=PLACEMENT
spec.featureGates                               list   - set
spec.featureGates[]                             string -
status                                          object -
status=INSTALLATION_STATUS
status.storagePoolStatuses                      list   - atomic
status.storagePoolStatuses[]                    object -
status.storagePoolStatuses[].name               string R
status.storagePoolStatuses[].phase              string R enum=Preparing,Mounting,Ready
status.storagePoolStatuses[].desiredReady       int64  -
status.storagePoolStatuses[].currentReady       int64  -
status.storagePoolStatuses[].claimStatuses      list   - atomic
status.storagePoolStatuses[].claimStatuses[]    object -
status.storagePoolStatuses[].claimStatuses[].name    string R
status.storagePoolStatuses[].claimStatuses[].status  @PersistentVolumeClaimStatus R
""",
}

# Kind: plural, scope, short names, categories, columns, status subresource.
SERVED = {
    "CDI": (
        "cdis", "Cluster", ["cdi", "cdis"], [],
        [("Age", "date", ".metadata.creationTimestamp"), ("Phase", "string", ".status.phase")],
        False,
    ),
    "CDIConfig": ("cdiconfigs", "Cluster", [], [], [], False),
    "StorageProfile": ("storageprofiles", "Cluster", [], [], [], True),
    "ObjectTransfer": (
        "objecttransfers", "Cluster", ["ot", "ots"], [],
        [("Age", "date", ".metadata.creationTimestamp"), ("Phase", "string", ".status.phase")],
        True,
    ),
    "DataVolume": (
        "datavolumes", "Namespaced", ["dv", "dvs"], ["all"],
        [
            ("Phase", "string", ".status.phase"),
            ("Progress", "string", ".status.progress"),
            ("Restarts", "integer", ".status.restartCount"),
            ("Age", "date", ".metadata.creationTimestamp"),
        ],
        True,
    ),
    "DataSource": ("datasources", "Namespaced", ["das"], ["all"], [], False),
    "DataImportCron": (
        "dataimportcrons", "Namespaced", ["dic", "dics"], ["all"],
        [("Format", "string", ".status.sourceFormat")], False,
    ),
    "VolumeImportSource": ("volumeimportsources", "Namespaced", [], [], [], False),
    "VolumeUploadSource": ("volumeuploadsources", "Namespaced", [], [], [], False),
    "VolumeCloneSource": ("volumeclonesources", "Namespaced", [], [], [], False),
    "OvirtVolumePopulator": (
        "ovirtvolumepopulators", "Namespaced", ["ovvp", "ovvps"], [], [], False,
    ),
    "OpenstackVolumePopulator": (
        "openstackvolumepopulators", "Namespaced", ["osvp", "osvps"], [], [], False,
    ),
    "HostPathProvisioner": ("hostpathprovisioners", "Cluster", [], [], [], False),
}  # fmt: skip

# Kind: group, versions as (name, served, storage).
VERSIONS = {
    "CDI": ("cdi.kubevirt.io", [("v1beta1", True, True), ("v1alpha1", True, False)]),
    "OvirtVolumePopulator": ("forklift.cdi.kubevirt.io", [("v1beta1", True, True)]),
    "OpenstackVolumePopulator": ("forklift.cdi.kubevirt.io", [("v1beta1", True, True)]),
    "HostPathProvisioner": (
        "hostpathprovisioner.kubevirt.io",
        [("v1beta1", True, True), ("v1alpha1", True, False)],
    ),
}
ONE_VERSION = ("cdi.kubevirt.io", [("v1beta1", True, True)])


@dataclass(frozen=True)
class Row:
    """One line of a table."""

    path: str
    type: str
    required: bool
    rules: tuple[str, ...]


def rows_of(kind: str) -> list[Row]:
    """Return every line about a kind, with the shared blocks put in."""
    return list(_rows(KINDS[kind], ""))


def _rows(table: str, prefix: str):
    for line in table.strip().splitlines():
        head, *rest = shlex.split(line)
        if "=" in head and not rest:
            inside, block = head.split("=")
            yield from _rows(globals()[block], _join(prefix, inside))
        else:
            kind, required, *rules = rest
            yield Row(_join(prefix, head), kind, required == "R", tuple(rules))


def _join(prefix: str, path: str) -> str:
    return f"{prefix}.{path}" if prefix and path else prefix or path
