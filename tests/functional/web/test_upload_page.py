"""The page of the upload proxy, in a real browser, and what it may ask of the cluster."""

import asyncio
import json
import os
from pathlib import Path

import pytest

from support import browser, commands, uploads
from support.browser import Page
from support.uploads import A, World

MIB = 1 << 20
TAB, ENTER = 9, 13


def play(tmp_path, act):
    async def playing() -> None:
        async with uploads.running(tmp_path, page=True) as world:
            world.control()
            world.kube.tokens = {"sesame", uploads.OWN}
            world.kube.collection("cdi.kubevirt.io/v1beta1", "datavolumes", "DataVolume")
            await act(world)

    asyncio.run(playing())


def looked_at(tmp_path, act):
    """With a browser that shows the page."""

    async def with_browser(world: World) -> None:
        async with browser.page(tmp_path) as page:
            await page.open(world.base + "/")
            await act(world, page)
            assert page.complaints == []

    play(tmp_path, with_browser)


def image(tmp_path, size=5 * MIB):
    path = tmp_path / "disk.img"
    path.write_bytes(os.urandom(size))
    return path


async def fill(page: Page, element: str, text: str) -> None:
    await page.value(f"document.getElementById('{element}').value = {json.dumps(text)}")


async def sign_in(page: Page, secret: str, namespace: str = uploads.NAMESPACE) -> None:
    await fill(page, "secret", secret)
    await fill(page, "namespace", namespace)
    await page.value("document.querySelector('#access button').click()")


async def choose(page: Page, target: str) -> None:
    await page.until("document.getElementById('volume').options.length > 1")
    await fill(page, "volume", target)
    await page.value("document.getElementById('volume').dispatchEvent(new Event('change'))")


STATUS = "document.getElementById('status').textContent"


def content_of(world: World) -> bytes:
    (session,) = world.server.sessions.values()
    return bytes(session.content)


def test_somebody_picks_a_volume_and_a_file_and_it_is_uploaded(tmp_path):
    path = image(tmp_path)

    async def act(world: World, page: Page) -> None:
        world.claim("disk")
        await sign_in(page, "sesame")
        await choose(page, "vms/disk")
        await page.choose_file("#file", path)
        await page.value("document.getElementById('start').click()")
        await page.until(f"{STATUS}.includes('is in volume')")
        assert content_of(world) == path.read_bytes()
        assert await page.value("document.getElementById('progress').value") == 1
        assert "100.0%" in await page.value("document.getElementById('numbers').textContent")
        assert await page.value("localStorage.length") == 0

    looked_at(tmp_path, act)


def test_a_reload_amid_an_upload_goes_on_without_a_token(tmp_path):
    path = image(tmp_path, 6 * MIB)

    async def act(world: World, page: Page) -> None:
        world.claim("disk")
        taken = asyncio.Event()
        server = world.server

        async def one_chunk(request):
            if request.method == "PATCH":
                if taken.is_set():
                    request.transport.abort()
                taken.set()
            return await server._resumable(request)

        server.answer = one_chunk
        await sign_in(page, world.token())  # an upload token: it names its volume
        await page.choose_file("#file", path)
        await page.value("document.getElementById('start').click()")
        await taken.wait()
        await page.until("localStorage.length === 1")
        await page.open(world.base + "/")
        server.answer = None
        opened = len(server.sessions)
        shown = await page.value("document.getElementById('unfinished-list').textContent")
        assert "disk.img" in shown
        assert "vms/disk" in shown
        await page.choose_file("#file", path)
        await page.until(f"{STATUS}.includes('goes on')")
        await page.value("document.getElementById('start').click()")
        await page.until(f"{STATUS}.includes('is in volume')")
        assert len(server.sessions) == opened == 1
        assert content_of(world) == path.read_bytes()
        page.complaints.clear()  # the browser reports the connection that was cut

    looked_at(tmp_path, act)


def test_a_kubeconfig_will_do_and_the_keyboard_too(tmp_path):
    path = image(tmp_path, MIB)
    config = commands.kubeconfig(tmp_path / "config", "https://unused", namespace="vms")
    text = Path(config).read_text()

    async def act(world: World, page: Page) -> None:
        world.claim("disk")
        await page.value("document.getElementById('secret').focus()")
        await page.call("Input.insertText", text=text)
        for _ in range(3):  # past the file and the namespace, to the button
            await page.press("Tab", TAB)
        await page.until("document.activeElement.type === 'submit'")
        await page.press("Enter", ENTER)
        await choose(page, "vms/disk")
        await page.choose_file("#file", path)
        await page.until("!document.getElementById('start').disabled")
        await page.value("document.getElementById('file').focus()")
        await page.press("Tab", TAB)
        assert await page.value("document.activeElement.id") == "start"
        await page.press("Enter", ENTER)
        await page.until(f"{STATUS}.includes('is in volume')")
        assert content_of(world) == path.read_bytes()

    looked_at(tmp_path, act)


def test_everything_has_a_name_for_those_who_cannot_see_it(tmp_path):
    async def act(world: World, page: Page) -> None:
        tree = await page.call("Accessibility.getFullAXTree")
        wanted = {"button", "textbox", "combobox", "progressbar", "Button"}
        nameless = [
            each
            for each in tree["nodes"]
            if not each.get("ignored")
            and each.get("role", {}).get("value") in wanted
            and not each.get("name", {}).get("value")
        ]
        assert nameless == []
        roles = {each.get("role", {}).get("value") for each in tree["nodes"]}
        assert {"main", "status", "alert", "heading"} <= roles

    looked_at(tmp_path, act)


def test_a_token_that_nobody_knows_is_told_to_whoever_pasted_it(tmp_path):
    async def act(world: World, page: Page) -> None:
        await sign_in(page, "stranger")
        await page.until("document.getElementById('error').textContent !== ''")
        said = await page.value("document.getElementById('error').textContent")
        assert "does not know this token" in said
        page.complaints.clear()  # the browser reports the 401

    looked_at(tmp_path, act)


# What it asks.


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_the_page_asks_as_its_user_and_as_nobody_else(tmp_path):
    async def act(world: World) -> None:
        world.claim("disk")
        world.claim("prime-1", annotations={A + "storage.populator.kind": "VolumeUploadSource"})
        world.claim("done", annotations={A + "storage.pod.phase": "Succeeded"})
        world.claim("other", annotations={A + "storage.upload.target": None})
        count = len(world.kube.requests)
        async with world.session.get(
            world.base + "/page/volumes?namespace=vms", headers=_bearer("sesame")
        ) as answer:
            rows = (await answer.json())["volumes"]
        assert [(each["name"], each["state"]) for each in rows] == [
            ("disk", "ready"),
            ("done", "finished"),
        ]
        async with world.session.post(
            world.base + "/page/tokens",
            json={"namespace": "vms", "name": "disk"},
            headers=_bearer("sesame"),
        ) as answer:
            assert world.tokens.read_upload((await answer.json())["token"]).name == "disk"
        asked = world.kube.requests[count:]
        assert {each.headers["Authorization"] for each in asked} == {"Bearer sesame"}

    play(tmp_path, act)


@pytest.mark.parametrize(
    ("path", "headers", "body", "status"),
    [
        pytest.param("/page/volumes", {}, None, 400, id="no-token"),
        pytest.param("/page/volumes", _bearer("stranger"), None, 401, id="a-strangers"),
        pytest.param(
            "/page/volumes?namespace=../../x", _bearer("sesame"), None, 400, id="no-namespace"
        ),
        pytest.param("/page/tokens", {}, {"namespace": "a", "name": "b"}, 400, id="no-token-post"),
        pytest.param(
            "/page/tokens", _bearer("sesame"), {"namespace": "a/b", "name": "b"}, 400, id="no-name"
        ),
        pytest.param("/page/tokens", _bearer("sesame"), ["a"], 400, id="no-volume"),
        pytest.param("/page/../server.py", {}, None, 404, id="another-file"),
    ],
)
def test_what_the_page_may_not_ask_is_refused(tmp_path, path, headers, body, status):
    async def act(world: World) -> None:
        method = "GET" if body is None else "POST"
        async with world.session.request(
            method, world.base + path, headers=headers, json=body
        ) as answer:
            assert answer.status == status

    play(tmp_path, act)


def test_the_page_is_shielded(tmp_path):
    async def act(world: World) -> None:
        async with world.session.get(
            world.base + "/", headers={"Origin": "https://elsewhere"}
        ) as answer:
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "Access-Control-Allow-Origin" not in answer.headers
            text = await answer.text()
        assert "<script>" not in text
        assert "style=" not in text
        assert "onclick" not in text

    play(tmp_path, act)
