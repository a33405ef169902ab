"""A server follows what it is given from handshake to handshake, and stops as it should."""

import asyncio
import contextlib
import gc
import ssl
import sys
import tracemalloc
from asyncio import sslproto
from collections.abc import Callable

import aiohttp
import pytest
from aiohttp import web

from cdi import pki
from cdi.storage.tlsprofile import PROFILES, TLSProfile
from cdi.web.serving import process
from cdi.web.serving.tls import SMALL_BUFFER, Files, ServerTls, keep_connections_small
from support import serving
from support.serving import (
    asked_anew,
    client_context,
    connected,
    now,
    server_pair,
    session,
    written,
)


def test_a_replaced_certificate_is_shown_to_whoever_connects_next(tmp_path):
    async def play() -> None:
        signer = serving.authority()
        old, new = server_pair(signer), server_pair(signer)
        files = written(tmp_path, old)
        async with (
            serving.serving(web.Application(), ServerTls(files)) as served,
            connected(served, client_context(signer)) as before,
        ):
            assert (before.serial, await before.get("/healthz")) == (_serial(old), 200)
            written(tmp_path, new)
            async with connected(served, client_context(signer)) as after:
                assert (after.serial, await after.get("/healthz")) == (_serial(new), 200)
            assert await before.get("/healthz") == 200

    asyncio.run(play())


def _serial(pair: pki.Pair) -> int:
    return pair.leaf.serial_number


def test_half_of_a_new_pair_leaves_the_old_one_in_effect(tmp_path):
    async def play() -> None:
        signer = serving.authority()
        files = written(tmp_path, server_pair(signer))
        async with serving.serving(web.Application(), ServerTls(files)) as served:
            assert await asked_anew(client_context(signer), served.url("/readyz")) == 200
            other = server_pair(signer)
            files.certificate.write_text(other.certificate)
            assert await asked_anew(client_context(signer), served.url("/readyz")) == 200
            files.key.write_text("")
            assert await asked_anew(client_context(signer), served.url("/readyz")) == 200
            files.key.write_text(other.key)
            async with connected(served, client_context(signer)) as after:
                assert after.serial == _serial(other)

    asyncio.run(play())


def test_a_server_without_a_certificate_waits_for_one(tmp_path):
    async def play() -> None:
        signer = serving.authority()
        files = Files(tmp_path / "tls.crt", tmp_path / "tls.key")
        files.certificate.touch()  # as an empty Secret is mounted
        files.key.touch()
        async with serving.serving(web.Application(), ServerTls(files)) as served:
            assert served.health.missing() == ["certificate"]
            with pytest.raises(aiohttp.ClientError):
                await asked_anew(client_context(signer), served.url("/readyz"))
            written(tmp_path, server_pair(signer))
            assert await asked_anew(client_context(signer), served.url("/readyz")) == 200

    asyncio.run(play())


def test_the_tls_profile_holds_from_the_next_handshake_on(tmp_path):
    async def play() -> None:
        signer = serving.authority()
        files = written(tmp_path, server_pair(signer))
        profile = [PROFILES["Intermediate"]]
        old = client_context(signer)
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        tls = ServerTls(files, profile=lambda: profile[0])
        async with serving.serving(web.Application(), tls) as served:
            url = served.url("/healthz")
            assert await asked_anew(old, url) == 200
            profile[0] = PROFILES["Modern"]
            with pytest.raises(aiohttp.ClientError):
                await asked_anew(old, url)
            assert await asked_anew(client_context(signer), url) == 200
            profile[0] = PROFILES["Old"]
            assert await asked_anew(old, url) == 200
            profile[0] = TLSProfile("VersionTLS12", ("NOBODY-KNOWS-THIS",))
            with pytest.raises(aiohttp.ClientError):
                await asked_anew(old, url)
            assert await asked_anew(client_context(signer), url) == 200

    asyncio.run(play())


def test_a_cipher_that_the_profile_lacks_is_not_spoken(tmp_path):
    async def play() -> None:
        signer = serving.authority()
        files = written(tmp_path, server_pair(signer))
        profile = TLSProfile("VersionTLS12", ("ECDHE-ECDSA-AES256-GCM-SHA384",))
        weaker = client_context(signer)
        weaker.maximum_version = ssl.TLSVersion.TLSv1_2
        weaker.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
        tls = ServerTls(files, profile=lambda: profile)
        async with serving.serving(web.Application(), tls) as served:
            with pytest.raises(aiohttp.ClientError):
                await asked_anew(weaker, served.url("/healthz"))
            weaker.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384")
            assert await asked_anew(weaker, served.url("/healthz")) == 200

    asyncio.run(play())


async def _who(request: web.Request) -> web.Response:
    shown = request.transport.get_extra_info("peercert")
    return web.Response(text=shown["subject"][0][0][1] if shown else "nobody")


def test_a_client_certificate_is_optional_but_has_to_be_of_the_authority_of_now(tmp_path):
    async def play() -> None:
        signer, clients, others = (serving.authority(name) for name in ("s", "c", "o"))
        files = written(tmp_path / "server", server_pair(signer))
        trusted = [clients.certificate]
        app = web.Application()
        app.router.add_get("/who", _who)

        def shows(by: pki.Pair) -> ssl.SSLContext:
            pair = pki.issue(by, "front-proxy", pki.Use.CLIENT, now(), serving.DAY)
            return client_context(signer, pair, tmp_path / "client")

        async def answer(context: ssl.SSLContext) -> str:
            async with session(context) as client, client.get(url) as given:
                return await given.text()

        tls = ServerTls(files, client_authorities=lambda: trusted[0])
        async with serving.serving(app, tls) as served:
            url = served.url("/who")
            assert await answer(client_context(signer)) == "nobody"
            assert await answer(shows(clients)) == "front-proxy"
            with pytest.raises((aiohttp.ClientError, OSError)):
                await answer(shows(others))
            trusted[0] = others.certificate
            assert await answer(shows(others)) == "front-proxy"
            with pytest.raises((aiohttp.ClientError, OSError)):
                await answer(shows(clients))

    asyncio.run(play())


def test_what_is_under_way_ends_before_a_server_does(tmp_path):
    async def play() -> None:
        begun, go_on = asyncio.Event(), asyncio.Event()
        draining, drained = asyncio.Event(), asyncio.Event()

        async def slow(request: web.Request) -> web.Response:
            begun.set()
            await go_on.wait()
            return web.Response(text="done")

        async def drain(seconds: float) -> None:
            assert seconds == 7.0
            draining.set()
            await drained.wait()

        app = web.Application()
        app.router.add_get("/slow", slow)
        async with serving.serving(app, None, drain=7.0, sleep=drain) as served, session() as one:
            url = served.url("/readyz", "http")
            async with one.get(url) as answer:
                assert answer.status == 200
            waiting = asyncio.ensure_future(one.get(served.url("/slow", "http")))
            await begun.wait()
            served.stop.set()
            await draining.wait()
            async with one.get(url) as answer:
                assert (answer.status, answer.headers["Connection"]) == (503, "close")
                assert "stopping" in await answer.text()
            drained.set()
            await served.server.closed()
            with pytest.raises(aiohttp.ClientConnectorError):
                await one.get(url)
            go_on.set()
            assert await (await waiting).text() == "done"
            await served.ended

    asyncio.run(play())


def test_clients_that_say_nothing_are_hung_up_on(tmp_path):
    async def play() -> None:
        async with serving.serving(web.Application(), None, head=0.05) as served:
            reader, writer = await asyncio.open_connection("127.0.0.1", served.server.port)
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: ")
            assert await reader.read() == b""
            writer.close()

    asyncio.run(play())


def test_everything_that_is_missing_is_told(tmp_path):
    async def play() -> None:
        found = {"caches": False, "keys": True}
        async with serving.serving(web.Application(), None) as served, session() as client:
            served.health.require("caches", lambda: found["caches"])
            served.health.require("keys", lambda: found["keys"])
            async with client.get(served.url("/readyz", "http")) as answer:
                assert (answer.status, await answer.text()) == (503, "not ready\n[-] caches\n")
            found["caches"] = True
            async with client.get(served.url("/readyz", "http")) as answer:
                assert answer.status == 200
            async with client.get(served.url("/healthz", "http")) as answer:
                assert await answer.text() == "OK"

    asyncio.run(play())


def test_what_is_there_once_all_is_served_is_no_business_of_the_search_for_garbage():
    async def play() -> int:
        stop = asyncio.Event()
        settling = asyncio.ensure_future(process.settle(stop))
        await asyncio.sleep(0)
        looked_at = len(gc.get_objects())
        stop.set()
        await settling
        return looked_at

    try:
        assert asyncio.run(play()) < len(sys.modules)
    finally:
        gc.unfreeze()


@pytest.fixture
def small_connections(monkeypatch):
    """As the API server's process has them; the tests' own process is as before afterwards."""
    monkeypatch.setattr(sslproto.SSLProtocol, "max_size", sslproto.SSLProtocol.max_size)
    keep_connections_small()


@pytest.mark.usefixtures("small_connections")
def test_many_connections_that_are_kept_cost_little(tmp_path):
    count = 20

    async def play() -> int:
        signer = serving.authority()
        files = written(tmp_path, server_pair(signer))
        context = client_context(signer)
        async with (
            serving.serving(web.Application(), ServerTls(files)) as served,
            contextlib.AsyncExitStack() as kept,
        ):
            tracemalloc.start()
            try:
                for _ in range(count):
                    found = await kept.enter_async_context(connected(served, context))
                    assert await found.get("/healthz") == 200
                return tracemalloc.get_traced_memory()[0]
            finally:
                tracemalloc.stop()

    # Both ends are in this process; asyncio's own buffers would take 512 KiB for each.
    assert asyncio.run(play()) / count < 4 * SMALL_BUFFER


def test_renewed_certificates_and_those_who_come_for_them_leave_nothing_behind(tmp_path):
    def there() -> dict[type, int]:
        gc.collect()
        found = gc.get_objects()
        kinds = (ssl.SSLContext, ssl.SSLObject, sslproto.SSLProtocol)
        return {kind: sum(isinstance(each, kind) for each in found) for kind in kinds}

    async def play() -> None:
        signer = serving.authority()
        context = client_context(signer)
        files = written(tmp_path, server_pair(signer))
        async with serving.serving(web.Application(), ServerTls(files)) as served:
            assert await asked_anew(context, served.url("/healthz")) == 200
            # Both ends notice a moment later that a connection is over.
            await _until(lambda: there()[sslproto.SSLProtocol] == 0)
            before = there()
            for _ in range(20):
                written(tmp_path, server_pair(signer))
                for _ in range(3):
                    assert await asked_anew(context, served.url("/healthz")) == 200
            await _until(lambda: there() == before)

    asyncio.run(play())


async def _until(holds: Callable[[], bool]) -> None:
    for _ in range(6000):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it does not come to hold")
