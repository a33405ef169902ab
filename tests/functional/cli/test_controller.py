"""`cdi controller` and `cdi bootsources` tell probes and scrapers how they are, and leave."""

import json
import signal
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from cdi.api import crds
from cdi.standalone.apiserver.server import Hooks
from support import apiserver


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[apiserver.Running]:
    hooks = Hooks(definitions=crds.all())
    with apiserver.running(tmp_path_factory.mktemp("state"), hooks) as running:
        yield running


def _get(port: int, path: str, token: str = "") -> tuple[int, str]:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    request = urllib.request.Request(f"https://127.0.0.1:{port}{path}")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, context=context, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.parametrize(
    ("words", "metric"),
    [
        pytest.param(
            ["controller", "--worker-image", "worker"], "workqueue_depth", id="controller"
        ),
        pytest.param(["bootsources"], "kubevirt_hco_unsafe_modifications", id="bootsources"),
    ],
)
def test_a_controller_shows_health_and_metrics_and_stops_when_asked(server, words, metric):
    command = [sys.executable, "-m", "cdi", *words]
    options = ["--kubeconfig", str(server.kubeconfig), "--listen", "127.0.0.1:0"]
    with subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines = (json.loads(line) for line in process.stderr)
        port = next(line["port"] for line in lines if line["msg"] == "server listens")
        assert _get(port, "/healthz") == (200, "OK")
        while _get(port, "/readyz")[0] != 200:
            assert process.poll() is None
        assert _get(port, "/metrics")[0] == 401
        status, text = _get(port, "/metrics", server.token)
        assert (status, metric in text) == (200, True)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert "server has stopped" in [line["msg"] for line in lines]
