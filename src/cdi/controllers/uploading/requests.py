"""
The annotations by which a claim asks for an upload server, and whom that server listens to.

Taking the annotation away cancels an upload that has not ended.
"""

from typing import Final

from cdi.api import annotations, names
from cdi.controllers import metadata
from cdi.kube import objects
from cdi.kube.objects import Key, Object

ASKED: Final = {annotations.UPLOAD_TARGET: ""}


def asks_for_upload(claim: Object) -> bool:
    return metadata.has(claim, annotations.UPLOAD_TARGET)


def is_clone_target(claim: Object) -> bool:
    """Whether bytes come from another claim, which a clone source sends."""
    beside = metadata.is_true(claim, annotations.CLONE_BESIDE)
    return metadata.has(claim, annotations.CLONE_REQUEST) and not beside


def asks_for_server(claim: Object) -> bool:
    return asks_for_upload(claim) or is_clone_target(claim)


def source_of(claim: Object) -> Key | None:
    """The claim that a clone target is copied from; None where the annotation names none."""
    try:
        return objects.parse_key(objects.annotations(claim).get(annotations.CLONE_REQUEST, ""))
    except ValueError:
        return None


def client_of(claim: Object) -> str:
    """The common name of the one certificate with which somebody may send."""
    source = source_of(claim)
    if not is_clone_target(claim) or source is None:
        return names.UPLOAD_CLIENT
    target = objects.key(claim)
    return names.upload_client_for(source.namespace, source.name, target.namespace, target.name)


def pod_name_of(claim: Object) -> str:
    """The name that the server's pod has or will have; that of its Secret as well."""
    known = objects.annotations(claim).get(annotations.UPLOAD_POD)
    return known or names.upload_pod_for(objects.name(claim))
