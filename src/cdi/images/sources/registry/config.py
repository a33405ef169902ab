"""
What an image says of itself, and what follows from it: its environment, its processor, whether
it is a machine that boots rather than a disk. No I/O. Raises UnsupportedFormat, NoSuchPlatform.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cdi.images import errors
from cdi.images.sources.registry import manifest

_BOOTC = {"containers.bootc": "1", "ostree.bootable": "1"}


@dataclass(frozen=True, slots=True)
class Config:
    """An image's configuration."""

    architecture: str = ""
    environment: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


def parse_config(body: bytes) -> Config:
    """Read a configuration. Raises SourceRefused."""
    fields = manifest.parse_object(body, "the configuration")
    inner = fields.get("config")
    inner = inner if isinstance(inner, dict) else {}
    lines = inner.get("Env")
    return Config(
        architecture=str(fields.get("architecture") or ""),
        environment=tuple(line for line in lines if isinstance(line, str))
        if isinstance(lines, list)
        else (),
        labels=manifest.texts(inner.get("Labels")),
    )


def insist_disk(config: Config) -> None:
    """Refuse an image that is a whole system: it has to be made into a disk first."""
    for label, value in _BOOTC.items():
        if config.labels.get(label) == value:
            raise errors.UnsupportedFormat(
                f"bootc image detected (label {label}={value}): it holds a system, not a disk; "
                "make a disk of it with bootc-image-builder, and import that"
            )


def insist_architecture(config: Config, wanted: str) -> None:
    """Refuse an image that was made for another processor than the one asked for."""
    if config.architecture != wanted:
        raise errors.NoSuchPlatform(
            "Unable to transfer source data to scratch space: Failed to read registry image: "
            "Error retrieving image: the image is for architecture "
            f'"{config.architecture}", not for the requested "{wanted}"'
        )
