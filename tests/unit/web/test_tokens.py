"""Clone tokens: what is signed can be read, and nothing else can."""

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from cdi.standalone.signingkey import SigningKey
from cdi.web.tokens.payload import CLAIM, ClonePayload
from cdi.web.tokens.signing import CloneTokens

PAYLOAD = ClonePayload(CLAIM, "from", "disk", "to", "copy")


class Clock:
    def __init__(self) -> None:
        self.seconds = 1_900_000_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens(tmp_path, clock) -> CloneTokens:
    return CloneTokens(SigningKey(tmp_path / "key"), clock)


def test_a_token_says_what_was_signed(tokens, tmp_path, clock):
    token = tokens.sign(PAYLOAD)
    assert tokens.read(token) == PAYLOAD
    assert CloneTokens(SigningKey(tmp_path / "key"), clock).read(token) == PAYLOAD
    assert jwt.get_unverified_header(token) == {"alg": "PS256"}
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["iss"], claims["exp"] - claims["iat"]) == ("cdi-apiserver", 300)
    assert claims["resource"] == {"group": "", "version": "v1", "resource": CLAIM}


def test_the_key_is_private(tokens, tmp_path):
    tokens.sign(PAYLOAD)
    assert (tmp_path / "key").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("later", "good"),
    [
        pytest.param(309, True, id="within-the-leeway"),
        pytest.param(311, False, id="expired"),
        pytest.param(-9, True, id="clocks-differ"),
        pytest.param(-11, False, id="not-yet"),
    ],
)
def test_a_token_is_good_for_minutes(tokens, clock, later, good):
    token = tokens.sign(PAYLOAD)
    clock.seconds += later
    assert (tokens.read(token) is not None) is good


def _forged(claims: dict, key: rsa.RSAPrivateKey | str, algorithm: str = "PS256") -> str:
    times = {"iss": "cdi-apiserver", "iat": 0, "nbf": 0, "exp": 9_999_999_999}
    return jwt.encode({**times, **claims}, key, algorithm=algorithm)


def test_other_tokens_are_worth_nothing(tokens):
    assert tokens.read("nothing was signed yet") is None
    own = tokens.sign(PAYLOAD)
    stranger = rsa.generate_private_key(65537, 2048)
    assert tokens.read(_forged(PAYLOAD.as_claims(), stranger)) is None
    assert tokens.read(_forged(PAYLOAD.as_claims(), "x" * 32, "HS256")) is None
    assert tokens.read(own[:-4] + "AAAA") is None
    assert tokens.read("") is None


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"operation": "Upload"}, id="for-an-upload"),
        pytest.param({"iss": "somebody"}, id="other-issuer"),
        pytest.param({"params": {}}, id="no-target"),
    ],
)
def test_our_signature_on_something_else_is_not_enough(tokens, tmp_path, change):
    tokens.sign(PAYLOAD)
    key = (tmp_path / "key").read_text()
    assert tokens.read(_forged({**PAYLOAD.as_claims(), **change}, key)) is None
