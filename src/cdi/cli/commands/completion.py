"""`cdi completion SHELL`: print what lets a shell complete command lines of `cdi`."""

from __future__ import annotations

import click
from click import shell_completion

_INTO = {
    "bash": "source <(cdi completion bash)",
    "fish": "cdi completion fish | source",
    "zsh": "source <(cdi completion zsh)",
}


@click.command(
    epilog="\b\nIn a shell, or in its configuration:\n"
    + "\n".join(f"  {shell}: {line}" for shell, line in _INTO.items())
)
@click.argument("shell", type=click.Choice(sorted(_INTO)))
def command(shell: str) -> None:
    """Print the completion script of a shell."""
    found = shell_completion.get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"{shell}: click does not complete for it")
    root = click.get_current_context().find_root().command
    script = found(root, {}, "cdi", "_CDI_COMPLETE")
    # That of bash would look for a bash on PATH first, and complain on a machine without one.
    click.echo(shell_completion.ShellComplete.source(script))
