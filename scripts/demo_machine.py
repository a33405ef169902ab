#!/usr/bin/env python3
"""
Show CDI on one machine: `make run`, second half; or by itself with `--url URL`.

Starts `cdi up` over a fresh directory, applies a DataVolume with stock kubectl, follows it with
`cdi status`, and shows what came of it: the DataVolume, its disk, the times. Then stops `cdi up`.
Nothing outside the directory is touched, and it stays for a look. Exit status 0 if all went well.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import yaml

# A script's own folder is on the path; the checkout, which has `bench`, is not.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import contenders, machine, tools
from bench.machine import Machine

ROOT: Final = Path(__file__).resolve().parents[1]
WORK: Final = ROOT / "run" / "demo"
SIZE: Final = "6Gi"  # room for a usual cloud image; the disk is sparse
NAME: Final = "golden"
_CDI: Final = ("cdi",)
_PHASE: Final = 2  # the column of `cdi status`, after namespace and name

MANIFEST: Final = """\
apiVersion: cdi.kubevirt.io/v1beta1
kind: DataVolume
metadata:
  name: {name}
spec:
  source:
    http:
      url: {url}
  storage:
    resources:
      requests:
        storage: {size}
"""


def main() -> int:
    parser = argparse.ArgumentParser(description="Import a disk with `cdi up` and kubectl.")
    parser.add_argument("--url", required=True, help="of the image, over http or https")
    parser.add_argument("--size", default=SIZE, help=f"of the volume; {SIZE} unless given")
    asked = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    try:
        return show(asked.url, WORK, asked.size)
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130


def show(image_url: str, work: Path, size: str = SIZE) -> int:
    """Import `image_url` into a volume of a machine below `work`; return the exit status."""
    data_dir = work / "machine"
    shutil.rmtree(data_dir, ignore_errors=True)
    try:
        title("Starting CDI on this machine")
        one = Machine(data_dir)
        _command([*_CDI, *one.argv[len(contenders.cdi()) :]])
        with one:
            print(f"kubeconfig: {_near(one.kubeconfig)}")
            print(f"ready    after {one.to_ready:.2f} s")
            print(f"commands are in {_near(Path(sys.executable).parent)}; they find it by")
            print(f"$ export KUBECONFIG={_near(one.kubeconfig)}", flush=True)
            done = _Tour(one, work).run(image_url, size)
            print("\nstopping cdi up ...", flush=True)
            status = one.close()
        if status:
            raise tools.ToolFailed(f"cdi up ended with status {status}")
        if not done:
            raise tools.ToolFailed("the disk was not imported, see above")
    except tools.ToolFailed as error:
        print(f"\nFAILED: {error}", file=sys.stderr)
        return 1
    print(f"\nOK - the disk is {_near(data_dir / 'volumes')}/*/disk.img")
    print(f"go on with it: cdi up --data-dir {_near(data_dir)}")
    return 0


class _Tour:
    """What is shown on a machine that runs."""

    def __init__(self, one: Machine, work: Path) -> None:
        self._one = one
        self._manifest = work / "datavolume.yaml"

    def run(self, url: str, size: str) -> bool:
        """Return whether the volume Succeeded."""
        title("Asking for a disk")
        self._manifest.write_text(manifest(url, size), encoding="utf-8")
        print(self._manifest.read_text(encoding="utf-8"))
        began = time.perf_counter()
        self._kubectl("apply", "-f", str(self._manifest))
        phase = self._follow()
        seconds = time.perf_counter() - began
        if phase != "Succeeded":
            self._explain()
            return False
        print(f"Succeeded {seconds:.2f} s after kubectl apply was started")
        self._show_volume()
        return True

    def _follow(self) -> str:
        """Show how far it is until it has come to its end; return the last phase."""
        title("Following it")
        _command([*_CDI, "status", "--watch"])
        words = [*contenders.cdi(), "status", "--watch"]
        with subprocess.Popen(
            words, stdout=subprocess.PIPE, text=True, env=self._one.environment()
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                print(line, end="", flush=True)
                phase = next(iter(line.split()[_PHASE:]), "")
                if phase in ("Succeeded", "Failed"):
                    process.terminate()
                    return phase
        raise tools.ToolFailed(f"cdi status ended with status {process.returncode}")

    def _show_volume(self) -> None:
        title("What came of it")
        self._kubectl("get", "dv,pvc,pv", "-o", "wide")
        _command(["kubectl", "get", "dv", NAME, "-o", "yaml"])
        print(yaml.safe_dump({"status": self._get("dv", NAME)["status"]}, sort_keys=False))
        claim = self._get("pvc", NAME)
        disk = self._one.data_dir / "volumes" / claim["spec"]["volumeName"] / "disk.img"
        _command(["qemu-img", "info", _near(disk)])
        print(tools.run(["qemu-img", "info", "-f", "raw", disk]).rstrip())

    def _explain(self) -> None:
        words = ["explain", "dv", NAME]
        _command([*_CDI, *words])
        subprocess.run([*contenders.cdi(), *words], env=self._one.environment(), check=False)

    def _kubectl(self, *words: str) -> None:
        _command(["kubectl", *(_near(Path(word)) if "/" in word else word for word in words)])
        print(self._one.kubectl(*words).rstrip(), flush=True)

    def _get(self, kind: str, name: str) -> machine.Document:
        return dict(json.loads(self._one.kubectl("get", kind, name, "-o", "json")))


def manifest(url: str, size: str) -> str:
    """Return a DataVolume that imports `url`."""
    return MANIFEST.format(name=NAME, url=json.dumps(url), size=size)


def title(text: str) -> None:
    """Print a heading."""
    print(f"\n== {text}", flush=True)


def _command(words: Sequence[object]) -> None:
    print("$", *words, flush=True)


def _near(path: Path) -> Path:
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


if __name__ == "__main__":
    sys.exit(main())
