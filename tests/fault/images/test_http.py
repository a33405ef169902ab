"""What a server does wrong, and what comes of it: the right bytes, or the right reason."""

import concurrent.futures
import dataclasses
import email.utils
import random
import socket
import threading

import pytest

from cdi.images import errors
from cdi.images.http import retry
from cdi.images.http.options import HttpOptions
from cdi.images.sources import source
from cdi.images.sources.http import findings
from cdi.images.sources.http import source as http
from support import authority, httpd, proxy

DATA = random.Random(30).randbytes(2 * source.PIECE + 4321)
HEAD = findings.HEAD
MIDDLE = source.PIECE + 777


class Pauses(list):
    """Stands in for sleeping: remembers how long it would have been."""

    def __call__(self, seconds):
        self.append(seconds)
        return False


@pytest.fixture
def server():
    with httpd.Server() as running:
        yield running


@pytest.fixture
def pauses():
    return Pauses()


def opened(url, pauses, **options):
    return http.HttpSource(url, HttpOptions(**options), wait=pauses, rng=lambda: 1.0)


@pytest.mark.parametrize("reset", [False, True], ids=["no-farewell", "reset"])
def test_a_body_cut_short_over_tls_is_not_taken_for_whole(reset, pauses, tmp_path):
    made = authority.Authority(tmp_path / "ca")
    unmeasured = {"Content-Length": None, "Connection": "close"}
    blob = forward(httpd.changed(headers=unmeasured, cut_after=9, reset=reset))
    well = httpd.changed(headers=unmeasured)
    with httpd.Server(tls=made.server_context("127.0.0.1")) as secured:
        url = secured.put("/disk", blob)
        with pytest.raises(errors.ConnectionLost):
            whole(url, pauses, ca_files=(made.ca,))
        url = secured.put("/disk", forward(well))
        assert whole(url, pauses, ca_files=(made.ca,)) == DATA


def whole(url, pauses, **options):
    with opened(url, pauses, **options) as one:
        return b"".join(one.stream())


def ranged(twist):
    return httpd.Blob(DATA, twist=twist)


def forward(twist, **fields):
    return httpd.Blob(DATA, ranges=False, twist=twist, **fields)


def later(twist):
    """Spoil all replies but that to the first request."""
    return httpd.after(1, twist)


# What passes by itself


@pytest.mark.parametrize(
    "blob",
    [
        pytest.param(ranged(httpd.first(3, httpd.cut_after(MIDDLE))), id="cut"),
        pytest.param(ranged(httpd.first(3, httpd.cut_after(0))), id="cut-before-the-first-byte"),
        pytest.param(ranged(later(httpd.first(3, httpd.cut_after(9, reset=True)))), id="reset"),
        pytest.param(ranged(httpd.first(2, httpd.changed(before_headers="close"))), id="no-answer"),
        pytest.param(ranged(httpd.first(2, httpd.changed(before_headers="reset"))), id="hangs-up"),
        pytest.param(ranged(httpd.in_turn([httpd.status(503), httpd.changed()])), id="503-first"),
        pytest.param(ranged(later(httpd.first(3, httpd.status(500)))), id="500-later"),
        pytest.param(ranged(later(httpd.first(2, httpd.status(429)))), id="429-later"),
        pytest.param(
            ranged(later(httpd.first(2, httpd.changed(raw=b"garbage\r\n\r\n")))),
            id="garbage",
        ),
        pytest.param(forward(httpd.first(3, httpd.cut_after(MIDDLE))), id="forward-cut"),
        pytest.param(
            forward(httpd.first(2, httpd.changed(chunked=True, cut_after=MIDDLE))), id="chunked-cut"
        ),
        pytest.param(
            forward(httpd.first(2, httpd.cut_after(MIDDLE, reset=True))), id="forward-reset"
        ),
        pytest.param(
            httpd.Blob(
                DATA,
                etag=None,
                modified=None,
                ranges=False,
                twist=httpd.first(2, httpd.cut_after(MIDDLE)),
            ),
            id="forward-cut-without-validators",
        ),
    ],
)
def test_a_passing_fault_is_survived(server, pauses, blob):
    assert whole(server.put("/disk", blob), pauses) == DATA


def test_a_cut_costs_no_byte_twice(server, pauses):
    data = random.Random(31).randbytes(40 << 20)
    chance = random.Random(32)

    def cut(_request, reply):
        return dataclasses.replace(reply, cut_after=chance.randrange(1, 4 << 20))

    url = server.put("/disk", httpd.Blob(data, twist=cut))
    with opened(url, pauses) as one:
        assert b"".join(one.stream()) == data
        server.wait_served(len(data))
        assert server.served == len(data)
        assert one.reconnects > 10
    assert server.served <= 1.02 * len(data)


def test_many_threads_survive_cuts_at_random(server, pauses):
    lock, chance = threading.Lock(), random.Random(33)

    def cut(_request, reply):
        with lock:
            return dataclasses.replace(reply, cut_after=chance.randrange(1, 200_000))

    url = server.put("/disk", ranged(cut))
    with opened(url, pauses) as one, concurrent.futures.ThreadPoolExecutor(8) as threads:
        step = 250_000
        starts = range(0, len(DATA), step)
        parts = threads.map(lambda at: source.read(one, at, min(step, len(DATA) - at)), starts)
        assert b"".join(parts) == DATA


def test_a_source_that_stalls_is_asked_again(server, pauses):
    stall = later(httpd.first(1, httpd.changed(stall_after=1000)))
    url = server.put("/disk", ranged(stall))
    with opened(url, pauses, stall=0.3) as one:
        assert b"".join(one.stream()) == DATA
        assert one.reconnects == 1
        server.wait_served(len(DATA))
        assert server.served == len(DATA)


def test_an_idle_connection_that_the_server_ended_is_replaced(server, pauses):
    url = server.put("/disk", httpd.Blob(DATA))
    with opened(url, pauses) as one:
        server.drop_connections()
        assert source.read(one, HEAD, 100) == DATA[HEAD : HEAD + 100]
        assert one.reconnects == 0


def test_an_idle_connection_that_ends_under_a_request_is_replaced(server, pauses):
    ends = later(httpd.first(1, httpd.changed(before_headers="close")))
    url = server.put("/disk", ranged(ends))
    with opened(url, pauses) as one:
        assert source.read(one, HEAD, 100) == DATA[HEAD : HEAD + 100]
        assert one.reconnects == 0


# What is final, and why


@pytest.mark.parametrize(
    ("blob", "error"),
    [
        pytest.param(ranged(httpd.status(400)), errors.SourceRefused, id="400"),
        pytest.param(ranged(httpd.status(401)), errors.AccessDenied, id="401"),
        pytest.param(ranged(httpd.status(403)), errors.AccessDenied, id="403"),
        pytest.param(ranged(httpd.status(404)), errors.NotFound, id="404"),
        pytest.param(ranged(httpd.status(410)), errors.NotFound, id="410"),
        pytest.param(ranged(httpd.status(204)), errors.SourceRefused, id="204"),
        pytest.param(ranged(httpd.status(500)), errors.SourceUnavailable, id="500"),
        pytest.param(ranged(httpd.status(503)), errors.SourceUnavailable, id="503"),
        pytest.param(ranged(httpd.status(302)), errors.SourceRefused, id="redirect-to-nowhere"),
        pytest.param(httpd.redirect("ftp://a.test/x"), errors.SourceRefused, id="redirect-to-ftp"),
        pytest.param(
            ranged(httpd.with_headers(Content_Encoding="gzip")), errors.SourceRefused, id="gzip"
        ),
        pytest.param(
            forward(httpd.with_headers(Content_Encoding="gzip")),
            errors.SourceRefused,
            id="gzip-200",
        ),
        pytest.param(
            ranged(later(httpd.with_headers(Content_Range=f"bytes 0-9/{len(DATA)}"))),
            errors.SourceRefused,
            id="another-range",
        ),
        pytest.param(
            ranged(later(httpd.with_headers(Content_Range=None))),
            errors.SourceRefused,
            id="range-not-told",
        ),
        pytest.param(
            ranged(later(httpd.with_headers(ETag='"v2"'))),
            errors.SourceChanged,
            id="another-etag",
        ),
        pytest.param(
            ranged(
                httpd.after(
                    1, httpd.with_headers(Content_Range=f"bytes {HEAD}-{len(DATA) - 1}/{1 << 30}")
                )
            ),
            errors.SourceChanged,
            id="another-length",
        ),
        pytest.param(ranged(later(httpd.status(416))), errors.SourceRefused, id="416-later"),
        pytest.param(
            ranged(later(httpd.status(200, ETag='"v2"'))),
            errors.SourceChanged,
            id="200-of-another-version",
        ),
        pytest.param(
            ranged(later(lambda request, _: httpd.Blob(DATA, ranges=False)(request))),
            errors.SourceUnavailable,
            id="ranges-given-up",
        ),
        pytest.param(ranged(later(httpd.status(404))), errors.NotFound, id="404-later"),
        pytest.param(
            ranged(later(httpd.changed(before_headers="reset"))),
            errors.ConnectionLost,
            id="always-reset",
        ),
        pytest.param(
            ranged(later(httpd.cut_after(0))),
            errors.TruncatedSource,
            id="range-shorter-than-told",
        ),
        pytest.param(
            forward(httpd.with_headers(Content_Length=str(len(DATA) + 1), Connection="close")),
            errors.TruncatedSource,
            id="body-shorter-than-told",
        ),
        pytest.param(
            forward(httpd.with_headers(Content_Length=str(MIDDLE))),
            errors.SourceRefused,
            id="body-longer-than-told",
        ),
        pytest.param(
            forward(httpd.in_turn([httpd.cut_after(MIDDLE), httpd.with_headers(ETag='"v2"')])),
            errors.SourceChanged,
            id="forward-another-etag",
        ),
        pytest.param(
            forward(httpd.in_turn([httpd.cut_after(MIDDLE), httpd.status(404)])),
            errors.NotFound,
            id="forward-gone",
        ),
        pytest.param(
            ranged(httpd.changed(raw=b"220 ftp here\r\n")), errors.ConnectionLost, id="no-http"
        ),
    ],
)
def test_a_lasting_fault_has_its_reason(server, pauses, blob, error):
    url = server.put("/disk", blob)
    with pytest.raises(error) as failure:
        whole(f"{url}?sig=canary", pauses)
    assert type(failure.value) is error
    assert str(failure.value).startswith(url)
    assert "canary" not in str(failure.value)


def test_permanent_faults_are_not_tried_again(server, pauses):
    url = server.put("/disk", ranged(httpd.status(404)))
    with pytest.raises(errors.NotFound):
        whole(url, pauses)
    assert (len(server.requests), pauses) == (1, [])


def test_a_source_that_stalls_for_good_is_given_up(server, pauses):
    url = server.put("/disk", ranged(httpd.changed(before_headers="stall")))
    policy = retry.Policy(opening_tries=2)
    with pytest.raises(errors.Stalled, match="no byte arrived"):
        whole(url, pauses, stall=0.1, retries=policy)
    assert len(server.requests) == 2


def test_a_forward_source_that_changes_silently_is_noticed(server, pauses):
    versions = iter([DATA, DATA[::-1]])

    def resource(request):
        blob = httpd.Blob(next(versions), etag=None, modified=None, ranges=False)
        return dataclasses.replace(blob(request), cut_after=MIDDLE)

    with pytest.raises(errors.SourceChanged, match="first bytes"):
        whole(server.put("/disk", resource), pauses)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://nowhere.invalid/disk", id="unknown-name"),
        pytest.param("http://127.0.0.1:{closed}/disk", id="refused"),
    ],
)
def test_a_server_that_cannot_be_reached_is_tried_and_given_up(pauses, url):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = listener.getsockname()[1]
    with pytest.raises(errors.SourceUnavailable, match="check"):
        whole(url.format(closed=closed), pauses)
    assert pauses == [0.5, 1.0, 2.0]


def test_a_certificate_for_another_name_is_not_trusted(tmp_path, pauses):
    ca = authority.Authority(tmp_path)
    with httpd.Server(ca.server_context("another.name")) as secure:
        url = secure.put("/disk", httpd.Blob(DATA))
        with pytest.raises(errors.CertificateInvalid):
            whole(url, pauses, ca_files=(ca.ca,))
    assert pauses == []


# How it is tried again


def test_pauses_grow_and_progress_starts_them_anew(server, pauses):
    fault = httpd.changed(before_headers="close")
    replaced = fault  # the connection was an idle one, which is no failure yet
    faults = [httpd.changed(), replaced, fault, fault, httpd.cut_after(HEAD), fault, fault]
    url = server.put("/disk", ranged(httpd.in_turn(faults)))
    assert whole(url, pauses) == DATA
    assert pauses == [0.5, 1.0, 0.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("status", "fields", "pause"),
    [
        pytest.param(503, {"Retry_After": "7"}, 7.0, id="seconds"),
        pytest.param(429, {"Retry_After": "7"}, 7.0, id="too-many-requests"),
        pytest.param(
            503,
            {
                "Date": email.utils.formatdate(1000, usegmt=True),
                "Retry_After": email.utils.formatdate(1030, usegmt=True),
            },
            30.0,
            id="date",
        ),
        pytest.param(503, {"Retry_After": "later"}, 0.5, id="nonsense"),
    ],
)
def test_the_server_says_how_long_to_wait(server, pauses, status, fields, pause):
    twist = later(httpd.first(1, httpd.status(status, **fields)))
    assert whole(server.put("/disk", ranged(twist)), pauses) == DATA
    assert pauses == [pause]


def test_a_wish_that_is_too_long_ends_the_run_and_is_handed_on(server, pauses):
    url = server.put("/disk", ranged(httpd.status(503, Retry_After="3600")))
    with pytest.raises(errors.SourceUnavailable) as failure:
        whole(url, pauses)
    assert failure.value.retry_after == 3600.0
    assert pauses == []


def test_cancelling_ends_a_pause(server):
    cancel = threading.Event()
    url = server.put("/disk", ranged(httpd.status(503)))

    def asked_to_stop_while_waiting(_seconds):
        cancel.set()
        return cancel.wait(0)

    with pytest.raises(errors.Cancelled):
        http.HttpSource(url, cancel=cancel, wait=asked_to_stop_while_waiting)


def test_cancelling_ends_a_wait_for_bytes(server):
    cancel = threading.Event()

    def stalls(_request, reply):
        cancel.set()
        return dataclasses.replace(reply, before_headers="stall")

    url = server.put("/disk", ranged(later(stalls)))
    with http.HttpSource(url, cancel=cancel) as one, pytest.raises(errors.Cancelled):
        list(one.stream())


# Proxies


@pytest.mark.parametrize(
    ("scheme", "credentials", "error"),
    [
        pytest.param("http", "user:wrong@", errors.AccessDenied, id="plain-wrong-password"),
        pytest.param("https", "user:wrong@", errors.AccessDenied, id="tunnel-wrong-password"),
        pytest.param("http", "user:pass@", errors.SourceUnavailable, id="plain-unknown-host"),
        pytest.param("https", "user:pass@", errors.SourceUnavailable, id="tunnel-unknown-host"),
    ],
)
def test_a_proxy_that_refuses_has_its_reason(pauses, scheme, credentials, error):
    with proxy.Proxy({}, "user", "pass") as between:
        address = between.url.replace("http://", f"http://{credentials}")
        with pytest.raises(error) as failure:
            whole(f"{scheme}://mirror.test/disk", pauses, proxies={f"{scheme}_proxy": address})
    assert "wrong" not in str(failure.value)


def test_a_proxy_that_is_not_there_is_named_as_the_cause(pauses):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = listener.getsockname()[1]
    settings = {"https_proxy": f"http://127.0.0.1:{closed}"}
    with pytest.raises(errors.SourceUnavailable, match="proxy"):
        whole("https://mirror.test/disk", pauses, proxies=settings)
