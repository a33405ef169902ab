"""`cdi bootsources`: the boot images that a HyperConverged asks for."""

from __future__ import annotations

from pathlib import Path

import click

from cdi.cli import loading, options, paramtypes


@click.command
@options.kubeconfig
@options.context
@options.installation
@click.option("--leader-elect", is_flag=True, help="Work only while no other process does.")
@options.boot_images
@options.scraped_at
@click.option(
    "--ready-file",
    type=paramtypes.HomePath(),
    metavar="FILE",
    help="File that is there while it is ready, or waits for the lease.",
)
@options.verbosity
def command(
    kubeconfig: str,
    context: str,
    namespace: str,
    leader_elect: bool,
    boot_images: Path | None,
    listen: tuple[str, int] | None,
    ready_file: Path | None,
    verbosity: int,
) -> None:
    """Keep the boot images of a HyperConverged.

    Does nothing where a HyperConverged operator is at work.
    """
    with loading.quickly():
        from cdi.cli import bootsources

    bootsources.run(
        kubeconfig,
        context,
        namespace,
        boot_images,
        listen,
        verbosity,
        leader_elect=leader_elect,
        ready_file=ready_file,
    )
