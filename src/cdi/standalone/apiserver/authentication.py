"""
Who sends a request: the administrator, a service account, or nobody known.

Here: bearer tokens and impersonation headers to a User. Elsewhere: what the user may do
(`authorization`). Raises ApiError (401, 403).
"""

import hmac
from collections.abc import Collection, Mapping

from cdi.standalone.apiserver import identity, status, tokens
from cdi.standalone.apiserver.identity import User
from cdi.standalone.apiserver.timestamps import Clock
from cdi.standalone.store.record import Key
from cdi.standalone.store.store import Store


class Authenticator:
    """Knows the administrator's token and the service accounts."""

    def __init__(self, token: str, signer: tokens.Signer, store: Store, clock: Clock) -> None:
        self._token = token.encode()
        self._signer = signer
        self._store = store
        self._clock = clock

    def user_of(self, headers: Mapping[str, str]) -> User:
        """The user of a request; anonymous when it carries no token at all, as in Kubernetes."""
        scheme, _, token = headers.get("Authorization", "").strip().partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            return identity.ANONYMOUS
        user = self.user_of_token(token.strip())
        if user is None:
            raise status.unauthorized()
        return _impersonated(user, headers)

    def user_of_token(
        self, token: str, audiences: Collection[str] = (tokens.DEFAULT_AUDIENCE,)
    ) -> User | None:
        """The user that a token stands for, if it was issued for one of `audiences`, or None."""
        try:
            given = token.encode()
        except UnicodeEncodeError:  # bytes that are no text, which no token of ours has
            return None
        if hmac.compare_digest(given, self._token):
            return identity.ADMIN
        try:
            claims = self._signer.check(token, self._clock())
        except tokens.InvalidToken:
            return None
        if not set(claims.audiences) & set(audiences):
            return None  # whoever it was meant for may have passed it on
        entry = self._store.get(Key("serviceaccounts", claims.namespace, claims.name))
        if entry is None or entry.document()["metadata"]["uid"] != claims.uid:
            return None  # the account was deleted, or deleted and made again
        return identity.service_account(claims.namespace, claims.name, claims.uid)


def _impersonated(user: User, headers: Mapping[str, str]) -> User:
    """Administrators may act as somebody else (`kubectl --as`)."""
    name = headers.get("Impersonate-User", "")
    if not name:
        return user
    if identity.MASTERS not in user.groups:
        raise status.ApiError(
            403,
            "Forbidden",
            f'users "{name}" is forbidden: User "{user.name}" cannot impersonate resource "users" '
            'in API group "" at the cluster scope',
        )
    getall = getattr(headers, "getall", None)
    groups = tuple(getall("Impersonate-Group", ())) if getall else ()
    account = name.split(":")
    if name.startswith("system:serviceaccount:") and len(account) == 4 and not groups:
        return identity.service_account(account[2], account[3])
    return User(name, (*groups, identity.AUTHENTICATED), headers.get("Impersonate-Uid", ""))
