"""
HyperConverged: the settings of a whole virtualization installation, as far as they concern disks.

The object holds far more than is described here; whatever is not, is kept (`spec` preserves
unknown fields). Settings have moved over the years: v1 groups them under `workloadSources` and
`storage`, v1beta1 has them directly in `spec`, releases up to 1.14 had the import switch among
the feature gates. All places are understood in both versions, and the schema is the same for
both, so that an object can be read and written through either without a conversion. The newest
place that is filled in wins.
"""

from typing import Annotated, Any, ClassVar

from cdi.api.core.claims import ResourceRequirements
from cdi.api.core.metadata import Condition, ObjectReference
from cdi.api.core.placement import NodePlacement
from cdi.api.kinds.cdi import CDICertificates
from cdi.api.kinds.config import FilesystemOverhead, TLSSecurityProfile
from cdi.api.kinds.datavolume import DataVolumeSpec
from cdi.api.kinds.root import Root
from cdi.api.view import ATOMIC_LIST, Int32, View, doc

# Releases up to 1.14 switch boot images by this gate, and clients replace its value by a JSON
# patch, which fails where the value is absent. Hence the one default.
IMPORT_GATE = "enableCommonBootImageImport"
MULTI_ARCH_GATE = "enableMultiArchBootImageImport"


class CronTemplateMeta(View):
    """Name, place and marks of the DataImportCron."""

    name: Annotated[
        str | None, doc("Name; that of a common template changes the common template.")
    ] = None
    namespace: Annotated[str | None, doc("Namespace; the boot images' by default.")] = None
    labels: Annotated[dict[str, str] | None, doc("Labels of the DataImportCron.")] = None
    annotations: Annotated[dict[str, str] | None, doc("Annotations of the DataImportCron.")] = None


class PartialDataVolumeTemplate(View):
    """The DataVolumes of the cron; what is left out comes from the common template."""

    metadata: Annotated[CronTemplateMeta | None, doc("Labels and annotations.")] = None
    spec: Annotated[DataVolumeSpec | None, doc("What is wanted.")] = None


class PartialCronSpec(View):
    """A DataImportCron; what is left out comes from the common template of the same name."""

    template: Annotated[PartialDataVolumeTemplate | None, doc("The DataVolumes that are made.")] = (
        None
    )
    schedule: Annotated[str | None, doc("When to look for a new digest.")] = None
    managed_data_source: Annotated[
        str | None, doc("DataSource that points at the newest import.")
    ] = None
    garbage_collect: Annotated[str | None, doc("Outdated or Never.")] = None
    imports_to_keep: Annotated[Int32 | None, doc("How many imports are kept.")] = None
    retention_policy: Annotated[
        str | None, doc("What happens to imports when the cron goes: All or None.")
    ] = None
    service_account_name: Annotated[
        str | None, doc("Service account that must be allowed to clone a pvc source.")
    ] = None


class DataImportCronTemplate(View):
    """A boot image that is kept up to date."""

    metadata: Annotated[CronTemplateMeta | None, doc("Name, place and marks.")] = None
    spec: Annotated[PartialCronSpec | None, doc("The DataImportCron.")] = None


class CronTemplateStatus(View):
    """Where a template comes from, and whether it is in use."""

    common_template: Annotated[bool | None, doc("Whether it was shipped.")] = None
    modified: Annotated[bool | None, doc("Whether a shipped one was changed.")] = None
    original_supported_architectures: Annotated[
        str | None, doc("Architectures of the image, before those of the cluster were chosen.")
    ] = None
    conditions: Annotated[list[Condition] | None, doc("Deployed, with the reason if not.")] = None


class DataImportCronTemplateInUse(DataImportCronTemplate):
    """A template as it is in effect."""

    status: Annotated[
        CronTemplateStatus | None, doc("Where it comes from, and whether it is in use.")
    ] = None


class StorageImport(View):
    """How images are fetched."""

    insecure_registries: Annotated[
        list[str] | None, doc("Registries whose TLS is not verified.", **ATOMIC_LIST)
    ] = None


class OperandResources(View):
    """CPU and memory of pods."""

    storage_workloads: Annotated[
        ResourceRequirements | None, doc("CPU and memory of CDI's worker pods.")
    ] = None


class Placement(View):
    """Where pods run."""

    node_placement: Annotated[NodePlacement | None, doc("Where the pods run.")] = None


class LogVerbosity(View):
    """How much each part logs."""

    cdi: Annotated[Int32 | None, doc("How much CDI logs.")] = None


class WorkloadSources(View):
    """Boot images and templates, as v1 has them."""

    SCHEMA: ClassVar = {"x-kubernetes-preserve-unknown-fields": True}

    enable_common_boot_image_import: Annotated[
        bool | None, doc("Whether the common boot images are imported; true by default.")
    ] = None
    enable_multi_arch_boot_image_import: Annotated[
        bool | None, doc("Whether boot images are imported for every architecture.")
    ] = None
    data_import_cron_templates: Annotated[
        list[DataImportCronTemplate] | None, doc("Boot images.", **ATOMIC_LIST)
    ] = None
    common_boot_image_namespace: Annotated[
        str | None, doc("Namespace of the common boot images.")
    ] = None
    common_templates_namespace: Annotated[
        str | None, doc("Namespace of the common virtual machine templates.")
    ] = None


class StorageSettings(View):
    """Storage, as v1 has it."""

    SCHEMA: ClassVar = {"x-kubernetes-preserve-unknown-fields": True}

    scratch_space_storage_class: Annotated[str | None, doc("StorageClass of scratch claims.")] = (
        None
    )
    filesystem_overhead: Annotated[
        FilesystemOverhead | None, doc("What file systems need for themselves.")
    ] = None
    storage_import: Annotated[StorageImport | None, doc("How images are fetched.")] = None
    workload_resource_requirements: Annotated[
        ResourceRequirements | None, doc("CPU and memory of CDI's worker pods.")
    ] = None


class HyperConvergedSpec(View):
    """What is wanted. Fields that are not described here are kept."""

    SCHEMA: ClassVar = {"x-kubernetes-preserve-unknown-fields": True}

    feature_gates: Annotated[
        Any,
        doc(
            "Behaviours: an object of truth values in v1beta1, a list of names in v1.",
            default={IMPORT_GATE: True},
        ),
    ] = None
    workload_sources: Annotated[WorkloadSources | None, doc("Boot images and templates.")] = None
    storage: Annotated[StorageSettings | None, doc("Storage.")] = None
    enable_common_boot_image_import: Annotated[
        bool | None, doc("Older place of workloadSources.enableCommonBootImageImport.")
    ] = None
    data_import_cron_templates: Annotated[
        list[DataImportCronTemplate] | None,
        doc("Older place of workloadSources.dataImportCronTemplates.", **ATOMIC_LIST),
    ] = None
    common_boot_image_namespace: Annotated[
        str | None, doc("Older place of workloadSources.commonBootImageNamespace.")
    ] = None
    common_templates_namespace: Annotated[
        str | None, doc("Older place of workloadSources.commonTemplatesNamespace.")
    ] = None
    scratch_space_storage_class: Annotated[
        str | None, doc("Older place of storage.scratchSpaceStorageClass.")
    ] = None
    filesystem_overhead: Annotated[
        FilesystemOverhead | None, doc("Older place of storage.filesystemOverhead.")
    ] = None
    storage_import: Annotated[
        StorageImport | None, doc("Older place of storage.storageImport.")
    ] = None
    resource_requirements: Annotated[
        OperandResources | None, doc("Older place of storage.workloadResourceRequirements.")
    ] = None
    local_storage_class_name: Annotated[
        str | None, doc("Ignored; once the default for local volumes.")
    ] = None
    infra: Annotated[Placement | None, doc("Where the control plane runs.")] = None
    workloads: Annotated[Placement | None, doc("Where machines and worker pods run.")] = None
    cert_config: Annotated[CDICertificates | None, doc("Lifetimes of certificates.")] = None
    tls_security_profile: Annotated[
        TLSSecurityProfile | None, doc("TLS versions and ciphers of every server.")
    ] = None
    log_verbosity_config: Annotated[LogVerbosity | None, doc("How much each part logs.")] = None
    uninstall_strategy: Annotated[
        str | None,
        doc(
            "Whether the installation may be removed while there are machines or DataVolumes.",
            enum=["RemoveWorkloads", "BlockUninstallIfWorkloadsExist"],
        ),
    ] = None


class HyperConvergedStatus(View):
    """How far it has come. Fields that are not described here are kept."""

    SCHEMA: ClassVar = {"x-kubernetes-preserve-unknown-fields": True}

    conditions: Annotated[list[Condition] | None, doc("Available, Progressing, Degraded.")] = None
    data_import_schedule: Annotated[
        str | None, doc("Schedule of all common boot images, drawn once at random.")
    ] = None
    data_import_cron_templates: Annotated[
        list[DataImportCronTemplateInUse] | None,
        doc("Boot images as they are in effect.", **ATOMIC_LIST),
    ] = None
    related_objects: Annotated[
        list[ObjectReference] | None, doc("Objects that were made for this one.", **ATOMIC_LIST)
    ] = None


class HyperConverged(Root, kw_only=True):
    """The settings of a whole virtualization installation. There is one."""

    spec: Annotated[HyperConvergedSpec, doc("What is wanted.")]
    status: Annotated[HyperConvergedStatus | None, doc("How far it has come.")] = None
