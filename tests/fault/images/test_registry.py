"""What a registry does wrong, and what comes of it: the right disk, or the right reason."""

from __future__ import annotations

import dataclasses
import itertools
import json
import random
import threading
from pathlib import Path

import pytest

from cdi.images import errors
from cdi.images.http.options import HttpOptions
from cdi.images.sources import registry as images
from cdi.images.sources.registry.credentials import Credentials
from cdi.images.transfer import transfer
from cdi.images.transfer.meter import Meter
from cdi.images.transfer.request import TransferRequest
from support import authority, httpd, registry
from support.registry import Image, file, layer

DISK = b"\xeb\x63\x90" + random.Random(5).randbytes(600_000) + b"\x55\xaa"
PLAIN = HttpOptions(insecure=True)
KNOWN = Credentials(registry.USER, registry.PASSWORD)
SIZE = -(-len(DISK) // 512) * 512


@pytest.fixture
def pauses():
    return []


@pytest.fixture
def server():
    with registry.fake() as running:
        yield running


def imported(url: str, output: Path, pauses: list[float], **wanted) -> bytes:
    """Import without waiting: what would have been waited is noted, and minutes fly."""

    def wait(seconds: float) -> bool:
        pauses.append(seconds)
        return False

    wanted.setdefault("options", PLAIN)
    minutes = itertools.count(0.0, 60.0).__next__
    found = images.open_image(
        images.Wanted(url, **wanted), threading.Event(), wait=wait, clock=minutes
    )
    order = TransferRequest(found.open, output, checksum=found.checksum, part=found.part)
    transfer.run(order, Meter(), threading.Event())
    return output.read_bytes()[: len(DISK)]


@pytest.fixture
def import_(tmp_path, pauses):
    return lambda url, **wanted: imported(url, tmp_path / "disk", pauses, **wanted)


image = registry.disk_image(DISK)


@pytest.mark.parametrize("compression", ["", "gzip"])
def test_every_connection_is_cut(server, import_, compression):
    packed = Image([layer(file("disk/a", DISK), compression=compression)])
    url = server.push("a/b", "latest", packed, httpd.cut_after(100_000))
    assert import_(url) == DISK


def test_a_token_expires_in_the_middle_of_a_layer(server, import_):
    asked = itertools.count(1)

    def expire(_request, reply):
        if next(asked) != 3:
            return reply
        server.expire()
        return dataclasses.replace(reply, cut_after=50_000)

    plain = Image([layer(file("disk/a", DISK), compression="")])
    assert import_(server.push("a/b", "latest", plain, expire)) == DISK
    assert server.issued == 2


def test_a_token_is_asked_for_no_more_than_is_needed(server, import_):
    assert import_(server.push("a/b", "latest", image)) == DISK
    asked = server.server.requests_for("/token")
    assert [each.target for each in asked] == [
        "/token?service=fake&scope=repository%3Aa%2Fb%3Apull"
    ]
    assert asked[0].header("authorization") is None


def test_user_and_password_buy_a_token(import_):
    with registry.fake(guarded=True) as server:
        url = server.push("a/b", "latest", image)
        assert import_(url, credentials=KNOWN) == DISK
        shown = [each.header("authorization") for each in server.server.requests]
        with pytest.raises(errors.ImagePullFailed, match="401"):
            import_(url)
    assert sum(value is not None and value.startswith("Basic ") for value in shown) == 1


def test_user_and_password_do_not_go_to_a_realm_without_tls(tmp_path, import_):
    trusted = authority.Authority(tmp_path)
    tls = trusted.server_context("127.0.0.1")
    with httpd.Server() as realm, httpd.Server(tls) as secure:
        realm.put("/token", lambda _: httpd.Reply(200, b'{"token": "t"}'))
        server = registry.Fake(secure, realm=f"{realm.origin}/token")
        url = server.push("a/b", "latest", image)
        with pytest.raises(errors.ImagePullFailed, match="kept back"):
            import_(url, options=HttpOptions(ca_files=(trusted.ca,)), credentials=KNOWN)
        assert realm.requests == []


@pytest.mark.parametrize("answer", [b"", b"[]", b'{"token": 1}', b'{"token": "a\\r\\nb"}'])
def test_a_realm_that_gives_no_token_is_told(server, import_, answer):
    server.server.put("/token", lambda _: httpd.Reply(200, answer))
    with pytest.raises(errors.ImagePullFailed, match="gives none"):
        import_(server.push("a/b", "latest", image))


def test_a_layer_may_be_elsewhere_which_learns_no_secret(server, import_):
    url = server.push("a/b", "latest", image)
    blob = image.layers[0]
    with httpd.Server(host="localhost") as elsewhere:
        expired = httpd.after(1, httpd.first(1, httpd.status(403)))
        place = elsewhere.put("/blob", httpd.Blob(blob.data, etag=None, twist=expired))
        server.put(f"/v2/a/b/blobs/{blob.digest}", httpd.redirect(place, 307))
        assert import_(url) == DISK
        assert elsewhere.requests
        assert all(each.header("authorization") is None for each in elsewhere.requests)


def test_a_busy_registry_is_left_alone_for_as_long_as_it_wants(server, import_, pauses):
    busy = httpd.first(1, httpd.status(429, Retry_After="7"))
    url = server.push("a/b", "latest", image, busy)
    tag = "/v2/a/b/manifests/latest"
    manifest = server.server.resources[tag]
    turns = httpd.first(1, httpd.status(429, Retry_After="9"))
    server.server.put(tag, lambda request: turns(request, manifest(request)))
    assert import_(url) == DISK
    assert pauses == [9.0, 7.0]


def test_a_registry_that_stays_busy_may_be_asked_again_later(server, import_):
    url = server.push("a/b", "latest", image)
    server.server.put("/v2/a/b/manifests/latest", lambda _: httpd.Reply(503))
    with pytest.raises(errors.ImagePullFailed, match=r"failed to pull image: .*503") as failure:
        import_(url)
    assert failure.value.kind is errors.Kind.TRANSIENT


# Bytes that are not the promised ones.


def spoilt(data: bytes) -> bytes:
    return data[:-9] + bytes([data[-9] ^ 1]) + data[-8:]


def served(server: registry.Fake, blob: registry.Blob, data: bytes, kind: str = "blobs") -> None:
    reply = httpd.Reply(200, data, {"Content-Type": blob.media_type})
    server.put(f"/v2/a/b/{kind}/{blob.digest}", lambda _: reply)


@pytest.mark.parametrize(
    "layers",
    [
        pytest.param([layer(file("disk/a", DISK), compression="")], id="disk"),
        pytest.param(
            [layer(file("disk/a", DISK)), layer(file("etc/x", b"x" * 9), compression="")],
            id="layer-without-the-disk",
        ),
    ],
)
def test_a_layer_of_another_digest_is_refused(server, import_, tmp_path, layers):
    packed = Image(layers)
    url = server.push("a/b", "latest", packed)
    served(server, layers[-1], spoilt(layers[-1].data))
    with pytest.raises(errors.ChecksumMismatch, match="checksum mismatch"):
        import_(url)
    assert not (tmp_path / "disk").exists()


def test_a_manifest_or_configuration_of_another_digest_is_refused(server, import_):
    url = server.push("a/b", "latest", image)
    served(server, image.config, spoilt(image.config.data))
    with pytest.raises(errors.ChecksumMismatch):
        import_(url)
    served(server, image.manifest, spoilt(image.manifest.data), "manifests")
    with pytest.raises(errors.ChecksumMismatch):
        import_(f"docker://{server.host}/a/b@{image.manifest.digest}")


def test_a_layer_of_another_length_is_refused(server, import_):
    url = server.push("a/b", "latest", image)
    served(server, image.layers[0], image.layers[0].data + b"x")
    with pytest.raises(errors.SourceRefused, match="instead of"):
        import_(url)


MANY = {"schemaVersion": 2, "mediaType": registry.MANIFEST}
MANIFESTS = [
    pytest.param(b"x" * (5 << 20), "is larger than", id="too-large"),
    pytest.param(b"{", "no JSON object", id="no-json"),
    pytest.param(b"[" * 100_000, "no JSON object", id="too-deep"),
    pytest.param({"schemaVersion": 1, "name": "x"}, "schema 1", id="schema-1"),
    pytest.param(MANY | {"mediaType": "x/y"}, "type 'x/y'", id="unknown"),
    pytest.param(MANY | {"mediaType": registry.INDEX}, "calls itself", id="two-types"),
    pytest.param(MANY | {"layers": [], "manifests": []}, "an index as well", id="two-shapes"),
    pytest.param(MANY | {"layers": [], "config": {}}, "no digest", id="no-digest"),
    pytest.param(MANY | {"layers": [{}] * 2000}, "absurdly long", id="many-layers"),
]


@pytest.mark.parametrize(("body", "said"), MANIFESTS)
def test_a_manifest_that_makes_no_sense_is_refused(server, import_, body, said):
    if isinstance(body, dict):
        config = {"digest": "sha256:" + "0" * 64, "size": 1}
        body = json.dumps({"config": config} | body).encode()
    own = json.loads(body).get("mediaType", "") if body[:2] == b'{"' else ""
    kind = registry.MANIFEST if own != "x/y" else own
    server.put(
        "/v2/a/b/manifests/latest",
        lambda _: httpd.Reply(200, body, {"Content-Type": "" if "schema 1" in said else kind}),
    )
    with pytest.raises(errors.TransferError, match=said) as refusal:
        import_(f"docker://{server.host}/a/b")
    assert refusal.value.kind is errors.Kind.PERMANENT


def test_whoever_cancels_does_not_wait_for_the_registry(server):
    url = server.push("a/b", "latest", image)
    server.server.put("/v2/a/b/manifests/latest", lambda _: httpd.Reply(before_headers="stall"))
    cancel = threading.Event()
    threading.Timer(0.05, cancel.set).start()
    with pytest.raises(errors.Cancelled):
        images.open_image(images.Wanted(url, PLAIN), cancel)
