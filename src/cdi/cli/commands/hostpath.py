"""`cdi hostpath`: local volumes of a cluster's nodes."""

from __future__ import annotations

import os
from pathlib import Path

import click

import cdi
from cdi.cli import loading, options, paramtypes


@click.group("hostpath")
def command() -> None:
    """Give nodes of a cluster local volumes."""


@command.command("driver")
@click.option(
    "--drivername",
    metavar="NAME",
    default="kubevirt.io.hostpath-provisioner",
    help="What StorageClasses call it.",
)
@click.option(
    "--endpoint",
    metavar="SOCKET",
    envvar="CSI_ENDPOINT",
    show_envvar=True,
    required=True,
    help="Unix socket at which the driver answers, as path or unix:///path.",
)
@click.option(
    "--nodeid",
    metavar="NODE",
    envvar="NODE_NAME",
    show_envvar=True,
    required=True,
    help="Name of this node.",
)
@click.option("--version", metavar="VERSION", default=cdi.__version__, help="What it says it is.")
@click.option(
    "--datadir",
    metavar="JSON",
    envvar="PV_DIR",
    show_envvar=True,
    required=True,
    help='The storage pools, for instance [{"name": "local", "path": "/var/hpp/csi"}].',
)
@click.option(
    "--registration-dir",
    type=paramtypes.HomePath(),
    metavar="DIR",
    help="The kubelet's plugins_registry: make the driver known there, instead of a "
    "node-driver-registrar.",
)
@click.option(
    "--kubelet-registration-path",
    metavar="SOCKET",
    help="Where the kubelet finds the driver's socket; the same path unless given.",
)
@click.option(
    "--provision",
    is_flag=True,
    help="Also make, grow and remove volumes for claims, which external-provisioner and "
    "external-resizer would have the driver do.",
)
@click.option(
    "--namespace",
    metavar="NAMESPACE",
    envvar="NAMESPACE",
    show_envvar=True,
    help="Where the capacity of this node is published; nowhere unless given.",
)
@click.option(
    "--listen",
    type=paramtypes.HostPort(),
    metavar="HOST:PORT",
    help="Where health and, to whom Kubernetes allows it, metrics are shown; nowhere unless given.",
)
@options.kubeconfig
@options.context
@options.verbosity
def driver(
    drivername: str,
    endpoint: str,
    nodeid: str,
    version: str,
    datadir: str,
    registration_dir: Path | None,
    kubelet_registration_path: str | None,
    provision: bool,
    namespace: str | None,
    listen: tuple[str, int] | None,
    kubeconfig: str,
    context: str,
    verbosity: int,
) -> None:
    """Run the CSI driver of one node, until told to stop."""
    with loading.quickly():
        from cdi.cli import hostpath
        from cdi.hostpath.csi.identity import Driver
        from cdi.hostpath.pools import InvalidPools, parse_pools
        from cdi.hostpath.provisioning.capacities import Place
        from cdi.hostpath.settings import DriverSettings, Registering

    socket = Path(endpoint.removeprefix("unix://"))
    if not socket.is_absolute():
        raise click.BadParameter("not an absolute path", param_hint="--endpoint")
    try:
        pools = parse_pools(datadir)
    except InvalidPools as error:
        raise click.BadParameter(str(error), param_hint="--datadir") from None
    registering = None
    if registration_dir is not None:
        registering = Registering(registration_dir, kubelet_registration_path or str(socket))
    settings = DriverSettings(
        Driver(drivername, version, nodeid),
        socket,
        tuple(pools),
        registering,
        provision,
        Place(namespace, os.environ.get("POD_NAME", "")) if namespace else None,
    )
    hostpath.run_driver(settings, kubeconfig, context, listen, verbosity)


@command.command("provisioner")
@click.option(
    "--node",
    metavar="NODE",
    envvar="NODE_NAME",
    show_envvar=True,
    required=True,
    help="Name of this node.",
)
@click.option(
    "--path",
    type=paramtypes.HomePath(),
    metavar="DIR",
    envvar="PV_DIR",
    show_envvar=True,
    required=True,
    help="The directory of the volumes.",
)
@click.option(
    "--use-naming-prefix",
    type=bool,
    metavar="BOOL",
    envvar="USE_NAMING_PREFIX",
    show_envvar=True,
    default=False,
    help="Call directories after their claims, too.",
)
@click.option(
    "--provisioner",
    "name",
    metavar="NAME",
    default="kubevirt.io/hostpath-provisioner",
    help="What StorageClasses call it.",
)
@options.kubeconfig
@options.context
@options.verbosity
def provisioner(
    node: str,
    path: Path,
    use_naming_prefix: bool,
    name: str,
    kubeconfig: str,
    context: str,
    verbosity: int,
) -> None:
    """Run the legacy provisioner of one node, until told to stop."""
    with loading.quickly():
        from cdi.api.labels import installer_labels
        from cdi.cli import hostpath
        from cdi.hostpath.provisioning.legacy import LegacySettings

    labels = tuple(sorted(installer_labels(os.environ).items()))
    settings = LegacySettings(node, path, use_naming_prefix, name, labels)
    hostpath.run_provisioner(settings, kubeconfig, context, verbosity)
