"""Resources as rules name them, qualified by their group; and what several rules ask for."""

from typing import Final

from cdi.api import names
from cdi.web.admission.inquiry import Get, List

DATA_VOLUMES: Final = "datavolumes.cdi.kubevirt.io"
DATA_SOURCES: Final = "datasources.cdi.kubevirt.io"
DATA_IMPORT_CRONS: Final = "dataimportcrons.cdi.kubevirt.io"
IMPORT_SOURCES: Final = "volumeimportsources.cdi.kubevirt.io"
UPLOAD_SOURCES: Final = "volumeuploadsources.cdi.kubevirt.io"
CLONE_SOURCES: Final = "volumeclonesources.cdi.kubevirt.io"
OBJECT_TRANSFERS: Final = "objecttransfers.cdi.kubevirt.io"
STORAGE_PROFILES: Final = "storageprofiles.cdi.kubevirt.io"
HYPERCONVERGEDS: Final = "hyperconvergeds.hco.kubevirt.io"
SSPS: Final = "ssps.ssp.kubevirt.io"
INSTALLATIONS: Final = "cdis.cdi.kubevirt.io"

CLAIMS: Final = "persistentvolumeclaims"
NAMESPACES: Final = "namespaces"
SNAPSHOTS: Final = "volumesnapshots.snapshot.storage.k8s.io"

CONFIG: Final = Get("cdiconfigs.cdi.kubevirt.io", names.CDI_CONFIG)
CLASSES: Final = List("storageclasses.storage.k8s.io")
VOLUMES: Final = List("persistentvolumes")
