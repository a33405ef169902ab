"""`cdi up` as a command: what it takes, and what it says where it cannot start."""

import socket
import subprocess
import sys

import pytest

from cdi.cli.main import main
from cdi.standalone.up import is_loopback


@pytest.mark.parametrize(
    "listen",
    [
        pytest.param("16443", id="no-host"),
        pytest.param(":16443", id="empty-host"),
        pytest.param("127.0.0.1:", id="no-port"),
        pytest.param("127.0.0.1:65536", id="port-too-large"),
        pytest.param("127.0.0.1:http", id="port-by-name"),
    ],
)
def test_an_address_has_host_and_port(listen, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["up", "--data-dir", str(tmp_path), "--listen", listen])
    assert ended.value.code == 2
    assert "is not HOST:PORT" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_port_that_is_taken_is_reported(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = subprocess.run(
            [sys.executable, "-m", "cdi", "up", "--data-dir", tmp_path / "d", "--listen", address],
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert (done.returncode, done.stdout) == (1, "")
    assert "address already in use" in done.stderr


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        pytest.param("127.0.0.1", True, id="v4"),
        pytest.param("::1", True, id="v6"),
        pytest.param("localhost", True, id="name"),
        pytest.param("0.0.0.0", False, id="all"),
        pytest.param("192.0.2.1", False, id="other"),
        pytest.param("example.org", False, id="other-name"),
    ],
)
def test_only_this_machine_reaches_loopback(host, loopback):
    assert is_loopback(host) is loopback
