"""`cdi explain`: what an object is waiting for, since when, and what to do."""

from __future__ import annotations

from functools import partial

import click
from click.shell_completion import CompletionItem

from cdi.cli import loading, options, references


def _kinds(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """The first word may be a kind; names are not asked for."""
    if ctx.params.get(param.name or ""):
        return []
    words = [words[0] for words in references.KINDS.values()]
    return [CompletionItem(word) for word in words if word.startswith(incomplete)]


@click.command
@click.argument("words", metavar="KIND NAME...", nargs=-1, required=True, shell_complete=_kinds)
@options.namespace
@click.option(
    "-o", "--output", type=click.Choice(["text", "json"]), default="text", help="How it is said."
)
@options.kubeconfig
@options.context
def command(
    words: tuple[str, ...], namespace: str, output: str, kubeconfig: str, context: str
) -> None:
    """Say what an object is waiting for, since when, and what to do.

    KIND is dv, pvc, datasource, dataimportcron or pod. KIND/NAME... is understood, too.
    """
    try:
        found = references.parse(words)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    with loading.quickly():
        from cdi.cli import access, explain

    asked = explain.Asked(found, namespace, json_output=output == "json")
    access.run(partial(explain.show, asked), kubeconfig, context)
