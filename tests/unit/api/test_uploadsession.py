"""What is known of a finished upload: it goes through text, and knows its secret."""

import pytest

from cdi.api import uploadsession
from cdi.api.uploadsession import FinishedSession

HASHED = uploadsession.hash_of("secret")


def test_it_survives_the_way_through_text_and_knows_its_secret():
    session = FinishedSession(HASHED, 4096)
    assert uploadsession.parse(str(session)) == session
    assert session.is_at("secret")
    assert not session.is_at("Secret")


@pytest.mark.parametrize(
    "text",
    ["", "x", HASHED, f"{HASHED} -1", f"{HASHED} 1 2", f"{HASHED[1:]} 1", f"{HASHED} {'9' * 20}"],
)
def test_anything_else_is_none(text):
    assert uploadsession.parse(text) is None


@pytest.mark.parametrize("secret", ["", "s\u00e9cret", "\udcff"])
def test_a_wrong_secret_of_any_kind_is_wrong(secret):
    assert not FinishedSession(HASHED, 1).is_at(secret)
