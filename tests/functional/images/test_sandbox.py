"""A confined program gets its limits and its files, and nothing else."""

import ctypes
import os
import select
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cdi.images import errors
from cdi.images.confined import sandbox

# Landlock's "which version" call; -1 where the kernel has none.
LANDLOCK = ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), 1)
needs_landlock = pytest.mark.skipif(LANDLOCK < 1, reason="the kernel has no Landlock")

NAMESPACES = any(
    subprocess.run(["unshare", flags, "true"], capture_output=True).returncode == 0
    for flags in ("-n", "-Un")
)


def shell(script, **options):
    return sandbox.Run(["/bin/sh", "-c", script], **options).finish(timeout=60)


def python(code):
    interpreter = str(Path(sys.executable).resolve())
    run = sandbox.Run([interpreter, "-I", "-S", "-c", code], read=[Path(sys.base_prefix)])
    ended = run.finish(timeout=60)
    assert ended.status == 0, ended.complaint
    return ended.output


def test_output_and_status_come_back():
    ended = shell("echo out; echo err >&2; exit 3")
    assert (ended.status, ended.output, ended.complaint) == (3, "out", "err")


def test_endless_words_are_cut_off():
    ended = shell("yes | head -c 900000 | tr -d '\\n'; yes | head -c 900000 | tr -d '\\n' >&2")
    assert (ended.status, len(ended.output), len(ended.complaint)) == (0, 65536, 65536)


@pytest.mark.parametrize(
    ("limits", "question", "answer"),
    [
        pytest.param(sandbox.Limits(address_space=1 << 28), "ulimit -v", "262144", id="memory"),
        pytest.param(sandbox.Limits(cpu_seconds=7), "ulimit -t", "7", id="cpu"),
        pytest.param(sandbox.Limits(file_size=1 << 20), "ulimit -f", "2048", id="file-size"),
        pytest.param(sandbox.Limits(open_files=20), "ulimit -n", "20", id="open-files"),
        pytest.param(sandbox.Limits(), "ulimit -c", "0", id="no-core-dump"),
    ],
)
def test_limits_hold(limits, question, answer):
    assert shell(question, limits=limits).output == answer


def test_no_new_privileges_can_be_gained():
    assert python("import ctypes; print(ctypes.CDLL(None).prctl(39, 0, 0, 0, 0))") == "1"


@pytest.mark.skipif(not NAMESPACES, reason="this system allows no network namespaces")
def test_no_network_can_be_reached():
    assert python("import socket; print([name for _, name in socket.if_nameindex()])") == "['lo']"


def test_the_environment_is_empty(monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "hidden")
    assert "hidden" not in shell("set").output


def test_standard_input_is_empty():
    assert shell("wc -c").output == "0"


@needs_landlock
def test_files_that_were_not_named_cannot_be_opened(tmp_path):
    secret, given, target = (tmp_path / name for name in ("secret", "given", "target"))
    for path in (secret, given, target):
        path.write_text(path.name)
    ended = shell(
        f"cat {given}; cat {secret}; cat /etc/passwd; echo new > {target}; echo x > {given}",
        read=[given],
        write=[target],
    )
    assert (ended.output, target.read_text(), given.read_text()) == ("given", "new\n", "given")
    assert ended.complaint.count("ermission denied") == 3


def test_a_program_that_takes_too_long_is_killed():
    with pytest.raises(TimeoutError):
        sandbox.Run(["/bin/sleep", "1000"]).finish(timeout=0)


def ended(child):
    """Whether the process ends within ten seconds."""
    return bool(select.select([child], [], [], 10)[0])


def test_a_cancelled_program_is_killed_with_its_children():
    cancel, children = threading.Event(), []

    def started(piece):
        children.append(os.pidfd_open(int(piece)))
        cancel.set()

    run = sandbox.Run(["/bin/sh", "-c", "sleep 1000 & echo $!; wait"], on_output=started)
    with pytest.raises(errors.Cancelled):
        run.finish(cancel)
    assert ended(children[0])


def test_a_program_dies_with_the_process_that_started_it():
    code = (
        "from cdi.images.confined import sandbox; import os\n"
        "run = sandbox.Run(['/bin/sh', '-c', 'echo $$; exec sleep 1000'],"
        " on_output=lambda piece: os.write(1, piece))\n"
        "run.finish()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        child = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
    assert ended(child)
