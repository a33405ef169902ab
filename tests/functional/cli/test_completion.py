"""Completion, as shells ask for it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

# What readline does when somebody presses the tabulator key after `line`.
BASH = """
source <(cdi completion bash)
compopt() {{ printf '%s ' compopt "$@"; }}
COMP_WORDS=({line}) COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_cdi_completion cdi
echo "${{COMPREPLY[*]}}"
"""
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"


def run(command, **environment):
    done = subprocess.run(
        command,
        env={**os.environ, "PATH": PATH, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        pytest.param("cdi st", "status", id="command"),
        pytest.param("cdi status --na", "--namespace", id="option"),
        pytest.param("cdi status -o ''", "table json", id="choice"),
        pytest.param("cdi completion ''", "bash fish zsh", id="argument"),
        pytest.param("cdi import /e", "compopt -o default", id="source-is-a-file"),
        pytest.param("cdi import -o /e", "compopt -o default", id="output-is-a-file"),
        pytest.param("cdi up --vddk-libdir /e", "compopt -o dirnames", id="directory"),
    ],
)
def test_bash_completes(line, completed):
    assert run(["bash", "-c", BASH.format(line=line)]).strip() == completed


@pytest.mark.parametrize(
    ("shell", "environment", "completed"),
    [
        pytest.param("zsh", {"COMP_WORDS": "cdi st", "COMP_CWORD": "1"}, "status", id="zsh"),
        pytest.param("fish", {"COMP_WORDS": "cdi st", "COMP_CWORD": "st"}, "status", id="fish"),
    ],
)
def test_zsh_and_fish_get_script_and_answers(shell, environment, completed):
    program = ["cdi"]
    assert "_CDI_COMPLETE" in run([*program, "completion", shell])
    assert completed in run(program, _CDI_COMPLETE=f"{shell}_complete", **environment)
