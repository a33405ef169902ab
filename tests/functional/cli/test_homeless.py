"""Users without a home directory, as containers have them."""

import os
import shutil
import subprocess
import sys

import pytest

NOBODY = ("unshare", "--user", "--map-user=4242")


def may_be_somebody_else():
    done = (
        subprocess.run([*NOBODY, "true"], capture_output=True) if shutil.which("unshare") else None
    )
    return done is not None and done.returncode == 0


pytestmark = pytest.mark.skipif(
    not may_be_somebody_else(), reason="no user namespaces for this user"
)


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        pytest.param(("status",), 1, "no API server is known", id="status"),
        pytest.param(("explain", "dv", "x"), 1, "no API server is known", id="explain"),
        pytest.param(("up", "--listen", "127.0.0.1:0"), 2, "--data-dir", id="up"),
    ],
)
def test_a_place_is_asked_for_where_there_is_no_home(words, status, said):
    environment = {key: value for key, value in os.environ.items() if key in ("PATH", "PYTHONPATH")}
    done = subprocess.run(
        [*NOBODY, sys.executable, "-m", "cdi", *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == status
    assert said in done.stderr
    assert "Traceback" not in done.stderr
