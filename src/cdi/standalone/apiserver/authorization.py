"""
What a user may do: RBAC over the Role and ClusterRole objects in the store.

Here: the rules that apply to a user and whether one covers a request. Elsewhere: who the user is.
Members of system:masters may do everything; nobody else may do anything that no rule grants.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from cdi.standalone.apiserver import identity
from cdi.standalone.apiserver.identity import User
from cdi.standalone.store.record import Key
from cdi.standalone.store.store import Store

Document = dict[str, Any]

RBAC = "rbac.authorization.k8s.io"

# What any cluster lets everybody do: look around and ask about themselves.
_PUBLIC_PATHS = ("/healthz", "/livez", "/readyz", "/version", "/version/")
_DISCOVERY_PATHS = ("/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*")
_SELF_REVIEWS: Document = {
    "verbs": ["create"],
    "apiGroups": ["authorization.k8s.io", "authentication.k8s.io"],
    "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"],
}


@dataclass(frozen=True, slots=True)
class Question:
    """May this be done? `path` is set for addresses that are no resources."""

    verb: str
    group: str = ""
    plural: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def resource(self) -> str:
        """The resource as rules name it."""
        return f"{self.plural}/{self.subresource}" if self.subresource else self.plural


class Authorizer:
    """Answers questions from the roles and bindings that exist at the moment."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def allows(self, user: User, question: Question) -> bool:
        """Whether `user` may do what the question describes."""
        if identity.MASTERS in user.groups:
            return True
        return any(_covers(rule, question) for rule in self.rules_of(user, question.namespace))

    def rules_of(self, user: User, namespace: str) -> Iterator[Document]:
        """All rules that hold for `user` in a namespace (empty: cluster-wide)."""
        if identity.MASTERS in user.groups:
            yield {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
            yield {"verbs": ["*"], "nonResourceURLs": ["*"]}
            return
        yield {"verbs": ["get"], "nonResourceURLs": list(_PUBLIC_PATHS)}
        if identity.AUTHENTICATED in user.groups:
            yield {"verbs": ["get"], "nonResourceURLs": list(_DISCOVERY_PATHS)}
            yield _SELF_REVIEWS
        for binding in self._documents("clusterrolebindings", ""):
            if _binds(binding, user):
                yield from self.rules_of_role(binding.get("roleRef") or {}, "") or ()
        if namespace:
            for binding in self._documents("rolebindings", namespace):
                if _binds(binding, user):
                    yield from self.rules_of_role(binding.get("roleRef") or {}, namespace) or ()

    def _documents(self, plural: str, namespace: str) -> Iterable[Document]:
        for _, entry in self._store.entries(f"{plural}.{RBAC}", namespace):
            yield entry.document()

    def rules_of_role(self, reference: Document, namespace: str) -> list[Document] | None:
        """The rules of the role that a binding in `namespace` refers to; None without one."""
        if reference.get("kind") == "Role":
            key = Key(f"roles.{RBAC}", namespace, reference.get("name", ""))
        else:
            key = Key(f"clusterroles.{RBAC}", "", reference.get("name", ""))
        entry = self._store.get(key)
        return list(entry.document().get("rules") or []) if entry else None


def _binds(binding: Document, user: User) -> bool:
    own = (binding.get("metadata") or {}).get("namespace", "")
    for subject in binding.get("subjects") or ():
        kind, name = subject.get("kind"), subject.get("name", "")
        if kind == "User" and name == user.name:
            return True
        if kind == "Group" and name in user.groups:
            return True
        namespace = subject.get("namespace") or own
        if kind == "ServiceAccount" and user.name == f"system:serviceaccount:{namespace}:{name}":
            return True
    return False


def _covers(rule: Document, question: Question) -> bool:
    verbs = rule.get("verbs") or ()
    if question.verb not in verbs and "*" not in verbs:
        return False
    if question.path:
        return any(
            _path_fits(pattern, question.path) for pattern in rule.get("nonResourceURLs", ())
        )
    groups = rule.get("apiGroups") or ()
    names = rule.get("resourceNames") or ()
    return (
        (question.group in groups or "*" in groups)
        and any(_resource_fits(pattern, question) for pattern in rule.get("resources") or ())
        and (not names or question.name in names)
    )


def _path_fits(pattern: str, path: str) -> bool:
    if pattern.endswith("*"):
        return path.startswith(pattern[:-1])
    return path == pattern


def _resource_fits(pattern: str, question: Question) -> bool:
    if pattern in ("*", question.resource):
        return True
    return bool(question.subresource) and pattern == f"*/{question.subresource}"
