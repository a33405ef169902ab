"""
What a worker is told, and what it answers: the contract between controllers and workers.

`WorkOrder`, `PollOrder`, `UploadOrder` and `CloneOrder` travel as environment variables to the
importer, the poller, the upload server and the clone source; `WorkerSettings` says where mounts
are if not where they are in a pod; `Termination` is the one message that comes back. Each has both
directions, so the two sides cannot drift apart. Names of variables are part of the API and stay.

Values that cannot be read raise InvalidVariable, a ValueError with the variable's name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Final, Self

from cdi.api.environment import (
    FLAG,
    MOMENT,
    PORT,
    SECONDS,
    SHARE,
    SIZE,
    WORDS,
    Codec,
    Environment,
    InvalidVariable,
    PodVariable,
    Variable,
    choice,
)
from cdi.api.quantity import Quantity
from cdi.api.termination import Termination, VDDKInfo
from cdi.api.workersettings import WorkerSettings

__all__ = [
    "CloneOrder",
    "CopyOrder",
    "InvalidVariable",
    "PollOrder",
    "Termination",
    "UploadOrder",
    "VDDKInfo",
    "WorkOrder",
    "WorkerSettings",
]

OVIRT: Final = "ovirt"
OPENSTACK: Final = "openstack"
SOURCES: Final = ("http", "s3", "gcs", "registry", "imageio", "vddk", OVIRT, OPENSTACK, "none")
BLANK: Final = "none"
KUBEVIRT: Final = "kubevirt"
ARCHIVE: Final = "archive"
NODE_PULL: Final = "node"

_SESSION: Final = "IMPORTER_SESSION_TOKEN"
_EXTRA_HEADER: Final = "IMPORTER_EXTRA_HEADER_"
_HEADER_NUMBER: Final = re.compile(re.escape(_EXTRA_HEADER) + r"([0-9]+)")

# Anything but `archive` counts as a disk.


def content_type_of(text: str | None) -> str:
    """What a content type means: a disk, unless it says exactly `archive`."""
    return ARCHIVE if text == ARCHIVE else KUBEVIRT


_CONTENT_TYPE: Final = Codec(content_type_of, str)

_TRY_NONE: Final = "TRYNONE"


def _read_cache_mode(text: str) -> bool:
    if text != _TRY_NONE:
        raise ValueError(f"want {_TRY_NONE} or nothing")
    return True


_CACHE_MODE: Final = Codec(_read_cache_mode, lambda direct: _TRY_NONE if direct else "")


@dataclass(frozen=True, kw_only=True)
class WorkOrder(Environment):
    """What an importer is told."""

    # what to fetch
    source: Annotated[str, Variable("IMPORTER_SOURCE", choice(*SOURCES))] = ""
    endpoint: Annotated[str, Variable("IMPORTER_ENDPOINT")] = ""  # URL; empty for a blank disk
    content_type: Annotated[str, Variable("IMPORTER_CONTENTTYPE", _CONTENT_TYPE)] = KUBEVIRT
    checksum: Annotated[str, Variable("IMPORTER_CHECKSUM")] = ""  # `<algorithm>:<hex>`
    architecture: Annotated[str, Variable("IMPORTER_REGISTRY_IMAGE_ARCHITECTURE")] = ""  # Go's name
    disk_id: Annotated[str, Variable("IMPORTER_DISK_ID")] = ""  # oVirt, and images of OpenStack
    uuid: Annotated[str, Variable("IMPORTER_UUID")] = ""  # VMware
    backing_file: Annotated[str, Variable("IMPORTER_BACKING_FILE")] = ""  # VMware
    thumbprint: Annotated[str, Variable("IMPORTER_THUMBPRINT")] = ""  # VMware
    current_checkpoint: Annotated[str, Variable("IMPORTER_CURRENT_CHECKPOINT")] = ""
    previous_checkpoint: Annotated[str, Variable("IMPORTER_PREVIOUS_CHECKPOINT")] = ""
    final_checkpoint: Annotated[bool, Variable("IMPORTER_FINAL_CHECKPOINT", FLAG)] = False

    # how to reach it
    insecure_tls: Annotated[bool, Variable("INSECURE_TLS", FLAG)] = False
    http_proxy: Annotated[str, Variable("http_proxy")] = ""
    https_proxy: Annotated[str, Variable("https_proxy")] = ""
    no_proxy: Annotated[str, Variable("no_proxy")] = ""
    pull_method: Annotated[str, Variable("IMPORTER_PULL_METHOD", choice(NODE_PULL))] = ""
    ready_file: Annotated[str, Variable("IMPORTER_READY_FILE")] = ""  # node pull: wait for it
    done_file: Annotated[str, Variable("IMPORTER_DONE_FILE")] = ""  # node pull: write it at the end
    access_key_id: Annotated[
        str, Variable("IMPORTER_ACCESS_KEY_ID", always=False, key="accessKeyId")
    ] = ""
    secret_key: Annotated[str, Variable("IMPORTER_SECRET_KEY", always=False, key="secretKey")] = ""
    session_token: Annotated[
        str,
        Variable(_SESSION, always=False, key="sessionToken", optional=True),
    ] = ""  # S3: what temporary credentials come with
    google_credentials: Annotated[str, Variable("GOOGLE_APPLICATION_CREDENTIALS", always=False)] = (
        ""
    )
    cert_dir: Annotated[str, Variable("IMPORTER_CERT_DIR", always=False)] = ""
    proxy_cert_dir: Annotated[str, Variable("IMPORTER_PROXY_CERT_DIR", always=False)] = ""
    extra_headers: tuple[str, ...] = ()  # `Name: value`, in IMPORTER_EXTRA_HEADER_<n>

    # what to make of it
    # size of the claim in bytes; what the file system needs goes off it
    image_size: Annotated[Quantity | None, Variable("IMPORTER_IMAGE_SIZE", SIZE)] = None
    filesystem_overhead: Annotated[Decimal, Variable("FILESYSTEM_OVERHEAD", SHARE)] = Decimal(0)
    preallocation: Annotated[bool, Variable("PREALLOCATION", FLAG)] = False
    direct_io: Annotated[bool, Variable("CACHE_MODE", _CACHE_MODE)] = False  # around the page cache
    owner_uid: Annotated[str, Variable("OWNER_UID")] = ""  # whose progress it is
    # which claim is filled: names its device, whatever the node calls it
    claim_uid: Annotated[str, Variable("CLAIM_UID", always=False)] = ""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read the order from `env`, which usually is os.environ. Raises InvalidVariable."""
        order = super().from_env(env)
        numbered = sorted(
            (int(found[1]), value)
            for name, value in env.items()
            if (found := _HEADER_NUMBER.fullmatch(name)) and value
        )
        order = cls(**(vars(order) | {"extra_headers": tuple(value for _, value in numbered)}))
        order.check()
        return order

    @classmethod
    def knows(cls, name: str) -> bool:
        return super().knows(name) or _HEADER_NUMBER.fullmatch(name) is not None

    def without_line_ends(self) -> Self:
        """Drop the end of line that a Secret has which was made from a file, or by `echo`."""
        names = ("access_key_id", "secret_key", "session_token")
        return replace(self, **{name: getattr(self, name).rstrip("\r\n") for name in names})

    def check(self) -> None:
        """Insist on what no import can do without. Raises InvalidVariable."""
        if not self.source:
            raise InvalidVariable("IMPORTER_SOURCE", "", f"want one of {', '.join(SOURCES)}")
        if not self.endpoint and self.source != BLANK:
            raise InvalidVariable("IMPORTER_ENDPOINT", "", f"{self.source} needs a URL")

    def to_pod_env(self, secret: str = "") -> list[PodVariable]:
        """Return the `env` of an importer; credentials come from the Secret of that name.

        Those of gcs are a file in a mount, and never variables; only s3 has session tokens. Those
        of a registry may be a file too: the Secret has to exist, its keys need not.
        """
        entries = super().to_pod_env("" if self.source == "gcs" else secret)
        entries = [each for each in entries if self.source == "s3" or each["name"] != _SESSION]
        if self.source == "registry":
            for entry in entries:
                if "valueFrom" in entry:
                    entry["valueFrom"]["secretKeyRef"]["optional"] = True
        return entries

    def _written(self) -> Iterator[tuple[str, str]]:
        yield from super()._written()
        for number, header in enumerate(self.extra_headers):
            yield f"{_EXTRA_HEADER}{number}", header


@dataclass(frozen=True, kw_only=True)
class PollOrder(WorkOrder):
    """What a poller is told: a source as importers are told of it, and how to look at it."""

    # seconds to wait first, so that pollers of one minute do not all ask at once
    delay: Annotated[float, Variable("CDI_POLL_DELAY", SECONDS, always=False)] = 0.0
    # URL, or a name beside the image, of a file that holds its checksum
    checksum_file: Annotated[str, Variable("CDI_CHECKSUM_FILE", always=False)] = ""


@dataclass(frozen=True, kw_only=True)
class UploadOrder(Environment):
    """What an upload server is told."""

    # who may send
    # common name of the one certificate that is accepted
    client_name: Annotated[str, Variable("CLIENT_NAME")] = ""
    # moment, with its zone, at which an idle server makes way for one with new certificates
    deadline: Annotated[datetime | None, Variable("DEADLINE", MOMENT)] = None
    listen_address: Annotated[str, Variable("LISTEN_ADDRESS", always=False)] = "0.0.0.0"  # noqa: S104
    listen_port: Annotated[int, Variable("LISTEN_PORT", PORT, always=False)] = 8443

    # how the line is secured
    tls_key_file: Annotated[str, Variable("TLS_KEY_FILE")] = ""
    tls_cert_file: Annotated[str, Variable("TLS_CERT_FILE")] = ""
    client_cert_file: Annotated[str, Variable("CLIENT_CERT_FILE")] = ""  # CAs of clients
    tls_ciphers: Annotated[tuple[str, ...], Variable("TLS_CIPHERS", WORDS)] = ()
    tls_min_version: Annotated[str, Variable("TLS_MIN_VERSION")] = ""  # VersionTLS12

    # what to make of the bytes
    destination: Annotated[str, Variable("DESTINATION")] = "/data/disk.img"
    # names a device on every node; empty for a file system
    claim_uid: Annotated[str, Variable("CLAIM_UID", always=False)] = ""
    image_size: Annotated[Quantity | None, Variable("UPLOAD_IMAGE_SIZE", SIZE)] = None
    filesystem_overhead: Annotated[Decimal, Variable("FILESYSTEM_OVERHEAD", SHARE)] = Decimal(0)
    preallocation: Annotated[bool, Variable("PREALLOCATION", FLAG)] = False


@dataclass(frozen=True, kw_only=True)
class CopyOrder(Environment):
    """What copies one volume into another one, beside it on a node, is told."""

    owner_uid: Annotated[str, Variable("OWNER_UID")] = ""
    claim_uid: Annotated[str, Variable("CLAIM_UID", always=False)] = ""  # of the target
    preallocation: Annotated[bool, Variable("PREALLOCATION", FLAG)] = False


@dataclass(frozen=True, kw_only=True)
class CloneOrder(Environment):
    """What the sending end of a host-assisted copy is told. Keys and certificates are PEM."""

    upload_url: Annotated[str, Variable("UPLOAD_URL")] = ""
    client_key: Annotated[str, Variable("CLIENT_KEY", always=False, key="tls.key")] = ""
    client_cert: Annotated[str, Variable("CLIENT_CERT", always=False, key="tls.crt")] = ""
    server_ca: Annotated[str, Variable("SERVER_CA_CERT")] = ""
    owner_uid: Annotated[str, Variable("OWNER_UID")] = ""
    preallocation: Annotated[bool, Variable("PREALLOCATION", FLAG)] = False
    volume_mode: Annotated[str, Variable("VOLUME_MODE", choice("block", "filesystem"))] = (
        "filesystem"
    )
    mount_point: Annotated[str, Variable("MOUNT_POINT")] = ""
