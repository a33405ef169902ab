"""`cdi crds [KIND...]`: print CustomResourceDefinitions as YAML that `kubectl apply -f -` takes.

The kinds and the YAML writer are imported when the command runs: together they would add half
as much again to the start of every other command.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

_USAGE = 2


def command(
    kinds: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KIND]...",
            help="Kinds to print, by kind, plural or short name; all of them by default.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Print CustomResourceDefinitions, for `kubectl apply -f -`."""
    import yaml  # noqa: PLC0415  # see above

    from cdi.api import crds  # noqa: PLC0415  # see above

    try:
        documents = crds.named(kinds or [])
    except LookupError as error:
        typer.echo(f"cdi crds: {error}", err=True)
        raise typer.Exit(_USAGE) from None
    yaml.dump_all(
        documents,
        sys.stdout,
        Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper),
        explicit_start=True,
        sort_keys=False,
        allow_unicode=True,
        width=100,
    )
