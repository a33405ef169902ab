"""The keys of the upload proxy: told at start, or mounted and followed."""

import pytest

from cdi import pki
from cdi.web.tokens.keys import BadKeys, KeySet
from cdi.web.tokens.payload import UploadPayload
from cdi.web.tokens.signing import NotGenuine, Tokens
from cdi.web.uploadproxy.keyfiles import PublicKeys


@pytest.fixture(scope="module")
def pairs():
    return [pki.make_rsa_pair() for _ in range(2)]


def signed_by(pair) -> str:
    keys = KeySet(pki.parse_rsa_private(pair[0]), ())
    return Tokens(keys).sign_upload(UploadPayload("vms", "disk"))


def believes(keys: PublicKeys, token: str) -> bool:
    try:
        Tokens(keys).read_upload(token)
    except NotGenuine:
        return False
    return True


def test_the_key_that_was_told_counts_until_there_are_mounted_ones(tmp_path, pairs):
    old, new = pairs
    keys = PublicKeys(old[1], tmp_path / "keys")
    assert believes(keys, signed_by(old))
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "id_rsa.pub").write_text(new[1])
    assert believes(keys, signed_by(new))
    assert not believes(keys, signed_by(old))
    (tmp_path / "keys" / "previous_id_rsa.pub").write_text(old[1])
    assert believes(keys, signed_by(old))


def test_a_mounted_key_that_is_none_leaves_the_last_good_ones(tmp_path, pairs):
    (tmp_path / "id_rsa.pub").write_text(pairs[0][1])
    keys = PublicKeys("", tmp_path)
    assert believes(keys, signed_by(pairs[0]))
    (tmp_path / "id_rsa.pub").write_text("half of a key")
    assert believes(keys, signed_by(pairs[0]))


def test_without_any_key_nobody_is_believed(tmp_path, pairs):
    assert not believes(PublicKeys("", tmp_path), signed_by(pairs[0]))
    with pytest.raises(BadKeys):
        PublicKeys("no key", tmp_path)
