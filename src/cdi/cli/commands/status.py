"""`cdi status`: every DataVolume, its phase, how far it is, how fast, and why not further."""

from __future__ import annotations

from functools import partial

import click

from cdi.cli import loading, options


@click.command
@click.option(
    "-n", "--namespace", metavar="NAME", default="", show_default=False, help="Only this one."
)
@click.option("-A", "--all-namespaces", is_flag=True, help="Those of all namespaces, or fail.")
@click.option("-w", "--watch", is_flag=True, help="Follow what happens until interrupted.")
@click.option(
    "-o", "--output", type=click.Choice(["table", "json"]), default="table", help="How it is shown."
)
@click.option(
    "--boot-images", is_flag=True, help="DataSources and their images instead of volumes."
)
@options.kubeconfig
@options.context
def command(
    namespace: str,
    all_namespaces: bool,
    watch: bool,
    output: str,
    boot_images: bool,
    kubeconfig: str,
    context: str,
) -> None:
    """Show all volumes: phase, progress, rate, reason.

    Without -n or -A those of all namespaces, or of the kubeconfig's where others may not be read.
    """
    with loading.quickly():
        from cdi.cli import access, bootimages, status

    if boot_images:
        if watch:
            raise click.UsageError("--boot-images shows what there is now; it does not watch")
        shown = partial(bootimages.show, namespace=namespace, json_output=output == "json")
        access.run(shown, kubeconfig, context)
        return
    asked = status.Asked(namespace, all_namespaces, watch, json_output=output == "json")
    access.run(partial(status.show, asked), kubeconfig, context)
