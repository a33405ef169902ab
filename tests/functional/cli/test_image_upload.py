"""`cdi image-upload` against a proxy and a server, through whatever happens on the way."""

import asyncio
import os
import re

import pytest
from aiohttp import web

from support import commands, gateway, uploads
from support.uploads import A, World

MIB = 1 << 20
PERCENT = re.compile(r"\d{1,3}\.?\d{1,2}%")


class Desk:
    """Where somebody sits who uploads."""

    def __init__(self, world: World, place) -> None:
        self.world = world
        self.image = place / "disk.img"
        self.content = os.urandom(3 * MIB) + bytes(MIB)
        self.image.write_bytes(self.content)
        self._place = place
        (place / "home").mkdir()
        self.kubeconfig = commands.kubeconfig(
            place / "kubeconfig", world.kube.url, namespace=uploads.NAMESPACE
        )

    def publish(self, url: str = "") -> None:
        """Say in the CDIConfig where the proxy is, and whom to believe."""
        ca = self.world.authorities["front"].certificate
        self.world.kube.put(
            "cdiconfigs",
            {
                "apiVersion": "cdi.kubevirt.io/v1beta1",
                "kind": "CDIConfig",
                "metadata": {"name": "config"},
                "status": {"uploadProxyURL": url or self.world.base, "uploadProxyCA": ca},
            },
        )

    async def upload(self, *words: str) -> commands.Outcome:
        return await commands.run(
            "image-upload",
            *words,
            "--kubeconfig",
            self.kubeconfig,
            home=self._place / "home",
        )

    async def begin(self, *words: str) -> asyncio.subprocess.Process:
        return await commands.start(
            "image-upload", *words, "--kubeconfig", self.kubeconfig, home=self._place / "home"
        )

    @property
    def arrived(self) -> bytes:
        """The content of the one session."""
        (session,) = self.world.server.sessions.values()
        return bytes(session.content)


def play(tmp_path, act, **options):
    async def playing() -> None:
        async with uploads.running(tmp_path, **options) as world:
            world.control()
            desk = Desk(world, tmp_path)
            desk.publish()
            await act(desk)

    asyncio.run(playing())


@pytest.mark.parametrize("kind", ["dv", "pvc"])
def test_a_new_volume_is_made_and_filled(tmp_path, kind):
    async def act(desk: Desk) -> None:
        ended = await desk.upload(kind, "disk", "--size", "1Gi", "--image-path", str(desk.image))
        assert (ended.status, ended.errors) == (0, ""), ended
        assert desk.arrived == desk.content
        made = "DataVolume" if kind == "dv" else "PersistentVolumeClaim"
        for text in (
            "PVC vms/disk not found",
            f"{made} vms/disk created",
            "Waiting for PVC disk upload pod to be ready...",
            "Pod now ready",
            f"Uploading data to {desk.world.base}",
            "Processing completed successfully",
            f"Uploading {desk.image} completed successfully",
        ):
            assert text in ended.output
        assert PERCENT.search(ended.output)
        told = desk.world.server.received[0].headers["Upload-Metadata"]
        assert "sha256 " in told

    play(tmp_path, act)


def test_the_old_form_uses_what_is_there(tmp_path):
    async def act(desk: Desk) -> None:
        desk.world.claim("disk", annotations={A + "storage.upload.target": None})
        image = ("--image-path", str(desk.image))
        ended = await desk.upload("--pvc-name=disk", "--no-create", *image)
        assert (ended.status, ended.errors) == (0, ""), ended
        notice = "Flag --pvc-name has been deprecated, specify the name as the second argument"
        assert notice in ended.output
        assert "Using existing PVC vms/disk" in ended.output
        assert desk.arrived == desk.content

    play(tmp_path, act)


def test_the_api_server_may_be_named_at_another_address(tmp_path):
    async def act(desk: Desk) -> None:
        url = desk.world.kube.url
        desk.kubeconfig = commands.kubeconfig(
            tmp_path / "elsewhere", "http://127.0.0.1:1", namespace=uploads.NAMESPACE
        )
        words = ("pvc", "disk", "--size", "1Gi", "--image-path", str(desk.image))
        ended = await desk.upload(*words, "-s", url)
        assert (ended.status, ended.errors) == (0, ""), ended
        assert desk.arrived == desk.content
        assert "has been deprecated" not in ended.output

    play(tmp_path, act)


def test_the_upload_goes_on_where_a_killed_one_stopped(tmp_path):
    async def act(desk: Desk) -> None:
        server = desk.world.server
        halfway, over = asyncio.Event(), asyncio.Event()
        words = ("dv", "disk", "--size", "1Gi", "--image-path", str(desk.image))

        async def stall(request: web.Request) -> web.StreamResponse:
            server.answer = None
            if request.method != "PATCH":
                server.answer = stall
                return await server._resumable(request)
            (session,) = server.sessions.values()
            session.content += await request.content.readexactly(2 * MIB)
            halfway.set()
            await asyncio.wait_for(over.wait(), 60)
            return web.Response()

        server.answer = stall
        process = await desk.begin(*words)
        await halfway.wait()
        process.kill()
        await process.communicate()
        count = len(server.received)
        ended = await desk.upload(*words)
        assert ended.status == 0, ended
        assert desk.arrived == desk.content
        first, *_ = server.received[count:]
        assert first.method == "HEAD"
        over.set()

    play(tmp_path, act)


def test_a_proxy_that_knows_no_tus_gets_one_request(tmp_path):
    async def act(desk: Desk) -> None:
        server = desk.world.server

        async def old(request: web.Request) -> web.Response:
            if request.path.endswith("tus"):
                return web.Response(status=404, text="404 page not found")
            content = await request.read()
            if request.method == "POST":
                assert content == desk.content
                server.completed()
            return web.Response()

        server.answer = old
        ended = await desk.upload(
            "dv", "disk", "--size", "1Gi", "--image-path", str(desk.image), "--datasource"
        )
        assert ended.status == 0, ended
        assert [(each.method, each.path) for each in server.received[1:]] == [
            ("HEAD", "/v1beta1/upload-async"),
            ("POST", "/v1beta1/upload-async"),
        ]
        assert desk.world.kube.objects("datasources")["vms", "disk"]["spec"]["source"] == {
            "pvc": {"name": "disk", "namespace": "vms"}
        }

    play(tmp_path, act)


def test_an_archive_is_announced_as_one(tmp_path):
    async def act(desk: Desk) -> None:
        ended = await desk.upload("dv", "disk", "--size", "1Gi", "--archive-path", str(desk.image))
        assert ended.status == 0, ended
        (volume,) = desk.world.kube.objects("datavolumes").values()
        assert volume["spec"]["contentType"] == "archive"
        told = desk.world.server.received[0].headers["Upload-Metadata"]
        assert f"contentType {uploads.encoded('archive')}" in told

    play(tmp_path, act)


def test_a_bad_image_is_not_sent_again(tmp_path):
    async def act(desk: Desk) -> None:
        server = desk.world.server

        async def refuse(request: web.Request) -> web.StreamResponse:
            if request.method == "PATCH":
                await request.read()
                said = {"reason": "BadImage", "message": "the image names another file"}
                return web.json_response(said, status=400)
            return await server._resumable(request)

        server.answer = refuse
        ended = await desk.upload("dv", "disk", "--size", "1Gi", "--image-path", str(desk.image))
        assert ended.status == 1
        assert "the image names another file" in ended.errors
        assert [each.method for each in server.received] == ["POST", "PATCH"]

    play(tmp_path, act)


@pytest.mark.parametrize("offset", ["-1", "x", "9" * 5000, "99999999999"])
def test_a_server_that_talks_nonsense_is_told_on(tmp_path, offset):
    async def act(desk: Desk) -> None:
        server = desk.world.server

        async def answer(request: web.Request) -> web.StreamResponse:
            if request.method == "PATCH":
                await request.read()
                return web.Response(status=204, headers={"Upload-Offset": offset})
            return await server._resumable(request)

        server.answer = answer
        ended = await desk.upload("dv", "disk", "--size", "1Gi", "--image-path", str(desk.image))
        assert ended.status == 1
        assert f"the server claims to have {offset:.40} bytes" in ended.errors
        assert "Traceback" not in ended.errors

    play(tmp_path, act)


def test_what_makes_waiting_pointless_is_told_at_once(tmp_path):
    async def act(desk: Desk) -> None:
        desk.world.claim("disk", ready=False, uid="u1")
        desk.world.kube.put(
            "events",
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": "e", "namespace": uploads.NAMESPACE},
                "reason": "ProvisioningFailed",
                "message": "no such pool",
                "involvedObject": {"kind": "PersistentVolumeClaim", "uid": "u1"},
            },
        )
        ended = await desk.upload("pvc", "disk", "--image-path", str(desk.image))
        assert ended.status == 1
        assert "Provisioning failed: no such pool" in ended.errors

    play(tmp_path, act)


def test_a_proxy_with_a_strange_certificate_gets_nothing_unless_asked(tmp_path):
    async def act(desk: Desk) -> None:
        desk.world.kube.drop("cdiconfigs", "config")
        url = ("--uploadproxy-url", desk.world.base)
        words = ("dv", "disk", "--size", "1Gi", "--image-path", str(desk.image), *url)
        ended = await desk.upload(*words)
        assert ended.status == 1
        assert "--insecure" in ended.errors
        assert not desk.world.server.received
        ended = await desk.upload(*words, "--insecure")
        assert ended.status == 0, ended

    play(tmp_path, act)


def test_an_upload_without_any_way_to_the_proxy_says_so(tmp_path):
    async def act(desk: Desk) -> None:
        desk.world.kube.drop("cdiconfigs", "config")
        ended = await desk.upload("dv", "disk", "--size", "1Gi", "--image-path", str(desk.image))
        assert ended.status == 1
        assert "uploadproxy URL not found" in ended.errors
        assert "--uploadproxy-url" in ended.errors

    play(tmp_path, act)


def test_stock_nginx_and_connections_that_break_cost_little(tmp_path):
    async def act(desk: Desk) -> None:
        desk.content = os.urandom(40 * MIB)
        desk.image.write_bytes(desk.content)
        async with gateway.through(
            tmp_path / "nginx", desk.world.proxy.port, cut_after=12 * MIB + 1000
        ) as way:
            words = ("dv", "disk", "--size", "1Gi", "--image-path", str(desk.image))
            ended = await desk.upload(*words, "--uploadproxy-url", way.url)
        assert ended.status == 0, ended
        assert desk.arrived == desk.content
        assert way.cuts >= 3
        assert way.sent <= len(desk.content) + way.cuts * 2 * MIB

    play(tmp_path, act)
