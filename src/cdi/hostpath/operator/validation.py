"""
Which HostPathProvisioners can be followed: every rule, and what to do about it. Pure.

The webhook refuses what breaks a rule, and so does the operator, for objects that came before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final

from cdi.kube import objects
from cdi.kube.objects import Object

_LONGEST_NAME: Final = 50
_LONGEST_PATH: Final = 255
# Pools give their names to volumes of pods, claims and labels.
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_PROVIDERS: Final = (None, "", "reflink")


def problems(provisioner: Object) -> list[str]:
    """What is wrong with an object; nothing where it can be followed."""
    spec = provisioner.get("spec") or {}
    config, pools = spec.get("pathConfig"), spec.get("storagePools") or []
    if config is not None and pools:
        return ["spec has both pathConfig and storagePools; keep one of them"]
    if config is None and not pools:
        return ["spec has neither pathConfig nor storagePools; name at least one pool"]
    if config is not None:
        return list(_problems_of_path("spec.pathConfig.path", config.get("path")))
    return list(_problems_of_pools(pools))


def _problems_of_pools(pools: list[Object]) -> Iterator[str]:
    for index, pool in enumerate(pools):
        at = f"spec.storagePools[{index}]"
        yield from _problems_of_name(f"{at}.name", pool.get("name"))
        yield from _problems_of_path(f"{at}.path", pool.get("path"))
        if pool.get("snapshotProvider") not in _PROVIDERS:
            yield f"{at}.snapshotProvider is unknown; leave it out, or write reflink"
        if is_shared(pool) and objects.get(pool, "pvcTemplate", "volumeMode") == "Block":
            yield f"{at}.pvcTemplate is for a device that all nodes share; use a file system"
    for field in ("name", "path"):
        values = [pool.get(field) for pool in pools]
        for value in sorted({str(each) for each in values if each and values.count(each) > 1}):
            yield f"spec.storagePools has the {field} {value!r} twice"
    shared = [pool.get("overlayClassName") or "hpp-overlay" for pool in pools if is_shared(pool)]
    if len(set(shared)) < len(shared):
        yield "two shared pools have the same overlayClassName; name one for each"


def _problems_of_name(field: str, name: object) -> Iterator[str]:
    if not isinstance(name, str) or not name:
        yield f"{field} is empty"
    elif len(name) > _LONGEST_NAME:
        yield f"{field} is longer than {_LONGEST_NAME} characters"
    elif not _NAME.fullmatch(name):
        yield f"{field} {name!r} has to be of lower case letters, digits and '-'"


def _problems_of_path(field: str, path: object) -> Iterator[str]:
    if not isinstance(path, str) or not path:
        yield f"{field} is empty"
    elif len(path) > _LONGEST_PATH:
        yield f"{field} is longer than {_LONGEST_PATH} characters"
    elif not path.startswith("/") or ".." in PurePosixPath(path).parts or path.strip("/") == "":
        yield f"{field} {path!r} has to be the absolute path of a directory, and not that of all"


def is_shared(pool: Object) -> bool:
    """Whether all nodes see the same directory."""
    modes = objects.get(pool, "pvcTemplate", "accessModes", default=[])
    return "ReadWriteMany" in modes
