"""The upload proxy between real clients and an upload server: bytes, permissions, refusals."""

import asyncio
import contextlib
import hashlib
import json

import pytest
from aiohttp import web

from cdi import pki
from cdi.api import uploadsession
from cdi.api.uploadsession import FinishedSession
from cdi.web.tokens.keys import KeySet
from cdi.web.tokens.payload import CLAIM, ClonePayload, UploadPayload
from cdi.web.tokens.signing import Tokens
from support import serving, uploads
from support.fakeclock import FakeClock
from support.fakekube import Fault
from support.uploads import A, World

MIB = 1 << 20


def play(tmp_path, act, **options):
    async def playing() -> None:
        async with uploads.running(tmp_path, **options) as world:
            await act(world)

    asyncio.run(playing())


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


async def blocks(count: int, size: int = MIB):
    for number in range(count):
        yield bytes([number % 251]) * size


@pytest.mark.parametrize("version", ["v1beta1", "v1alpha1"])
@pytest.mark.parametrize("kind", ["upload", "upload-async", "upload-form", "upload-form-async"])
def test_a_body_arrives_as_it_was_sent(tmp_path, kind, version):
    async def act(world: World) -> None:
        world.claim("disk")
        content = bytes(range(256)) * 5000
        async with world.session.post(
            world.url(kind, version),
            data=content,
            headers={**world.bearer(), "Content-Encoding": "gzip", "X-Mine": "1"},
        ) as answer:
            assert (answer.status, await answer.read()) == (200, b"")
        (got,) = world.server.received
        assert (got.method, got.path) == ("POST", f"/{version}/{kind}")
        assert got.client == "client.upload-server.cdi.kubevirt.io"
        assert (got.size, got.digest) == (len(content), digest(content))
        assert got.headers["Content-Length"] == str(len(content))
        assert got.headers["Host"] == f"localhost:{world.proxy.port}"
        assert got.headers["X-Mine"] == "1"
        assert "Authorization" not in got.headers
        assert "User-Agent" in got.headers

    play(tmp_path, act)


def test_a_body_of_unknown_length_is_passed_on_block_by_block(tmp_path):
    async def act(world: World) -> None:
        world.claim("disk")
        async with world.post("upload", blocks(40)) as answer:
            assert answer.status == 200
        (got,) = world.server.received
        assert (got.size, got.complete) == (40 * MIB, True)
        assert got.headers["Transfer-Encoding"] == "chunked"

    play(tmp_path, act)


def test_what_the_client_did_not_say_is_not_invented(tmp_path):
    async def act(world: World) -> None:
        world.claim("disk")
        skip = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
        async with world.session.post(
            world.url("upload"), data=b"x", headers=world.bearer(), skip_auto_headers=skip
        ) as answer:
            assert answer.status == 200
        (got,) = world.server.received
        assert set(got.headers) == {"Host", "Content-Length"}

    play(tmp_path, act)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_any_method_is_the_servers_to_judge(tmp_path, method):
    async def judge(request: web.Request) -> web.Response:
        return web.Response(status=404 if request.method != "HEAD" else 200, text="no")

    async def act(world: World) -> None:
        world.claim("disk")
        world.server.answer = judge
        async with world.session.request(
            method, world.url("upload-async"), headers=world.bearer()
        ) as answer:
            assert answer.status == (200 if method == "HEAD" else 404)
        assert world.server.received[0].method == method

    play(tmp_path, act)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        pytest.param(400, b"Saving stream failed: too small", id="bad-image"),
        pytest.param(409, b'{"reason":"Busy","message":"m"}', id="busy"),
        pytest.param(500, b"Saving stream failed: broken", id="broken"),
    ],
)
def test_the_servers_answer_is_the_clients(tmp_path, status, body):
    async def refuse(request: web.Request) -> web.Response:
        return web.Response(status=status, body=body, headers={"X-Theirs": "2"})

    async def act(world: World) -> None:
        world.claim("disk")
        world.server.answer = refuse
        async with world.post("upload", blocks(4)) as answer:
            assert (answer.status, await answer.read()) == (status, body)
            assert answer.headers["X-Theirs"] == "2"
        world.server.answer = None
        async with world.post("upload", b"again") as answer:
            assert answer.status == 200

    play(tmp_path, act)


@pytest.mark.parametrize("kind", ["upload", "upload-async", "upload-form", "upload-form-async"])
@pytest.mark.parametrize(("version"), ["v1beta1", "v1alpha1"])
def test_an_archive_goes_where_archives_go(tmp_path, kind, version):
    said = "multipart/form-data; boundary=x" if "form" in kind else "application/x-tar"

    async def act(world: World) -> None:
        world.claim("disk", annotations={A + "storage.contentType": "archive"})
        headers = world.bearer() | {"Content-Type": said}
        async with world.session.post(
            world.url(kind, version), data=b"tar", headers=headers
        ) as answer:
            assert answer.status == 200
        (got,) = world.server.received
        assert got.path == f"/{version}/upload-archive"
        assert got.headers["Content-Type"] == said  # by which the server knows a form

    play(tmp_path, act)


def test_bytes_go_to_the_prime_of_a_populated_claim(tmp_path):
    async def act(world: World) -> None:
        source = {"apiGroup": "cdi.kubevirt.io", "kind": "VolumeUploadSource", "name": "s"}
        world.claim(
            "disk",
            annotations={
                A + "storage.upload.target": None,
                A + "storage.populator.pvcPrime": "prime-1",
            },
            spec={"dataSourceRef": source},
        )
        world.claim("prime-1")
        async with world.post("upload", b"x") as answer:
            assert answer.status == 200

    play(tmp_path, act, claims=("prime-1",))


@pytest.mark.parametrize(
    "path", ["/v1beta1/upload-archive", "/v1beta1/upload/", "/v1/upload", "/x"]
)
def test_other_paths_are_not_there(tmp_path, path):
    async def act(world: World) -> None:
        world.claim("disk")
        async with world.session.post(
            world.base + path, data=b"x", headers=world.bearer()
        ) as answer:
            assert answer.status == 404
        assert not world.server.received

    play(tmp_path, act)


# Who may.


def _foreign(world: World) -> str:
    key = pki.parse_rsa_private(pki.make_rsa_pair()[0])
    return Tokens(KeySet(key, ())).sign_upload(UploadPayload("vms", "disk"))


def _expired(world: World) -> str:
    return Tokens(world.tokens._keys, clock=lambda: 1_000_000.0).sign_upload(
        UploadPayload("vms", "disk")
    )


def _for_a_clone(world: World) -> str:
    return world.tokens.sign_clone(ClonePayload(CLAIM, "vms", "disk", "vms", "copy"))


def _altered(world: World) -> str:
    head, body, signature = world.token().split(".")
    return f"{head}.{body[:-4]}AAAA.{signature}"


def _unsigned(world: World) -> str:
    return "eyJhbGciOiJub25lIn0.e30."


@pytest.mark.parametrize(
    ("header", "status", "reason"),
    [
        pytest.param(lambda w: None, 400, "TokenMissing", id="missing"),
        pytest.param(lambda w: "Basic YTpi", 400, "TokenMalformed", id="another-scheme"),
        pytest.param(lambda w: "Bearer", 400, "TokenMalformed", id="empty"),
        pytest.param(lambda w: f"Bearer {w.token()} x", 400, "TokenMalformed", id="two-words"),
        pytest.param(lambda w: "Bearer nonsense", 401, "TokenRejected", id="no-token"),
        pytest.param(lambda w: f"Bearer {_foreign(w)}", 401, "TokenRejected", id="foreign"),
        pytest.param(lambda w: f"Bearer {_expired(w)}", 401, "TokenRejected", id="expired"),
        pytest.param(lambda w: f"Bearer {_altered(w)}", 401, "TokenRejected", id="altered"),
        pytest.param(lambda w: f"Bearer {_unsigned(w)}", 401, "TokenRejected", id="unsigned"),
        pytest.param(lambda w: f"Bearer {_for_a_clone(w)}", 400, "TokenWrong", id="for-a-clone"),
        pytest.param(
            lambda w: f"Bearer {w.token(uid='old')}", 401, "TokenOfAnotherClaim", id="former-claim"
        ),
        pytest.param(lambda w: f"Bearer {w.token('other')}", 404, "NotFound", id="no-claim"),
    ],
)
def test_whoever_may_not_is_told_so_and_nothing_is_passed_on(tmp_path, header, status, reason):
    async def act(world: World) -> None:
        world.claim("disk", uid="new")
        value = header(world)
        headers = {"Authorization": value} if value else {}
        async with world.session.post(
            world.url("upload"), data=b"x", headers={**headers, "Accept": "application/json"}
        ) as answer:
            said = await answer.json()
            assert (answer.status, said["reason"]) == (status, reason)
            assert answer.headers["Cdi-Reason"] == reason
        assert not world.server.received
        async with world.session.post(world.url("upload-tus"), headers=headers) as answer:
            assert answer.status == status

    play(tmp_path, act)


def test_a_scheme_in_any_case_and_a_claims_own_uid_will_do(tmp_path):
    async def act(world: World) -> None:
        world.claim("disk", uid="u")
        for scheme in ("bearer", "BEARER", "Bearer"):
            headers = {"Authorization": f"{scheme} {world.token(uid='u')}"}
            async with world.session.post(
                world.url("upload"), data=b"x", headers=headers
            ) as answer:
                assert answer.status == 200

    play(tmp_path, act)


# Claims.


def test_a_claim_that_is_ready_soon_is_waited_for(tmp_path):
    async def act(world: World) -> None:
        world.claim("disk", ready=False)
        post = asyncio.ensure_future(_status(world.post("upload", b"x")))
        await world.kube.until(lambda: world.kube.count("get") >= 3)
        world.claim("disk")
        assert await post == 200

    play(tmp_path, act)


async def _status(request) -> int:
    async with request as answer:
        await answer.read()
        return answer.status


@pytest.mark.parametrize(
    ("change", "status", "again"),
    [
        pytest.param({"ready": False}, 503, True, id="not-ready"),
        pytest.param(
            {"annotations": {A + "storage.pod.phase": "Succeeded"}}, 503, False, id="done"
        ),
        pytest.param({"annotations": {A + "storage.upload.target": None}}, 409, False, id="other"),
        pytest.param(
            {"annotations": {A + "storage.contentType": "<script>"}}, 503, False, id="hostile"
        ),
    ],
)
def test_a_claim_that_takes_nothing_says_why(tmp_path, change, status, again):
    async def act(world: World) -> None:
        world.claim("disk", **change)
        async with world.post("upload", b"x") as answer:
            text = await answer.text()
            assert answer.status == status
            assert "disk" in text
            assert "<" not in text
            assert answer.content_type == "text/plain"
            assert ("Retry-After" in answer.headers) is again
        assert not world.server.received

    play(tmp_path, act)


def test_an_api_that_fails_for_a_moment_is_asked_again(tmp_path):
    async def act(world: World) -> None:
        world.claim("disk")
        world.kube.faults += [Fault("get", "persistentvolumeclaims", times=2, code=500)]
        async with world.post("upload", b"x") as answer:
            assert answer.status == 200
        world.kube.faults += [Fault("get", "persistentvolumeclaims", times=99, code=500)]
        async with world.post("upload", b"x") as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (503, "5")

    play(tmp_path, act)


# The server behind.


def test_a_server_that_comes_back_is_found_before_the_client_sends(tmp_path):
    async def act(world: World) -> None:
        world.claim("disk")
        await world.server.stop()
        post = asyncio.ensure_future(_status(world.post("upload", blocks(3))))
        await world.kube.until(lambda: world.kube.count("get") >= 2)
        await world.server.start(world.server_context, world.server.port)
        assert await post == 200

    play(tmp_path, act)


@pytest.mark.parametrize(
    ("size", "status"),
    [
        pytest.param(1, 200, id="little"),
        pytest.param(4 * MIB, 502, id="too-much-to-keep"),
    ],
)
def test_few_bytes_are_sent_again_to_the_next_server(tmp_path, size, status):
    async def act(world: World) -> None:
        world.claim("disk")
        content = b"x" * size

        async def vanish(request: web.Request) -> web.StreamResponse:
            await request.content.readexactly(size)
            world.server.answer = None
            request.transport.abort()
            return web.Response()

        world.server.answer = vanish
        assert await _status(world.post("upload", content)) == status
        if status == 200:
            assert world.server.received[-1].digest == digest(content)

    play(tmp_path, act)


def test_a_server_that_stays_away_is_a_bad_gateway(tmp_path):
    async def act(world: World) -> None:
        world.claim("disk")
        await world.server.stop()
        async with world.post("upload", b"x") as answer:
            text = await answer.text()
            assert answer.status == 502
            assert text.startswith("error in upload-proxy: ")
            assert "Retry-After" in answer.headers

    play(tmp_path, act)


def test_a_server_with_somebody_elses_certificate_gets_nothing(tmp_path):
    async def act(world: World) -> None:
        world.claim("disk")
        world.claim("other")
        async with world.session.post(
            world.url("upload"), data=b"x", headers=world.bearer("other")
        ) as answer:
            assert answer.status == 502
        world.identity[0] = uploads.identity_of(
            world.authorities["clients"], serving.authority("impostor")
        )
        await asyncio.sleep(0)
        assert not world.server.received

    play(tmp_path, act)


def test_certificates_are_exchanged_while_an_upload_runs(tmp_path):
    async def act(world: World) -> None:
        world.claim("disk")
        gate = asyncio.Event()

        async def slowly():
            yield b"a" * MIB
            await gate.wait()
            yield b"b" * MIB

        first = asyncio.ensure_future(_status(world.post("upload", slowly())))
        await world.server.until(1)
        signer, clients = serving.authority("s2"), serving.authority("c2")
        world.identity[0] = uploads.identity_of(clients, signer)
        context = uploads.server_context(signer, clients, tmp_path / "renewed")
        other = uploads.UploadServer()
        await other.start(context)
        old, world.server = world.server, other
        await world.clock.advance(6)  # certificates are believed for a moment
        assert await _status(world.post("upload", b"new")) == 200
        gate.set()
        assert await first == 200
        assert (old.received[0].size, other.received[0].size) == (2 * MIB, 3)
        await other.stop()
        world.server = old

    play(tmp_path, act, clock=FakeClock(skip=1.0))


# Clients that go away.


def test_a_client_that_goes_away_leaves_no_upload_that_looks_whole(tmp_path):
    async def act(world: World) -> None:
        world.claim("disk")
        for _ in range(5):
            _, writer = await asyncio.open_connection(
                "127.0.0.1", world.proxy.port, ssl=world.context, server_hostname=serving.HOST
            )
            writer.write(
                f"POST /v1beta1/upload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
                f"Authorization: Bearer {world.token()}\r\n\r\n10000\r\n".encode()
                + b"x" * 0x10000
                + b"\r\n"
            )
            count = len(world.server.received)
            await world.server.until(count + 1)
            writer.transport.abort()
        assert await _status(world.post("upload", b"whole")) == 200
        assert [each.complete for each in world.server.received] == [False] * 5 + [True]

    play(tmp_path, act)


def test_work_goes_on_for_a_client_that_left_after_its_last_byte(tmp_path):
    async def act(world: World) -> None:
        world.claim("disk")
        gate, done = asyncio.Event(), asyncio.Event()

        async def convert(request: web.Request) -> web.Response:
            await request.read()
            await gate.wait()
            done.set()
            return web.Response()

        world.server.answer = convert
        _, writer = await asyncio.open_connection(
            "127.0.0.1", world.proxy.port, ssl=world.context, server_hostname=serving.HOST
        )
        writer.write(
            f"POST /v1beta1/upload HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
            f"Authorization: Bearer {world.token()}\r\n\r\nx".encode()
        )
        await world.server.until(1)
        writer.transport.abort()
        await asyncio.sleep(0.05)
        gate.set()
        async with asyncio.timeout(5):
            await done.wait()

    play(tmp_path, act)


# Ways of speaking HTTP.


async def _raw(world: World, head: str, body: bytes = b"", *, wait_for: bytes = b"") -> bytes:
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", world.proxy.port, ssl=world.context, server_hostname=serving.HOST
    )
    writer.write(head.replace("\n", "\r\n").encode() + b"\r\n")
    said = b""
    async with asyncio.timeout(20):
        if wait_for:
            said = await reader.readuntil(wait_for)
        writer.write(body)
        said += await reader.read()
    writer.close()
    return said


def test_a_client_that_asks_first_is_told_when_the_server_wants_its_bytes(tmp_path):
    async def act(world: World) -> None:
        world.claim("disk")
        head = (
            f"POST /v1beta1/upload HTTP/1.1\nHost: x\nConnection: close\nContent-Length: 3\n"
            f"Expect: 100-continue\nAuthorization: Bearer {world.token()}\n"
        )
        said = await _raw(world, head, b"abc", wait_for=b"HTTP/1.1 100 Continue\r\n\r\n")
        assert said.count(b"HTTP/1.1") == 2
        assert b"HTTP/1.1 200 OK" in said
        assert "Expect" not in world.server.received[0].headers
        refused = head.replace("Bearer", "Bearer x")
        said = await _raw(world, refused.replace("Content-Length: 3", "Content-Length: 0"))
        assert said.startswith(b"HTTP/1.1 400")

    play(tmp_path, act)


def test_a_client_of_http_1_0_is_served(tmp_path):
    async def act(world: World) -> None:
        world.claim("disk")
        head = (
            "POST /v1beta1/upload HTTP/1.0\nContent-Length: 3\n"
            f"Authorization: Bearer {world.token()}\n"
        )
        said = await _raw(world, head, b"abc")
        assert b" 200 OK\r\n" in said
        assert world.server.received[0].size == 3

    play(tmp_path, act)


def test_a_body_that_turns_out_malformed_is_no_upload(tmp_path):
    async def act(world: World) -> None:
        world.claim("disk")
        begun = asyncio.Event()

        async def take(request: web.Request) -> web.StreamResponse:
            with contextlib.suppress(web.RequestPayloadError, OSError):
                while await request.content.readany():
                    begun.set()
                world.server.completed()
            return web.Response()

        world.server.answer = take
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", world.proxy.port, ssl=world.context, server_hostname=serving.HOST
        )
        head = (
            "POST /v1beta1/upload HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n"
            f"Authorization: Bearer {world.token()}\n"
        )
        writer.write(head.replace("\n", "\r\n").encode() + b"\r\n3\r\nabc\r\n")
        async with asyncio.timeout(60):
            await begun.wait()
            writer.write(b"SECRET\r\n")
            said = await reader.read()
        writer.close()
        assert said.startswith(b"HTTP/1.1 400")
        assert b"Cdi-Reason: BrokenBody" in said
        assert b"SECRET" not in said

    play(tmp_path, act)


def test_the_query_is_dropped(tmp_path):
    async def act(world: World) -> None:
        world.claim("disk")
        async with world.session.post(
            world.url("upload") + "?x=1", data=b"x", headers=world.bearer()
        ) as answer:
            assert answer.status == 200
        assert world.server.received[0].path == "/v1beta1/upload"

    play(tmp_path, act)


# Pages of others.


def test_a_page_of_any_origin_may_upload(tmp_path):
    async def act(world: World) -> None:
        asked = {
            "Origin": "https://console",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization, x-mine",
        }
        async with world.session.options(world.url("upload-form"), headers=asked) as answer:
            assert answer.status == 200
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
            assert answer.headers["Access-Control-Allow-Methods"] == "POST"
            assert answer.headers["Access-Control-Allow-Headers"] == "authorization, x-mine"
            assert "Access-Control-Allow-Credentials" not in answer.headers
        async with world.session.post(
            world.url("upload-form"), headers={"Origin": "https://console"}
        ) as answer:
            assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (400, "*")
        async with world.session.get(
            world.base + "/healthz", headers={"Origin": "https://console"}
        ) as answer:
            assert "Access-Control-Allow-Origin" not in answer.headers

    play(tmp_path, act)


def test_only_those_origins_may_that_are_named(tmp_path):
    async def act(world: World) -> None:
        for origin, allowed in (("https://good", "https://good"), ("https://bad", None)):
            asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
            async with world.session.options(world.url("upload"), headers=asked) as answer:
                assert answer.status == (200 if allowed else 403)
                assert answer.headers.get("Access-Control-Allow-Origin") == allowed
                assert answer.headers["Vary"] == "Origin"

    play(tmp_path, act, origins=("https://good",))


# Resumable.


async def _opened(world: World, length: int, **headers: str) -> str:
    async with world.session.post(
        world.url("upload-tus"),
        headers={
            **world.bearer(),
            "Tus-Resumable": "1.0.0",
            "Upload-Length": str(length),
            **headers,
        },
    ) as answer:
        assert answer.status == 201, await answer.text()
        return world.base + answer.headers["Location"]


def test_a_session_goes_on_without_a_token_at_the_server_that_has_it(tmp_path):
    async def act(world: World) -> None:
        world.claim("disk")
        said = f"filename {uploads.encoded('a.img')},contentType {uploads.encoded('archive')}"
        where = await _opened(world, 6, **{"Upload-Metadata": said})
        assert where.startswith(f"{world.base}/v1beta1/upload-tus/vms/disk/")
        told = world.server.received[0].headers["Upload-Metadata"]
        assert told == (
            f"filename {uploads.encoded('a.img')},contentType {uploads.encoded('kubevirt')}"
        )
        for offset, block in ((0, b"abc"), (3, b"def")):
            async with world.session.patch(
                where, data=block, headers={"Upload-Offset": str(offset), "Tus-Resumable": "1.0.0"}
            ) as answer:
                assert (answer.status, answer.headers["Upload-Offset"]) == (204, str(offset + 3))
            if not offset:
                await world.restart_server()
        async with world.session.head(where) as answer:
            assert (answer.status, answer.headers["Upload-Offset"]) == (200, "6")
        (session,) = world.server.sessions.values()
        assert session.content == b"abcdef"
        async with world.session.delete(where) as answer:
            assert answer.status == 204
        async with world.session.head(where) as answer:
            assert answer.status == 404

    play(tmp_path, act)


@pytest.mark.parametrize(
    ("method", "offset", "status"),
    [
        pytest.param("HEAD", None, 200, id="asked-again"),
        pytest.param("PATCH", "6", 204, id="the-last-word-again"),
        pytest.param("PATCH", "3", 409, id="bytes-nobody-wants"),
        pytest.param("DELETE", None, 409, id="too-late"),
    ],
)
def test_whoever_has_filled_the_volume_is_told_so_without_its_server(
    tmp_path, method, offset, status
):
    async def act(world: World) -> None:
        session = FinishedSession(uploadsession.hash_of("secret"), 6)
        full = {A + "storage.pod.phase": "Succeeded", A + "storage.upload.session": str(session)}
        world.claim("disk", annotations=full)
        headers = {"Upload-Offset": offset} if offset else {}
        at = world.url("upload-tus/vms/disk/")
        async with world.session.request(method, at + "secret", headers=headers) as answer:
            assert answer.status == status
            if status < 300:
                assert answer.headers["Upload-Offset"] == "6"
                assert answer.headers["Tus-Resumable"] == "1.0.0"
            else:
                assert answer.headers["Cdi-Reason"] == "Finished"
        async with world.session.request(method, at + "guess", headers=headers) as answer:
            assert (answer.status, answer.headers["Cdi-Reason"]) == (410, "Finished")
        assert not world.server.received

    play(tmp_path, act)


def test_a_volume_that_is_full_opens_no_session(tmp_path):
    async def act(world: World) -> None:
        world.claim("disk", annotations={A + "storage.pod.phase": "Succeeded"})
        headers = world.bearer() | {"Tus-Resumable": "1.0.0", "Upload-Length": "1"}
        async with world.session.post(world.url("upload-tus"), headers=headers) as answer:
            assert (answer.status, answer.headers["Cdi-Reason"]) == (409, "Finished")

    play(tmp_path, act)


def test_what_is_supported_is_said_without_a_token(tmp_path):
    async def act(world: World) -> None:
        async with world.session.options(world.url("upload-tus")) as answer:
            assert answer.status == 204
            assert answer.headers["Tus-Version"] == "1.0.0"
            assert "creation" in answer.headers["Tus-Extension"]

    play(tmp_path, act)


@pytest.mark.parametrize(
    "path", ["vms/disk/a%2Fb", "vms/../disk/x", "vms/%2e%2e/x", "VMS/disk/x", "vms/disk/x/y"]
)
def test_a_session_leads_nowhere_else(tmp_path, path):
    async def act(world: World) -> None:
        said = await _raw(
            world, f"HEAD /v1beta1/upload-tus/{path} HTTP/1.1\nHost: x\nConnection: close\n"
        )
        assert said.startswith(b"HTTP/1.1 404")
        assert not world.kube.requests

    play(tmp_path, act)


# The process.


def test_health_and_metrics(tmp_path):
    async def act(world: World) -> None:
        world.claim("disk")
        for path, expected in (("/healthz", "OK"), ("/readyz", "ok")):
            async with world.session.get(world.base + path) as answer:
                assert (answer.status, await answer.text()) == (200, expected)
        async with world.session.get(world.base + "/metrics") as answer:
            assert answer.status == 401

    play(tmp_path, act)


def test_a_refusal_is_json_for_whoever_asks(tmp_path):
    async def act(world: World) -> None:
        world.claim("disk", ready=False)
        async with world.post("upload", b"x", Accept="application/json") as answer:
            said = json.loads(await answer.text())
            assert said["reason"] == "NotReady"

    play(tmp_path, act)
