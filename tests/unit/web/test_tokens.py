"""Tokens: what is signed can be read, and nothing else can."""

import base64

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from cdi.pki import make_rsa_pair
from cdi.standalone.signingkey import SigningKey
from cdi.web.tokens.keys import BadKeys, KeySet, parse_secret
from cdi.web.tokens.payload import CLAIM, SNAPSHOT, ClonePayload, UploadPayload, WrongPayload
from cdi.web.tokens.signing import API_SERVER, CONTROLLER, NotGenuine, Tokens

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
def tokens(tmp_path, clock) -> Tokens:
    return Tokens(SigningKey(tmp_path / "key"), clock)


def test_a_token_says_what_was_signed(tokens, tmp_path, clock):
    token = tokens.sign_clone(PAYLOAD)
    assert tokens.clone_of(token) == PAYLOAD
    assert Tokens(SigningKey(tmp_path / "key"), clock).clone_of(token) == PAYLOAD
    assert jwt.get_unverified_header(token) == {"alg": "PS256"}
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["iss"], claims["exp"] - claims["iat"]) == ("cdi-apiserver", 300)
    assert claims["resource"] == {"group": "", "version": "v1", "resource": CLAIM}


def test_the_key_is_private(tokens, tmp_path):
    tokens.sign_clone(PAYLOAD)
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
    token = tokens.sign_clone(PAYLOAD)
    clock.seconds += later
    assert (tokens.clone_of(token) is not None) is good


def _forged(claims: dict, key: rsa.RSAPrivateKey | str, algorithm: str = "PS256") -> str:
    times = {"iss": "cdi-apiserver", "iat": 0, "nbf": 0, "exp": 9_999_999_999}
    return jwt.encode({**times, **claims}, key, algorithm=algorithm)


def test_other_tokens_are_worth_nothing(tokens):
    assert tokens.clone_of("nothing was signed yet") is None
    own = tokens.sign_clone(PAYLOAD)
    stranger = rsa.generate_private_key(65537, 2048)
    assert tokens.clone_of(_forged(PAYLOAD.as_claims(), stranger)) is None
    assert tokens.clone_of(_forged(PAYLOAD.as_claims(), "x" * 32, "HS256")) is None
    assert tokens.clone_of(own[:-4] + "AAAA") is None
    assert tokens.clone_of("") is None


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"operation": "Upload"}, id="for-an-upload"),
        pytest.param({"iss": "somebody"}, id="other-issuer"),
        pytest.param({"params": {}}, id="no-target"),
    ],
)
def test_our_signature_on_something_else_is_not_enough(tokens, tmp_path, change):
    tokens.sign_clone(PAYLOAD)
    key = (tmp_path / "key").read_text()
    assert tokens.clone_of(_forged({**PAYLOAD.as_claims(), **change}, key)) is None


UPLOAD = UploadPayload("vms", "disk", "3ecf")
EXTENDED = ClonePayload(SNAPSHOT, "from", "snap", "to", "copy", "1b2c")


def test_an_upload_token_is_good_for_one_claim(tokens):
    token = tokens.sign_upload(UPLOAD)
    assert tokens.read_upload(token) == UPLOAD
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["iss"], claims["exp"] - claims["iat"]) == ("cdi-apiserver", 300)
    assert (claims["operation"], claims["name"], claims["namespace"]) == ("Upload", "disk", "vms")
    assert claims["resource"] == {"group": "", "version": "v1", "resource": CLAIM}
    assert claims["params"] == {"uid": "3ecf"}


def test_an_extended_token_is_signed_by_controllers_and_outlives_the_short_one(tokens, clock):
    token = tokens.sign_extended_clone(EXTENDED)
    clock.seconds += 9 * 365 * 24 * 3600
    assert tokens.read_clone(token, (CONTROLLER,)) == EXTENDED
    with pytest.raises(NotGenuine, match="not ours"):
        tokens.read_clone(token, (API_SERVER,))
    with pytest.raises(ValueError, match="UID"):
        tokens.sign_extended_clone(PAYLOAD)


def test_a_token_is_good_for_nothing_but_its_operation(tokens):
    with pytest.raises(WrongPayload, match="Upload"):
        tokens.read_upload(tokens.sign_clone(PAYLOAD))
    with pytest.raises(WrongPayload, match="Clone"):
        tokens.read_clone(tokens.sign_upload(UPLOAD))
    with pytest.raises(WrongPayload, match="no claim"):
        tokens.read_upload(tokens.sign_upload(UploadPayload("vms", "")))


def test_an_upload_token_expires(tokens, clock):
    token = tokens.sign_upload(UPLOAD)
    clock.seconds += 311
    with pytest.raises(NotGenuine, match="expired 11 s ago by the clock of this machine"):
        tokens.read_upload(token)


def test_a_clock_that_is_behind_is_told_from_a_token_that_is_none(tokens, clock):
    token = tokens.sign_upload(UPLOAD)
    clock.seconds -= 25
    with pytest.raises(NotGenuine, match="not good for another 25 s: the clock of this machine"):
        tokens.read_upload(token)


def _encoded(**entries: str) -> dict[str, str]:
    return {
        name.replace("_pub", ".pub"): base64.b64encode(text.encode()).decode()
        for name, text in entries.items()
    }


def test_tokens_of_the_key_before_and_of_the_one_after_are_believed(clock):
    (old, old_public), (now, now_public), (new, new_public) = (make_rsa_pair() for _ in range(3))
    before = Tokens(parse_secret(_encoded(id_rsa=old, id_rsa_pub=old_public)), clock)
    after = Tokens(parse_secret(_encoded(id_rsa=new, id_rsa_pub=new_public)), clock)
    changing = Tokens(
        parse_secret(
            _encoded(
                id_rsa=now,
                id_rsa_pub=now_public,
                previous_id_rsa_pub=old_public,
                next_id_rsa_pub=new_public,
            )
        ),
        clock,
    )
    for signer in (before, changing, after):
        assert changing.read_upload(signer.sign_upload(UPLOAD)) == UPLOAD
    with pytest.raises(NotGenuine, match="somebody else"):
        after.read_upload(before.sign_upload(UPLOAD))


def test_public_keys_alone_read_but_do_not_sign(clock):
    private, public = make_rsa_pair()
    signer = Tokens(parse_secret(_encoded(id_rsa=private)), clock)
    reader = Tokens(parse_secret(_encoded(id_rsa_pub=public)), clock)
    assert reader.read_upload(signer.sign_upload(UPLOAD)) == UPLOAD
    with pytest.raises(BadKeys, match="no private key"):
        reader.sign_upload(UPLOAD)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param({}, "neither id_rsa nor a public key", id="empty"),
        pytest.param({"id_rsa": ""}, "neither id_rsa nor a public key", id="created-empty"),
        pytest.param(_encoded(id_rsa="rubbish"), "id_rsa of Secret", id="no-key"),
        pytest.param({"id_rsa": "%"}, "is no text", id="not-encoded"),
        pytest.param(_encoded(id_rsa_pub=make_rsa_pair()[0]), "id_rsa.pub", id="private-as-public"),
    ],
)
def test_a_secret_without_usable_keys_says_what_is_wrong(data, why):
    with pytest.raises(BadKeys, match=why):
        parse_secret(data)


def test_no_key_is_shown_by_accident():
    keys = parse_secret(_encoded(id_rsa=make_rsa_pair()[0]))
    assert isinstance(keys, KeySet)
    assert "private" not in repr(keys)
