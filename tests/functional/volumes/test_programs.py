"""Programs of the system, and what becomes of those that fail or never end."""

import errno

import pytest

from cdi.volumes import programs


def test_what_a_program_prints_is_returned():
    assert programs.run("echo", "hello", patience=60) == "hello\n"


def test_what_a_program_says_of_its_failure_is_the_error():
    with pytest.raises(OSError, match=r"^sh: no such disk$"):
        programs.run("sh", "-c", "echo no such disk >&2; exit 3", patience=60)


def test_a_program_that_never_ends_is_an_error_like_any_other():
    with pytest.raises(OSError, match="tail did not end within") as caught:
        programs.run("tail", "-f", "/dev/null", patience=0.01)
    assert caught.value.errno == errno.ETIMEDOUT
