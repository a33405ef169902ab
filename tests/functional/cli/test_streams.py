"""Commands whose standard streams are closed, full, cut short, or no terminal."""

import os
import subprocess
import sys

import pytest

PROGRAM = f"{sys.executable} -m cdi"


def shell(line, **environment):
    """Run a line of bash, with `$CDI` for the program."""
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        env={**os.environ, "CDI": PROGRAM, **environment},
        capture_output=True,
        timeout=60,
    )


@pytest.fixture
def disk(tmp_path):
    path = tmp_path / "disk.raw"
    path.write_bytes(os.urandom(1 << 20))
    return path


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_a_closed_stream_does_not_become_the_disk(closed, disk, tmp_path):
    done = shell(f"$CDI import {disk} -o {tmp_path}/out.img {closed}")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.img").read_bytes() == disk.read_bytes()


@pytest.mark.parametrize(
    "words", ["crds", "--help", "completion bash", "import {disk} -o {out} --json"]
)
def test_output_that_cannot_be_written_is_one_line(words, disk, tmp_path):
    line = words.format(disk=disk, out=tmp_path / "out.img")
    done = shell(f"$CDI {line} >/dev/full")
    assert done.returncode == 1
    assert done.stderr == b"cdi: standard output: no space left on device\n"


@pytest.mark.parametrize("words", ["crds", "--help"])
def test_a_reader_that_has_had_enough_is_no_error_to_speak_of(words):
    done = shell(f"$CDI {words} | head -1")
    assert done.stdout.count(b"\n") == 1
    assert done.stderr == b""


@pytest.mark.parametrize("language", ["C.UTF-8", "C", "POSIX"])
def test_names_of_any_bytes_are_printed(language, tmp_path):
    name = os.fsencode(tmp_path) + b"/n\xff\xc3\xa4"
    done = shell(f"$CDI import '{os.fsdecode(name)}' -o {tmp_path}/out", LC_ALL=language)
    assert done.returncode == 3
    assert b"SourceNotFound" in done.stderr
    assert name in done.stderr


def test_a_disk_is_read_from_and_written_to_names_of_any_bytes(disk, tmp_path):
    name = os.fsdecode(os.fsencode(tmp_path) + b"/n\xff")
    done = shell(f"$CDI import {disk} -o '{name}1' && $CDI import '{name}1' -o '{name}2'")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / os.fsdecode(b"n\xff2")).read_bytes() == disk.read_bytes()


@pytest.mark.parametrize("term", ["xterm-256color", "dumb"])
def test_no_color_is_written_where_none_is_wanted(term, disk, tmp_path):
    done = shell(
        f'script -qec "$CDI import {disk} -o {tmp_path}/out.img" /dev/null', NO_COLOR="1", TERM=term
    )
    assert done.returncode == 0
    assert b"Completed" in done.stdout
    assert b"\x1b[3" not in done.stdout
    assert term != "dumb" or b"\x1b" not in done.stdout


def test_without_a_terminal_nothing_is_drawn(disk, tmp_path):
    done = shell(f"$CDI import {disk} -o {tmp_path}/out.img", TERM="xterm-256color")
    assert b"\x1b" not in done.stderr + done.stdout
