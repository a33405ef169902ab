import hashlib

import pytest

from cdi.images import digest


@pytest.mark.parametrize("algorithm", digest.HEX_DIGITS)
def test_a_digest_continues_where_another_process_stopped(algorithm):
    first = digest.new(algorithm)
    first.update(b"one" * 1000)
    state = first.state()
    assert state is not None
    second = digest.new(algorithm, state)
    second.update(b"two" * 77)
    want = hashlib.new(algorithm, b"one" * 1000 + b"two" * 77).hexdigest()
    assert second.hexdigest() == want
    assert second.hexdigest() == want, "asking does not spoil the state"


@pytest.mark.parametrize("algorithm", digest.HEX_DIGITS)
def test_asking_for_the_digest_does_not_end_it(algorithm):
    running = digest.new(algorithm)
    running.update(b"a")
    running.hexdigest()
    running.update(b"b")
    assert running.hexdigest() == hashlib.new(algorithm, b"ab").hexdigest()


def test_a_state_of_the_wrong_length_is_refused():
    with pytest.raises(ValueError, match="wrong length"):
        digest.new("sha256", b"short")


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param("md5:" + "A" * 32, ("md5", "a" * 32), id="upper-case-digits"),
        pytest.param(" SHA256:" + "0" * 64 + "\n", ("sha256", "0" * 64), id="upper-case-name"),
    ],
)
def test_a_checksum_is_an_algorithm_and_its_digits(text, want):
    assert digest.parse_checksum(text) == want


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha256",
        "sha256:",
        "sha256:abc",
        "crc32:00000000",
        "md5:" + "g" * 32,
        "sha1 " + "0" * 40,
    ],
)
def test_nonsense_is_no_checksum(text):
    with pytest.raises(ValueError, match="checksum"):
        digest.parse_checksum(text)
