"""`cdi up` as a command: what it takes, and what it says where it cannot start."""

import socket
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from cdi.cli.main import main
from cdi.standalone.store import log
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
    assert f"cannot listen on {address}: address already in use" in done.stderr
    assert "--listen" in done.stderr


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


def up(directory, *more):
    """The end of a `cdi up` that cannot start: one line that is no traceback, and status 1."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "cdi",
            "up",
            "--data-dir",
            directory,
            "--listen",
            "127.0.0.1:0",
            *more,
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert done.stderr.startswith("cdi up: ")
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def database(directory, *statements):
    """A state.db with tables of any kind, several pages long."""
    directory.mkdir()
    with closing(sqlite3.connect(directory / "state.db")) as found:
        for statement in statements:
            found.execute(statement)
        found.commit()
    return directory / "state.db"


def test_a_state_that_is_no_database_is_named_with_what_to_do(tmp_path):
    database(tmp_path / "d").write_bytes(b"junk" * 1000)
    said = up(tmp_path / "d")
    assert f"{tmp_path}/d/state.db cannot be read: file is not a database" in said
    assert "backup" in said


def test_a_damaged_state_is_named_with_what_to_do(tmp_path):
    path = database(tmp_path / "d", *log._TABLES, "pragma user_version = 1")
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)
    said = up(tmp_path / "d")
    assert f"{tmp_path}/d/state.db cannot be read: database disk image is malformed" in said


def test_a_state_of_a_newer_version_is_named_with_what_to_do(tmp_path):
    database(tmp_path / "d", "pragma user_version = 99")
    said = up(tmp_path / "d")
    assert f"{tmp_path}/d/state.db" in said
    assert "use that version or newer" in said


def test_a_directory_in_place_of_the_state_is_named(tmp_path):
    (tmp_path / "d" / "state.db").mkdir(parents=True)
    assert f"{tmp_path}/d/state.db" in up(tmp_path / "d")


@pytest.mark.parametrize("name", ["logs", "pki"])
def test_a_file_in_place_of_a_directory_is_named(name, tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / name).touch()
    said = up(tmp_path / "d")
    assert f"{tmp_path}/d/{name}" in said
    assert "Errno" not in said


@pytest.mark.parametrize(
    ("listen", "said"),
    [
        pytest.param("192.0.2.1:0", "192.0.2.1:0: cannot assign requested address", id="not-here"),
        pytest.param("nowhere.invalid:0", "nowhere.invalid:0: name or service", id="no-such-name"),
    ],
)
def test_an_address_that_cannot_be_had_is_named_with_the_option(listen, said, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "cdi", "up", "--data-dir", tmp_path / "d", "--listen", listen],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert f"cdi up: cannot listen on {said}" in done.stderr
    assert "--listen" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(("--data-dir", ""), "--data-dir", id="empty"),
        pytest.param(("--data-dir", "{file}"), "is a file", id="file"),
        pytest.param(("--data-dir", "~nobody-here/x"), "home directory", id="no-such-user"),
        pytest.param(("--vddk-libdir", ""), "--vddk-libdir", id="empty-library"),
        pytest.param(("--vddk-libdir", "{file}"), "is a file", id="library-is-a-file"),
        pytest.param(("--vddk-libdir", "/nowhere"), "does not exist", id="no-library"),
    ],
)
def test_a_directory_that_is_none_is_usage(words, said, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").touch()
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(here))
    given = [word.format(file=tmp_path / "file") for word in words]
    with pytest.raises(SystemExit) as ended:
        main(["up", "--listen", "127.0.0.1:1", *given])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
    assert list(here.iterdir()) == []
