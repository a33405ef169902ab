import pytest

from cdi.images import errors
from cdi.images.http import proxies, urls

BOTH = {"http_proxy": "http://plain.test:3128", "https_proxy": "http://secure.test:3128"}


def chosen(url, **settings):
    proxy = proxies.choose_proxy(settings, urls.parse_url(url))
    return proxy and proxy.url


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        pytest.param("http://a.test/", "http://plain.test:3128", id="http"),
        pytest.param("https://a.test/", "http://secure.test:3128", id="https"),
        pytest.param("http://localhost/", None, id="localhost"),
        pytest.param("http://127.9.9.9/", None, id="loopback"),
        pytest.param("http://[::1]/", None, id="loopback-ipv6"),
    ],
)
def test_the_scheme_chooses_and_loopback_is_direct(url, proxy):
    assert chosen(url, **BOTH) == proxy


@pytest.mark.parametrize(
    ("exceptions", "url", "direct"),
    [
        pytest.param("*", "http://a.test/", True, id="all"),
        pytest.param("a.test", "http://a.test/", True, id="name"),
        pytest.param("a.test", "http://x.a.test/", True, id="below-a-name"),
        pytest.param("a.test", "http://ba.test/", False, id="only-ends-alike"),
        pytest.param(".a.test", "http://x.a.test/", True, id="dot"),
        pytest.param(".a.test", "http://a.test/", False, id="dot-is-not-the-name-itself"),
        pytest.param("*.a.test", "http://x.a.test/", True, id="star"),
        pytest.param("*.a.test", "http://a.test/", False, id="star-is-not-the-name-itself"),
        pytest.param("a.test:80", "http://a.test/", True, id="port"),
        pytest.param("a.test:81", "http://a.test/", False, id="another-port"),
        pytest.param("10.0.0.0/8", "http://10.1.2.3/", True, id="network"),
        pytest.param("10.0.0.0/8", "http://11.1.2.3/", False, id="outside-the-network"),
        pytest.param("10.0.0.0/8", "http://a.test/", False, id="network-and-name"),
        pytest.param("10.1.2.3", "http://10.1.2.3/", True, id="address"),
        pytest.param("10.1.2.3:81", "http://10.1.2.3/", False, id="address-and-another-port"),
        pytest.param("fd00::/8", "http://[fd00::1]/", True, id="network-ipv6"),
        pytest.param("[fd00::1]:80", "http://[fd00::1]/", True, id="address-ipv6-and-port"),
        pytest.param("fd00::1", "http://[fd00::1]/", True, id="address-ipv6"),
        pytest.param(" x.test , A.TEST ,", "http://a.test/", True, id="list"),
        pytest.param("nonsense/99", "http://a.test/", False, id="nonsense"),
    ],
)
def test_no_proxy_follows_the_rules_of_go(exceptions, url, direct):
    assert (chosen(url, **BOTH, no_proxy=exceptions) is None) is direct


def test_upper_case_wins_and_empty_means_unset():
    assert chosen("http://a.test/", HTTP_PROXY="up.test:1", **BOTH) == "http://up.test:1"
    assert chosen("http://a.test/", HTTP_PROXY="", **BOTH) == "http://plain.test:3128"
    assert chosen("http://a.test/", http_proxy="") is None


def test_credentials_are_kept_apart_from_the_url():
    proxy = proxies.parse_proxy("user:p%40ss@proxy.test:3128")
    assert proxy == proxies.Proxy("http://proxy.test:3128", "user", "p@ss")
    assert "p@ss" not in repr(proxy)


def test_a_proxy_of_another_kind_is_refused_without_its_password():
    with pytest.raises(errors.InvalidRequest) as refusal:
        proxies.parse_proxy("socks5://user:canary@proxy.test")
    assert "canary" not in str(refusal.value)
