"""`cdi controller`: CDI's controllers against a Kubernetes API server."""

from __future__ import annotations

import click

from cdi.cli import loading, options, paramtypes


@click.command
@click.option("--worker-image", required=True, metavar="IMAGE", help="Image of the importer pods.")
@options.kubeconfig
@options.context
@click.option("--namespace", metavar="NAME", default="cdi", help="Namespace of the installation.")
@click.option(
    "--pull-policy",
    type=click.Choice(["Always", "IfNotPresent", "Never"]),
    default="IfNotPresent",
    help="When nodes pull the image.",
)
@click.option("--leader-elect", is_flag=True, help="Work only while no other process does.")
@options.stall_timeout
@options.require_walls
@click.option(
    "--listen",
    type=paramtypes.HostPort(),
    metavar="HOST:PORT",
    help="Where health and, to whom Kubernetes allows it, metrics are shown; nowhere unless given.",
)
@click.option("-v", "--verbosity", type=int, default=0, help="2 or more: debug.")
def command(
    worker_image: str,
    kubeconfig: str,
    context: str,
    namespace: str,
    pull_policy: str,
    leader_elect: bool,
    stall_timeout: float | None,
    require_walls: bool,
    listen: tuple[str, int] | None,
    verbosity: int,
) -> None:
    """Run the controllers, until told to stop."""
    with loading.quickly():
        from cdi.cli import controller
        from cdi.controllers.settings import Settings

    settings = Settings(
        worker_image=worker_image,
        namespace=namespace,
        pull_policy=pull_policy,
        verbosity=max(verbosity, 1),
        stall_timeout=stall_timeout,
        require_walls=require_walls,
    )
    controller.run(kubeconfig, context, settings, listen, leader_elect=leader_elect)
