"""
What a volume can be filled from. A union holds at most one member; webhooks see to that, the
schema does not.
"""

from typing import Annotated

import msgspec

from cdi.api.kinds.root import Nothing
from cdi.api.view import View, doc

_SECRET = "Secret in the same namespace with the keys accessKeyId and secretKey."  # noqa: S105
_CERTIFICATES = "ConfigMap in the same namespace; every key is a CA certificate in PEM form."


class HTTPSource(View):
    """A file on a web server."""

    url: Annotated[str, doc("http or https URL of the file.")]
    secret_ref: Annotated[
        str | None, doc("User and password for basic authentication. " + _SECRET)
    ] = None
    cert_config_map: Annotated[str | None, doc(_CERTIFICATES)] = None
    extra_headers: Annotated[
        list[str] | None, doc("Header lines, `Name: value`, sent with every request.")
    ] = None
    secret_extra_headers: Annotated[
        list[str] | None, doc("Secrets in the same namespace; every key is one header line.")
    ] = None
    checksum: Annotated[
        str | None,
        doc("Promised digest of the file, md5, sha1, sha256 or sha512: `sha256:<hex>`."),
    ] = None
    insecure_skip_verify: Annotated[
        bool | None, doc("Do not verify the server's TLS certificate.")
    ] = None


class S3Source(View):
    """An object in an S3 bucket."""

    url: Annotated[str, doc("http or https URL of the object: https://host/bucket/key.")]
    secret_ref: Annotated[str | None, doc("Access key. " + _SECRET)] = None
    cert_config_map: Annotated[str | None, doc(_CERTIFICATES)] = None


class GCSSource(View):
    """An object in a Google Cloud Storage bucket."""

    url: Annotated[str, doc("gs://bucket/object, or an http or https URL.")]
    secret_ref: Annotated[
        str | None, doc("Secret in the same namespace with the key credentials.json.")
    ] = None


class Platform(View):
    """Which of an image's variants is wanted."""

    architecture: Annotated[
        str | None, doc("Architecture by its Go name: amd64, arm64, s390x.")
    ] = None


class RegistrySource(View):
    """A disk inside a container image."""

    url: Annotated[
        str | None, doc("docker://host/repository[:tag or @digest], or oci-archive://path.")
    ] = None
    image_stream: Annotated[
        str | None, doc("OpenShift ImageStream, `name[:tag]`, instead of a URL.")
    ] = None
    pull_method: Annotated[
        str | None,
        doc("pod: the importer pulls, the default. node: the node pulls, with its own settings."),
    ] = None
    secret_ref: Annotated[str | None, doc("User and password of the registry. " + _SECRET)] = None
    cert_config_map: Annotated[str | None, doc(_CERTIFICATES)] = None
    platform: Annotated[Platform | None, doc("Which variant of the image is wanted.")] = None


class PVCSource(View):
    """A claim to clone."""

    namespace: Annotated[str, doc("Namespace of the claim.")]
    name: Annotated[str, doc("Name of the claim.")]


class SnapshotSource(View):
    """A VolumeSnapshot to clone."""

    namespace: Annotated[str, doc("Namespace of the snapshot.")]
    name: Annotated[str, doc("Name of the snapshot.")]


class ImageIOSource(View):
    """A disk of an oVirt engine."""

    url: Annotated[str, doc("URL of the engine's API.")]
    disk_id: Annotated[str, doc("ID of the disk in the engine, not its name.")]
    secret_ref: Annotated[str | None, doc("User and password of the engine. " + _SECRET)] = None
    cert_config_map: Annotated[str | None, doc(_CERTIFICATES)] = None
    insecure_skip_verify: Annotated[
        bool | None, doc("Do not verify the engine's TLS certificate.")
    ] = None


class VDDKSource(View):
    """A disk of a VMware virtual machine."""

    url: Annotated[str | None, doc("URL of vCenter or of the ESXi host.")] = None
    uuid: Annotated[str | None, doc("UUID of the virtual machine.")] = None
    backing_file: Annotated[str | None, doc("Path of the disk on its datastore.")] = None
    thumbprint: Annotated[str | None, doc("Thumbprint of the server's certificate.")] = None
    secret_ref: Annotated[str | None, doc("User and password. " + _SECRET)] = None
    cert_config_map: Annotated[str | None, doc(_CERTIFICATES)] = None
    init_image_url: Annotated[
        str | None,
        doc("Image with the VDDK library; absent means the one in ConfigMap v2v-vmware."),
    ] = msgspec.field(default=None, name="initImageURL")
    extra_args: Annotated[
        str | None,
        doc(
            "ConfigMap in the same namespace: vddk-config-file holds arguments for the library, "
            "vddk-node-selector a node selector in JSON."
        ),
    ] = None


class ImportSource(View):
    """What bytes can be imported from."""

    http: Annotated[HTTPSource | None, doc("A file on a web server.")] = None
    s3: Annotated[S3Source | None, doc("An object in an S3 bucket.")] = None
    gcs: Annotated[GCSSource | None, doc("An object in a Google Cloud Storage bucket.")] = None
    registry: Annotated[RegistrySource | None, doc("A disk inside a container image.")] = None
    blank: Annotated[Nothing | None, doc("Nothing: an empty disk as large as the claim.")] = None
    imageio: Annotated[ImageIOSource | None, doc("A disk of an oVirt engine.")] = None
    vddk: Annotated[VDDKSource | None, doc("A disk of a VMware virtual machine.")] = None


class DataVolumeSource(ImportSource):
    """What a DataVolume can be filled from."""

    pvc: Annotated[PVCSource | None, doc("A claim to clone.")] = None
    snapshot: Annotated[SnapshotSource | None, doc("A VolumeSnapshot to clone.")] = None
    upload: Annotated[Nothing | None, doc("A client that will send the bytes.")] = None


class Checkpoint(View):
    """One stage of a multi-stage import."""

    previous: Annotated[str, doc("Snapshot that this stage builds on; empty for the first.")]
    current: Annotated[str, doc("Snapshot that this stage copies.")]
