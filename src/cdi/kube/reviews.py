"""
Questions that only the API server can answer: whose token is this, and may somebody do something.

Asked as TokenReview and SubjectAccessReview, with our own permission to ask; or, by `may_i`, as
whoever it is about, which takes no permission of ours. Raises what `client` raises.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cdi.kube import objects
from cdi.kube.client import Client
from cdi.kube.objects import Object
from cdi.kube.resource import Resource

TOKEN_REVIEWS = Resource(
    "authentication.k8s.io", "v1", "tokenreviews", "TokenReview", namespaced=False
)
ACCESS_REVIEWS = Resource(
    "authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", namespaced=False
)
SELF_REVIEWS = Resource(
    "authorization.k8s.io",
    "v1",
    "selfsubjectaccessreviews",
    "SelfSubjectAccessReview",
    namespaced=False,
)


@dataclass(frozen=True, slots=True)
class User:
    """Who asks."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)


NOBODY: Final = User("")


@dataclass(frozen=True, slots=True)
class Action:
    """What somebody wants to do: to a resource or, with `path`, to an address that is none."""

    verb: str
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether it is allowed; `reason` is the server's, and may be empty."""

    allowed: bool
    reason: str = ""


async def user_of_token(client: Client, token: str) -> User | None:
    """Whose token this is; None if it is nobody's."""
    review = await client.create(TOKEN_REVIEWS, {"spec": {"token": token}})
    if objects.get(review, "status", "authenticated") is not True:
        return None
    return user_of(objects.get(review, "status", "user", default={}))


async def may(client: Client, user: User, action: Action) -> Verdict:
    """Whether the user may do this."""
    review = await client.create(ACCESS_REVIEWS, {"spec": _question(user, action)})
    allowed = objects.get(review, "status", "allowed") is True
    return Verdict(allowed, str(objects.get(review, "status", "reason", default="")))


async def may_i(client: Client, action: Action) -> bool:
    """Whether whoever the client speaks for may do this. Everybody who is known may ask."""
    review = await client.create(SELF_REVIEWS, {"spec": _question(NOBODY, action)})
    return objects.get(review, "status", "allowed") is True


def user_of(info: Mapping[str, Any]) -> User:
    """The user that a `userInfo` of the API describes."""
    extra: Mapping[str, Any] = objects.get(info, "extra", default={})
    return User(
        name=str(objects.get(info, "username", default="")),
        groups=tuple(objects.get(info, "groups", default=())),
        uid=str(objects.get(info, "uid", default="")),
        extra={key: tuple(values) for key, values in extra.items()},
    )


def _question(user: User, action: Action) -> Object:
    spec: Object = {}
    if user.name:
        spec |= {"user": user.name, "groups": list(user.groups)}
    if user.uid:
        spec["uid"] = user.uid
    if user.extra:
        spec["extra"] = {key: list(values) for key, values in user.extra.items()}
    if action.path:
        spec["nonResourceAttributes"] = {"verb": action.verb, "path": action.path}
        return spec
    attributes = {
        "verb": action.verb,
        "group": action.group,
        "version": action.version,
        "resource": action.resource,
        "subresource": action.subresource,
        "namespace": action.namespace,
        "name": action.name,
    }
    spec["resourceAttributes"] = {key: value for key, value in attributes.items() if value}
    return spec
