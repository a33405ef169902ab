"""
Reviews: questions in the form of objects that are answered and never stored.

Here: token reviews, access reviews, rules reviews and "who am I". Elsewhere: the answers
themselves (`authentication`, `authorization`).
"""

from collections.abc import Callable
from typing import Any

from cdi.standalone.apiserver.authentication import Authenticator
from cdi.standalone.apiserver.authorization import Authorizer, Question
from cdi.standalone.apiserver.identity import User
from cdi.standalone.apiserver.tokens import DEFAULT_AUDIENCE

Document = dict[str, Any]
Answer = Callable[[Document, str, User], Document]  # object, namespace, who asks -> status


class Reviews:
    """The reviews, by resource."""

    def __init__(self, authenticator: Authenticator, authorizer: Authorizer) -> None:
        self._authenticator = authenticator
        self._authorizer = authorizer
        authentication, authorization = "authentication.k8s.io", "authorization.k8s.io"
        self._answers: dict[str, Answer] = {
            f"tokenreviews.{authentication}": self._token,
            f"selfsubjectreviews.{authentication}": self._self,
            f"subjectaccessreviews.{authorization}": self._access,
            f"localsubjectaccessreviews.{authorization}": self._access,
            f"selfsubjectaccessreviews.{authorization}": self._self_access,
            f"selfsubjectrulesreviews.{authorization}": self._rules,
        }

    def answers(self, resource: str) -> bool:
        """Whether a resource is a review."""
        return resource in self._answers

    def answer(self, resource: str, document: Document, namespace: str, user: User) -> Document:
        """The review with its status filled in."""
        status = self._answers[resource](document, namespace, user)
        return {**document, "metadata": document.get("metadata") or {}, "status": status}

    def _token(self, document: Document, namespace: str, user: User) -> Document:  # noqa: ARG002 (all answers are called alike)
        spec = document.get("spec") or {}
        meant = spec.get("audiences") or [DEFAULT_AUDIENCE]
        # One by one: the answer says for which of them the token is good.
        fitting = [
            (found, audience)
            for audience in meant
            if (found := self._authenticator.user_of_token(spec.get("token", ""), [audience]))
        ]
        if not fitting:
            return {"user": {}, "error": "the token is not valid"}
        answer: Document = {"authenticated": True, "user": fitting[0][0].as_document()}
        answer["audiences"] = [audience for _, audience in fitting]
        return answer

    def _self(self, document: Document, namespace: str, user: User) -> Document:  # noqa: ARG002
        return {"userInfo": user.as_document()}

    def _access(self, document: Document, namespace: str, user: User) -> Document:  # noqa: ARG002
        spec = document.get("spec") or {}
        extra = spec.get("extra") or {}
        asked = User(
            spec.get("user", ""), tuple(spec.get("groups") or ()), spec.get("uid", ""), extra
        )
        return self._decision(asked, spec)

    def _self_access(self, document: Document, namespace: str, user: User) -> Document:  # noqa: ARG002
        return self._decision(user, document.get("spec") or {})

    def _decision(self, user: User, spec: Document) -> Document:
        return {"allowed": self._authorizer.allows(user, _question(spec))}

    def _rules(self, document: Document, namespace: str, user: User) -> Document:
        namespace = (document.get("spec") or {}).get("namespace", "") or namespace
        rules = list(self._authorizer.rules_of(user, namespace))
        return {
            "resourceRules": [rule for rule in rules if "resources" in rule],
            "nonResourceRules": [rule for rule in rules if "nonResourceURLs" in rule],
            "incomplete": False,
        }


def _question(spec: Document) -> Question:
    if path := spec.get("nonResourceAttributes"):
        return Question(path.get("verb", ""), path=path.get("path", ""))
    asked = spec.get("resourceAttributes") or {}
    return Question(
        verb=asked.get("verb", ""),
        group=asked.get("group", ""),
        plural=asked.get("resource", ""),
        subresource=asked.get("subresource", ""),
        namespace=asked.get("namespace", ""),
        name=asked.get("name", ""),
    )
