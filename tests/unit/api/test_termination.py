"""What a worker answers survives 4096 bytes, and strange answers are understood."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdi.api.termination import LONGEST, Termination, VDDKInfo


def test_success_is_written_with_the_known_keys():
    ended = Termination(
        message="Import Complete",
        preallocation_applied=True,
        vddk_info=VDDKInfo(version="8.0.2", host="esx1"),
        labels={"instancetype.kubevirt.io/default-preference": "fedora"},
        sha256="ab" * 32,
        bytes_fetched=10,
        bytes_written=20,
        disk_size=30,
    )
    assert json.loads(ended.to_message()) == {
        "scratchSpaceRequired": False,
        "preallocationApplied": True,
        "message": "Import Complete",
        "vddkInfo": {"Version": "8.0.2", "Host": "esx1"},
        "labels": {"instancetype.kubevirt.io/default-preference": "fedora"},
        "sha256": "ab" * 32,
        "bytesFetched": 10,
        "bytesWritten": 20,
        "diskSize": 30,
    }


def test_a_failure_says_why_and_whether_to_try_again():
    ended = Termination(message="404", reason="SourceNotFound", permanent=True)
    assert json.loads(ended.to_message()) == {
        "scratchSpaceRequired": False,
        "preallocationApplied": False,
        "permanent": True,
        "reason": "SourceNotFound",
        "message": "404",
    }


@pytest.mark.parametrize(
    ("ended", "done"),
    [
        pytest.param(Termination(message="Import Complete"), True, id="success"),
        pytest.param(Termination(exit_code=1), False, id="exit-1"),
        pytest.param(Termination(exit_code=137), False, id="killed"),
        pytest.param(Termination(scratch_space_required=True), False, id="scratch"),
        pytest.param(Termination(deadline_passed=True), False, id="deadline"),
        pytest.param(Termination(permanent=True), False, id="permanent"),
    ],
)
def test_a_volume_is_filled_only_after_success(ended, done):
    assert ended.done is done


@pytest.mark.parametrize(
    ("text", "ended"),
    [
        pytest.param("", Termination(), id="nothing"),
        pytest.param(
            '{"scratchSpaceRequired":true,"preallocationApplied":false,"message":"Done"}',
            Termination(scratch_space_required=True, message="Done"),
            id="scratch",
        ),
        pytest.param(
            '{"deadlinePassed":true,"message":"Deadline Passed"}',
            Termination(deadline_passed=True, message="Deadline Passed"),
            id="deadline",
        ),
        pytest.param(
            "Unable to process data: x\nmore\n",
            Termination(message="Unable to process data: x"),
            id="first-line-only",
        ),
        pytest.param(
            "Clone Complete, Preallocation applied",
            Termination(
                message="Clone Complete, Preallocation applied", preallocation_applied=True
            ),
            id="plain-preallocation",
        ),
        pytest.param(
            '{"message":"checksum validation failed: checksum mismatch"}',
            Termination(
                message="checksum validation failed: checksum mismatch",
                reason="ChecksumError",
                permanent=True,
            ),
            id="checksum-of-another-build",
        ),
        pytest.param("[1, 2]", Termination(message="[1, 2]"), id="json-but-no-object"),
        pytest.param('{"message":', Termination(message='{"message":'), id="cut-json"),
        pytest.param(
            '{"message":5,"permanent":"yes","labels":[1],"bytesWritten":true,"vddkInfo":""}',
            Termination(),
            id="wrong-types-are-ignored",
        ),
        pytest.param(
            '{"labels":{"a":"b","c":1}}', Termination(labels={"a": "b"}), id="labels-are-text"
        ),
        pytest.param("[" * 4000, Termination(message="[" * 4000), id="deeply-nested"),
    ],
)
def test_an_answer_is_understood(text, ended):
    assert Termination.from_message(text) == ended


def test_the_exit_code_is_kept_beside_the_message():
    assert Termination.from_message('{"reason":"NoSpace"}', 1) == Termination(
        reason="NoSpace", exit_code=1
    )


def test_a_long_message_is_shortened_and_everything_else_kept():
    ended = Termination(message="ä" * 5000, reason="NoSpace", labels={"a": "b" * 500})
    text = ended.to_message()
    again = Termination.from_message(text)
    assert LONGEST - 4 <= len(text.encode()) <= LONGEST
    assert again.message.endswith("...")
    assert ended.message.startswith(again.message[:-3])
    assert (again.reason, again.labels) == ("NoSpace", {"a": "b" * 500})


def test_labels_that_leave_no_room_give_way_to_the_outcome():
    ended = Termination(message="why", reason="NoSpace", labels={"a": "b" * 5000}, permanent=True)
    again = Termination.from_message(ended.to_message())
    assert (again.message, again.reason, again.permanent) == ("why", "NoSpace", True)
    assert again.labels == {}


def test_a_name_that_is_no_text_does_not_spoil_the_answer():
    ended = Termination(message="cannot read \udcff")
    assert Termination.from_message(ended.to_message()).message == "cannot read ?"


words = st.text(max_size=60)


@given(
    st.builds(
        Termination,
        message=words.filter(lambda text: "checksum mismatch" not in text),
        reason=words,
        permanent=st.booleans(),
        scratch_space_required=st.booleans(),
        preallocation_applied=st.booleans(),
        deadline_passed=st.booleans(),
        vddk_info=st.none() | st.builds(VDDKInfo, words, words),
        labels=st.dictionaries(words, words, max_size=3),
        sha256=st.text("0123456789abcdef", max_size=64),
        upload_session=words,
        ended_at=words,
        bytes_fetched=st.none() | st.integers(0, 2**63),
        bytes_written=st.none() | st.integers(0, 2**63),
    )
)
def test_an_answer_survives_the_way(ended):
    assert Termination.from_message(ended.to_message()) == ended


@given(st.text(max_size=8000), words, st.dictionaries(words, words, max_size=30))
def test_an_answer_always_fits_and_is_always_json(message, reason, labels):
    text = Termination(message=message, reason=reason, labels=labels).to_message()
    assert len(text.encode()) <= LONGEST
    assert json.loads(text)["reason" if reason else "message"] is not None


@given(st.text(max_size=200), st.integers(0, 255))
def test_any_text_is_understood_somehow(text, exit_code):
    assert Termination.from_message(text, exit_code).exit_code == exit_code
