"""`cdi crds [KIND...]`: print CustomResourceDefinitions as YAML that `kubectl apply -f -` takes."""

from __future__ import annotations

import sys

import click


@click.command
@click.argument("kinds", metavar="[KIND]...", nargs=-1)
def command(kinds: tuple[str, ...]) -> None:
    """Print CustomResourceDefinitions, for `kubectl apply -f -`.

    KIND is a kind, its plural or a short name of it; without one all are printed.
    """
    import yaml

    from cdi.api import crds

    try:
        documents = crds.named(kinds)
    except LookupError as error:
        raise click.UsageError(str(error)) from None
    yaml.dump_all(
        documents,
        sys.stdout,
        Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper),
        explicit_start=True,
        sort_keys=False,
        allow_unicode=True,
        width=100,
    )
