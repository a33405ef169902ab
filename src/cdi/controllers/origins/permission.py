"""
Clones between namespaces: whose word counts, and how it travels.

A webhook asks the API server whether the creator of a DataVolume may read the source, and signs a
short token that says so. Here that becomes an extended token, bound to the UID of the DataVolume
and then to that of its claim; who fills the claim believes nothing else. What signs and reads
tokens is handed in, because keys are not ours.

A short token is as good as it was when its DataVolume was created: a controller that was away for
an hour goes on with it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cdi.api import annotations
from cdi.controllers.clonesource import CloneSource
from cdi.kube import objects
from cdi.kube.objects import Object


class Grant(Protocol):
    """What a token allows."""

    @property
    def resource(self) -> str: ...
    @property
    def namespace(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def target_namespace(self) -> str: ...
    @property
    def target_name(self) -> str: ...
    @property
    def uid(self) -> str: ...


class CloneTokens(Protocol):
    """Signs and reads clone tokens; None stands for a token that is not good."""

    def short(self, token: str, at: datetime) -> Grant | None:
        """What the token of a webhook allowed at a moment."""

    def extended(self, token: str) -> Grant | None:
        """What a token of a controller allows."""

    def extend(self, token: str, uid: str, at: datetime) -> str:
        """A token of a controller that allows what this one does, of the object with this UID."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a clone may go on; `extended` is a token to write first."""

    refused: str = ""
    extended: str = ""


ALLOWED = Verdict()


def of_volume(volume: Object, source: CloneSource, tokens: CloneTokens | None) -> Verdict:
    """Whether a DataVolume may clone from another namespace."""
    given = objects.annotations(volume)
    if tokens is None:
        return Verdict(refused="there is no key here to check permissions between namespaces with")
    target = objects.key(volume)
    extended = given.get(annotations.EXTENDED_CLONE_TOKEN)
    if extended is not None:
        good = _is_for(tokens.extended(extended), source, target, objects.uid(volume))
        return ALLOWED if good else Verdict(refused=_wrong(source))
    short = given.get(annotations.CLONE_TOKEN)
    if short is None:
        return Verdict(
            refused=f"nobody has allowed to clone from namespace {source.namespace}: annotation "
            f"{annotations.CLONE_TOKEN} is missing; create the DataVolume again"
        )
    created = _created(volume)
    if not _is_for(tokens.short(short, created), source, target, objects.uid(volume)):
        return Verdict(refused=_wrong(source))
    return Verdict(extended=tokens.extend(short, objects.uid(volume), created))


def of_claim(claim: Object, source: CloneSource, tokens: CloneTokens | None) -> str:
    """Why a claim may not be filled from another namespace; empty if it may."""
    extended = objects.annotations(claim).get(annotations.EXTENDED_CLONE_TOKEN)
    if extended is None:
        return f"waits for the permission to clone from namespace {source.namespace}"
    if tokens is None:
        return "there is no key here to check permissions between namespaces with"
    good = _is_for(tokens.extended(extended), source, objects.key(claim), objects.uid(claim))
    return "" if good else _wrong(source)


def for_claim(volume: Object, claim: Object, tokens: CloneTokens | None) -> str:
    """The token that a claim gets from its DataVolume; nothing if it has one, or there is none."""
    given = objects.annotations(claim).get(annotations.EXTENDED_CLONE_TOKEN)
    had = objects.annotations(volume).get(annotations.EXTENDED_CLONE_TOKEN)
    if given is not None or had is None or tokens is None:
        return ""
    grant = tokens.extended(had)
    if grant is None or grant.uid != objects.uid(volume):
        return ""
    return tokens.extend(had, objects.uid(claim), _created(volume))


def _is_for(grant: Grant | None, source: CloneSource, target: objects.Key, uid: str) -> bool:
    return grant is not None and (
        (grant.resource, grant.namespace, grant.name)
        == (source.plural, source.namespace, source.name)
        and (grant.target_namespace, grant.target_name) == tuple(target)
        and grant.uid in ("", uid)
    )


def _wrong(source: CloneSource) -> str:
    return (
        f"the permission to clone is not for {source}, or has been tampered with; create the "
        "DataVolume again"
    )


def _created(obj: Object) -> datetime:
    text = objects.metadata(obj).get("creationTimestamp") or "1970-01-01T00:00:00Z"
    return datetime.fromisoformat(str(text))
