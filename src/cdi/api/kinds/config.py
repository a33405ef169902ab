"""CDIConfig: the settings of an installation, as wanted and as in effect."""

from typing import Annotated

import msgspec

from cdi.api import durations
from cdi.api.core.claims import ResourceRequirements
from cdi.api.core.metadata import LocalObjectReference
from cdi.api.kinds.root import Nothing, Root
from cdi.api.view import Int32, View, doc

OVERHEAD_PATTERN = r"^(0(?:\.\d{1,3})?|1)$"

Duration = Annotated[str, msgspec.Meta(extra_json_schema={"pattern": durations.PATTERN})]
# A share of a volume, as text: schemas know no exact fractions.
Percent = Annotated[str, msgspec.Meta(extra_json_schema={"pattern": OVERHEAD_PATTERN})]


class FilesystemOverhead(View):
    """The share of a Filesystem volume that the file system needs for itself."""

    global_: Annotated[Percent | None, doc("For classes that are not listed; 0.06 by default.")] = (
        msgspec.field(default=None, name="global")
    )
    storage_class: Annotated[dict[str, Percent] | None, doc("By name of the StorageClass.")] = None


class ImportProxy(View):
    """The proxy through which importers reach their sources."""

    http_proxy: Annotated[str | None, doc("Proxy for http: http://user:password@host:port.")] = (
        msgspec.field(default=None, name="HTTPProxy")
    )
    https_proxy: Annotated[str | None, doc("Proxy for https: https://user:password@host:port.")] = (
        msgspec.field(default=None, name="HTTPSProxy")
    )
    no_proxy: Annotated[
        str | None, doc("Hosts, domains and networks to reach without a proxy, with commas.")
    ] = None
    trusted_ca_proxy: Annotated[
        str | None,
        doc("ConfigMap in CDI's namespace with the proxy's CA certificates."),
    ] = msgspec.field(default=None, name="trustedCAProxy")


class CustomTLSProfile(View):
    """A TLS profile made by hand."""

    ciphers: Annotated[list[str], doc("Cipher suites, by their OpenSSL names.")]
    min_tls_version: Annotated[
        str,
        doc(
            "Lowest TLS version that servers accept.",
            enum=["VersionTLS10", "VersionTLS11", "VersionTLS12", "VersionTLS13"],
        ),
    ] = msgspec.field(name="minTLSVersion")


class TLSSecurityProfile(View):
    """TLS versions and ciphers of CDI's servers."""

    type_: Annotated[
        str | None,
        doc(
            "Which profile is in effect; custom wins whenever it is there.",
            enum=["Old", "Intermediate", "Modern", "Custom"],
        ),
    ] = msgspec.field(default=None, name="type")
    old: Annotated[Nothing | None, doc("For very old clients: TLS 1.0.", nullable=True)] = None
    intermediate: Annotated[
        Nothing | None, doc("For most clients, the default: TLS 1.2.", nullable=True)
    ] = None
    modern: Annotated[Nothing | None, doc("For new clients: TLS 1.3.", nullable=True)] = None
    custom: Annotated[
        CustomTLSProfile | None, doc("Made by hand. Use with care.", nullable=True)
    ] = None


class CDIConfigSpec(View):
    """Settings as wanted. Written from the CDI object's spec.config."""

    upload_proxy_url_override: Annotated[
        str | None, doc("URL at which clients reach the upload proxy.")
    ] = msgspec.field(default=None, name="uploadProxyURLOverride")
    import_proxy: Annotated[
        ImportProxy | None, doc("Proxy of the importers; absent means the cluster's.")
    ] = None
    scratch_space_storage_class: Annotated[
        str | None, doc("StorageClass of scratch claims; absent means the target's.")
    ] = None
    pod_resource_requirements: Annotated[
        ResourceRequirements | None, doc("CPU and memory of worker pods.")
    ] = None
    feature_gates: Annotated[
        list[str] | None, doc("Behaviours that are off unless they are listed.")
    ] = None
    webhook_pvc_rendering: Annotated[
        str | None,
        doc("Enabled, the default: the webhook completes labelled claims. Disabled: not."),
    ] = None
    filesystem_overhead: Annotated[
        FilesystemOverhead | None, doc("What file systems need for themselves.")
    ] = None
    preallocation: Annotated[
        bool | None, doc("Allocate whole volumes where a DataVolume does not say.")
    ] = None
    insecure_registries: Annotated[
        list[str] | None, doc("Registries, host[:port], whose TLS is not verified.")
    ] = None
    import_retry_for: Annotated[
        Duration | None,
        doc("How long imports are tried again if their source may yet be mended: 1h, 0 for never."),
    ] = None
    data_volume_ttl_seconds: Annotated[
        Int32 | None, doc("Ignored: finished DataVolumes are no longer collected.")
    ] = msgspec.field(default=None, name="dataVolumeTTLSeconds")
    tls_security_profile: Annotated[
        TLSSecurityProfile | None, doc("TLS versions and ciphers of CDI's servers.")
    ] = None
    image_pull_secrets: Annotated[
        list[LocalObjectReference] | None, doc("Secrets with which worker images are pulled.")
    ] = None
    log_verbosity: Annotated[
        Int32 | None, doc("How much the control plane logs; more with larger numbers.")
    ] = None


class CDIConfigStatus(View):
    """Settings as in effect."""

    upload_proxy_url: Annotated[str | None, doc("Where clients reach the upload proxy.")] = (
        msgspec.field(default=None, name="uploadProxyURL")
    )
    upload_proxy_ca: Annotated[str | None, doc("CA certificates of that address, in PEM form.")] = (
        msgspec.field(default=None, name="uploadProxyCA")
    )
    import_proxy: Annotated[
        ImportProxy | None, doc("Proxy that importers use, the cluster's included.")
    ] = None
    scratch_space_storage_class: Annotated[
        str | None, doc("StorageClass of scratch claims, if it exists.")
    ] = None
    default_pod_resource_requirements: Annotated[
        ResourceRequirements | None, doc("CPU and memory of worker pods.")
    ] = None
    filesystem_overhead: Annotated[
        FilesystemOverhead | None, doc("What file systems need, for every StorageClass.")
    ] = None
    preallocation: Annotated[
        bool | None, doc("Whether whole volumes are allocated by default.")
    ] = None
    image_pull_secrets: Annotated[
        list[LocalObjectReference] | None, doc("Secrets with which worker images are pulled.")
    ] = None


class CDIConfig(Root, kw_only=True):
    """The settings of an installation. There is one, named config."""

    spec: Annotated[
        CDIConfigSpec, doc("Settings as wanted; written from the CDI object's spec.config.")
    ]
    status: Annotated[CDIConfigStatus | None, doc("Settings as in effect, defaults filled in.")] = (
        None
    )
