"""`cdi image-upload`: a file of this machine into a volume."""

from __future__ import annotations

from typing import Any

import click

from cdi.cli import loading, options, paramtypes


@click.command
@click.argument("words", nargs=-1, metavar="dv|pvc NAME")
@click.option("--image-path", default="", show_default=False, type=click.Path(), help="The image.")
@click.option(
    "--archive-path",
    default="",
    show_default=False,
    type=click.Path(),
    help="A tar instead, also compressed: files for a volume of files.",
)
@click.option(
    "--size", default="", show_default=False, metavar="SIZE", help="Of a new volume, like 10Gi."
)
@click.option(
    "--storage-class", default="", show_default=False, metavar="NAME", help="Of a new volume."
)
@click.option(
    "--access-mode",
    default="",
    show_default=False,
    metavar="MODE",
    help="Of a new volume, like ReadWriteOnce; the class's usual one unless given.",
)
@click.option(
    "--volume-mode",
    default="",
    show_default=False,
    metavar="block|filesystem",
    help="Of a new volume; the class's usual one unless given.",
)
@click.option("--no-create", is_flag=True, help="Only use a volume that is there.")
@click.option(
    "--uploadproxy-url",
    "proxy_url",
    default="",
    show_default=False,
    metavar="URL",
    help="Where the upload proxy is; found out unless given.",
)
@click.option("--insecure", is_flag=True, help="Believe any certificate of the upload proxy.")
@click.option(
    "--force-bind", is_flag=True, help="Bind the volume without waiting for somebody to use it."
)
@click.option(
    "--wait-secs",
    "wait_seconds",
    type=paramtypes.Seconds(min=0),
    default=300,
    metavar="SECONDS",
    help="How long to wait for the upload pod.",
)
@click.option(
    "--retry",
    type=click.IntRange(min=0),
    default=5,
    metavar="NUMBER",
    help="Attempts where a proxy cannot resume.",
)
@click.option("--datasource", "data_source", is_flag=True, help="Make a DataSource of its name.")
@click.option(
    "--default-instancetype",
    "instancetype",
    default="",
    show_default=False,
    metavar="NAME",
    help="For virtual machines made from the volume.",
)
@click.option(
    "--default-instancetype-kind",
    "instancetype_kind",
    default="",
    show_default=False,
    metavar="KIND",
    help="Its kind.",
)
@click.option(
    "--default-preference",
    "preference",
    default="",
    show_default=False,
    metavar="NAME",
    help="Likewise.",
)
@click.option(
    "--default-preference-kind",
    "preference_kind",
    default="",
    show_default=False,
    metavar="KIND",
    help="Its kind.",
)
@click.option("--pvc-name", default="", hidden=True)
@click.option("--dv-name", default="", hidden=True)
@click.option("--pvc-size", default="", hidden=True)
@click.option("--block-volume", is_flag=True, hidden=True)
@options.namespace
@options.kubeconfig
@options.context
@options.server
@options.verbosity
def command(
    kubeconfig: str,
    context: str,
    server: str,
    verbosity: int,
    namespace: str,
    words: tuple[str, ...],
    **flags: Any,
) -> None:
    """Upload an image or an archive to a volume, made if need be.

    Interrupted, the same command goes on where it stopped.
    """
    with loading.quickly():
        from cdi.cli import image_upload
        from cdi.cli.uploads.arguments import Flags
        from cdi.web.serving import process

    if len(words) > 2:
        raise click.UsageError(f"accepts at most 2 arg(s), received {len(words)}")
    if verbosity:
        process.log_to_stderr(verbosity)
    image_upload.run(Flags(words, **flags), kubeconfig, context, server, namespace)
