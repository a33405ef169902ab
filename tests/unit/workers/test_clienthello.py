"""What TLS clients offer, as it is seen before anybody talks to them."""

import random
import ssl

import pytest

from cdi.workers.ranged import clienthello


def hello(*protocols: str, host: str = "localhost") -> bytes:
    """What OpenSSL says first."""
    context = ssl.create_default_context()
    if protocols:
        context.set_alpn_protocols(list(protocols))
    sent = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), sent, server_hostname=host)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return sent.read()


@pytest.mark.parametrize("offered", [(), ("http/1.1",), ("h2", "http/1.1"), ("cdi-copy/2", "h2")])
def test_what_is_offered_is_seen(offered: tuple[str, ...]) -> None:
    data = hello(*offered)
    assert clienthello.offers(data) == tuple(each.encode() for each in offered)


def test_so_much_has_to_be_seen() -> None:
    data = hello("http/1.1")
    assert clienthello.wanted(data[:3]) == clienthello.HEADER
    assert clienthello.wanted(data[:9]) == len(data)


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n", b"\x16\x03\x01\xff\xff\x01", b"\0" * 9])
def test_what_is_no_greeting_is_not_waited_for(data: bytes) -> None:
    assert clienthello.wanted(data) == 0
    assert clienthello.offers(data) == ()


def test_nothing_that_is_cut_or_spoilt_is_more_than_no_offer() -> None:
    data, rng = hello("cdi-copy/2", "http/1.1"), random.Random(7)
    for end in range(len(data)):
        assert clienthello.offers(data[:end]) == ()
    for _ in range(2000):
        spoilt = bytearray(data)
        for _ in range(rng.randint(1, 8)):
            spoilt[rng.randrange(len(spoilt))] = rng.randrange(256)
        clienthello.wanted(spoilt)
        clienthello.offers(bytes(spoilt))
