"""`cdi controller`: CDI's controllers against a Kubernetes API server."""

from __future__ import annotations

import os
from pathlib import Path

import click

from cdi.cli import loading, options, paramtypes


@click.command
@click.option(
    "--worker-image",
    required=True,
    metavar="IMAGE",
    envvar="IMPORTER_IMAGE",
    show_envvar=True,
    help="Image of the importer pods.",
)
@options.kubeconfig
@options.context
@options.installation
@click.option(
    "--pull-policy",
    type=click.Choice(["Always", "IfNotPresent", "Never"]),
    envvar="PULL_POLICY",
    show_envvar=True,
    default="IfNotPresent",
    help="When nodes pull the image.",
)
@click.option("--leader-elect", is_flag=True, help="Work only while no other process does.")
@options.stall_timeout
@options.require_walls
@options.scraped_at
@click.option(
    "--ready-file",
    type=paramtypes.HomePath(),
    metavar="FILE",
    help="File that is there while the controllers are ready, or wait for the lease.",
)
@click.option(
    "--token-keys",
    type=paramtypes.HomePath(),
    metavar="DIR",
    default="/var/run/cdi/token/keys",
    show_default=True,
    help="Where the entries of Secret cdi-api-signing-key are, for clones between namespaces.",
)
@options.verbosity
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
    ready_file: Path | None,
    token_keys: Path,
    verbosity: int,
) -> None:
    """Run the controllers, until told to stop."""
    with loading.quickly():
        from cdi.api.labels import installer_labels
        from cdi.cli import controller
        from cdi.controllers.settings import Settings

    settings = Settings(
        worker_image=worker_image,
        namespace=namespace,
        pull_policy=pull_policy,
        verbosity=max(verbosity, 1),
        stall_timeout=stall_timeout,
        require_walls=require_walls,
        installer_labels=installer_labels(os.environ),
    )
    controller.run(
        kubeconfig,
        context,
        settings,
        listen,
        leader_elect=leader_elect,
        ready_file=ready_file,
        token_keys=token_keys,
    )
