"""Our own kinds as `cdi.kube` speaks of them, and the kinds of others that it does not know."""

from __future__ import annotations

from typing import Final

from cdi.api import resources
from cdi.kube.resource import Resource


def _ours(kind: str) -> Resource:
    found = resources.find(kind)
    return Resource(
        found.group, found.storage_version, found.plural, found.kind, namespaced=found.namespaced
    )


DATA_VOLUMES: Final = _ours("DataVolume")
DATA_SOURCES: Final = _ours("DataSource")
DATA_IMPORT_CRONS: Final = _ours("DataImportCron")
IMPORT_SOURCES: Final = _ours("VolumeImportSource")
UPLOAD_SOURCES: Final = _ours("VolumeUploadSource")
CLONE_SOURCES: Final = _ours("VolumeCloneSource")
OVIRT_POPULATORS: Final = _ours("OvirtVolumePopulator")
OPENSTACK_POPULATORS: Final = _ours("OpenstackVolumePopulator")
OBJECT_TRANSFERS: Final = _ours("ObjectTransfer")
# What claims may name as the source of a populator of ours.
SOURCE_OBJECTS: Final = (
    IMPORT_SOURCES,
    UPLOAD_SOURCES,
    CLONE_SOURCES,
    OVIRT_POPULATORS,
    OPENSTACK_POPULATORS,
)

STORAGE_PROFILES: Final = _ours("StorageProfile")
CDI_CONFIGS: Final = _ours("CDIConfig")
CDIS: Final = _ours("CDI")

_OPENSHIFT: Final = "config.openshift.io"
INFRASTRUCTURES: Final = Resource(
    _OPENSHIFT, "v1", "infrastructures", "Infrastructure", namespaced=False
)
PROXIES: Final = Resource(_OPENSHIFT, "v1", "proxies", "Proxy", namespaced=False)
# Their namespaces are as trustworthy as ours: whoever may make one installs all of this.
HYPERCONVERGEDS: Final = _ours("HyperConverged")
IMAGE_STREAMS: Final = Resource("image.openshift.io", "v1", "imagestreams", "ImageStream")
_SNAPSHOT_GROUP: Final = "snapshot.storage.k8s.io"

SNAPSHOTS: Final = Resource(
    _SNAPSHOT_GROUP, "v1", "volumesnapshots", "VolumeSnapshot", namespaced=True
)
SNAPSHOT_CONTENTS: Final = Resource(
    _SNAPSHOT_GROUP, "v1", "volumesnapshotcontents", "VolumeSnapshotContent", namespaced=False
)
ROUTES: Final = Resource("route.openshift.io", "v1", "routes", "Route")  # OpenShift's
SNAPSHOT_CLASSES: Final = Resource(
    _SNAPSHOT_GROUP, "v1", "volumesnapshotclasses", "VolumeSnapshotClass", namespaced=False
)
