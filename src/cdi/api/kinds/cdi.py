"""CDI: an installation, as the operator is to make it."""

from typing import Annotated

import msgspec

from cdi.api.core.metadata import Condition
from cdi.api.core.placement import NodePlacement
from cdi.api.kinds.config import CDIConfigSpec
from cdi.api.kinds.root import Root
from cdi.api.view import ATOMIC_LIST, Duration, Int32, View, doc


class ComponentConfig(NodePlacement):
    """Where the control plane runs, and how many of each."""

    deployment_replicas: Annotated[
        Int32 | None, doc("Number of controllers, of which one leads; 1 by default.")
    ] = None
    api_server_replicas: Annotated[
        Int32 | None, doc("Number of API servers, for webhooks and tokens; 1 by default.")
    ] = None
    upload_proxy_replicas: Annotated[
        Int32 | None, doc("Number of upload proxies; 1 by default.")
    ] = None


class ComponentPatch(View):
    """A change to the objects that the operator makes."""

    resource_name: Annotated[str, doc("Object that is changed; * means all.", minLength=1)]
    resource_type: Annotated[str, doc("Kind that is changed; * means all.", minLength=1)]
    patch: Annotated[str, doc("The patch, in JSON.")]
    type_: Annotated[str, doc("Kind of the patch: json, merge or strategic.")] = msgspec.field(
        name="type"
    )


class Flags(View):
    """Arguments that replace those of a component. An empty value makes a bare flag."""

    api: Annotated[dict[str, str] | None, doc("Arguments of the API server, by name.")] = None
    controller: Annotated[dict[str, str] | None, doc("Arguments of the controllers, by name.")] = (
        None
    )
    upload_proxy: Annotated[
        dict[str, str] | None, doc("Arguments of the upload proxy, by name.")
    ] = None


class CustomizeComponents(View):
    """Changes to what the operator makes."""

    patches: Annotated[
        list[ComponentPatch] | None, doc("Patches to what is made.", **ATOMIC_LIST)
    ] = None
    flags: Annotated[Flags | None, doc("Arguments of the components.")] = None


class CertificateConfig(View):
    """Lifetime of certificates."""

    duration: Annotated[Duration | None, doc("How long they are valid: 48h0m0s.")] = None
    renew_before: Annotated[
        Duration | None, doc("How long before their end they are renewed: 24h0m0s.")
    ] = None


class CDICertificates(View):
    """Lifetimes of CDI's own certificates."""

    ca: Annotated[CertificateConfig | None, doc("Signers; 48h and 24h by default.")] = None
    server: Annotated[CertificateConfig | None, doc("Servers; 24h and 12h by default.")] = None
    client: Annotated[CertificateConfig | None, doc("Clients; 24h and 12h by default.")] = None


class CDISpec(View):
    """What is wanted."""

    image_pull_policy: Annotated[
        str | None,
        doc(
            "When images are pulled; absent means the operator's setting.",
            enum=["Always", "IfNotPresent", "Never"],
        ),
    ] = None
    uninstall_strategy: Annotated[
        str | None,
        doc(
            "Whether CDI may be removed while there are DataVolumes; absent means that it may.",
            enum=["RemoveWorkloads", "BlockUninstallIfWorkloadsExist"],
        ),
    ] = None
    infra: Annotated[
        ComponentConfig | None, doc("Where the control plane runs, and how many of each.")
    ] = None
    workload: Annotated[
        NodePlacement | None, doc("Which nodes run the pods that fill volumes.")
    ] = None
    customize_components: Annotated[
        CustomizeComponents | None, doc("Changes to what the operator makes.")
    ] = None
    clone_strategy_override: Annotated[
        str | None,
        doc("One way to clone for all storage.", enum=["copy", "snapshot", "csi-clone"]),
    ] = None
    config: Annotated[
        CDIConfigSpec | None, doc("Settings; CDIConfig's spec is written from here.")
    ] = None
    cert_config: Annotated[CDICertificates | None, doc("Lifetimes of certificates.")] = None
    priority_class: Annotated[
        str | None,
        doc("Priority class of the control plane; kubevirt-cluster-critical by default."),
    ] = None


class InstallationStatus(View):
    """How far an operator has come."""

    conditions: Annotated[list[Condition] | None, doc("Available, Progressing and Degraded.")] = (
        None
    )
    operator_version: Annotated[str | None, doc("Version of the operator.")] = None
    target_version: Annotated[str | None, doc("Version that is being rolled out.")] = None
    observed_version: Annotated[str | None, doc("Version that is rolled out everywhere.")] = None


class CDIStatus(InstallationStatus):
    """How far the operator has come."""

    phase: Annotated[
        str | None,
        doc("Deploying, Deployed, Upgrading, Deleting, Deleted, Error, or empty."),
    ] = None


class CDI(Root, kw_only=True):
    """An installation of CDI. There is one."""

    spec: Annotated[CDISpec, doc("What is wanted.")]
    status: Annotated[CDIStatus | None, doc("How far the operator has come.")] = None
