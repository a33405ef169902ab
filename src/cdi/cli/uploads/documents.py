"""
The objects that `cdi image-upload` makes, as `virtctl image-upload` makes them. Pure.

Raises Failed where what is asked for cannot be.
"""

from typing import Final

from cdi.api import annotations, labels, quantity
from cdi.cli.uploads.arguments import Flags, Kind, Wanted
from cdi.cli.uploads.failure import Failed
from cdi.kube.objects import Object

_READ_ONLY: Final = "ReadOnlyMany"
_USUAL: Final = "ReadWriteOnce"


def content_type_of(wanted: Wanted) -> str:
    """What a claim says of its bytes."""
    return "archive" if wanted.archive else "kubevirt"


def check(wanted: Wanted) -> None:
    """Insist on what a new volume needs."""
    if not wanted.size:
        raise Failed("when creating a resource, the size must be specified")
    try:
        quantity.parse(wanted.size)
    except quantity.InvalidQuantity as error:
        raise Failed(f"validation failed for size={wanted.size}: {error}") from error
    if wanted.flags.access_mode == _READ_ONLY:
        raise Failed(
            "cannot upload to a readonly volume, use either ReadWriteOnce or ReadWriteMany if "
            "supported"
        )


def volume_for(wanted: Wanted, namespace: str) -> Object:
    """The DataVolume or claim to make."""
    if wanted.kind is Kind.DATA_VOLUME:
        return _data_volume(wanted, namespace)
    return _claim(wanted, namespace)


def default_labels(flags: Flags) -> dict[str, str]:
    """What virtual machines are made with by default."""
    said = {
        labels.DEFAULT_INSTANCETYPE: flags.instancetype,
        labels.DEFAULT_INSTANCETYPE_KIND: flags.instancetype_kind,
        labels.DEFAULT_PREFERENCE: flags.preference,
        labels.DEFAULT_PREFERENCE_KIND: flags.preference_kind,
    }
    return {key: value for key, value in said.items() if value}


def data_source(wanted: Wanted, namespace: str) -> Object:
    """A DataSource of the volume's name that leads to it."""
    return {
        "metadata": {
            "name": wanted.name,
            "namespace": namespace,
            "labels": default_labels(wanted.flags),
        },
        "spec": {"source": {"pvc": {"name": wanted.name, "namespace": namespace}}},
    }


def _data_volume(wanted: Wanted, namespace: str) -> Object:
    return {
        "metadata": _metadata(wanted, namespace, {}, {}),
        "spec": {
            "source": {"upload": {}},
            "contentType": content_type_of(wanted),
            "storage": _storage(wanted, wanted.flags.access_mode),
        },
    }


def _claim(wanted: Wanted, namespace: str) -> Object:
    notes = {
        annotations.UPLOAD_TARGET: "",
        annotations.CONTENT_TYPE: content_type_of(wanted),
    }
    return {
        "metadata": _metadata(wanted, namespace, notes, {labels.APPLY_STORAGE_PROFILE: "true"}),
        "spec": _storage(wanted, wanted.flags.access_mode or _USUAL),
    }


def _metadata(
    wanted: Wanted, namespace: str, notes: dict[str, str], marks: dict[str, str]
) -> Object:
    if wanted.flags.force_bind:
        notes = {**notes, annotations.BIND_IMMEDIATE: ""}
    return {
        "name": wanted.name,
        "namespace": namespace,
        "annotations": notes,
        "labels": {**marks, **default_labels(wanted.flags)},
    }


def _storage(wanted: Wanted, access_mode: str) -> Object:
    found: Object = {"resources": {"requests": {"storage": wanted.size}}}
    if wanted.flags.storage_class:
        found["storageClassName"] = wanted.flags.storage_class
    if access_mode:
        found["accessModes"] = [access_mode]
    if wanted.block is not None:
        found["volumeMode"] = "Block" if wanted.block else "Filesystem"
    return found
