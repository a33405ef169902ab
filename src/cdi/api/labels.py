"""Every label that is part of the API, once, and which labels travel between boot images."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_CDI = "cdi.kubevirt.io/"
_INSTANCETYPE = "instancetype.kubevirt.io/default-"
_APP = "app.kubernetes.io/"

# Who an object belongs to

# claims, worker pods, Services, Secrets, snapshots: always APP_VALUE
APP = "app"
APP_VALUE = "containerized-data-importer"
# which part of CDI an object is; values below, empty on generic resources
COMPONENT = "cdi.kubevirt.io"
# importer and size detection pods
IMPORTER = "importer"
# upload server pods
UPLOAD_SERVER = "cdi-upload-server"
# clone source pods
CLONE_SOURCE = "cdi-clone-source"
# pods that make storage bind or resize
POPULATOR_PREP = "cdi-populator-prep"
# the controllers
CONTROLLER = "cdi-deployment"
# the API server
API_SERVER = "cdi-apiserver"
# the upload proxy
UPLOAD_PROXY = "cdi-uploadproxy"
# webhook configurations and the APIService
API = "cdi-api"
# the Secret with token keys
KEYSTORE = "keystore"
# temporary claim of a clone from a snapshot
SNAPSHOT_FALLBACK_CLAIM = "cdi-clone-from-snapshot-source-host-assisted-fallback-pvc"
# legacy temporary claim of a clone from a snapshot: the snapshot's name
LEGACY_SNAPSHOT_CLAIM = "cdi-controller"

# Selectors

# upload pod: name of its Service
SERVICE = "service"
# upload pod: UID of its target claim
UPLOAD_TARGET = _CDI + "uploadTarget"
# clone source pod: its own name; the spelling is part of the API
CLONE_UNIQUE_ID = _CDI + "storage.clone.cloneUniqeId"
# clone source pod: UID of the source claim
HOST_ASSISTED_SOURCE = _CDI + "hostAssistedSourcePodCloneSource"
# temporary claim, snapshot, prep pod: UID of the target claim, for cleaning up
OWNED_BY_UID = _CDI + "OwnedByUID"
# importer and clone source pods, control plane: has metrics; `true`
PROMETHEUS = "prometheus.cdi.kubevirt.io"
# filesystem claims: `disabled`, a full volume is normal here
FILLING_UP_ALERT = "alerts.k8s.io/KubePersistentVolumeFillingUp"
# prime, scratch and temporary claims: `true`
EXCLUDE_FROM_BACKUP = "velero.io/exclude-from-backup"
# claim, DataVolume: `true` lets the webhook complete the claim from its StorageProfile
APPLY_STORAGE_PROFILE = _CDI + "applyStorageProfile"
# control plane pods: `true`
ALLOW_CLUSTER_SERVICES = "np.kubevirt.io/allow-access-cluster-services"

# Boot sources

# products of a DataImportCron, its DataSource and jobs: the cron's name
DATA_IMPORT_CRON = _CDI + "dataImportCron"
# jobs: the cron's namespace
DATA_IMPORT_CRON_NAMESPACE = _CDI + "dataImportCronNs"
# poller pod: empty
DATA_IMPORT_CRON_POLLER = _CDI + "dataImportCronPoller"
# products: `true` if they go when the cron goes
DATA_IMPORT_CRON_CLEANUP = _CDI + "dataImportCron.cleanup"
# default instance type of machines booting from this disk
DEFAULT_INSTANCETYPE = _INSTANCETYPE + "instancetype"
# kind of that instance type
DEFAULT_INSTANCETYPE_KIND = _INSTANCETYPE + "instancetype-kind"
# default preference of machines booting from this disk
DEFAULT_PREFERENCE = _INSTANCETYPE + "preference"
# kind of that preference
DEFAULT_PREFERENCE_KIND = _INSTANCETYPE + "preference-kind"
# cron, DataVolume: the image takes credentials at run time
DYNAMIC_CREDENTIALS = "kubevirt.io/dynamic-credentials-support"

# Operator

# everything created: cdi-controller, cdi-operator or cdi-apiserver
MANAGED_BY = _APP + "managed-by"
# everything created: `storage`
APP_COMPONENT = _APP + "component"
# everything created: from the CDI object
PART_OF = _APP + "part-of"
# everything created: from the CDI object
VERSION = _APP + "version"
# the operator's own objects: empty
OPERATOR = "operator.cdi.kubevirt.io"
# managed objects: version that created them
CREATE_VERSION = OPERATOR + "/createVersion"
# managed objects: version that changed them last
UPDATE_VERSION = OPERATOR + "/updateVersion"
# ClusterRole: part of admin
AGGREGATE_TO_ADMIN = "rbac.authorization.k8s.io/aggregate-to-admin"
# ClusterRole: part of edit
AGGREGATE_TO_EDIT = "rbac.authorization.k8s.io/aggregate-to-edit"
# ClusterRole: part of view
AGGREGATE_TO_VIEW = "rbac.authorization.k8s.io/aggregate-to-view"

# Where none of the four is set, a DataVolume takes them from what it is filled from.
INSTANCETYPE_DEFAULTS: Final = (
    DEFAULT_INSTANCETYPE,
    DEFAULT_INSTANCETYPE_KIND,
    DEFAULT_PREFERENCE,
    DEFAULT_PREFERENCE_KIND,
)

_TRAVELS = re.compile(r"(?:[\w.]+\.)?kubevirt\.io/[\w.-]+", re.ASCII)
_SUFFIX_OF_OURS = "cdi.kubevirt.io"


def travelling(labels: Mapping[str, str]) -> dict[str, str]:
    """Return the labels that a boot image hands on to what is made from it.

    Those are the labels of KubeVirt, but none of CDI's own: they describe one object, not
    the image in it.
    """
    return {
        key: value
        for key, value in labels.items()
        if _TRAVELS.fullmatch(key) and not key.split("/")[0].endswith(_SUFFIX_OF_OURS)
    }


def installer_labels(environment: Mapping[str, str]) -> dict[str, str]:
    """The labels that an installer wants on everything, as a process is told of them."""
    given = {
        PART_OF: environment.get("INSTALLER_PART_OF_LABEL", ""),
        VERSION: environment.get("INSTALLER_VERSION_LABEL", ""),
    }
    return {key: value for key, value in given.items() if value}
