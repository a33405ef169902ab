"""
What bad web servers do, and what comes of it: one row each.

Every row is a whole import. It ends with the right disk, or with the right error and a message
that says what to do; after a permanent one nothing is left.
"""

from __future__ import annotations

import dataclasses
import email.utils
import gzip
import hashlib
import itertools
import random
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cdi.images import errors
from cdi.images.http.options import HttpOptions
from cdi.images.sources.http import HttpSource
from cdi.images.transfer import transfer
from cdi.images.transfer.meter import Meter
from cdi.images.transfer.request import TransferRequest
from support import authority, httpd, proxy

DISK = random.Random(40).randbytes(1 << 20)
PACKED = gzip.compress(DISK)
NEWER = random.Random(41).randbytes(1 << 20)
PAGE = b"<!DOCTYPE html><html><body><form>Log in</form></body></html>\n"
SECRET = "canary-password"
OPTIONS = HttpOptions(
    user="user",
    password=SECRET,
    headers=("X-Plain: canary-plain",),
    secret_headers=("X-Secret: canary-secret",),
    connections=2,
    stall=0.3,
)


class Net:
    """Servers of one test, and what its importer is told about them."""

    def __init__(self, stack: ExitStack, ca: authority.Authority) -> None:
        self._stack, self.ca = stack, ca
        self.options = OPTIONS
        self.plain = self.server()

    def server(self, tls: ssl.SSLContext | None = None) -> httpd.Server:
        return self._stack.enter_context(httpd.Server(tls))

    def secure(self, tls: ssl.SSLContext) -> str:
        """The URL of the disk on a server with TLS whose authority is trusted."""
        self.options = dataclasses.replace(self.options, ca_files=(self.ca.ca,))
        return self.server(tls).put("/disk", httpd.Blob(DISK))

    def behind(self, between: proxy.Proxy, credentials: str) -> None:
        started = self._stack.enter_context(between)
        address = started.url.replace("http://", f"http://{credentials}@")
        self.options = dataclasses.replace(self.options, proxies={"http_proxy": address})


Serve = Callable[[Net], str]


def ranged(twist: httpd.Twist | None = None) -> Serve:
    return lambda net: net.plain.put("/disk", httpd.Blob(DISK, twist=twist))


def later(twist: httpd.Twist) -> Serve:
    """Good at first."""
    return ranged(httpd.after(1, twist))


def forward(twist: httpd.Twist | None = None) -> Serve:
    """Without ranges."""
    return lambda net: net.plain.put("/disk", httpd.Blob(DISK, ranges=False, twist=twist))


def content(body: bytes, **headers: str | None) -> Serve:
    twist = httpd.with_headers(**headers)
    return lambda net: net.plain.put("/disk", httpd.Blob(body, twist=twist))


def redirected(location: str) -> Serve:
    return lambda net: net.plain.put("/disk", httpd.redirect(location))


def replaced(*versions: bytes) -> Serve:
    """Another version from the second request on; the last one stays."""

    def serve(net: Net) -> str:
        left = list(versions)

        def resource(request: httpd.Request) -> httpd.Reply:
            body = left.pop(0) if len(left) > 1 else left[0]
            return httpd.Blob(body, etag=f'"{hash(body)}"')(request)

        return net.plain.put("/disk", resource)

    return serve


def to_ranges(twist: httpd.Twist) -> httpd.Twist:
    """Spoil replies to requests for a range only."""
    return lambda request, reply: twist(request, reply) if request.span else reply


def unequal(net: Net) -> str:
    """Each answer comes from another server, whose copy has a date and an ETag of its own."""
    servers = itertools.count()

    def resource(request: httpd.Request) -> httpd.Reply:
        number = next(servers)
        date = email.utils.formatdate(1000 * number, usegmt=True)
        return httpd.Blob(DISK, etag=f'"{number}"', modified=date)(request)

    return net.plain.put("/disk", resource)


def from_tls_to_plain(net: Net) -> str:
    net.options = dataclasses.replace(net.options, ca_files=(net.ca.ca,))
    there = net.plain.put("/there", httpd.Blob(DISK))
    secure = net.server(net.ca.server_context("127.0.0.1"))
    return secure.put("/disk", httpd.redirect(there))


def expiring_mirror(net: Net) -> str:
    expires = httpd.in_turn([httpd.changed(), httpd.status(403)])
    there = net.server().put("/there", httpd.Blob(DISK, twist=expires))
    return net.plain.put("/disk", httpd.redirect(f"{there}?signature=canary-signature"))


def few_requests(count: int) -> Serve:
    """Refuses by rate after `count` requests, but for those that ask for half of the disk."""

    def twist(request: httpd.Request, reply: httpd.Reply) -> httpd.Reply:
        start, end = request.span or (0, None)
        large = end is None or end - start >= len(DISK) // 2 or end == len(DISK)
        return reply if large else httpd.Reply(429)

    return ranged(httpd.after(count, twist))


def mirrors(*lacking: int) -> Serve:
    """A redirector that sends to another mirror each time; the first ones do not have it."""

    def serve(net: Net) -> str:
        there = net.server()
        places = [
            there.put(f"/{number}", httpd.Blob(DISK, twist=httpd.status(code)))
            for number, code in enumerate(lacking)
        ]
        turns = map(httpd.redirect, [*places, *[there.put("/good", httpd.Blob(DISK))] * 3])

        def resource(request: httpd.Request) -> httpd.Reply:
            return next(turns)(request)

        return net.plain.put("/disk", resource)

    return serve


def in_utf8(net: Net) -> str:
    net.plain.put("/%C3%84pfel", httpd.Blob(DISK))
    return net.plain.put("/disk", httpd.redirect("/\u00c4pfel".encode().decode("latin-1")))


def cookie_check(net: Net) -> str:
    """Serves nobody who does not keep cookies, both of them."""
    kept = httpd.Blob(DISK)
    expires = "Expires=Wed, 21 Oct 2099 07:28:00 GMT"

    def checked(request: httpd.Request) -> httpd.Reply:
        cookies = (request.header("cookie") or "").split("; ")
        if {"one=canary-1", "two=canary-2"} <= set(cookies):
            return kept(request)
        return httpd.Reply(403)

    def first(_: httpd.Request) -> httpd.Reply:
        given = f"one=canary-1; {expires}; Path=/"
        return httpd.Reply(302, b"", {"Location": "/second", "Set-Cookie": given})

    def second(_: httpd.Request) -> httpd.Reply:
        return httpd.Reply(302, b"", {"Location": "/kept", "Set-Cookie": "two=canary-2; HttpOnly"})

    net.plain.put("/kept", checked)
    net.plain.put("/second", second)
    return net.plain.put("/disk", first)


def untrusted(net: Net) -> str:
    return net.server(net.ca.server_context("127.0.0.1")).put("/disk", httpd.Blob(DISK))


def expired(net: Net) -> str:
    return net.secure(net.ca.server_context("127.0.0.1", expired=True))


def another_name(net: Net) -> str:
    return net.secure(net.ca.server_context("another.name"))


def old_tls(net: Net) -> str:
    context = net.ca.server_context("127.0.0.1")
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = ssl.TLSVersion.TLSv1
    return net.secure(context)


def wrong_proxy_password(net: Net) -> str:
    net.behind(proxy.Proxy({"mirror.test": net.plain.port}, "user", "right"), "user:canary-wrong")
    net.plain.put("/disk", httpd.Blob(DISK))
    return "http://mirror.test/disk"


FINE = None
IN_30_S = {
    "Date": email.utils.formatdate(1000, usegmt=True),
    "Retry_After": email.utils.formatdate(1030, usegmt=True),
}
MANY_HEADERS = b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % each for each in range(300))
LONG_HEADER = b"HTTP/1.1 200 OK\r\nX-Long: " + b"y" * 100_000 + b"\r\n\r\n"

BEHAVIOURS = [
    # How it serves
    pytest.param(ranged(), FINE, "", id="head-forbidden"),
    pytest.param(forward(), FINE, "", id="no-ranges"),
    pytest.param(forward(httpd.changed(chunked=True)), FINE, "", id="chunked"),
    pytest.param(forward(httpd.with_headers(Accept_Ranges="bytes")), FINE, "", id="200-to-a-range"),
    pytest.param(ranged(httpd.first(1, httpd.status(501))), FINE, "", id="chokes-on-ranges"),
    pytest.param(
        later(httpd.with_headers(Content_Range=f"bytes 0-9/{len(DISK)}")),
        FINE, "", id="another-range",
    ),
    pytest.param(ranged(to_ranges(httpd.status(403))), FINE, "", id="403-to-a-range"),
    pytest.param(later(to_ranges(httpd.status(403))), FINE, "", id="403-to-a-range-later"),
    pytest.param(later(to_ranges(httpd.status(416))), FINE, "", id="416-later"),
    pytest.param(
        later(lambda request, _: httpd.Blob(DISK, ranges=False)(request)),
        FINE, "", id="no-ranges-any-more",
    ),
    pytest.param(later(to_ranges(httpd.cut_after(0))), FINE, "", id="ranges-without-bytes"),
    pytest.param(unequal, FINE, "", id="unequal-servers-behind-one-name"),
    pytest.param(
        later(httpd.status(416)), errors.SourceRefused, "ranges are broken", id="nothing-but-416"
    ),
    pytest.param(
        forward(httpd.with_headers(Content_Length=str(len(DISK) + 1), Connection="close")),
        errors.TruncatedSource, "ended", id="length-too-long",
    ),
    pytest.param(
        forward(httpd.with_headers(Content_Length=str(len(DISK) - 512))),
        errors.SourceRefused, "more", id="length-too-short",
    ),
    pytest.param(
        content(DISK, Content_Encoding="gzip"),
        errors.SourceRefused, "switch Content-Encoding off", id="gzip-unasked",
    ),
    pytest.param(
        content(PACKED, Content_Encoding="gzip"), FINE, "", id="gzip-without-a-name-for-it"
    ),
    pytest.param(
        lambda net: net.plain.put("/disk", httpd.Blob(
            PACKED, ranges=False, twist=httpd.with_headers(Content_Encoding="x-gzip")
        )),
        FINE, "", id="gzip-in-one-stream",
    ),
    pytest.param(
        content(DISK, Content_Encoding="br"),
        errors.SourceRefused, "switch Content-Encoding off", id="brotli",
    ),
    pytest.param(
        ranged(httpd.with_headers(Content_Length="9" * 5000)),
        errors.ConnectionLost, "length makes no sense", id="length-of-5000-digits",
    ),
    pytest.param(
        later(httpd.with_headers(Content_Range=f"bytes 0-{'9' * 5000}/{'9' * 5000}")),
        FINE, "", id="range-of-5000-digits",
    ),
    pytest.param(
        ranged(httpd.status(503, Retry_After="9" * 5000)),
        errors.SourceUnavailable, "try again later", id="pause-of-5000-digits",
    ),
    # How it fails
    pytest.param(ranged(httpd.first(3, httpd.cut_after(9999))), FINE, "", id="cut"),
    pytest.param(ranged(httpd.first(3, httpd.cut_after(9999, reset=True))), FINE, "", id="reset"),
    pytest.param(
        ranged(httpd.after(1, httpd.first(1, httpd.changed(stall_after=1000)))),
        FINE, "", id="stall",
    ),
    pytest.param(
        ranged(httpd.changed(before_headers="stall")),
        errors.Stalled, "no byte arrived", id="silence",
    ),
    pytest.param(
        ranged(httpd.changed(raw=b"HTTP/1.1 200 OK -- ", drip=0.05)),
        errors.Stalled, "headers", id="slow-headers",
    ),
    pytest.param(later(httpd.first(1, httpd.status(429, Retry_After="7"))), FINE, 7.0, id="429"),
    pytest.param(few_requests(3), FINE, "", id="429-to-more-than-a-few-small-requests"),
    pytest.param(later(to_ranges(httpd.status(429))), FINE, "", id="429-to-every-range"),
    pytest.param(later(httpd.first(1, httpd.status(503, **IN_30_S))), FINE, 30.0, id="503-date"),
    pytest.param(
        ranged(httpd.status(503, Retry_After="3600")),
        errors.SourceUnavailable, "3600 s, as the server asks", id="503-for-an-hour",
    ),
    pytest.param(ranged(httpd.status(500)), errors.SourceUnavailable, "500", id="500-forever"),
    pytest.param(ranged(httpd.status(404)), errors.NotFound, "check the address", id="404"),
    pytest.param(ranged(httpd.status(403)), errors.AccessDenied, "check user", id="403"),
    pytest.param(
        ranged(httpd.changed(raw=MANY_HEADERS + b"\r\n")),
        errors.SourceRefused, "headers", id="too-many-headers",
    ),
    pytest.param(
        ranged(httpd.changed(raw=LONG_HEADER)),
        errors.SourceRefused, "headers", id="headers-too-large",
    ),
    pytest.param(
        ranged(httpd.changed(raw=b"\x7fELF" + DISK[:2000])),
        errors.ConnectionLost, "does not speak HTTP", id="http-0.9",
    ),
    pytest.param(replaced(DISK, NEWER), NEWER, "", id="replaced-midway"),
    pytest.param(
        later(lambda request, _: httpd.Blob(DISK, etag=f'"{request.span}"')(request)),
        FINE, "", id="another-version-each-time",
    ),
    # Where it sends us
    pytest.param(redirected("/disk"), errors.SourceRefused, "redirects more", id="redirect-loop"),
    pytest.param(
        redirected("file:///etc/passwd"), errors.SourceRefused, "redirect", id="redirect-to-a-file"
    ),
    pytest.param(from_tls_to_plain, FINE, "", id="redirect-from-tls-to-plain"),
    pytest.param(expiring_mirror, FINE, "", id="mirror-expires"),
    pytest.param(mirrors(404, 404), FINE, "", id="two-mirrors-lack-it"),
    pytest.param(mirrors(503), FINE, "", id="a-mirror-is-busy"),
    pytest.param(
        mirrors(*[404] * 10), errors.NotFound, "check the address", id="ten-mirrors-lack-it"
    ),
    pytest.param(in_utf8, FINE, "", id="redirect-in-raw-utf-8"),
    pytest.param(cookie_check, FINE, "", id="redirect-wants-its-cookies-back"),
    # Who it is
    pytest.param(untrusted, errors.CertificateInvalid, "CA certificate", id="not-trusted"),
    pytest.param(expired, errors.CertificateInvalid, "expired", id="certificate-expired"),
    pytest.param(another_name, errors.CertificateInvalid, "match", id="certificate-of-another"),
    pytest.param(
        old_tls, errors.SourceRefused, "TLS 1.2 or later", id="tls-1.0-only",
        marks=pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1 is deprecated"),
    ),
    pytest.param(wrong_proxy_password, errors.AccessDenied, "proxy", id="proxy-407"),
    # What it serves
    pytest.param(content(PAGE), errors.NotADisk, "a web page", id="log-in-page"),
    pytest.param(
        content(b'{"error": "no such image"}'), errors.NotADisk, "a JSON document", id="json-error"
    ),
    pytest.param(content(b""), errors.NotADisk, "empty", id="empty"),
    pytest.param(
        content(b"\0\0\0\x20ftypisom" + bytes(2000)), errors.NotADisk, "video", id="video"
    ),
    pytest.param(content(b"PK\x03\x04" + bytes(2000)), errors.UnsupportedFormat, "zip", id="zip"),
]  # fmt: skip


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> authority.Authority:
    return authority.Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def net(ca: authority.Authority) -> Iterator[Net]:
    with ExitStack() as stack:
        yield Net(stack, ca)


def imported(url: str, net: Net, folder: Path, **wanted: object) -> list[float]:
    """Import to `folder`; return the pauses that were made."""
    pauses: list[float] = []

    def wait(seconds: float) -> bool:
        pauses.append(seconds)
        return False

    order = TransferRequest(
        source=lambda halt: HttpSource(url, net.options, cancel=halt, wait=wait),
        target=folder / "disk.img",
        connections=2,
        **wanted,
    )
    transfer.run(order, Meter(), threading.Event())
    return pauses


@pytest.mark.parametrize(("serve", "outcome", "words"), BEHAVIOURS)
def test_a_bad_server(serve, outcome, words, net, tmp_path, caplog):
    url = serve(net)
    if isinstance(outcome, type):
        with pytest.raises(outcome) as failure:
            imported(url, net, tmp_path)
        assert type(failure.value) is outcome
        assert words in str(failure.value)
        if outcome.kind is errors.Kind.PERMANENT:
            assert list(tmp_path.iterdir()) == []
    else:
        pauses = imported(url, net, tmp_path)
        assert (tmp_path / "disk.img").read_bytes() == (outcome or DISK)
        assert not words or words in pauses
    assert "canary" not in caplog.text


def test_one_stream_of_unequal_servers_is_verified(net, tmp_path):
    """By a checksum, which makes it as good as any other way."""
    right = ("sha256", hashlib.sha256(DISK).hexdigest())
    imported(unequal(net), net, tmp_path, checksum=right)
    assert (tmp_path / "disk.img").read_bytes() == DISK
    with pytest.raises(errors.ChecksumMismatch):
        imported(unequal(net), net, tmp_path, checksum=("sha256", "0" * 64))


def test_what_ranges_brought_is_kept_where_one_stream_is_refused(net, tmp_path):
    """The error is that of the ranges, and the next run goes on behind what is there."""
    good, unranged = httpd.Blob(DISK), httpd.Blob(DISK, ranges=False)

    def resource(request: httpd.Request) -> httpd.Reply:
        if request.span is None:
            return httpd.Reply(503)
        middle = len(DISK) // 2 <= request.span[0] < len(DISK) - 512
        return unranged(request) if middle else good(request)

    with pytest.raises(errors.SourceUnavailable, match="no longer serves ranges"):
        imported(net.plain.put("/disk", resource), net, tmp_path)
    assert (tmp_path / "disk.img.cdi-journal").exists()
    assert (tmp_path / "disk.img.cdi-partial").exists()


def test_what_is_listed_is_a_promise():
    assert len(BEHAVIOURS) >= 20


def test_no_secret_is_seen_by_another_origin(net, tmp_path):
    """Neither over redirects, nor on the way down from TLS, nor by a proxy."""
    from_tls_to_plain_url = from_tls_to_plain(net)
    imported(from_tls_to_plain_url, net, tmp_path)
    seen = repr([request.headers for request in net.plain.requests])
    assert net.plain.requests
    assert "canary" not in seen
    assert "authorization" not in seen
