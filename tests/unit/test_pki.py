"""Keys and certificates: what is made is what a TLS library accepts."""

import datetime
import os
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cdi import pki

NOW = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
DAY = datetime.timedelta(days=1)


def _handshake(server: ssl.SSLContext, client: ssl.SSLContext, host: str) -> ssl.SSLObject:
    """Two ends joined in memory; returns the server's."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname=host),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return ends[1]


def _server(pair: pki.Pair, tmp_path, trusted: str = "") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    return _loaded(context, pair, tmp_path, trusted)


def _loaded(context: ssl.SSLContext, pair: pki.Pair, tmp_path, trusted: str) -> ssl.SSLContext:
    (tmp_path / "pair.pem").write_text(pair.key + pair.certificate)
    context.load_cert_chain(tmp_path / "pair.pem")
    if trusted:
        context.load_verify_locations(cadata=trusted)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def test_what_an_authority_signs_is_accepted_by_those_who_trust_it(tmp_path):
    authority = pki.make_authority("signer", NOW, 2 * DAY)
    served = pki.issue(authority, "cdi-api", pki.Use.SERVER, NOW, DAY, hosts=["cdi-api.cdi.svc"])
    shown = pki.issue(authority, "proxy", pki.Use.CLIENT, NOW, DAY)
    server = _server(served, tmp_path, authority.certificate)
    client = ssl.create_default_context(cadata=authority.certificate)
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    _loaded(client, shown, tmp_path, "")
    ended = _handshake(server, client, "cdi-api.cdi.svc")
    assert ended.getpeercert()["subject"] == ((("commonName", "proxy"),),)


def test_a_long_name_of_a_client_is_not_cut(tmp_path):
    authority = pki.make_authority("signer", NOW, 2 * DAY)
    name = f"{'n' * 63}/{'s' * 253}-{'m' * 63}/tmp-pvc-{'0' * 36}"
    served = pki.issue(authority, "a", pki.Use.SERVER, NOW, DAY, hosts=["a"])
    shown = pki.issue(authority, name, pki.Use.CLIENT, NOW, DAY)
    server = _server(served, tmp_path, authority.certificate)
    client = _loaded(ssl.create_default_context(cadata=authority.certificate), shown, tmp_path, "")
    ended = _handshake(server, client, "a")
    assert ended.getpeercert()["subject"] == ((("commonName", name),),)


def test_a_certificate_for_servers_proves_no_client(tmp_path):
    authority = pki.make_authority("signer", NOW, 2 * DAY)
    served = pki.issue(authority, "a", pki.Use.SERVER, NOW, DAY, hosts=["a"])
    server = _server(served, tmp_path, authority.certificate)
    client = _loaded(ssl.create_default_context(cadata=authority.certificate), served, tmp_path, "")
    with pytest.raises(ssl.SSLError, match="unsuitable certificate purpose"):
        _handshake(server, client, "a")


def test_nothing_outlives_its_authority():
    authority = pki.make_authority("signer", NOW, DAY)
    leaf = pki.issue(authority, "a", pki.Use.SERVER, NOW, 30 * DAY, hosts=["a", "127.0.0.1"]).leaf
    assert leaf.not_valid_after_utc == authority.leaf.not_valid_after_utc
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["a"]
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]


def test_the_chain_is_served_with_its_authority():
    authority = pki.make_authority("signer", NOW, DAY)
    pair = pki.issue(authority, "a", pki.Use.CLIENT, NOW, DAY)
    chain = pki.parse_certificates(pair.certificate)
    assert [pki.common_name(each) for each in chain] == ["a", "signer"]


def test_a_bundle_has_each_certificate_once_whatever_the_order():
    one, two = (pki.make_authority(name, NOW, DAY).leaf for name in ("one", "two"))
    assert pki.bundle_of([one, two, one]) == pki.bundle_of([two, one])
    assert len(pki.parse_certificates(pki.bundle_of([one, two, one]))) == 2


def test_rsa_pairs_have_the_forms_of_the_secret():
    private, public = pki.make_rsa_pair()
    assert private.startswith("-----BEGIN RSA PRIVATE KEY-----")
    assert public.startswith("-----BEGIN PUBLIC KEY-----")
    assert pki.public_text(pki.parse_rsa_private(private).public_key()) == public


def test_keys_of_another_kind_are_told_apart():
    made = ec.generate_private_key(ec.SECP256R1())
    text = made.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    with pytest.raises(pki.BrokenPem, match="not an RSA key"):
        pki.parse_rsa_private(text)
    with pytest.raises(pki.BrokenPem, match="not certificates"):
        pki.parse_certificates("nothing")


def test_a_key_is_not_shown_by_accident():
    assert "PRIVATE" not in repr(pki.make_authority("signer", NOW, DAY))


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_pair_is_shown_with_and_without_files_in_memory(in_memory, monkeypatch):
    if not in_memory:
        monkeypatch.delattr(os, "memfd_create", raising=False)
    pair = pki.make_authority("cdi", NOW, DAY)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pki.load_pair(context, pair)
    other = pki.make_authority("other", NOW, DAY)
    with pytest.raises(ssl.SSLError):
        pki.load_pair(context, pki.Pair(pair.certificate, other.key))
