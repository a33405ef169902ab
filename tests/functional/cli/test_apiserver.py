"""`cdi apiserver` serves by the files it is given, and leaves when asked."""

import json
import os
import signal
import ssl
import subprocess
import sys
import urllib.request

import pytest

from support import apiserver, cdiapi, serving

START = [sys.executable, "-m", "cdi", "apiserver", "--listen", "127.0.0.1:0"]


def test_an_api_server_becomes_ready_and_stops_when_asked(tmp_path):
    signer = serving.authority()
    files = serving.written(tmp_path / "server", serving.server_pair(signer))
    environment = {"CERT_FILE": str(files.certificate), "KEY_FILE": str(files.key)}
    with apiserver.running(tmp_path / "state", cdiapi.hooks()) as server:
        cdiapi.Kubernetes(server).prepare()
        with subprocess.Popen(
            [*START, "--kubeconfig", str(server.kubeconfig)],
            env={**os.environ, **environment},
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stderr is not None
            lines = (json.loads(line) for line in process.stderr)
            port = next(line["port"] for line in lines if line["msg"] == "server listens")
            next(line for line in lines if line["msg"] == "ready")
            url = f"https://{serving.HOST}:{port}/readyz"
            context = ssl.create_default_context(cadata=signer.certificate)
            with urllib.request.urlopen(url, context=context, timeout=30) as answer:
                assert answer.read() == b"ok"
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
            assert "server has stopped" in [line["msg"] for line in lines]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param({}, "neither id_rsa nor a public key", id="empty"),
        pytest.param({"id_rsa": "eA=="}, "entry id_rsa of Secret", id="no-key"),
    ],
)
def test_keys_that_cannot_be_used_end_the_start_with_a_reason(tmp_path, data, why):
    with apiserver.running(tmp_path / "state", cdiapi.hooks()) as server:
        secret = {"metadata": {"name": "cdi-api-signing-key"}, "data": data}
        server.create(f"/api/v1/namespaces/{cdiapi.NAMESPACE}/secrets", secret)
        ended = subprocess.run(
            [*START, "--kubeconfig", str(server.kubeconfig)],
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert ended.returncode == 1
    assert why in ended.stderr
