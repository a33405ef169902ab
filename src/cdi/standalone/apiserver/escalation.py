"""
Nobody grants what they do not have: the check of roles and bindings before they are written.

Here: which rules of a role go beyond those of whoever writes it, and the admission rules that
refuse such writes. Elsewhere: what a user may do (`authorization`).

As in Kubernetes, verb `escalate` on a role and verb `bind` on the role that is bound lift the
check, and so does membership of system:masters, which the server and the administrator have.
"""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from cdi.standalone.apiserver import identity, status
from cdi.standalone.apiserver.admission import Admission, AdmissionRequest
from cdi.standalone.apiserver.authorization import RBAC, Authorizer, Question
from cdi.standalone.apiserver.catalog import resource_of
from cdi.standalone.apiserver.identity import User

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Right:
    """The smallest thing a rule can grant."""

    verb: str
    group: str = ""
    resource: str = ""
    name: str = ""  # empty: of every name
    path: str = ""


def rights_of(rule: Document) -> Iterator[Right]:
    """What a rule grants, one by one."""
    verbs = rule.get("verbs") or ()
    for verb, path in itertools.product(verbs, rule.get("nonResourceURLs") or ()):
        yield Right(verb, path=path)
    groups, resources = rule.get("apiGroups") or (), rule.get("resources") or ()
    for verb, group, resource, name in itertools.product(
        verbs, groups, resources, rule.get("resourceNames") or ("",)
    ):
        yield Right(verb, group, resource, name)


def beyond(own: Iterable[Document], wanted: Iterable[Document]) -> list[Right]:
    """The rights of `wanted` that no rule of `own` grants."""
    own = list(own)
    rights = dict.fromkeys(right for rule in wanted for right in rights_of(rule))
    return [right for right in rights if not any(_grants(rule, right) for rule in own)]


def shown(rights: Iterable[Right]) -> str:
    """Rights as Kubernetes lists them: a line for each resource, with all verbs."""
    verbs: dict[Right, list[str]] = {}
    for right in rights:
        verbs.setdefault(replace(right, verb=""), []).append(right.verb)
    return "\n".join(sorted(_line(what, listed) for what, listed in verbs.items()))


def _line(what: Right, verbs: list[str]) -> str:
    listed = " ".join(f'"{verb}"' for verb in verbs)
    if what.path:
        return f'{{NonResourceURLs:["{what.path}"], Verbs:[{listed}]}}'
    named = f', ResourceNames:["{what.name}"]' if what.name else ""
    return f'{{APIGroups:["{what.group}"], Resources:["{what.resource}"]{named}, Verbs:[{listed}]}}'


def _grants(rule: Document, right: Right) -> bool:
    if not _has(rule.get("verbs"), right.verb):
        return False
    if right.path:
        return any(_leads(pattern, right.path) for pattern in rule.get("nonResourceURLs") or ())
    names = rule.get("resourceNames")
    return (
        _has(rule.get("apiGroups"), right.group)
        and _has_resource(rule.get("resources"), right.resource)
        and (not names or right.name in names)
    )


def _has(listed: Iterable[str] | None, wanted: str) -> bool:
    return any(each in ("*", wanted) for each in listed or ())


def _has_resource(listed: Iterable[str] | None, wanted: str) -> bool:
    _, slash, subresource = wanted.partition("/")
    either = ("*", wanted, f"*/{subresource}") if slash else ("*", wanted)
    return any(each in either for each in listed or ())


def _leads(pattern: str, path: str) -> bool:
    if pattern.endswith("*"):
        return path.startswith(pattern[:-1])
    return path == pattern


class EscalationCheck:
    """The admission rules."""

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    def install(self, admission: Admission) -> None:
        """Have every write of roles and bindings looked at."""
        for plural in ("roles", "clusterroles"):
            admission.validate_with(resource_of(RBAC, plural), self.role)
        for plural in ("rolebindings", "clusterrolebindings"):
            admission.validate_with(resource_of(RBAC, plural), self.binding)

    async def role(self, request: AdmissionRequest) -> None:
        """Refuse rules that the writer does not have. Raises ApiError (403)."""
        new = request.object
        if new is None or _is_master(request.user) or _is_for_garbage(new, request.old):
            return
        rules = new.get("rules") or []
        if new.get("aggregationRule"):
            # Others decide what such a role comes to hold.
            rules = [*rules, *_EVERYTHING]
        if self._may(request.user, "escalate", request):
            return
        self._check(request, rules)

    async def binding(self, request: AdmissionRequest) -> None:
        """Refuse to bind a role that holds more than the writer. Raises ApiError (403, 404)."""
        new = request.object
        if new is None or _is_master(request.user) or _is_for_garbage(new, request.old):
            return
        reference = new.get("roleRef") or {}
        plural = "roles" if reference.get("kind") == "Role" else "clusterroles"
        name = reference.get("name", "")
        asked = Question("bind", RBAC, plural, "", request.namespace, name)
        if self._authorizer.allows(request.user, asked):
            return
        rules = self._authorizer.rules_of_role(reference, request.namespace)
        if rules is None:
            raise status.not_found(request.kind, name)
        self._check(request, rules)

    def _may(self, user: User, verb: str, request: AdmissionRequest) -> bool:
        plural = request.kind.plural
        asked = Question(verb, RBAC, plural, "", request.namespace, request.name)
        return self._authorizer.allows(user, asked)

    def _check(self, request: AdmissionRequest, rules: Iterable[Document]) -> None:
        user = request.user
        missing = beyond(self._authorizer.rules_of(user, request.namespace), rules)
        if missing:
            groups = " ".join(f'"{group}"' for group in user.groups)
            why = (
                f'user "{user.name}" (groups=[{groups}]) is attempting to grant RBAC permissions '
                f"not currently held:\n{shown(missing)}"
            )
            raise status.forbidden(request.kind, request.name, why)


_EVERYTHING: tuple[Document, ...] = (
    {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
    {"nonResourceURLs": ["*"], "verbs": ["*"]},
)


def _is_for_garbage(new: Document, old: Document | None) -> bool:
    """Whether an update concerns nothing but who waits for the object's end."""
    return old is not None and _granting(new) == _granting(old)


def _granting(document: Document) -> Document:
    metadata = {
        key: value
        for key, value in document["metadata"].items()
        if key not in ("finalizers", "managedFields", "ownerReferences", "resourceVersion")
    }
    return {**document, "metadata": metadata}


def _is_master(user: User) -> bool:
    return identity.MASTERS in user.groups
