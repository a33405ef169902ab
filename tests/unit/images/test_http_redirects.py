"""Cookies go back to who set them, and to nobody else."""

import pytest

from cdi.images.http.redirects import Cookies
from cdi.images.http.urls import parse_url

HERE = parse_url("https://a.test/x")


@pytest.mark.parametrize(
    ("header", "sent"),
    [
        pytest.param("a=1", "a=1", id="one"),
        pytest.param('a=1; Path=/\nb="2"; Max-Age=9', 'a=1; b="2"', id="two"),
        pytest.param("a=1\na=2", "a=2", id="the-later-one"),
        pytest.param("a=; Secure", "a=", id="empty"),
        pytest.param("a=b=c", "a=b=c", id="equals-sign"),
        pytest.param("nonsense", "", id="no-pair"),
        pytest.param("a=1\r", "a=1", id="end-of-line"),
        pytest.param("a=\x01", "", id="control"),
        pytest.param("a=" + "x" * 5000, "", id="too-long"),
    ],
)
def test_what_was_set_is_sent(header, sent):
    cookies = Cookies()
    cookies.keep(HERE, header)
    assert cookies.header(HERE) == sent


@pytest.mark.parametrize(
    "url", ["https://b.test/x", "https://b.a.test/x", "https://test/x", "http://a.test/x"]
)
def test_a_cookie_goes_nowhere_else(url):
    cookies = Cookies()
    cookies.keep(HERE, "a=1; Domain=test; Secure")
    assert cookies.header(parse_url(url)) == ""


def test_a_host_cannot_fill_the_memory():
    cookies = Cookies()
    cookies.keep(HERE, "\n".join(f"n{number}=1" for number in range(1000)))
    assert cookies.header(HERE).count("=") == 50
