"""
A real Chromium without a window, told what to do by its debugging protocol.

    async with browser.page(directory) as page:
        await page.open("https://localhost:1234/")
        await page.value("document.title")
"""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

PATIENCE = 30.0  # seconds for whatever a page is waited for, on a busy machine


class Page:
    """One tab."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._loaded: set[str] = set()  # documents
        self._changed = asyncio.Condition()
        self.complaints: list[str] = []  # what the console shows as errors
        self._reading = asyncio.ensure_future(self._read())

    async def start(self) -> None:
        for domain in ("Page", "Runtime", "Log", "DOM", "Accessibility"):
            await self.call(f"{domain}.enable")
        await self.call("Page.setLifecycleEventsEnabled", enabled=True)
        # Keys go to whatever has the focus, also of a window that nobody sees.
        await self.call("Emulation.setFocusEmulationEnabled", enabled=True)
        await self.call("Page.bringToFront")

    async def close(self) -> None:
        self._reading.cancel()
        await self._socket.close()

    async def call(self, method: str, **parameters: Any) -> Any:
        number = next(self._numbers)
        self._answers[number] = asyncio.get_running_loop().create_future()
        message = {"id": number, "method": method, "params": parameters}
        await self._socket.send_str(json.dumps(message))
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._answers[number]
        finally:
            del self._answers[number]

    async def open(self, url: str) -> None:
        """Return once this very document is complete, scripts included."""
        document = await self.call("Page.navigate", url=url)
        async with asyncio.timeout(PATIENCE), self._changed:
            await self._changed.wait_for(lambda: document["loaderId"] in self._loaded)

    async def value(self, expression: str) -> Any:
        """What a piece of JavaScript says; promises are awaited."""
        answer = await self.call(
            "Runtime.evaluate",
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
        if "exceptionDetails" in answer:
            raise AssertionError(answer["exceptionDetails"])
        return answer["result"].get("value")

    async def until(self, expression: str) -> None:
        """Wait for something to become true, looked at with every frame."""
        await self.value(
            "new Promise((done) => { const look = () => "
            f"({expression}) ? done(true) : setTimeout(look, 20); look(); }})"
        )

    async def choose_file(self, selector: str, path: Path) -> None:
        """As if somebody had chosen it in the dialog."""
        document = await self.call("DOM.getDocument")
        found = await self.call(
            "DOM.querySelector", nodeId=document["root"]["nodeId"], selector=selector
        )
        await self.call("DOM.setFileInputFiles", files=[str(path)], nodeId=found["nodeId"])

    async def press(self, key: str, code: int) -> None:
        """A key of the keyboard."""
        for kind in ("keyDown", "keyUp"):
            await self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=code,
                text="\r" if key == "Enter" and kind == "keyDown" else "",
            )

    async def _read(self) -> None:
        async for message in self._socket:
            said = json.loads(message.data)
            self._take(said)
            async with self._changed:
                self._changed.notify_all()

    def _take(self, said: dict[str, Any]) -> None:
        if waiting := self._answers.get(said.get("id", 0)):
            if "error" in said:
                waiting.set_exception(AssertionError(said["error"]))
            else:
                waiting.set_result(said["result"])
        method, about = said.get("method"), said.get("params", {})
        if method == "Page.lifecycleEvent" and about["name"] == "load":
            self._loaded.add(about["loaderId"])
        elif method == "Log.entryAdded" and about["entry"]["level"] == "error":
            self.complaints.append(about["entry"]["text"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(about["exceptionDetails"]))
        elif method == "Page.javascriptDialogOpening":
            accept = self.call("Page.handleJavaScriptDialog", accept=True)
            self._dialog = asyncio.ensure_future(accept)


@asynccontextmanager
async def page(directory: Path) -> AsyncIterator[Page]:
    """A tab of a browser of its own; certificates are not what is tested with it."""
    process = await asyncio.create_subprocess_exec(
        _program(),
        "--headless=new",
        "--no-sandbox",  # root's has none
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--ignore-certificate-errors",
        "--remote-debugging-port=0",
        f"--user-data-dir={directory / 'browser'}",
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        base = await _listening(process)
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://{base}/json") as answer:
                tabs = await answer.json()
            (url,) = (each["webSocketDebuggerUrl"] for each in tabs if each["type"] == "page")
            tab = Page(await session.ws_connect(url, max_msg_size=0))
            await tab.start()
            yield tab
            await tab.close()
    finally:
        process.terminate()
        await process.wait()


def _program() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        raise RuntimeError("chromium is missing; scripts/setup installs it")
    return found


async def _listening(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    async with asyncio.timeout(PATIENCE):
        async for line in process.stderr:
            text = line.decode(errors="replace")
            if "DevTools listening on ws://" in text:
                return text.partition("ws://")[2].partition("/")[0]
    raise AssertionError("the browser does not start")
