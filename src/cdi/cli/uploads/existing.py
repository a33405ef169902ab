"""
What a claim that is there already allows, in the words of `virtctl image-upload`. Pure.

Raises Failed.
"""

from cdi.api import annotations
from cdi.cli.uploads.arguments import Kind, Wanted
from cdi.cli.uploads.failure import Failed
from cdi.kube import objects
from cdi.kube.objects import Object

_SUCCEEDED = "Succeeded"


def check_data_volume(wanted: Wanted, claim: Object, volume: Object | None) -> None:
    """Insist that a claim is that of the DataVolume which is asked for."""
    if volume is not None or wanted.kind is Kind.CLAIM:
        return
    notes = objects.annotations(claim)
    if (
        notes.get(annotations.DELETE_AFTER_COMPLETION) == "true"
        and notes.get(annotations.POD_PHASE) == _SUCCEEDED
    ):
        raise Failed(
            f"DataVolume already garbage-collected: Assuming PVC {wanted.name} is successfully "
            "populated"
        )
    raise Failed(f"No DataVolume is associated with the existing PVC {_named(claim)}")


def is_populated(volume: Object | None) -> bool:
    """Whether another claim, a prime, is filled in place of the volume's own."""
    return (
        volume is not None and objects.annotations(volume).get(annotations.USE_POPULATOR) == "true"
    )


def prime_of(wanted: Wanted, claim: Object) -> str:
    """The name of that other claim; empty where it comes once the claim may be bound at once."""
    if objects.get(claim, "status", "phase") == "Bound":
        raise Failed(f"PVC {wanted.name} already successfully populated")
    prime = objects.annotations(claim).get(annotations.PVC_PRIME, "")
    if not prime and not wanted.flags.force_bind:
        raise Failed(f"Unable to get PVC Prime name from PVC {_named(claim)}")
    return prime


def check_claim(wanted: Wanted, claim: Object) -> None:
    """Insist that a claim that is itself filled still takes what is to be sent."""
    notes = objects.annotations(claim)
    if notes.get(annotations.POD_PHASE) == _SUCCEEDED:
        raise Failed(f"PVC {wanted.name} already successfully imported/cloned/updated")
    if annotations.UPLOAD_TARGET not in notes and not wanted.flags.no_create:
        raise Failed(f"PVC {wanted.name} not available for upload")
    if wanted.archive and notes.get(annotations.CONTENT_TYPE) != "archive":
        raise Failed(f"PVC {wanted.name} doesn't have archive contentType annotation")


def _named(obj: Object) -> str:
    namespace, name = objects.key(obj)
    return f"{namespace}/{name}"
