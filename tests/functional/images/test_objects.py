"""Objects of S3, Google Cloud Storage and Azure, as disks, and what stands in the way of them."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cdi.images import errors
from cdi.images.http import retry
from cdi.images.http.options import HttpOptions
from cdi.images.sources.http import HttpSource
from cdi.images.sources.objects import azure, gcs, s3
from cdi.images.sources.objects.access import AzureAccess, GoogleAccess, Keys, S3Access
from cdi.images.transfer import transfer
from cdi.images.transfer.meter import Meter
from cdi.images.transfer.request import TransferRequest
from support import authority, disks, httpd, objectstores, proxy
from support.objectstores import KEY_ID, SECRET, TOKEN, refused

MIB = 1 << 20
KEYS = Keys(KEY_ID, SECRET)
FORMATS = ["disk.raw", "disk.qcow2", "disk.raw.gz", "disk.qcow2.xz"]
QUICK = HttpOptions(retries=retry.Policy(base=0.0, opening_tries=2))
OBJECT = bytes(range(256)) * 4096 * 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    disk = disks.raw_disk(folder / "disk.raw", 12 * MIB, 4 * MIB)
    disks.compress(disk, "gz")
    disks.compress(disks.convert(disk, "qcow2"), "xz")
    return folder


@pytest.fixture(scope="module")
def stores(folder: Path) -> Iterator[dict[str, objectstores.Store]]:
    with objectstores.moto() as amazon, objectstores.emulator() as google:
        for name in FORMATS:
            for store in (amazon, google):
                store.put(f"a dir/{name}", (folder / name).read_bytes())
        yield {"s3": amazon, "gcs": google}


@pytest.fixture
def server() -> Iterator[httpd.Server]:
    with httpd.Server() as server:
        yield server


def all_of(source: HttpSource) -> bytes:
    with source:
        return b"".join(source.stream())


def test_a_key_may_hold_anything(stores: dict[str, objectstores.Store]) -> None:
    url = stores["s3"].put("ümlaut/a b+c%d?e#f//g&h=i.img", OBJECT)
    assert all_of(s3.open_at_host(url, S3Access(KEYS))) == OBJECT
    named = "s3://bucket/ümlaut/a b+c%25d%3Fe%23f//g&h=i.img"
    assert all_of(s3.open_object(named, S3Access(KEYS, stores["s3"].endpoint))) == OBJECT


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("kind", ["s3", "gcs"])
def test_a_disk_arrives_without_a_byte_of_scratch(
    kind: str, name: str, stores: dict[str, objectstores.Store], folder: Path, tmp_path: Path
) -> None:
    endpoint = stores[kind].endpoint

    def opened(halt: threading.Event) -> HttpSource:
        if kind == "s3":
            url = f"{endpoint}/bucket/a%20dir/{name}"
            return s3.open_at_host(url, S3Access(KEYS), cancel=halt)
        return gcs.open_object(f"gs://bucket/a dir/{name}", GoogleAccess(endpoint=endpoint))

    order = TransferRequest(source=opened, target=tmp_path / "disk.img", scratch=None)
    transfer.run(order, Meter(), threading.Event())
    assert disks.differs(folder / "disk.raw", order.target) == ""
    assert [path.name for path in tmp_path.iterdir()] == ["disk.img"]


@pytest.mark.parametrize("name", ["missing/disk.img", "bucket/missing"])
def test_what_is_not_there_is_said_to_be_missing(
    name: str, stores: dict[str, objectstores.Store]
) -> None:
    with pytest.raises(errors.NotFound, match=r"404 NoSuch(Bucket|Key): there is no such"):
        s3.open_at_host(f"{stores['s3'].endpoint}/{name}", S3Access(KEYS))
    with pytest.raises(errors.NotFound):
        gcs.open_object(f"gs://{name}", GoogleAccess(endpoint=stores["gcs"].endpoint))


def test_a_private_object_asks_for_credentials(stores: dict[str, objectstores.Store]) -> None:
    url = f"{stores['s3'].endpoint}/bucket/a%20dir/disk.raw"
    with pytest.raises(errors.AccessDenied, match="not public; give credentials"):
        s3.open_at_host(url, S3Access())


# Who asks, checked by a server that knows.


@pytest.mark.parametrize("token", ["", TOKEN], ids=["keys", "session"])
@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"], ids=["guessed", "told"])
def test_every_range_is_signed_for_the_right_region(
    region: str, token: str, server: httpd.Server
) -> None:
    blob = objectstores.Signed(httpd.Blob(OBJECT), region, token)
    url = server.put("/bucket/a%20b", blob)
    source = s3.open_at_host(url, S3Access(replace(KEYS, token=token)), QUICK)
    assert source.ranged
    assert all_of(source) == OBJECT
    # The region is learnt once.
    assert len(server.requests) == (2 if region == "us-east-1" else 3)
    assert server.requests[-1].header("if-match") == '"v1"'


def test_a_clock_that_is_wrong_is_set_by_the_service(server: httpd.Server) -> None:
    late = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=5)
    url = server.put("/b/k", objectstores.Signed(httpd.Blob(OBJECT), now=late))
    assert all_of(s3.open_at_host(url, S3Access(KEYS), QUICK)) == OBJECT


def test_a_public_object_needs_no_credentials(server: httpd.Server) -> None:
    url = server.put("/b/k", httpd.Blob(OBJECT))
    assert all_of(s3.open_at_host(url, S3Access(), QUICK)) == OBJECT
    assert all_of(gcs.open_object(url, GoogleAccess(), QUICK)) == OBJECT
    assert {request.header("authorization") for request in server.requests} == {None}


REFUSALS = [
    pytest.param(403, "InvalidAccessKeyId", errors.AccessDenied, "access key", id="key-id"),
    pytest.param(403, "SignatureDoesNotMatch", errors.AccessDenied, "secret key", id="secret"),
    pytest.param(403, "AccessDenied", errors.AccessDenied, "may not read", id="denied"),
    pytest.param(400, "ExpiredToken", errors.AccessDenied, "expired", id="expired"),
    pytest.param(403, "RequestTimeTooSkewed", errors.AccessDenied, "clock", id="clock"),
    pytest.param(404, "NoSuchBucket", errors.NotFound, "bucket", id="bucket"),
    pytest.param(404, "NoSuchKey", errors.NotFound, "object", id="key"),
    pytest.param(403, "InvalidObjectState", errors.SourceRefused, "archive", id="archived"),
    pytest.param(400, "Nonsense", errors.SourceRefused, "Nonsense", id="unknown"),
    pytest.param(503, "SlowDown", errors.SourceUnavailable, "too much", id="slow-down"),
    pytest.param(429, "TooManyRequests", errors.SourceUnavailable, "too much", id="too-many"),
    pytest.param(400, "RequestTimeout", errors.SourceUnavailable, "trouble", id="timeout"),
    pytest.param(409, "PublicAccessNotPermitted", errors.AccessDenied, "not public", id="azure"),
]


@pytest.mark.parametrize(("status", "code", "kind", "words"), REFUSALS)
def test_a_refusal_says_what_is_wrong_and_tells_no_secret(
    status: int, code: str, kind: type[Exception], words: str, server: httpd.Server
) -> None:
    url = server.put("/b/k", lambda _: refused(status, code, "<StringToSign>CANARY</StringToSign>"))
    with pytest.raises(kind, match=words) as raised:
        s3.open_at_host(url, S3Access(replace(KEYS, token=TOKEN)), QUICK)
    assert f"{status} {code}" in str(raised.value)
    assert not any(secret in str(raised.value) for secret in (KEY_ID, SECRET, TOKEN, "CANARY"))


def test_a_busy_store_is_asked_again_until_it_has_time(server: httpd.Server) -> None:
    blob = httpd.Blob(OBJECT, twist=httpd.first(1, httpd.status(503, Retry_After="0")))
    url = server.put("/b/k", objectstores.Signed(blob))
    assert all_of(s3.open_at_host(url, S3Access(KEYS), QUICK)) == OBJECT


def test_credentials_do_not_follow_a_redirect_to_somebody_else(server: httpd.Server) -> None:
    with httpd.Server() as other:
        url = server.put("/b/k", httpd.redirect(other.put("/x", httpd.Blob(OBJECT)), 307))
        assert all_of(s3.open_at_host(url, S3Access(replace(KEYS, token=TOKEN)), QUICK)) == OBJECT
        seen = str(other.requests)
    assert not any(secret in seen for secret in (KEY_ID, TOKEN, "Signature"))


# Google's tokens.


@pytest.fixture(scope="module")
def google() -> objectstores.Google:
    return objectstores.Google()


@pytest.mark.parametrize("kind", ["service_account", "authorized_user"])
def test_credentials_of_either_kind_get_a_token(
    kind: str, google: objectstores.Google, server: httpd.Server
) -> None:
    credentials: str = getattr(google, kind)(server.put("/token", google.tokens))
    url = server.put("/b/k", google.guarded(httpd.Blob(OBJECT)))
    assert all_of(gcs.open_object(url, GoogleAccess(credentials), QUICK)) == OBJECT
    assert len(server.requests_for("/token")) == 1


def test_a_virtual_machine_gets_a_token_from_beside_it(
    google: objectstores.Google, server: httpd.Server
) -> None:
    server.put("/computeMetadata/v1/instance/service-accounts/default/token", google.tokens)
    url = server.put("/b/k", google.guarded(httpd.Blob(OBJECT)))
    access = GoogleAccess(metadata_host=server.origin.partition("://")[2])
    assert all_of(gcs.open_object(url, access, QUICK)) == OBJECT


def test_tokens_that_end_within_a_download_are_renewed(server: httpd.Server) -> None:
    google = objectstores.Google(life=1e-9)  # seconds: over as soon as it is there
    credentials = google.service_account(server.put("/token", google.tokens))
    url = server.put("/b/k", google.guarded(httpd.Blob(OBJECT, twist=httpd.cut_after(MIB))))
    with gcs.open_object(url, GoogleAccess(credentials), QUICK) as source:
        assert b"".join(source.stream()) == OBJECT
    assert google.granted == len(server.requests_for("/b/k")) >= 3


def test_refused_credentials_are_said_to_be_wrong(
    google: objectstores.Google, server: httpd.Server
) -> None:
    stranger = objectstores.Google()
    credentials = stranger.service_account(server.put("/token", google.tokens))
    with pytest.raises(errors.AccessDenied, match="400 invalid_grant: the credentials") as raised:
        gcs.open_object(f"{server.origin}/b/k", GoogleAccess(credentials), QUICK)
    assert "CANARY" not in str(raised.value)


def test_a_token_service_in_trouble_is_asked_again(
    google: objectstores.Google, server: httpd.Server
) -> None:
    troubled = iter([httpd.Reply(503)])
    tokens = lambda request: next(troubled, None) or google.tokens(request)  # noqa: E731
    credentials = google.authorized_user(server.put("/token", tokens))
    url = server.put("/b/k", google.guarded(httpd.Blob(OBJECT)))
    assert all_of(gcs.open_object(url, GoogleAccess(credentials), QUICK)) == OBJECT


def test_an_object_stored_packed_is_fetched_packed(server: httpd.Server) -> None:
    packed = httpd.with_headers(Content_Encoding="gzip", X_Goog_Stored_Content_Encoding="gzip")
    url = server.put("/b/k", httpd.Blob(OBJECT, twist=packed))
    assert all_of(gcs.open_object(url, GoogleAccess(), QUICK)) == OBJECT
    assert server.requests[0].header("accept-encoding") == "gzip"
    spoilt = httpd.with_headers(Content_Encoding="gzip", X_Goog_Stored_Content_Encoding="identity")
    url = server.put("/b/l", httpd.Blob(OBJECT, twist=spoilt))
    with pytest.raises(errors.SourceRefused, match="compresses"):
        gcs.open_object(url, GoogleAccess(), QUICK)


# Azure.


def test_a_blob_is_read_with_the_key_of_its_account(server: httpd.Server) -> None:
    server.put("/container/a%20dir/blob", httpd.Blob(OBJECT))
    access = AzureAccess("acct", "a2V5", endpoint=server.origin)
    assert all_of(azure.open_object("az://acct/container/a dir/blob", access, QUICK)) == OBJECT
    said = {request.header("authorization") for request in server.requests}
    assert all((value or "").startswith("SharedKey acct:") for value in said)


def test_a_shared_access_signature_goes_along_and_is_not_shown(server: httpd.Server) -> None:
    server.put("/container/blob", httpd.Blob(OBJECT))
    access = AzureAccess(sas="?sv=2021-08-06&sig=CANARY%3D", endpoint=server.origin)
    with azure.open_object("az://acct/container/blob", access, QUICK) as source:
        assert "CANARY" not in source.identity.location
        assert b"".join(source.stream()) == OBJECT
    assert all(request.target.endswith("sig=CANARY%3D") for request in server.requests)


# What comes in between.


def test_an_object_that_changes_is_noticed(server: httpd.Server) -> None:
    url = server.put("/b/k", httpd.Blob(OBJECT))
    with s3.open_at_host(url, S3Access(), QUICK) as source:
        server.put("/b/k", httpd.Blob(OBJECT[::-1], etag='"v2"'))
        with pytest.raises(errors.SourceChanged):
            b"".join(source.stream())
        server.put("/b/k", lambda _: refused(412, "PreconditionFailed"))
        with pytest.raises(errors.SourceChanged):
            b"".join(source.stream())


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_everything_goes_through_the_proxy_and_a_private_authority(
    scheme: str, google: objectstores.Google, tmp_path: Path
) -> None:
    certificates = authority.Authority(tmp_path / "ca")
    tls = certificates.server_context("store.test") if scheme == "https" else None
    with httpd.Server(tls=tls, host="store.test") as server:
        credentials = google.service_account(server.put("/token", google.tokens))
        plain = objectstores.Signed(httpd.Blob(OBJECT), "store")
        signed = server.put("/b/signed", plain)
        guarded = server.put("/b/guarded", google.guarded(httpd.Blob(OBJECT)))
        with proxy.Proxy({"store.test": server.port}) as between:
            options = replace(
                QUICK,
                ca_dirs=(tmp_path / "ca",),
                proxies={"http_proxy": between.url, "https_proxy": between.url},
            )
            assert all_of(s3.open_at_host(signed, S3Access(KEYS), options)) == OBJECT
            access = GoogleAccess(credentials)
            assert all_of(gcs.open_object(guarded, access, options)) == OBJECT
            assert between.requests


def test_an_unknown_authority_is_refused(tmp_path: Path) -> None:
    tls = authority.Authority(tmp_path / "ca").server_context("127.0.0.1")
    with httpd.Server(tls=tls) as server, pytest.raises(errors.CertificateInvalid):
        s3.open_at_host(server.put("/b/k", httpd.Blob(OBJECT)), S3Access(KEYS), QUICK)


@pytest.mark.parametrize("kind", ["s3", "gcs-token"])
def test_a_silent_store_is_left_as_soon_as_somebody_says_so(
    kind: str, google: objectstores.Google, server: httpd.Server
) -> None:
    halt = threading.Event()

    def silent(_: httpd.Request) -> httpd.Reply:
        halt.set()
        return httpd.Reply(before_headers="stall")

    url = server.put("/silent/key", silent)
    asked = {
        "s3": lambda: s3.open_at_host(url, S3Access(KEYS), cancel=halt),
        "gcs-token": lambda: gcs.open_object(
            "gs://b/k", GoogleAccess(google.authorized_user(url)), cancel=halt
        ),
    }
    with pytest.raises(errors.Cancelled):
        asked[kind]()
