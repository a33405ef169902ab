"""
The `cdi` command: what it offers, and how it ends.

Exit status: that of the command; 1 for output that cannot be written, 2 for a command line that
cannot be understood, 130 for Ctrl-C.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import Final

import click

import cdi

EXIT_FAILED: Final = 1
EXIT_INTERRUPTED: Final = 130

_STREAMS: Final = ("stdin", "stdout", "stderr")


def _import() -> click.Command:
    from cdi.cli.commands import import_disk

    return import_disk.command


def _up() -> click.Command:
    from cdi.cli.commands import up

    return up.command


def _status() -> click.Command:
    from cdi.cli.commands import status

    return status.command


def _explain() -> click.Command:
    from cdi.cli.commands import explain

    return explain.command


def _controller() -> click.Command:
    from cdi.cli.commands import controller

    return controller.command


def _apiserver() -> click.Command:
    from cdi.cli.commands import apiserver

    return apiserver.command


def _upload_proxy() -> click.Command:
    from cdi.cli.commands import uploadproxy

    return uploadproxy.command


def _bootsources() -> click.Command:
    from cdi.cli.commands import bootsources

    return bootsources.command


def _operator() -> click.Command:
    from cdi.cli.commands import operator

    return operator.command


def _manifests() -> click.Command:
    from cdi.cli.commands import manifests

    return manifests.command


def _hostpath() -> click.Command:
    from cdi.cli.commands import hostpath

    return hostpath.command


def _crds() -> click.Command:
    from cdi.cli.commands import crds

    return crds.command


def _image_upload() -> click.Command:
    from cdi.cli.commands import image_upload

    return image_upload.command


def _completion() -> click.Command:
    from cdi.cli.commands import completion

    return completion.command


# In the order in which the help shows them. Each is loaded when it is asked for only.
_COMMANDS: Final[Mapping[str, Callable[[], click.Command]]] = {
    "import": _import,
    "image-upload": _image_upload,
    "up": _up,
    "status": _status,
    "explain": _explain,
    "controller": _controller,
    "apiserver": _apiserver,
    "uploadproxy": _upload_proxy,
    "bootsources": _bootsources,
    "operator": _operator,
    "hostpath": _hostpath,
    "manifests": _manifests,
    "crds": _crds,
    "completion": _completion,
}


class _Commands(click.Group):
    """The commands of `_COMMANDS`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        load = _COMMANDS.get(cmd_name)
        return None if load is None else load()


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
)
@click.version_option(cdi.__version__, message="%(version)s")
def program() -> None:
    """Fill volumes with virtual-machine disks."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; exits with its status."""
    _ensure_streams()
    try:
        status = program.main(arguments, prog_name="cdi", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        _discard_output()  # whoever read it has read enough
        sys.exit(EXIT_FAILED)
    except OSError as error:
        _discard_output()
        about = "standard output" if error.filename is None else error.filename
        click.echo(f"cdi: {about}: {(error.strerror or str(error)).lower()}", err=True)
        sys.exit(EXIT_FAILED)
    sys.exit(status)


def _ensure_streams() -> None:
    """Open those that whoever started us has closed, and let names of any bytes be printed.

    Without, a disk could be opened as number 1, and get what a child prints.
    """
    while (opened := os.open(os.devnull, os.O_RDWR)) < len(_STREAMS):
        os.set_inheritable(opened, True)
    os.close(opened)
    for number, name in enumerate(_STREAMS):
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115 - a number, open until the end
    for stream in (sys.stdout, sys.stderr):
        unicode = getattr(stream, "encoding", "").lower().replace("-", "") == "utf8"
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="surrogateescape" if unicode else "backslashreplace")


def _discard_output() -> None:
    """Let what is still to be written vanish, after a write that failed."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
