"""Fuzz what is made of a server's answer: headers, ranges, dates, redirects, and of given URLs."""

from __future__ import annotations

from fuzz import harness

with harness.instrumented():
    from cdi.images import errors
    from cdi.images.http import client, failures, redirects, response, urls
    from cdi.images.http.options import parse_lines

_HERE = urls.Route(urls.parse_url("https://user:secret@host/a/b?c=d"))


def seeds() -> list[bytes]:
    return [
        b"bytes 0-65535/1048576", b"bytes */0", b"bytes 5-4/3", b"120",
        b"Fri, 31 Dec 1999 23:59:59 GMT", b'W/"etag"', b"gzip", b"/other/path?x=y#z",
        b"https://elsewhere:8443/x", b"//evil/x", b"http://[::1]:80/", b"http://user@host@evil/",
        b"X-Header: value\nAuthorization: Basic x", b"http://h:99999/", b"https:///x",
    ]  # fmt: skip


def check(data: bytes) -> None:
    text = data.decode("latin-1")
    part = response.parse_content_range(text)
    if part is not None:
        assert 0 <= part.start <= part.end
        assert part.total is None or part.end <= part.total
    length = response.parse_length(text)
    assert length is None or length >= 0
    for wish in (
        failures.parse_retry_after(text, 0.0),
        failures.retry_after({"Retry-After": text}),
    ):
        assert wish is None or wish >= 0
    seen = {"ETag": text, "Last-Modified": text, "Content-Encoding": text, "Date": text}
    validators = response.validators_of(seen)
    assert not validators.contradict(validators)
    assert isinstance(validators.strong, str)
    client.PLAIN.unwanted_coding(seen, text)
    failures.retry_after(seen)
    _check_location(text)
    for name, value in parse_lines(text.split("\n")):
        assert "\n" not in name + value
        assert "\r" not in name + value


def _check_location(text: str) -> None:
    for way in (lambda: urls.parse_url(text), lambda: _redirected(text)):
        said = ""
        try:
            way()
        except errors.TransferError as refused:
            said = str(refused)
        assert "secret" not in said


def _redirected(text: str) -> None:
    there = redirects.redirected(_HERE, text)
    assert not there.location.user
    assert not there.trusted or there.location.origin == _HERE.location.origin


if __name__ == "__main__":
    harness.run(seeds, check)
