import concurrent.futures
import dataclasses
import logging
import random
import threading

import pytest

from cdi.images import errors
from cdi.images.http.options import HttpOptions
from cdi.images.sources import kinds, source
from cdi.images.sources.http import findings
from cdi.images.sources.http import source as http
from support import authority, httpd, nginx, proxy

DATA = random.Random(20).randbytes(3 * source.PIECE + 12345)


@pytest.fixture
def server():
    with httpd.Server() as running:
        yield running


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    return authority.Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def certificate(ca):
    return ca.issue("127.0.0.1")


@pytest.fixture
def root(tmp_path):
    (tmp_path / "disk").write_bytes(DATA)
    (tmp_path / "empty").touch()
    return tmp_path


def whole(url, options=None):
    with http.HttpSource(url, options) as opened:
        return b"".join(opened.stream())


# With a real server


def test_nginx_with_ranges_gives_any_part(root):
    with nginx.Nginx(root) as real, http.HttpSource(real.url("disk")) as opened:
        assert (opened.ranged, opened.size) == (True, len(DATA))
        assert source.read(opened, 1_000_000, 5) == DATA[1_000_000:1_000_005]
        assert b"".join(opened.stream()) == DATA


def test_nginx_without_ranges_gives_the_whole_in_one_request(root):
    settings = nginx.Settings(ranges=False)
    with nginx.Nginx(root, settings) as real, http.HttpSource(real.url("disk")) as opened:
        assert (opened.ranged, opened.size) == (False, len(DATA))
        assert b"".join(opened.stream()) == DATA
    assert [(hit.status, hit.sent) for hit in real.hits] == [(200, len(DATA))]


def test_nginx_with_tls_and_basic_authentication(root, ca, certificate):
    settings = nginx.Settings(
        certificate=certificate[0], key=certificate[1], user="user", password="secret"
    )
    options = HttpOptions(user="user", password="secret", ca_files=(ca.ca,))
    with nginx.Nginx(root, settings) as real:
        assert whole(real.url("disk"), options) == DATA
        with pytest.raises(errors.AccessDenied):
            http.HttpSource(real.url("disk"), HttpOptions(ca_files=(ca.ca,)))
        with pytest.raises(errors.CertificateInvalid):
            http.HttpSource(real.url("disk"))


def test_an_empty_file_is_empty(root):
    with nginx.Nginx(root) as real, http.HttpSource(real.url("empty")) as opened:
        assert opened.size == 0
        assert list(opened.stream()) == []


# What is asked for


def test_the_head_is_fetched_once(server):
    url = server.put("/disk", httpd.Blob(DATA))
    with http.HttpSource(url) as opened:
        assert source.read(opened, 0, 512) == DATA[:512]
        assert source.read(opened, 1000, findings.HEAD) == DATA[1000 : 1000 + findings.HEAD]
        assert b"".join(opened.stream()) == DATA
        server.wait_served(len(DATA) + 1000)
        assert server.served == len(DATA) + 1000
    spans = [request.span for request in server.requests]
    head, end = findings.HEAD, len(DATA)
    assert spans == [(0, head), (head, head + 1000), (head, end)]


def test_a_small_file_takes_one_request(server):
    url = server.put("/disk", httpd.Blob(b"small"))
    assert whole(url) == b"small"
    assert len(server.requests) == 1


def test_every_request_is_a_get_and_later_ones_insist_on_the_version(server):
    url = server.put("/disk", httpd.Blob(DATA))
    whole(url)
    first, second = server.requests
    assert {first.method, second.method} == {"GET"}
    assert first.header("if-range") is None
    assert second.header("if-range") == '"v1"'
    assert second.header("accept-encoding") == "identity"
    assert second.header("user-agent") == "cdi-golang-importer"


def test_pieces_are_bytes_and_bounded(server):
    url = server.put("/disk", httpd.Blob(DATA))
    with http.HttpSource(url) as opened:
        pieces = list(opened.stream())
    assert {type(piece) for piece in pieces} == {bytes}
    assert 1 <= max(map(len, pieces)) <= source.PIECE


def test_connections_are_kept_between_ranges(server):
    url = server.put("/disk", httpd.Blob(DATA))
    with http.HttpSource(url) as opened:
        for start in range(100_000, 1_000_000, 100_000):
            source.read(opened, start, 1000)
    assert server.connections == 1


def test_a_range_given_up_midway_closes_its_connection(server):
    url = server.put("/disk", httpd.Blob(DATA))
    with http.HttpSource(url) as opened:
        reader = opened.stream(source.PIECE)
        next(reader)
        reader.close()
        assert source.read(opened, 2_000_000, 1000) == DATA[2_000_000:2_001_000]
    assert server.connections == 2


def test_many_threads_read_the_same_bytes(server):
    url = server.put("/disk", httpd.Blob(DATA))
    with http.HttpSource(url) as opened, concurrent.futures.ThreadPoolExecutor(8) as threads:
        starts = [n * 100_000 for n in range(30)]
        parts = threads.map(lambda start: source.read(opened, start, 100_000), starts)
        assert b"".join(parts) == DATA[:3_000_000]
        assert server.connections <= 9


@pytest.mark.parametrize(
    ("blob", "version"),
    [
        pytest.param(httpd.Blob(DATA), '"v1"', id="strong-etag"),
        pytest.param(httpd.Blob(DATA, etag='W/"v1"'), httpd.Blob(b"").modified, id="date"),
        pytest.param(httpd.Blob(DATA, etag=None, modified=None), "", id="nothing"),
    ],
)
def test_identity_says_what_the_server_says(server, blob, version):
    url = server.put("/disk", blob)
    with http.HttpSource(f"{url}?token=canary") as opened:
        assert opened.identity.length == len(DATA)
        assert opened.identity.version == version
        assert opened.identity.location.startswith(url)
        assert "canary" not in opened.identity.location


@pytest.mark.parametrize(
    ("start", "end", "error"),
    [
        pytest.param(0, len(DATA) + 1, errors.TruncatedSource, id="beyond-the-end"),
        pytest.param(5, 4, ValueError, id="backwards"),
        pytest.param(-1, 4, ValueError, id="negative"),
    ],
)
def test_a_range_that_cannot_be_is_refused_at_once(server, start, end, error):
    with http.HttpSource(server.put("/disk", httpd.Blob(DATA))) as opened:
        with pytest.raises(error):
            opened.stream(start, end)
        assert list(opened.stream(7, 7)) == []


def test_a_source_without_ranges_is_read_once_and_whole(server):
    with http.HttpSource(server.put("/disk", httpd.Blob(DATA, ranges=False))) as opened:
        with pytest.raises(ValueError, match="as a whole"):
            opened.stream(1)
        assert b"".join(opened.stream()) == DATA
        with pytest.raises(ValueError, match="once"):
            opened.stream()


# Peculiar but honest servers


@pytest.mark.parametrize(
    ("blob", "size"),
    [
        pytest.param(
            httpd.Blob(DATA, ranges=False, twist=httpd.changed(chunked=True)), None, id="chunked"
        ),
        pytest.param(
            httpd.Blob(DATA, twist=httpd.changed(chunked=True)), len(DATA), id="chunked-ranges"
        ),
        pytest.param(
            httpd.Blob(
                DATA,
                ranges=False,
                twist=lambda _, reply: dataclasses.replace(
                    reply, headers={"Content-Length": None, "Connection": "close"}
                ),
            ),
            None,
            id="until-the-connection-ends",
        ),
        pytest.param(
            httpd.Blob(DATA, twist=httpd.with_headers(Connection="close")),
            len(DATA),
            id="no-keep-alive",
        ),
        pytest.param(
            httpd.Blob(DATA, twist=httpd.with_headers(Content_Encoding="identity")),
            len(DATA),
            id="identity-encoding",
        ),
        pytest.param(
            httpd.Blob(DATA, twist=httpd.first(1, httpd.status(416))), len(DATA), id="416-first"
        ),
        pytest.param(
            httpd.Blob(DATA, twist=httpd.first(1, httpd.status(501))),
            len(DATA),
            id="no-range-please",
        ),
        pytest.param(
            httpd.Blob(DATA, twist=httpd.with_headers(Content_Range="bytes 0-65535/*")),
            len(DATA),
            id="total-not-told",
        ),
    ],
)
def test_peculiar_servers_are_read_all_the_same(server, blob, size):
    url = server.put("/disk", blob)
    with http.HttpSource(url) as opened:
        assert opened.size == size
        assert b"".join(opened.stream()) == DATA


def test_a_text_type_is_only_worth_a_warning(server, caplog):
    twist = httpd.with_headers(Content_Type="text/html; charset=utf-8")
    assert whole(server.put("/disk", httpd.Blob(DATA, twist=twist))) == DATA
    assert (
        caplog.text.count(
            "Unexpected content type 'text/html'. Content might not be a KubeVirt image."
        )
        == 1
    )


# Redirects and secrets

SECRETS = HttpOptions(
    user="user",
    password="canary-password",
    headers=("X-Plain: canary-plain", "Cookie: canary-cookie"),
    secret_headers=("X-Secret: canary-secret",),
)


def everything_in(requests):
    return repr(requests)


def test_a_mirror_is_resolved_once(server):
    with httpd.Server() as mirror:
        there = mirror.put("/there", httpd.Blob(DATA))
        url = server.put("/disk", httpd.redirect(there))
        with http.HttpSource(url) as opened:
            assert b"".join(opened.stream()) == DATA
            assert opened.identity.location == url
    assert len(server.requests) == 1
    assert len(mirror.requests) == 2


def test_no_secret_reaches_another_origin(server, caplog):
    caplog.set_level(logging.DEBUG)
    with httpd.Server() as mirror:
        mirror.put("/there", httpd.Blob(DATA))
        mirror.put("/hop", httpd.redirect("/there?sig=canary-signature"))
        url = server.put("/disk", httpd.redirect(f"{mirror.origin}/hop"))
        address = url.replace("http://", "http://someone:canary-url@")
        assert whole(address, SECRETS) == DATA
    home = everything_in(server.requests)
    for canary in ("canary-plain", "canary-cookie", "canary-secret"):
        assert canary in home
    seen = [request.headers for request in mirror.requests]
    assert "canary" not in everything_in(seen)
    assert "authorization" not in everything_in(seen)
    assert "canary" not in caplog.text


def test_secrets_follow_within_one_origin(server):
    server.put("/there", httpd.guarded("user", "canary-password", httpd.Blob(DATA)))
    url = server.put("/disk", httpd.redirect("/there"))
    assert whole(url, SECRETS) == DATA


def test_secrets_do_not_come_home_by_a_detour(server):
    with httpd.Server() as away:
        back = server.put("/back", httpd.Blob(DATA))
        url = server.put("/disk", httpd.redirect(away.put("/detour", httpd.redirect(back))))
        whole(url, SECRETS)
    assert "canary" not in everything_in(server.requests_for("/back"))


def test_credentials_in_the_url_are_used(server):
    url = server.put("/disk", httpd.guarded("us@er", "p:w", httpd.Blob(DATA)))
    assert whole(url.replace("http://", "http://us%40er:p%3Aw@")) == DATA


def test_nothing_secret_goes_from_tls_down_to_plain(server, ca):
    plain = server.put("/disk", httpd.Blob(DATA))
    with httpd.Server(ca.server_context("127.0.0.1")) as secure:
        url = secure.put("/disk", httpd.redirect(plain))
        options = dataclasses.replace(SECRETS, ca_files=(ca.ca,))
        assert whole(url, options) == DATA
    assert "canary" not in everything_in(server.requests)


def test_an_expired_mirror_is_resolved_anew(server):
    with httpd.Server() as mirror:
        expired = httpd.in_turn([httpd.changed(), httpd.status(403)])
        there = mirror.put("/there", httpd.Blob(DATA, twist=expired))
        url = server.put("/disk", httpd.redirect(there))
        assert whole(url) == DATA
    assert len(server.requests) == 2
    assert len(mirror.requests) == 3


def test_a_redirect_without_end_is_refused(server):
    url = server.put("/disk", httpd.redirect("/disk"))
    with pytest.raises(errors.SourceRefused, match="redirects more than"):
        http.HttpSource(url)
    assert len(server.requests) == 11


# Trust


def test_authorities_of_a_directory_are_trusted_whatever_their_names(tmp_path, ca):
    folder = tmp_path / "certs"
    folder.mkdir()
    (folder / "any.name").write_bytes(ca.ca.read_bytes())
    (folder / "README").write_text("no certificate in here")
    (folder / ".hidden").write_text("not looked at")
    with httpd.Server(ca.server_context("127.0.0.1")) as secure:
        url = secure.put("/disk", httpd.Blob(DATA))
        assert whole(url, HttpOptions(ca_dirs=(folder,))) == DATA


def test_a_servers_own_certificate_can_be_trusted(root, certificate):
    own, key = certificate
    settings = nginx.Settings(certificate=own, key=key)
    with nginx.Nginx(root, settings) as real:
        assert whole(real.url("disk"), HttpOptions(ca_files=(own,))) == DATA


def test_tls_to_a_server_without_it_is_refused_at_once(root):
    with nginx.Nginx(root) as real, pytest.raises(errors.SourceRefused, match="TLS"):
        http.HttpSource(real.url("disk").replace("http://", "https://"))


def test_insecure_asks_for_no_authority(ca):
    with httpd.Server(ca.server_context("another.name")) as secure:
        url = secure.put("/disk", httpd.Blob(DATA))
        assert whole(url, HttpOptions(insecure=True)) == DATA
        with pytest.raises(errors.CertificateInvalid):
            http.HttpSource(url, HttpOptions(ca_files=(ca.ca,)))


@pytest.mark.parametrize("field", ["ca_files", "ca_dirs"])
def test_an_authority_that_cannot_be_read_is_an_error(server, tmp_path, field):
    url = server.put("/disk", httpd.Blob(DATA))
    with pytest.raises(errors.InvalidRequest, match="certificate"):
        http.HttpSource(url, HttpOptions(**{field: (tmp_path / "absent",)}))
    whole(url, HttpOptions(proxy_ca_dirs=(tmp_path / "absent",)))


# Proxies


def test_a_plain_request_goes_through_its_proxy(server):
    server.put("/disk", httpd.Blob(DATA))
    with proxy.Proxy({"mirror.test": server.port}, "user", "canary") as between:
        address = between.url.replace("http://", "http://user:canary@")
        options = HttpOptions(proxies={"http_proxy": address}, headers=("User-Agent: mine",))
        assert whole("http://mirror.test/disk", options) == DATA
    assert "canary" not in everything_in(server.requests)
    assert server.requests[0].header("user-agent") == "mine"


def test_tls_goes_through_a_tunnel_that_names_our_agent(ca):
    with httpd.Server(ca.server_context("mirror.test")) as secure:
        secure.put("/disk", httpd.Blob(DATA))
        with proxy.Proxy({"mirror.test": secure.port}, "user", "pass") as between:
            address = between.url.replace("http://", "http://user:pass@")
            options = dataclasses.replace(
                SECRETS, ca_files=(ca.ca,), proxies={"https_proxy": address}
            )
            assert whole("https://mirror.test/disk", options) == DATA
    tunnel = between.requests[0]
    assert (tunnel.method, tunnel.target) == ("CONNECT", "mirror.test:443")
    assert tunnel.header("user-agent") == "cdi-golang-importer"
    assert "canary" not in everything_in(between.requests)


def test_the_authority_of_an_intercepting_proxy_is_trusted(tmp_path, ca):
    folder = tmp_path / "proxycerts"
    folder.mkdir()
    (folder / "ca.crt").write_bytes(ca.ca.read_bytes())
    with httpd.Server(ca.server_context("mirror.test")) as secure:
        secure.put("/disk", httpd.Blob(DATA))
        with proxy.Proxy({"mirror.test": secure.port}) as between:
            options = HttpOptions(proxies={"https_proxy": between.url}, proxy_ca_dirs=(folder,))
            assert whole("https://mirror.test/disk", options) == DATA


def test_a_proxy_may_itself_be_reached_by_tls(ca):
    with httpd.Server(ca.server_context("mirror.test")) as secure:
        secure.put("/disk", httpd.Blob(DATA))
        hosts = {"mirror.test": secure.port}
        with proxy.Proxy(hosts, tls=ca.server_context("127.0.0.1")) as between:
            options = HttpOptions(proxies={"https_proxy": between.url}, ca_files=(ca.ca,))
            assert whole("https://mirror.test/disk", options) == DATA
    assert between.requests[0].method == "CONNECT"


def test_hosts_of_no_proxy_and_loopback_are_reached_directly(server):
    url = server.put("/disk", httpd.Blob(DATA))
    with proxy.Proxy({}) as between:
        settings = {"http_proxy": between.url}
        assert whole(url, HttpOptions(proxies=settings)) == DATA
        by_name = f"http://localhost:{server.port}/disk"
        assert whole(by_name, HttpOptions(proxies=settings)) == DATA
    assert between.requests == []


# Opening by name


def test_the_scheme_chooses_the_source(server, tmp_path):
    (tmp_path / "d isk").write_bytes(DATA)
    url = server.put("/disk", httpd.Blob(DATA))
    places = [url, str(tmp_path / "d isk"), (tmp_path / "d isk").as_uri()]
    for place in places:
        with kinds.open_source(place) as opened:
            assert b"".join(opened.stream()) == DATA


@pytest.mark.parametrize(
    "place", ["ftp://user:canary@host/x", "", "file://otherhost/x", "s3//://x", "http://"]
)
def test_what_cannot_be_a_source_is_refused(place):
    with pytest.raises(errors.InvalidRequest) as refusal:
        kinds.open_source(place)
    assert "canary" not in str(refusal.value)


def test_cancelling_is_noticed_between_pieces(server):
    cancel = threading.Event()
    with http.HttpSource(server.put("/disk", httpd.Blob(DATA)), cancel=cancel) as opened:
        reader = opened.stream()
        next(reader)
        cancel.set()
        with pytest.raises(errors.Cancelled):
            next(reader)
