"""`cdi manifests`: what a cluster is given to get CDI's operator."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

import cdi
from cdi.cli import loading, options, paramtypes

_PARTS = ("operator", "cr", "network-policies", "boot-sources")


@click.command
@click.argument("parts", metavar="[PART]...", type=click.Choice(_PARTS), nargs=-1)
@click.option("--namespace", metavar="NAME", default="cdi", help="Namespace of the installation.")
@click.option("--image", metavar="IMAGE", required=True, help="Image of all parts of CDI.")
@click.option(
    "--version",
    metavar="VERSION",
    default=f"v{cdi.__version__}",
    help="Version that is installed; an installation of a newer one is refused.",
)
@click.option(
    "--pull-policy",
    type=click.Choice(["Always", "IfNotPresent", "Never"]),
    default="IfNotPresent",
    help="When nodes pull the image.",
)
@click.option(
    "--verbosity", type=paramtypes.Verbosity(), metavar="NUMBER", default=1, help="Of logs."
)
@click.option(
    "--monitoring-namespace", metavar="NAME", default="monitoring", help="Where Prometheus runs."
)
@click.option(
    "--format",
    "wrapping",
    type=click.Choice(["yaml", "helm", "kustomize", "olm"]),
    default="yaml",
    help="Plain files, a chart, two bases, or a bundle.",
)
@options.boot_images
@click.option(
    "-o",
    "--output",
    type=paramtypes.HomePath(),
    metavar="DIR",
    help="Directory to write files into; needed for all formats but yaml.",
)
def command(
    parts: tuple[str, ...],
    namespace: str,
    image: str,
    version: str,
    pull_policy: str,
    verbosity: int,
    monitoring_namespace: str,
    wrapping: str,
    boot_images: Path | None,
    output: Path | None,
) -> None:
    """Print what gives a cluster CDI's operator.

    For `kubectl apply -f -`. PART is operator (to be applied first), cr (the CDI object, which the
    operator follows), network-policies (for clusters that deny what nobody allows) or boot-sources
    (what keeps boot images, for clusters without a HyperConverged operator). Without one, operator
    and cr are printed.
    """
    from cdi.operator.manifests import files, helm, kustomize, olm
    from cdi.operator.settings import Images, Settings

    if boot_images is not None and "boot-sources" not in parts:
        raise click.UsageError("--boot-images goes with PART boot-sources.")
    images = None if boot_images is None else _templates_in(boot_images)

    settings = Settings(
        namespace=namespace,
        version=version,
        images=Images.all(image),
        verbosity=verbosity,
        pull_policy=pull_policy,
        monitoring_namespace=monitoring_namespace,
    )
    if output is None:
        if wrapping != "yaml":
            raise click.UsageError(f"--format {wrapping} is several files: say where, with -o DIR.")
        for part in parts or (files.OPERATOR, files.CDI):
            click.echo(files.yaml_of(files.objects_of(part, settings, images)), nl=False)
        return
    if parts:
        raise click.UsageError("-o writes all parts; leave PART out.")
    make = {
        "yaml": files.files,
        "helm": helm.chart,
        "kustomize": kustomize.bases,
        "olm": olm.bundle,
    }
    _write(output, make[wrapping](settings))


def _templates_in(directory: Path) -> dict[str, str]:
    """The files of a directory with templates, of which the cluster gets a copy."""
    with loading.quickly():
        from cdi.bootsources import common

    try:
        common.read(directory)
        return {path.name: path.read_text() for path in sorted(directory.glob("*.yaml"))}
    except (common.InvalidTemplates, OSError) as error:
        raise click.ClickException(str(error)) from None


def _write(directory: Path, texts: Mapping[str, str]) -> None:
    try:
        for name, text in texts.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            click.echo(path)
    except OSError as error:
        raise click.ClickException(f"{directory} cannot be written into: {error}") from None
