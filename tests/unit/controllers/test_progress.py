"""Where importers say how far they are, and what is made of it."""

from typing import Any

import pytest

from cdi.controllers.progress import EVERY, Progress, address_of, parse_progress
from cdi.kube.objects import Object
from support.fakeclock import FakeClock, settle
from support.loop import in_loop

METRICS = """# HELP kubevirt_cdi_import_progress_total x
kubevirt_cdi_import_progress_total{ownerUID="other"} 1
kubevirt_cdi_import_progress_total{ownerUID="u-1"} 12.3456
"""


def pod(phase: str = "Running", ip: str = "10.0.0.1", port: object = 8443, **given: str) -> Object:
    ports = [{"name": "metrics", "containerPort": port}]
    return {
        "metadata": {"uid": "p", "annotations": given},
        "spec": {"containers": [{"name": "importer", "ports": ports}]},
        "status": {"phase": phase, "podIP": ip},
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(METRICS, "12.35%", id="two-decimals"),
        pytest.param(METRICS.replace("12.3456", "100"), "100.00%", id="full"),
        pytest.param(METRICS.replace("u-1", "u.1"), None, id="the-uid-is-no-pattern"),
        pytest.param("", None, id="nothing"),
        pytest.param('kubevirt_cdi_clone_progress_total{ownerUID="u-1"} 7', "7.00%", id="clone"),
        pytest.param('kubevirt_cdi_import_progress_total{ownerUID="u-1"} NaN', None, id="nonsense"),
    ],
)
def test_progress_is_read_from_metrics(text: str, expected: str | None) -> None:
    assert parse_progress(text, "u-1") == expected


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(pod(), "https://10.0.0.1:8443/metrics", id="declared-port"),
        pytest.param(pod(ip="fd00::1"), "https://[fd00::1]:8443/metrics", id="ipv6"),
        pytest.param(pod("Pending"), None, id="not-running"),
        pytest.param(pod(ip=""), None, id="no-address"),
        pytest.param(pod(ip="127.64.0.9"), "https://127.64.0.9:8443/metrics", id="one-machine"),
        pytest.param(pod(ip="169.254.169.254"), None, id="where-clouds-keep-secrets"),
        pytest.param(pod(ip="fe80::1%eth0"), None, id="link-local"),
        pytest.param(pod(ip="example.com"), None, id="a-name"),
        pytest.param(pod(ip="10.0.0.1:1/x?"), None, id="more-than-an-address"),
        pytest.param(pod(port="1/@example.com/"), None, id="a-port-that-is-none"),
        pytest.param(pod(port=70000), None, id="a-port-too-large"),
        pytest.param(
            pod(**{"cdi.kubevirt.io/metrics.port": "1@example.com/"}),
            "https://10.0.0.1:8443/metrics",
            id="annotations-say-nothing",
        ),
    ],
)
def test_where_metrics_are(found: Object, expected: str | None) -> None:
    assert address_of(found) == expected


@in_loop
async def test_an_importer_is_asked_in_the_background_and_not_too_often() -> None:
    asked: list[str] = []
    news: list[int] = []

    async def fetch(address: str) -> str:
        asked.append(address)
        return METRICS

    clock = FakeClock()
    progress = Progress(clock, fetch)
    args: tuple[Any, ...] = (pod(), "u-1", lambda: news.append(1))
    assert progress.of(*args) is None
    await settle()
    assert (progress.of(*args), len(asked), len(news)) == ("12.35%", 1, 1)
    await clock.advance(EVERY)
    assert progress.of(*args) == "12.35%"
    await settle()
    assert (len(asked), len(news)) == (2, 1)


@in_loop
async def test_an_importer_that_does_not_answer_keeps_its_last_word() -> None:
    answers = [METRICS]

    async def fetch(address: str) -> str:
        if answers:
            return answers.pop()
        raise ConnectionRefusedError

    clock = FakeClock()
    progress = Progress(clock, fetch)
    for _ in range(3):
        progress.of(pod(), "u-1", lambda: None)
        await settle()
        await clock.advance(EVERY)
    assert progress.of(pod(), "u-1", lambda: None) == "12.35%"
