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


@command.command("mounter")
@click.option("--claim", metavar="NAME", required=True, help="What the claim is called.")
@click.option(
    "--source",
    type=paramtypes.HomePath(),
    metavar="PATH",
    required=True,
    help="Where this process sees the claim: a directory, or a device, which gets a file system if "
    "it is blank.",
)
@click.option(
    "--target",
    type=paramtypes.HomePath(),
    metavar="DIR",
    required=True,
    help="Where the driver is to find it.",
)
@click.option("--unmount", is_flag=True, help="Take the mount away instead, and end.")
@click.option(
    "--health",
    type=paramtypes.HostPort(),
    metavar="HOST:PORT",
    default="0.0.0.0:8081",
    help="Where /healthz and /readyz are answered, in clear.",
)
@options.verbosity
def mounter(
    claim: str,
    source: Path,
    target: Path,
    unmount: bool,
    health: tuple[str, int],
    verbosity: int,
) -> None:
    """Keep the claim of a storage pool mounted on this node, until told to stop."""
    with loading.quickly():
        from cdi.cli import hostpath
        from cdi.hostpath.mounter import Mounter
        from cdi.kube.clock import SystemClock

    if unmount:
        hostpath.run_unmount(target, verbosity)
    else:
        mounting = Mounter(claim, source, target, SystemClock())
        hostpath.run_mounter(mounting, health, verbosity)


@command.command("operator")
@options.kubeconfig
@options.context
@click.option(
    "--namespace",
    metavar="NAMESPACE",
    envvar="WATCH_NAMESPACE",
    show_envvar=True,
    default="hostpath-provisioner",
    help="Where it installs.",
)
@click.option(
    "--listen",
    type=paramtypes.HostPort(),
    metavar="HOST:PORT",
    default="0.0.0.0:8443",
    help="Where metrics are shown, to whom Kubernetes allows it.",
)
@click.option(
    "--health",
    type=paramtypes.HostPort(),
    metavar="HOST:PORT",
    default="0.0.0.0:6060",
    help="Where /healthz and /readyz are answered, in clear.",
)
@click.option(
    "--webhook",
    type=paramtypes.HostPort(),
    metavar="HOST:PORT",
    default="0.0.0.0:9443",
    help="Where HostPathProvisioners are judged.",
)
@options.verbosity
def operator(
    kubeconfig: str,
    context: str,
    namespace: str,
    listen: tuple[str, int],
    health: tuple[str, int],
    webhook: tuple[str, int],
    verbosity: int,
) -> None:
    """Keep what HostPathProvisioners ask for, until told to stop."""
    with loading.quickly():
        from dataclasses import replace

        from cdi.api.labels import installer_labels
        from cdi.cli import hostpathoperator
        from cdi.hostpath.operator.settings import InvalidSettings, parse_environment
        from cdi.web.serving.server import Address

    try:
        settings = parse_environment(os.environ, namespace, installer_labels(os.environ))
    except InvalidSettings as error:
        raise click.UsageError(str(error)) from None
    addresses = hostpathoperator.OperatorAddresses(
        Address(*listen), Address(*health), Address(*webhook)
    )
    hostpathoperator.run_operator(
        replace(settings, verbosity=verbosity), kubeconfig, context, addresses
    )


@command.command("manifests")
@click.option(
    "--namespace", metavar="NAME", default="hostpath-provisioner", help="Of the installation."
)
@click.option("--image", metavar="IMAGE", required=True, help="Image of all parts.")
@click.option(
    "--version",
    metavar="VERSION",
    default=f"v{cdi.__version__}",
    help="Version that is installed; an installation of a newer one is refused.",
)
@click.option(
    "--pull-policy",
    type=click.Choice(["Always", "IfNotPresent", "Never"]),
    default="IfNotPresent",
    help="When nodes pull the image.",
)
@click.option(
    "--kubelet-dir", metavar="DIR", default="/var/lib/kubelet", help="The kubelet's, on nodes."
)
@click.option(
    "--path",
    metavar="DIR",
    help="Also print a HostPathProvisioner with this directory as its pool, and a StorageClass.",
)
def manifests(
    namespace: str,
    image: str,
    version: str,
    pull_policy: str,
    kubelet_dir: str,
    path: str | None,
) -> None:
    """Print what gives a cluster the operator, for `kubectl apply -f -`."""
    from cdi.hostpath.operator import manifests as made
    from cdi.hostpath.operator.settings import Settings
    from cdi.operator.manifests import files

    settings = Settings(
        namespace=namespace,
        version=version,
        driver_image=image,
        provisioner_image=image,
        pull_policy=pull_policy,
        kubelet=kubelet_dir.rstrip("/"),
    )
    found = made.operator_objects(settings)
    if path is not None:
        found += [made.default_provisioner(path), made.default_class()]
    click.echo(files.yaml_of(found), nl=False)
