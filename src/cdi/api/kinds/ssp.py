"""
SSP: the boot images of a virtualization installation, and who may use them.

A HyperConverged writes it. It holds more than is described here; whatever is not, is kept.
"""

from typing import Annotated, ClassVar

from cdi.api.core.metadata import Condition
from cdi.api.kinds.config import TLSSecurityProfile
from cdi.api.kinds.hyperconverged import DataImportCronTemplate
from cdi.api.kinds.root import Root
from cdi.api.view import ATOMIC_LIST, Int32, Int64, View, doc


class CommonTemplates(View):
    """Boot images, and the templates of machines."""

    SCHEMA: ClassVar = {"x-kubernetes-preserve-unknown-fields": True}

    namespace: Annotated[str, doc("Namespace of the templates of machines.")]
    data_import_cron_templates: Annotated[
        list[DataImportCronTemplate] | None, doc("Boot images.", **ATOMIC_LIST)
    ] = None


class TemplateValidator(View):
    """The webhook of machine templates, which is not ours."""

    SCHEMA: ClassVar = {"x-kubernetes-preserve-unknown-fields": True}

    replicas: Annotated[Int32 | None, doc("How many there are.")] = None


class ClusterArchitectures(View):
    """The architectures of a cluster's nodes."""

    workload_architectures: Annotated[
        list[str] | None, doc("Of the nodes on which machines run.", **ATOMIC_LIST)
    ] = None
    control_plane_architectures: Annotated[
        list[str] | None, doc("Of the control plane.", **ATOMIC_LIST)
    ] = None


class SSPSpec(View):
    """What is wanted. Fields that are not described here are kept."""

    SCHEMA: ClassVar = {"x-kubernetes-preserve-unknown-fields": True}

    common_templates: Annotated[
        CommonTemplates | None, doc("Boot images, and the templates of machines.")
    ] = None
    template_validator: Annotated[
        TemplateValidator | None, doc("The webhook of machine templates.")
    ] = None
    cluster: Annotated[
        ClusterArchitectures | None, doc("The architectures of the cluster's nodes.")
    ] = None
    enable_multiple_architectures: Annotated[
        bool | None, doc("Whether boot images are imported for every architecture.")
    ] = None
    tls_security_profile: Annotated[
        TLSSecurityProfile | None, doc("TLS versions and ciphers of every server.")
    ] = None


class SSPStatus(View):
    """How far it has come. Fields that are not described here are kept."""

    SCHEMA: ClassVar = {"x-kubernetes-preserve-unknown-fields": True}

    phase: Annotated[str | None, doc("Deploying, Deployed or Deleting.")] = None
    conditions: Annotated[list[Condition] | None, doc("Available, Progressing, Degraded.")] = None
    paused: Annotated[bool | None, doc("Whether nothing is done for now.")] = None
    observed_generation: Annotated[Int64 | None, doc("Of the spec that is in effect.")] = None


class SSP(Root, kw_only=True):
    """The boot images of a virtualization installation. There is one."""

    spec: Annotated[SSPSpec | None, doc("What is wanted.")] = None
    status: Annotated[SSPStatus | None, doc("How far it has come.")] = None
