"""
Where a worker finds its files, where it listens, and how patient it is.

In a pod everything is mounted where the controllers put it: those are the defaults. A worker
that runs as a process of a machine gets the same order, with paths as in a pod, and beside it
`CDI_...` variables that say where each mount really is; `WorkerSettings.local` translates.
"""

from __future__ import annotations

import os.path
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cdi.api.environment import FLAG, PORT, SECONDS, Codec, Environment, Variable

DATA_DIR = "/data"
SCRATCH_DIR = "/scratch"
BLOCK_DEVICE = "/dev/cdi-block-volume"
CERT_DIR = "/certs"
PROXY_CERT_DIR = "/proxycerts/"
EXTRA_HEADERS_DIR = "/extraheaders"
GOOGLE_DIR = "/google"
REGISTRY_DIR = "/registry"
POPULATOR_DIR = "/populator"
TLS_DIR = "/etc/tls/"
SHARED_DIR = "/shared"
VDDK_DIR = "/opt"
VDDK_ARGS_DIR = "/vddk-args"
CLONE_SOURCE_DIR = "/var/run/cdi/clone/source"
CLONE_SOURCE_DEVICE = "/dev/cdi-clone-source"
STATE_DIR = "/var/lib/cdi"
TERMINATION_LOG = "/dev/termination-log"
METRICS_PORT = 8443
METRICS_PORT_NAME = "metrics"  # of a worker's pod, for whoever asks how far it is
STALL_TIMEOUT = "CDI_STALL_TIMEOUT"
IDLE_TIMEOUT = "CDI_IDLE_TIMEOUT"
REQUIRE_WALLS = "CDI_REQUIRE_WALLS"

PATH = Codec(Path, str)


@dataclass(frozen=True, kw_only=True)
class WorkerSettings(Environment):
    """The file system and the network as one worker sees them."""

    root_dir: Annotated[Path, Variable("CDI_ROOT_DIR", PATH)] = Path(
        "/"
    )  # what is beneath no mount
    data_dir: Annotated[Path, Variable("CDI_DATA_DIR", PATH)] = Path(
        DATA_DIR
    )  # the volume, Filesystem
    block_device: Annotated[Path, Variable("CDI_BLOCK_DEVICE", PATH)] = Path(
        BLOCK_DEVICE
    )  # the volume, Block
    scratch_dir: Annotated[Path, Variable("CDI_SCRATCH_DIR", PATH)] = Path(
        SCRATCH_DIR
    )  # the scratch volume
    cert_dir: Annotated[Path, Variable("CDI_CERT_DIR", PATH)] = Path(
        CERT_DIR
    )  # CA certificates of the source
    proxy_cert_dir: Annotated[Path, Variable("CDI_PROXY_CERT_DIR", PATH)] = Path(
        PROXY_CERT_DIR
    )  # of the proxy
    extra_headers_dir: Annotated[Path, Variable("CDI_EXTRA_HEADERS_DIR", PATH)] = Path(
        EXTRA_HEADERS_DIR
    )  # secret ones
    google_dir: Annotated[Path, Variable("CDI_GOOGLE_DIR", PATH)] = Path(
        GOOGLE_DIR
    )  # credentials.json
    registry_dir: Annotated[Path, Variable("CDI_REGISTRY_DIR", PATH)] = Path(
        REGISTRY_DIR
    )  # .dockerconfigjson
    populator_dir: Annotated[Path, Variable("CDI_POPULATOR_DIR", PATH)] = Path(
        POPULATOR_DIR
    )  # the Secret of an oVirt or OpenStack populator
    tls_dir: Annotated[Path, Variable("CDI_TLS_DIR", PATH)] = Path(
        TLS_DIR
    )  # the upload server's certificates
    shared_dir: Annotated[Path, Variable("CDI_SHARED_DIR", PATH)] = Path(
        SHARED_DIR
    )  # shared with a node pull's server
    vddk_dir: Annotated[Path, Variable("CDI_VDDK_DIR", PATH)] = Path(VDDK_DIR)  # the VDDK library
    vddk_args_dir: Annotated[Path, Variable("CDI_VDDK_ARGS_DIR", PATH)] = Path(
        VDDK_ARGS_DIR
    )  # arguments for it
    clone_source_dir: Annotated[Path, Variable("CDI_CLONE_SOURCE_DIR", PATH)] = Path(
        CLONE_SOURCE_DIR
    )  # what is copied, Filesystem
    clone_source_device: Annotated[Path, Variable("CDI_CLONE_SOURCE_DEVICE", PATH)] = Path(
        CLONE_SOURCE_DEVICE
    )  # what is copied, Block
    state_dir: Annotated[Path, Variable("CDI_STATE_DIR", PATH)] = Path(
        STATE_DIR
    )  # what outlives a container, not its pod
    termination_log: Annotated[Path, Variable("CDI_TERMINATION_LOG", PATH)] = Path(
        TERMINATION_LOG
    )  # the last message
    metrics_address: Annotated[str, Variable("CDI_METRICS_ADDRESS")] = "0.0.0.0"  # noqa: S104
    metrics_port: Annotated[int, Variable("CDI_METRICS_PORT", PORT)] = (
        METRICS_PORT  # 0: any free one
    )
    # Without a byte from the source for so long, a connection is given up.
    stall_timeout: Annotated[float, Variable(STALL_TIMEOUT, SECONDS, always=False)] = 60.0
    # Without a byte from a sender for so long, an upload is given up.
    idle_timeout: Annotated[float, Variable(IDLE_TIMEOUT, SECONDS, always=False)] = 600.0
    # Programs of others do not run where a wall around them is missing.
    require_walls: Annotated[bool, Variable(REQUIRE_WALLS, FLAG, always=False)] = False

    @property
    def loopback(self) -> str:
        """The host under which the containers of this pod reach each other."""
        anywhere = type(self)().metrics_address
        return "localhost" if self.metrics_address == anywhere else self.metrics_address

    def local(self, path: str) -> Path:
        """Return where a path of the pod is here, whoever wrote it and wherever it leads.

        One beneath no mount is beneath `root_dir`; the same where that was not moved.
        """
        wanted = Path(os.path.normpath(path))
        for usual, actual in self._mounts().items():
            if wanted.is_relative_to(usual):
                return actual / wanted.relative_to(usual)
        if self.root_dir == Path("/"):
            return wanted
        return self.root_dir / os.path.normpath(f"/{path}").lstrip("/")

    def _mounts(self) -> dict[str, Path]:
        return {
            DATA_DIR: self.data_dir,
            BLOCK_DEVICE: self.block_device,
            SCRATCH_DIR: self.scratch_dir,
            CERT_DIR: self.cert_dir,
            PROXY_CERT_DIR: self.proxy_cert_dir,
            EXTRA_HEADERS_DIR: self.extra_headers_dir,
            GOOGLE_DIR: self.google_dir,
            REGISTRY_DIR: self.registry_dir,
            POPULATOR_DIR: self.populator_dir,
            TLS_DIR: self.tls_dir,
            SHARED_DIR: self.shared_dir,
            VDDK_DIR: self.vddk_dir,
            VDDK_ARGS_DIR: self.vddk_args_dir,
            CLONE_SOURCE_DIR: self.clone_source_dir,
            CLONE_SOURCE_DEVICE: self.clone_source_device,
            STATE_DIR: self.state_dir,
            TERMINATION_LOG: self.termination_log,
        }
