"""
What is found by looking at a source here: the claim that is cloned, or an ImageStream. Pure.

Elsewhere: reading them (`reconciler`).
"""

from __future__ import annotations

from cdi.controllers.dataimportcron.seen import Looked
from cdi.kube import objects
from cdi.kube.objects import Object


def of_claim(claim: Object | None, name: str) -> Looked:
    """The version of a claim: another claim of its name is another version."""
    if claim is None:
        return Looked(failure=f"PVC {name} does not exist")
    return Looked(version=f"uid:{objects.uid(claim)}")


def parse_stream(text: str) -> tuple[str, str] | None:
    """Name and tag of an ImageStream; None for nonsense."""
    parts = text.split(":")
    if len(parts) > 2 or not all(parts):
        return None
    return parts[0], parts[1] if len(parts) == 2 else ""


def of_stream(stream: Object | None, text: str) -> Looked:
    """The version of an ImageStream: the newest item of its tag, or of its first one."""
    parsed = parse_stream(text)
    if parsed is None:
        return Looked(failure=f"{text!r} is no ImageStream; want name or name:tag")
    if stream is None:
        return Looked(failure=f"ImageStream {parsed[0]} does not exist")
    tags: list[Object] = objects.get(stream, "status", "tags", default=[])
    if not tags:
        return Looked(failure=f"ImageStream {parsed[0]} has no tags")
    wanted = parsed[1]
    tag = next((each for each in tags if not wanted or each.get("tag") == wanted), None)
    if tag is None:
        return Looked(failure=f"ImageStream {parsed[0]} has no tag {wanted}")
    items: list[Object] = tag.get("items") or []
    if not items:
        return Looked(failure=f"ImageStream {parsed[0]} has no image for tag {tag.get('tag')}")
    return Looked(
        version=str(items[0].get("image", "")),
        reference=str(items[0].get("dockerImageReference", "")),
    )
