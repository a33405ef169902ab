"""
Show how much of the code one import goes through: `scripts/trace_import.py`.

Imports a small qcow2 image over HTTP within this process, and follows every call. Printed is, for
each file of ours in which a function ran, how long it is, and how long the functions in it that
ran are (from `def` to their last line, docstrings and comments included); then the sums. A file
that was only imported is not counted: whoever follows a byte never opens it.

What a reader has to know to understand an import can be seen to grow here.
"""

from __future__ import annotations

import argparse
import ast
import functools
import http.server
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from cdi.cli import main as program

OURS = Path(__file__).resolve().parent.parent / "src" / "cdi"
DISK = 8 << 20


class Ranges(http.server.BaseHTTPRequestHandler):
    """Serves the one file with ranges, as any web server does."""

    protocol_version = "HTTP/1.1"

    def __init__(self, data: bytes, *arguments: Any) -> None:
        self._data = data
        super().__init__(*arguments)

    def do_GET(self) -> None:
        total = len(self._data)
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        start, end = (int(asked[1]), min(int(asked[2]) + 1, total)) if asked else (0, total)
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{total}")
        self.send_header("ETag", '"one"')
        self.send_header("Content-Length", str(end - start))
        self.end_headers()
        self.wfile.write(self._data[start:end])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def served(data: bytes) -> Iterator[str]:
    """Serve `data` at the URL that is given."""
    handler = functools.partial(Ranges, data)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/disk.qcow2"
        server.shutdown()


def image(directory: Path) -> bytes:
    """Return a qcow2 image that is half full."""
    raw, qcow2 = directory / "disk.raw", directory / "disk.qcow2"
    raw.write_bytes(os.urandom(DISK // 2) + bytes(DISK // 2))
    command = ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(raw), str(qcow2)]
    subprocess.run(command, check=True)
    return qcow2.read_bytes()


class Trace:
    """The functions of ours that ran, in any thread."""

    def __init__(self) -> None:
        self.ran: set[CodeType] = set()

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            self.ran.add(frame.f_code)

    @contextmanager
    def following(self) -> Iterator[None]:
        """Follow what is called within the block."""
        threading.setprofile(self)
        sys.setprofile(self)
        try:
            yield
        finally:
            sys.setprofile(None)
            threading.setprofile(None)  # type: ignore[arg-type]

    def functions(self) -> dict[Path, set[int]]:
        """The first lines of what ran, by file; modules that were only loaded left out."""
        found: dict[Path, set[int]] = defaultdict(set)
        for code in self.ran:
            path = Path(code.co_filename)
            if path.is_relative_to(OURS) and code.co_name != "<module>":
                found[path].add(code.co_firstlineno)
        return found


def lines_of(path: Path, first_lines: set[int]) -> tuple[int, int]:
    """Return the length of a file, and the lines of those functions in it that ran."""
    source = path.read_text()
    lines: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            if first in first_lines:
                lines.update(range(first, (node.end_lineno or first) + 1))
    return source.count("\n"), len(lines)


def main() -> None:
    options = argparse.ArgumentParser(description="Count what one HTTP import crosses.")
    options.add_argument("--sums", action="store_true", help="print the last line only")
    only_sums = options.parse_args().sums
    trace = Trace()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with served(image(directory)) as url, trace.following():
            imported(url, directory / "disk.img")
        if (directory / "disk.img").read_bytes() != (directory / "disk.raw").read_bytes():
            sys.exit("the disk is another one")
    counted = {path: lines_of(path, ran) for path, ran in sorted(trace.functions().items())}
    for path, (length, ran) in counted.items():
        if ran and not only_sums:
            print(f"{length:6} {ran:6}  {path.relative_to(OURS)}")
    crossed = [pair for pair in counted.values() if pair[1]]
    length, ran = sum(pair[0] for pair in crossed), sum(pair[1] for pair in crossed)
    print(f"{len(crossed)} files, {length} lines; {ran} lines in functions that ran")


def imported(url: str, target: Path) -> None:
    """Run `cdi import` here and now."""
    sys.argv = ["cdi", "import", url, "-o", str(target), "--json"]
    try:
        program.main()
    except SystemExit as end:
        if end.code:
            raise


if __name__ == "__main__":
    main()
