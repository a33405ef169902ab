"""
The boot images that are shipped, and the DataSources that machine templates expect.

A directory of YAML files takes the place of the shipped ones: each holds templates, one or a list
of them, and ImageStreams that they name. Raises InvalidTemplates.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from cdi.api import annotations
from cdi.bootsources import streams
from cdi.kube.objects import Object

_QUAY: Final = "docker://quay.io/containerdisks"
_ARCHITECTURES: Final = "amd64,arm64,s390x"
_EVERY_TWELVE_HOURS: Final = "0 */12 * * *"  # until a cluster has drawn its own

# By architecture: the DataSources that templates of machines name.
EXPECTED: Final = {
    "amd64": (
        "centos-stream9", "centos6", "fedora", "opensuse", "rhel7", "rhel8", "rhel9", "ubuntu",
        "win10", "win11", "win2k16", "win2k19", "win2k22", "win2k25",
    ),
    "arm64": ("centos-stream9", "fedora", "rhel9", "ubuntu"),
    "s390x": ("centos-stream9", "fedora", "rhel8", "rhel9", "ubuntu"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shipped:
    """What every cluster gets, unless it says otherwise."""

    templates: tuple[Object, ...] = ()
    streams: tuple[Object, ...] = ()  # ImageStreams that templates name


class InvalidTemplates(ValueError):
    """The templates of a directory cannot be used."""


def shipped_with(directory: Path | None) -> Shipped:
    """What is shipped, or what a directory has instead."""
    if directory is None:
        return Shipped(shipped())
    return Shipped(read(directory), read_streams(directory))


def shipped() -> tuple[Object, ...]:
    """The templates of the images that are there for everybody."""
    return (
        _template("centos-stream10", f"{_QUAY}/centos-stream:10", "10Gi"),
        _template("centos-stream9", f"{_QUAY}/centos-stream:9", "10Gi"),
        _template("fedora", f"{_QUAY}/fedora:latest", "5Gi"),
    )


def read(directory: Path) -> tuple[Object, ...]:
    """The templates of a directory; none where there is no such directory."""
    if not directory.is_dir():
        return ()
    found: dict[str, Object] = {}
    for path in sorted(directory.glob("*.yaml")):
        for template in _documents_in(path):
            if template.get("kind") == streams.KIND:
                continue
            name = str((template.get("metadata") or {}).get("name") or "")
            if not name:
                raise InvalidTemplates(f"{path}: a template has no metadata.name")
            if name in found:
                raise InvalidTemplates(f"{path}: template {name} is there twice")
            found[name] = _defaulted(template)
    return tuple(found.values())


def read_streams(directory: Path) -> tuple[Object, ...]:
    """The ImageStreams of a directory."""
    found = [each for path in sorted(directory.glob("*.yaml")) for each in _documents_in(path)]
    return tuple(each for each in found if each.get("kind") == streams.KIND)


def _documents_in(path: Path) -> list[Any]:
    try:
        documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError) as error:
        raise InvalidTemplates(f"{path}: {error}") from error
    found = []
    for document in documents:
        found += document if isinstance(document, list) else [document]
    if not all(isinstance(each, dict) for each in found):
        raise InvalidTemplates(f"{path} does not hold templates")
    return found


def _template(source: str, url: str, size: str) -> Object:
    return _defaulted(
        {
            "metadata": {
                "name": f"{source}-image-cron",
                "annotations": {
                    annotations.BIND_IMMEDIATE: annotations.TRUE,
                    annotations.CRON_TEMPLATE_ARCHITECTURES: _ARCHITECTURES,
                },
            },
            "spec": {
                "schedule": _EVERY_TWELVE_HOURS,
                "managedDataSource": source,
                "garbageCollect": "Outdated",
                "template": {
                    "spec": {
                        "source": {"registry": {"url": url}},
                        "storage": {"resources": {"requests": {"storage": size}}},
                    }
                },
            },
        }
    )


def _defaulted(template: Object) -> Object:
    """What is made for everybody goes with its cron, and one import is enough."""
    spec = {"retentionPolicy": "None", "importsToKeep": 1, **(template.get("spec") or {})}
    return {**template, "spec": spec}
