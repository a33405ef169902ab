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
from cdi.images.confined import sandbox, walls

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


def without_namespaces(code):
    """What Python prints in a place where no namespace can be made."""
    deny = "echo 0 > /proc/sys/user/max_net_namespaces; echo 0 > /proc/sys/user/max_user_namespaces"
    command = ["unshare", "-Ur", "sh", "-c", f'{deny}; exec "$@"', "sh", sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip(), done.stderr.strip()


needs_namespaces = pytest.mark.skipif(not NAMESPACES, reason="to take them away, some are needed")
LISTENING = """
import socket, sys
from pathlib import Path
from cdi.images.confined import sandbox, walls
server = socket.create_server(("127.0.0.1", 0))
code = f"import socket; socket.create_connection(('127.0.0.1', {server.getsockname()[1]}))"
run = sandbox.Run([str(Path(sys.executable).resolve()), "-I", "-S", "-c", code],
                  read=[Path(sys.base_prefix)])
print(run.finish(timeout=60).complaint.splitlines()[-1:], sandbox.missing_walls())
"""


@needs_namespaces
@pytest.mark.skipif(LANDLOCK < 4, reason="the kernel's Landlock has no rules for networks")
def test_without_namespaces_landlock_holds_the_network():
    printed, _ = without_namespaces(LISTENING)
    assert printed == "['PermissionError: [Errno 13] Permission denied'] []"


MISSING = """
from cdi.images.confined import walls
import logging
logging.basicConfig(format="%(message)s %(missing)s", level=logging.WARNING)
walls.tell(["files"])
walls.tell(["files", "network"])
walls.tell([])
"""


def test_missing_walls_are_told_once_a_process():
    done = subprocess.run([sys.executable, "-c", MISSING], capture_output=True, text=True)
    assert done.stderr == "other people's programs run without a wall ['files']\n"


@pytest.fixture
def required():
    walls.require()
    yield
    walls.require(required=False)


def test_where_all_walls_stand_a_program_runs_though_they_are_required(required):
    if sandbox.missing_walls():
        pytest.skip("this system lacks some")
    assert shell("echo out").output == "out"


def test_where_walls_are_required_and_missing_nothing_runs(required, tmp_path):
    trace = tmp_path / "was-here"
    tool = ["/bin/sh", "-c", f"echo x > {trace}"]
    with pytest.raises(errors.Unconfined, match=r"no wall around network .* Linux 6\.7"):
        OldKernel(tool, own=[tmp_path]).finish(timeout=60)
    with pytest.raises(errors.Unconfined, match="no wall around network"):
        OldKernel(tool, own=[tmp_path]).start()
    assert not trace.exists()


class OldKernel(sandbox.Run):
    """A run on a system without network namespaces, and with Landlock of Linux 5.13."""

    def _command(self, report):
        interpreter, *flags, file, order = (command := super()._command(report))[:5]
        tool = command[5:]
        code = (
            "import runpy, sys; sys.argv = sys.argv[1:]; "
            f"confine = runpy.run_path({file!r}); main = confine['main']; "
            "main.__globals__['_leave_network'] = lambda: False; "
            "main.__globals__['_NET_SINCE'] = 1 << 30; main(sys.argv)"
        )
        return [interpreter, *flags, "-c", code, order, *tool]
