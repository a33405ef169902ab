"""`cdi uploadproxy` serves by the files it is given, and leaves when asked."""

import json
import os
import signal
import ssl
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from cdi import pki
from support import apiserver, serving

START = [sys.executable, "-m", "cdi", "uploadproxy", "--listen", "127.0.0.1:0"]


def test_a_proxy_becomes_ready_refuses_strangers_and_stops_when_asked(tmp_path):
    signer = serving.authority()
    files = serving.written(tmp_path / "server", serving.server_pair(signer))
    environment = {
        "SERVER_CERT_FILE": str(files.certificate),
        "SERVER_KEY_FILE": str(files.key),
        "APISERVER_PUBLIC_KEY": pki.make_rsa_pair()[1],
    }
    with (
        apiserver.running(tmp_path / "state") as server,
        subprocess.Popen(
            [*START, "--kubeconfig", str(server.kubeconfig)],
            env={**os.environ, **environment},
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        assert process.stderr is not None
        lines = (json.loads(line) for line in process.stderr)
        port = next(line["port"] for line in lines if line["msg"] == "server listens")
        context = ssl.create_default_context(cadata=signer.certificate)
        base = f"https://{serving.HOST}:{port}"
        with urllib.request.urlopen(f"{base}/readyz", context=context, timeout=30) as answer:
            assert answer.read() == b"ok"
        with pytest.raises(urllib.error.HTTPError, match="400"):
            urllib.request.urlopen(f"{base}/v1beta1/upload", b"x", context=context, timeout=30)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_without_a_key_for_tokens_it_does_not_start(tmp_path):
    environment = {**os.environ, "APISERVER_PUBLIC_KEY": ""}
    ended = subprocess.run(
        [*START, "--token-keys", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
    )
    assert ended.returncode == 1
    assert "APISERVER_PUBLIC_KEY" in ended.stderr
