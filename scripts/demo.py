#!/usr/bin/env python3
"""
Show the main job on real input: `make run [URL=...]`.

Makes a compressed qcow2 that holds a real file system, serves it with nginx, imports it with
`cdi import`, and compares disk and time with curl and qemu-img. With a URL, imports that instead.
Works in `run/demo`, which is cleaned at the next start. Exit status 0 if all went well.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# A script's own folder is on the path; the checkout, which has `bench`, is not.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import demo_machine
from bench import contenders, disk, tools, webserver

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / "run" / "demo"
IMAGE_SIZE = 768 << 20  # a few seconds of work: long enough to compare, short enough to watch
# What the demo makes is compressed as images are that people download.
IMAGE_KIND = "qcow2-zlib"


@dataclass(frozen=True)
class Comparison:
    """The way with plain tools: its disk and how long it took."""

    disk: Path
    seconds: float


def main() -> int:
    parser = argparse.ArgumentParser(description="Import a disk image and compare with qemu-img.")
    parser.add_argument("--url", help="import this instead of an image made here")
    url = parser.parse_args().url
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    try:
        with contextlib.nullcontext(url) if url else served(image(WORK)) as address:
            show(address)
            if status := demo_machine.show(address, WORK):
                return status
    except tools.ToolFailed as error:
        print(f"\nFAILED: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130
    print(f"OK - the same disk, by `cdi import`, is {_near(WORK / 'disk.img')}")
    return 0


def show(url: str) -> None:
    """Import `url`, and print what came of it. Raises ToolFailed."""
    title("Importing")
    seconds = imported(url, WORK / "disk.img")
    print(f"reason   Completed, in {seconds:.2f} s from start to exit")
    title("The disk")
    print(tools.run(["qemu-img", "info", "-f", "raw", WORK / "disk.img"]).rstrip())
    title("The same with plain tools")
    plain = compared(url)
    ratio = plain.seconds / seconds
    print(f"cdi import                              {seconds:8.2f} s")
    print(f"curl to scratch, then qemu-img convert  {plain.seconds:8.2f} s   {ratio:.2f} x as long")
    plain.disk.unlink()


def image(folder: Path) -> Path:
    """Make a real compressed qcow2 with a file system of real files; return its path."""
    title("Making an image")
    print(f"an ext4 of {IMAGE_SIZE >> 20} MiB with files of this machine, then a compressed qcow2")
    raw = disk.make_raw(folder, IMAGE_SIZE)
    packed = disk.make_variant(raw, IMAGE_KIND, folder)
    raw.unlink()
    path = packed.rename(folder / "image.qcow2")
    print(f"{_near(path)}: {path.stat().st_size / (1 << 20):.0f} MiB")
    return path


@contextlib.contextmanager
def served(path: Path) -> Iterator[str]:
    """Serve the file with nginx, and give its URL."""
    with webserver.Nginx(path.parent) as server:
        yield server.url(path)


def imported(url: str, target: Path) -> float:
    """Run `cdi import`, its progress on this terminal; return the seconds. Raises ToolFailed."""
    print(f"$ cdi import {url} -o {_near(target)}", flush=True)
    os.sync()  # neither contender waits for what making the image has left to write
    began = time.perf_counter()
    done = subprocess.run([*contenders.cdi(), "import", url, "-o", target])
    seconds = time.perf_counter() - began
    if done.returncode:
        raise tools.ToolFailed(f"cdi import ended with status {done.returncode}, reason above")
    return seconds


def compared(url: str) -> Comparison:
    """Make the disk again with curl and qemu-img, and insist that both are alike."""
    scratch, target = WORK / "scratch", WORK / "plain.img"
    os.sync()
    began = time.perf_counter()
    plain(url, scratch, target)
    seconds = time.perf_counter() - began
    answer = tools.run(["qemu-img", "compare", "-f", "raw", "-F", "raw", WORK / "disk.img", target])
    print(f"qemu-img compare: {answer.strip()}")
    scratch.unlink()
    return Comparison(target, seconds)


def plain(url: str, scratch: Path, target: Path) -> None:
    """Download to a scratch file, unpack it if need be, convert it; both synced."""
    unpack = next((f" | {words}" for end, words in UNPACK.items() if url.endswith(end)), "")
    tools.run(
        ["bash", "-c", f'set -o pipefail; curl -sSfL "$1"{unpack} >"$2"', "curl", url, scratch]
    )
    tools.run(["sync", scratch])
    tools.run(["qemu-img", "convert", "-t", "writeback", "-O", "raw", scratch, target])
    tools.run(["sync", target])


UNPACK = {".gz": "gzip -dc", ".xz": "xz -dc", ".zst": "zstd -dc", ".bz2": "bzip2 -dc"}


def title(text: str) -> None:
    """Print a heading."""
    print(f"\n== {text}", flush=True)


def _near(path: Path) -> Path:
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


if __name__ == "__main__":
    sys.exit(main())
