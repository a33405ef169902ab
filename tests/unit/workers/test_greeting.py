"""What the two ends of a copy in ranges say to each other."""

import json
from dataclasses import replace

import pytest

from cdi.workers.ranged import greeting
from cdi.workers.ranged.greeting import Answer, Hello

HELLO = Hello("0" * 32, "f" * 32, "1-2 of 3 bytes", is_device=True, carries=False)


def test_what_is_said_is_understood() -> None:
    assert greeting.hello_of(HELLO.line()) == HELLO
    carrying = replace(HELLO, carries=True, seal="0a" * 32)
    assert greeting.hello_of(carrying.line()) == carrying
    answer = Answer(409, "UploadInProgress", "try again")
    assert greeting.answer_of(answer.line()) == answer


@pytest.mark.parametrize(
    "change",
    [
        {"copy": "0" * 31},
        {"copy": "/" * 32},
        {"copy": 7},
        {"key": "F" * 32},
        {"version": "x" * 201},
        {"version": None},
        {"is_device": "yes"},
        {"carries": None},
        {"seal": "0" * 32},
        {"seal": None},
        {"files": 1},
    ],
    ids=str,
)
def test_nonsense_is_refused(change: dict[str, object]) -> None:
    said = json.loads(HELLO.line()) | change
    with pytest.raises(greeting.Nonsense):
        greeting.hello_of(json.dumps(said).encode())


@pytest.mark.parametrize("line", [b"\n", b"[]\n", b"\xff\n", b'{"status": "ok"}\n'])
def test_what_is_no_answer_is_refused(line: bytes) -> None:
    with pytest.raises(greeting.Nonsense):
        greeting.answer_of(line)


def test_a_long_message_still_fits_a_line() -> None:
    assert len(Answer(500, "x" * 5000, "y" * 5000).line()) < greeting.LINE_MOST
