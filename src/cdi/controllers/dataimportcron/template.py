"""
What the template of a cron says: where its image comes from, and the DataVolume of one version.

A version is what a poll has found: `sha256:<hex>` of an image or a file, `uid:<text>` of a claim,
or of a file about which its server says only that it has changed. Pure.
"""

import copy
import re
from collections.abc import Mapping
from typing import Any, Final

from cdi.api import annotations, labels
from cdi.controllers import kinds
from cdi.controllers.dataimportcron import marks
from cdi.controllers.dataimportcron.seen import Seen
from cdi.kube import objects
from cdi.kube.objects import Key, Object
from cdi.storage import scratch

REGISTRY: Final = "registry"
HTTP: Final = "http"
PVC: Final = "pvc"
POD: Final = "pod"

_RWO: Final = "ReadWriteOnce"
# A repository with a tag or a digest; a host may have a port, so a tag has no slash in it.
_PINNABLE: Final = re.compile(r"(docker://[^@]+?)(?::[^/:@]+)?(?:@.*)?")
_CHECKSUMS: Final = {128: "sha512", 40: "sha1", 32: "md5"}  # by the number of digits
_CARRIED: Final = (*labels.INSTANCETYPE_DEFAULTS, labels.DYNAMIC_CREDENTIALS)


def source_of(cron: Object) -> tuple[str, Object]:
    """The kind of source and what is said of it; an empty kind where there is none."""
    source = objects.get(cron, "spec", "template", "spec", "source", default={})
    for kind in (REGISTRY, HTTP, PVC):
        if source.get(kind) is not None:
            return kind, dict(source[kind])
    return "", {}


def is_node_pull(cron: Object) -> bool:
    """Whether a node pulls the image, rather than an importer."""
    kind, given = source_of(cron)
    return kind == REGISTRY and given.get("pullMethod") == scratch.NODE_PULL


def has_poller(cron: Object, *, nodes_pull: bool = True) -> bool:
    """Whether a CronJob looks for new versions; `nodes_pull`: there are nodes that can, too."""
    kind, given = source_of(cron)
    if not objects.get(cron, "spec", "schedule") or not given.get("url"):
        return False
    return kind == HTTP or (kind == REGISTRY and not (nodes_pull and is_node_pull(cron)))


def named_by(cron: Object) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The Secrets and the ConfigMaps that a poller needs."""
    _, given = source_of(cron)
    secrets = (given.get("secretRef"), *(given.get("secretExtraHeaders") or ()))
    maps = (given.get("certConfigMap"),)
    return tuple(map(str, filter(None, secrets))), tuple(map(str, filter(None, maps)))


def is_looked_at_here(cron: Object, *, nodes_pull: bool = True) -> bool:
    """Whether the controller looks for new versions itself."""
    kind, _ = source_of(cron)
    scheduled = bool(objects.get(cron, "spec", "schedule"))
    return scheduled and bool(kind) and not has_poller(cron, nodes_pull=nodes_pull)


def claim_of(cron: Object) -> Key | None:
    """The claim that is cloned, if that is the source."""
    kind, given = source_of(cron)
    if kind != PVC:
        return None
    namespace = given.get("namespace") or objects.namespace(cron)
    return Key(str(namespace), str(given.get("name", "")))


def data_volume_for(seen: Seen, name: str, version: str, reference: str) -> Object:
    """The DataVolume that imports a version. `reference` is where an ImageStream's image is."""
    template = copy.deepcopy(seen.spec["template"])
    meta, spec = template.get("metadata") or {}, template["spec"]
    kind, given = source_of(seen.cron)
    spec["source"] = {kind: _pinned(kind, given, version, reference)}
    _share_less(spec, seen.profile)
    there, said = objects.labels(seen.cron), objects.annotations(seen.cron)
    carried = {key: there[key] for key in _CARRIED if there.get(key)}
    retained = {key: said[key] for key in (annotations.RETAIN_AFTER_COMPLETION,) if said.get(key)}
    return {
        "apiVersion": kinds.DATA_VOLUMES.api_version,
        "kind": kinds.DATA_VOLUMES.kind,
        "metadata": {
            "name": name,
            "namespace": seen.namespace,
            "labels": {**(meta.get("labels") or {}), **carried, **marks.given_labels(seen)},
            "annotations": {
                **(meta.get("annotations") or {}),
                **retained,
                annotations.BIND_IMMEDIATE: annotations.TRUE,
                annotations.LAST_USE_TIME: marks.moment(seen.now),
            },
        },
        "spec": spec,
    }


def pinned_url(url: str, digest: str) -> str:
    """The URL of exactly one image; what cannot be named by a digest stays as it is."""
    found = _PINNABLE.fullmatch(url)
    return f"{found[1]}@{digest}" if found and digest.startswith("sha256:") else url


def _pinned(kind: str, given: Object, version: str, reference: str) -> Object:
    if kind == HTTP:
        promised = given.get("checksum") or _checksum(version)
        return {**given, "checksum": promised} if promised else given
    if kind != REGISTRY:
        return given
    if given.get("imageStream"):
        kept = {key: value for key, value in given.items() if key != "imageStream"}
        return {**kept, "url": f"docker://{reference}"}
    return {**given, "url": pinned_url(str(given.get("url", "")), version)}


def _checksum(version: str) -> str:
    """The checksum that a version is, if it is one."""
    kind, _, digits = version.partition(":")
    if kind == "sha256":
        return version
    algorithm = _CHECKSUMS.get(len(digits))
    return f"{algorithm}:{digits}" if algorithm else ""


def _share_less(spec: dict[str, Any], profile: Mapping[str, Any] | None) -> None:
    """Some storage takes snapshots of volumes only that one node can write."""
    wanted = objects.annotations(profile or {}).get(annotations.USE_RWO_FOR_CRON)
    storage = spec.get("storage")
    if wanted == annotations.TRUE and storage is not None and not storage.get("accessModes"):
        storage["accessModes"] = [_RWO]
