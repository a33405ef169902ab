"""Field paths as Kubernetes prints them: `spec.containers[0].name`, `metadata.labels[a/b]`."""

from __future__ import annotations


def child(path: str, name: str) -> str:
    """The path of a field of the object at `path`; the root's path is empty."""
    return f"{path}.{name}" if path else name


def item(path: str, index: int) -> str:
    return f"{path}[{index}]"


def entry(path: str, key: str) -> str:
    """The path of a value in the map at `path`."""
    return f"{path}[{key}]"
