"""`cdi explain`: what a volume is waiting for, since when, and what to do."""

from __future__ import annotations

from functools import partial

import click

from cdi.cli import loading, options

_KIND_NAMES = ("dv", "dvs", "datavolume", "datavolumes", "datavolume.cdi.kubevirt.io")


@click.command
@click.argument("kind")
@click.argument("name")
@options.namespace
@click.option(
    "-o", "--output", type=click.Choice(["text", "json"]), default="text", help="How it is said."
)
@options.kubeconfig
@options.context
def command(
    kind: str, name: str, namespace: str, output: str, kubeconfig: str, context: str
) -> None:
    """Say what a volume is waiting for, since when, and what to do.

    KIND is dv, NAME that of a DataVolume.
    """
    if kind.lower() not in _KIND_NAMES:
        raise click.UsageError(f"{kind}: only DataVolumes (dv) can be explained")
    with loading.quickly():
        from cdi.cli import access, explain

    asked = explain.Asked(name, namespace, json_output=output == "json")
    access.run(partial(explain.show, asked), kubeconfig, context)
