"""Every finalizer that is part of the API, once: who holds what, and why."""

_CDI = "cdi.kubevirt.io/"

# DataVolume cloned between namespaces: the VolumeCloneSource in the other namespace must go first
DATA_VOLUME = _CDI + "dataVolumeFinalizer"
# clone target: everything labelled OwnedByUID must go first
CLONE_POPULATOR = _CDI + "clonePopulator"
# target of a host-assisted copy: the clone source pod must go first
CLONE_SOURCE = _CDI + "cloneSource"
# DataImportCron: its poller, and the imports that are not to outlive it, must go first
DATA_IMPORT_CRON = _CDI + "dataImportCron"
# claim importing from an ImageStream: the importer pod, which has no owner, must go first
IMPORT_IMAGE_STREAM = _CDI + "importImageStream"
# ObjectTransfer: what is half moved must be finished or undone first
OBJECT_TRANSFER = _CDI + "objectTransfer"
# CDI: everything the operator made must go first
OPERATOR = "operator.cdi.kubevirt.io"
# SSP: crons of boot images must go first, then all that was made for them
SSP = "ssp.kubevirt.io/finalizer"
# HyperConverged: the boot images that it asks for must go first
HYPERCONVERGED = "kubevirt.io/hyperconverged"
# HostPathProvisioner: pools and cluster-wide objects must go first
HOST_PATH_PROVISIONER = "finalizer.delete.hostpath-provisioner"
