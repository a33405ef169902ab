from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from cdi.cli import import_disk, words

REQUIRED = ["http://a.test/x", "-o", "disk"]


def by_typer(command, arguments):
    """Return what typer makes of the same words; None if it would not run the command."""
    seen = {}
    shown = words.for_typer(command)

    def take(**values):
        seen.update(values)

    take.__annotations__, take.__signature__ = shown.__annotations__, shown.__signature__
    app = typer.Typer()
    app.command()(take)
    result = CliRunner().invoke(app, arguments)
    return seen if result.exit_code == 0 and seen else None


@pytest.mark.parametrize(
    "more",
    [
        pytest.param([], id="least"),
        pytest.param(["--json", "--sha256", "--insecure"], id="flags"),
        pytest.param(["--size", "20Gi", "--checksum=md5:00"], id="values"),
        pytest.param(["--header", "A: b", "--header", "C: d"], id="several"),
        pytest.param(["--connections", "3", "--stall-timeout", "2.5"], id="numbers"),
        pytest.param(["--user", "u", "--password-file", "-"], id="dash"),
        pytest.param(["--size=1G", "--size", "2G"], id="the-last-one-wins"),
    ],
)
def test_a_plain_command_line_means_what_typer_makes_of_it(more):
    found = words.plain(import_disk.command, REQUIRED + more)
    assert found == by_typer(import_disk.command, REQUIRED + more)
    assert found["output"] == Path("disk")


def test_a_variable_of_the_environment_is_heeded(monkeypatch):
    monkeypatch.setenv("CDI_STALL_TIMEOUT", "7")
    found = words.plain(import_disk.command, REQUIRED)
    assert found["stall_timeout"] == 7.0
    assert found == by_typer(import_disk.command, REQUIRED)


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(["-h"], id="help"),
        pytest.param(REQUIRED[:1], id="option-missing"),
        pytest.param(REQUIRED[1:], id="argument-missing"),
        pytest.param([*REQUIRED, "another"], id="argument-too-many"),
        pytest.param([*REQUIRED, "--nonsense"], id="unknown"),
        pytest.param([*REQUIRED, "--json=1"], id="flag-with-a-value"),
        pytest.param([*REQUIRED, "--size"], id="no-value"),
        pytest.param([*REQUIRED, "--size", "--json"], id="option-for-a-value"),
        pytest.param([*REQUIRED, "--connections", "99"], id="beyond-the-range"),
        pytest.param([*REQUIRED, "--connections", "x"], id="no-number"),
        pytest.param(["http://a.test/x", "-odisk"], id="run-together"),
        pytest.param(["--", *REQUIRED], id="double-dash"),
    ],
)
def test_all_else_is_left_to_typer(given):
    assert words.plain(import_disk.command, given) is None


def test_a_parameter_of_another_kind_leaves_the_command_to_typer():
    def command(count: Annotated[int, typer.Option()] = 1) -> None:
        del count

    assert words.plain(command, []) is None
