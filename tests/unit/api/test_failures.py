"""How the failure of a worker is told: the original's word, and the precise reason beside it."""

import pytest

from cdi.api import failures


@pytest.mark.parametrize(
    ("reason", "word", "message"),
    [
        pytest.param("SourceNotFound", "Error", "404; reason=SourceNotFound", id="not-found"),
        pytest.param("TargetTooSmall", "Error", "404; reason=TargetTooSmall", id="too-small"),
        pytest.param("ChecksumError", "ChecksumError", "404", id="a-word-that-is-known"),
        pytest.param("ImagePullFailed", "ImagePullFailed", "404", id="another"),
        pytest.param("Error", "Error", "404", id="error"),
        pytest.param("", "Error", "404", id="nothing"),
    ],
)
def test_clients_see_their_words_and_people_the_reason(reason, word, message):
    assert failures.word_for(reason) == word
    assert failures.with_reason("404", reason) == message


@pytest.mark.parametrize(
    ("reason", "message", "precise"),
    [
        ("Error", "404; reason=SourceNotFound", ("SourceNotFound", "404")),
        (
            "Error",
            "404; reason=SourceNotFound; next attempt at 2030-01-01T00:00:00Z",
            ("SourceNotFound", "404; next attempt at 2030-01-01T00:00:00Z"),
        ),
        ("ChecksumError", "mismatch", ("ChecksumError", "mismatch")),
        ("Error", "see https://h/?a; reason=b c", ("Error", "see https://h/?a; reason=b c")),
    ],
)
def test_the_precise_reason_is_read_back(reason, message, precise):
    assert failures.precise(reason, message) == precise
