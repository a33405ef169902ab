"""Which volumes the page offers, and in what state they are: from objects of the API. Pure."""

from collections.abc import Iterator
from typing import Final

from cdi.api import annotations
from cdi.kube import objects
from cdi.kube.objects import Object, Objects

_SOURCE: Final = "VolumeUploadSource"
_FINISHED: Final = "Succeeded"


def volumes(data_volumes: Objects, claims: Objects) -> list[dict[str, str]]:
    """One row for each volume that takes an upload, or has taken one; DataVolumes before claims."""
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for row in (*_of_data_volumes(data_volumes), *_of_claims(claims)):
        rows.setdefault((row["namespace"], row["name"]), row)
    return [rows[key] for key in sorted(rows)]


def _of_data_volumes(found: Objects) -> Iterator[dict[str, str]]:
    for each in found:
        if objects.get(each, "spec", "source", "upload") is None:
            continue
        phase = str(objects.get(each, "status", "phase", default="Pending"))
        size = objects.get(each, "spec", "storage", "resources", "requests", "storage") or (
            objects.get(each, "spec", "pvc", "resources", "requests", "storage", default="")
        )
        kind = str(objects.get(each, "spec", "contentType", default=""))
        yield _row(each, _state(phase, ready=phase == "UploadReady"), str(size), kind)


def _of_claims(found: Objects) -> Iterator[dict[str, str]]:
    for each in found:
        notes = objects.annotations(each)
        populated = objects.get(each, "spec", "dataSourceRef", "kind") == _SOURCE
        is_prime = annotations.POPULATOR_KIND in notes
        if is_prime or not (populated or annotations.UPLOAD_TARGET in notes):
            continue
        phase = notes.get(annotations.POD_PHASE, "")
        size = objects.get(each, "spec", "resources", "requests", "storage", default="")
        ready = notes.get(annotations.POD_READY) == "true"
        kind = notes.get(annotations.CONTENT_TYPE, "")
        yield _row(each, _state(phase, ready=ready), str(size), kind)


def _state(phase: str, *, ready: bool) -> str:
    if phase == _FINISHED:
        return "finished"
    return "ready" if ready else "waiting"


def _row(obj: Object, state: str, size: str, content_type: str) -> dict[str, str]:
    namespace, name = objects.key(obj)
    return {
        "namespace": namespace,
        "name": name,
        "state": state,
        "size": size,
        "contentType": content_type or "kubevirt",
    }
