"""The `cdi` command: what it takes, what it refuses, how it ends."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from cdi.api import workersettings
from cdi.cli import options
from cdi.cli.main import main, program

REQUIRED = ("http://a.test/x", "-o", "disk")


def ended(*words):
    """The exit status of a command line."""
    with pytest.raises(SystemExit) as exit_:
        main(list(words))
    return exit_.value.code or 0


def parsed(*words):
    """The parameters of `cdi import`, without running it."""
    around = program.make_context("cdi", ["import"])
    command = program.get_command(around, "import")
    return command.make_context("import", list(words), parent=around).params


def test_every_command_has_help_and_a_line_in_that_of_the_program():
    shown = CliRunner().invoke(program, ["--help"]).stdout
    for name in program.list_commands(None):
        own = CliRunner().invoke(program, [name, "-h"])
        assert own.exit_code == 0
        assert own.stdout.startswith(f"Usage: program {name}")
        assert f"\n  {name} " in shown
    assert "..." not in shown.split("Commands:")[1]


HEAVY = ("aiohttp", "cdi.images", "cdi.kube", "cdi.standalone", "kubernetes", "msgspec", "yaml")
LOADED = f"""
import sys
from cdi.cli.main import program
for name in program.list_commands(None):
    program.get_command(None, name)
sys.exit(", ".join(each for each in {HEAVY} if each in sys.modules))
"""


def test_help_and_completion_load_nothing_of_what_commands_run():
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True)
    assert done.stderr == "\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(("imprt",), "No such command 'imprt'", id="command"),
        pytest.param(("--nonsense",), "No such option", id="option"),
        pytest.param((), "Commands:", id="nothing"),
        pytest.param(("import", REQUIRED[0]), "Missing option '-o'", id="option-missing"),
        pytest.param(("import", *REQUIRED[1:]), "Missing argument 'URL'", id="argument-missing"),
        pytest.param(("import", *REQUIRED, "b"), "unexpected extra argument", id="one-too-many"),
        pytest.param(("import", *REQUIRED, "--json=1"), "does not take a value", id="flag"),
        pytest.param(("import", *REQUIRED, "--size"), "requires an argument", id="no-value"),
        pytest.param(("import", *REQUIRED, "--connections", "99"), "1<=x<=64", id="range"),
        pytest.param(("import", *REQUIRED, "--conections", "9"), "--connections", id="meant"),
        pytest.param(("import", *REQUIRED, "--size", "big"), "is not a quantity", id="size"),
        pytest.param(("import", *REQUIRED, "--size", "0"), "no size for a disk", id="empty"),
        pytest.param(("import", *REQUIRED, "--checksum", "md5:1"), "--checksum", id="checksum"),
        pytest.param(
            ("import", *REQUIRED, "--stall-timeout", "nan"), "no number of seconds", id="endless"
        ),
    ],
)
def test_what_cannot_be_understood_is_named_and_status_2(words, said, capsys):
    assert ended(*words) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(REQUIRED, id="usual"),
        pytest.param(("-odisk", REQUIRED[0]), id="run-together"),
        pytest.param(("--output=disk", "--", REQUIRED[0]), id="double-dash"),
        pytest.param(("--output", "other", *REQUIRED), id="the-last-one-wins"),
    ],
)
def test_options_are_written_as_everywhere(words):
    found = parsed(*words)
    assert (found["source"], str(found["output"])) == (REQUIRED[0], "disk")


def test_the_patience_comes_from_the_variable_that_workers_read(monkeypatch):
    assert options.STALL_VARIABLE == workersettings.STALL_TIMEOUT
    monkeypatch.setenv(workersettings.STALL_TIMEOUT, "7")
    assert parsed(*REQUIRED)["stall_timeout"] == 7.0
    assert parsed(*REQUIRED, "--stall-timeout", "8")["stall_timeout"] == 8.0
