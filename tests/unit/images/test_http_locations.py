import pytest

from cdi.images import errors
from cdi.images.http import redirects, urls


@pytest.mark.parametrize(
    ("url", "origin", "target"),
    [
        pytest.param("http://a.test/x", ("http", "a.test", 80), "/x", id="default-port"),
        pytest.param("https://A.Test:8443/x?y=1#z", ("https", "a.test", 8443), "/x?y=1", id="all"),
        pytest.param("HTTP://a.test", ("http", "a.test", 80), "/", id="nothing-but-a-host"),
        pytest.param("http://[::1]:80/x", ("http", "[::1]", 80), "/x", id="ipv6"),
        pytest.param(" http://a.test/b c ", ("http", "a.test", 80), "/b%20c", id="spaces"),
    ],
)
def test_a_url_is_taken_apart(url, origin, target):
    location = urls.parse_url(url)
    assert (location.origin, location.target) == (origin, target)


def test_credentials_are_decoded_and_leave_the_url():
    location = urls.parse_url("https://us%40er:p%3Aw@a.test/x")
    assert (location.user, location.password) == ("us@er", "p:w")
    assert location.url == "https://a.test/x"


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("ftp://a.test/x", id="another-scheme"),
        pytest.param("http:///x", id="no-host"),
        pytest.param("http://a.test:99999/x", id="no-such-port"),
        pytest.param("http://a.test/x\r\nHost: b.test", id="line-break"),
        pytest.param("/x", id="a-path"),
    ],
)
def test_nonsense_is_refused(url):
    with pytest.raises(errors.InvalidRequest):
        urls.parse_url(url)


def test_a_refusal_does_not_repeat_a_password():
    with pytest.raises(errors.InvalidRequest) as refusal:
        urls.parse_url("ftp://user:canary@a.test/x")
    assert "canary" not in str(refusal.value)


def test_what_is_shown_hides_credentials_and_query_values():
    shown = urls.parse_url("http://u:canary1@a.test/x?sig=canary2&canary3").printable
    assert shown.startswith("http://a.test/x?sig=~")
    assert "canary" not in shown


def test_what_is_shown_tells_different_queries_apart():
    one, other = (urls.parse_url(f"http://a.test/?id={n}").printable for n in (1, 2))
    assert one != other


@pytest.mark.parametrize(
    ("target", "url", "trusted"),
    [
        pytest.param("/y", "https://a.test/y", True, id="path"),
        pytest.param("/\xc3\xa4 b", "https://a.test/%C3%A4%20b", True, id="raw-utf-8"),
        pytest.param("/\xe4", "https://a.test/%E4", True, id="raw-latin-1"),
        pytest.param("y?q", "https://a.test/d/y?q", True, id="relative"),
        pytest.param("https://a.test:443/y", "https://a.test/y", True, id="same-origin"),
        pytest.param("//b.test/y", "https://b.test/y", False, id="another-host"),
        pytest.param("https://a.test:444/y", "https://a.test:444/y", False, id="another-port"),
        pytest.param("http://a.test/y", "http://a.test/y", False, id="downgrade"),
        pytest.param("http://a.test:443/y", "http://a.test:443/y", False, id="downgrade-same-port"),
        pytest.param("https://u:p@a.test/y", "https://a.test/y", True, id="their-credentials"),
        pytest.param("https://a.test@b.test/y", "https://b.test/y", False, id="disguised-host"),
    ],
)
def test_trust_ends_where_the_origin_ends(target, url, trusted):
    start = urls.Route(urls.parse_url("https://a.test/d/x"))
    there = redirects.redirected(start, target)
    assert (there.location.url, there.trusted) == (url, trusted)
    assert not there.location.user


def test_trust_does_not_come_back():
    start = urls.Route(urls.parse_url("https://a.test/x"))
    away = redirects.redirected(start, "https://b.test/x")
    assert not redirects.redirected(away, "https://a.test/x").trusted


@pytest.mark.parametrize("target", [None, "", "file:///etc/passwd", "http://a.test:bad/"])
def test_a_redirect_to_nonsense_is_the_servers_fault(target):
    start = urls.Route(urls.parse_url("https://a.test/x"))
    with pytest.raises(errors.SourceRefused):
        redirects.redirected(start, target)


def test_a_secret_path_is_shown_nowhere():
    start = urls.parse_url("https://a.test/images/canary", secret_path=True)
    there = redirects.redirected(urls.Route(start), "/images/canary2").location
    assert "canary" not in repr(start) + repr(there) + start.printable + there.printable
    assert start.printable.startswith("https://a.test/")
    assert start.printable != there.printable
    assert start.url.endswith("/images/canary")
