"""docs/cli.md knows every command and every option."""

from pathlib import Path

import click
import pytest

from cdi.cli.main import program

PAGE = (Path(__file__).parents[3] / "docs" / "cli.md").read_text()
COMMANDS = program.list_commands(None)


def section(name):
    """What the page says of a command, up to the next heading."""
    _, _, rest = PAGE.partition(f"\n## cdi {name}\n")
    return rest.partition("\n## ")[0]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_section_with_its_options(name):
    assert f"[`cdi {name}`](#cdi-{name})" in PAGE
    said = section(name)
    command = program.get_command(None, name)
    options = {
        written
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for written in (*parameter.opts, *parameter.secondary_opts)
    }
    missing = {each for each in options - {"-h", "--help"} if each not in said}
    assert missing == set(), f"docs/cli.md, section `cdi {name}`, says nothing of {missing}"
