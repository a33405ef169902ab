"""
Who asks an OpenStack, and for which project: what a Secret says, by the names of its keys.

Three ways to be known, `authType`: a password (which goes without saying), a token, or an
application credential. Names alone mean little: a user's and a project's come with a domain.
Raises InvalidRequest; its text names keys and never their values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cdi.images import errors

PASSWORD: Final = "password"  # noqa: S105 - a kind of log-in
TOKEN: Final = "token"  # noqa: S105
APPLICATION: Final = "applicationcredential"
PUBLIC: Final = "public"

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Credentials:
    """What to say to the identity service, and which image service is meant."""

    identity: Document = field(repr=False)  # as the identity API has it
    scope: Document | None = None  # the same; an application credential has its own
    region: str = ""  # of the image service; empty for any
    interface: str = PUBLIC  # under which the image service is reached

    @property
    def request(self) -> Document:
        """The body that asks for a token."""
        auth: Document = {"identity": self.identity}
        return {"auth": auth | ({"scope": self.scope} if self.scope else {})}


def parse_credentials(given: Mapping[str, str]) -> Credentials:
    """Read the keys of a Secret. Raises InvalidRequest."""
    kind = given.get("authType") or PASSWORD
    ways = {PASSWORD: _by_password, TOKEN: _by_token, APPLICATION: _by_application}
    if kind.lower() not in ways:
        raise errors.InvalidRequest(
            f"authType of the Secret is none of {', '.join(ways)}; correct it"
        )
    kind = kind.lower()
    return Credentials(
        identity=ways[kind](given),
        scope=None if kind == APPLICATION else _scope(given),
        region=given.get("regionName", ""),
        interface=given.get("availability") or PUBLIC,
    )


def _by_password(given: Mapping[str, str]) -> Document:
    user = _user(given) | {"password": _needed(given, "password")}
    return {"methods": ["password"], "password": {"user": user}}


def _by_token(given: Mapping[str, str]) -> Document:
    return {"methods": ["token"], "token": {"id": _needed(given, "token")}}


def _by_application(given: Mapping[str, str]) -> Document:
    secret: Document = {"secret": _needed(given, "applicationCredentialSecret")}
    found: Document = {"id": given.get("applicationCredentialID", "")}
    if not found["id"]:
        # Names of application credentials are only the user's own.
        found = {"name": _needed(given, "applicationCredentialName")}
        secret |= {"user": _user(given)}
    return {"methods": ["application_credential"], "application_credential": found | secret}


def _user(given: Mapping[str, str]) -> Document:
    if given.get("userID"):
        return {"id": given["userID"]}
    domain = _domain(given, "userDomainID", "userDomainName")
    return {"name": _needed(given, "username"), "domain": domain}


def _domain(given: Mapping[str, str], by_id: str, by_name: str) -> Document:
    """A domain of its own, the common one, or the one that every OpenStack has."""
    for key in (by_id, "domainID"):
        if given.get(key):
            return {"id": given[key]}
    for key in (by_name, "domainName", "defaultDomain"):
        if given.get(key):
            return {"name": given[key]}
    return {"id": "default"}


def _scope(given: Mapping[str, str]) -> Document | None:
    if given.get("projectID"):
        return {"project": {"id": given["projectID"]}}
    if given.get("projectName"):
        domain = _domain(given, "projectDomainID", "projectDomainName")
        return {"project": {"name": given["projectName"], "domain": domain}}
    if given.get("domainID"):
        return {"domain": {"id": given["domainID"]}}
    if given.get("domainName"):
        return {"domain": {"name": given["domainName"]}}
    return None


def _needed(given: Mapping[str, str], key: str) -> str:
    if not given.get(key):
        raise errors.InvalidRequest(f"the Secret has no {key}; give one, or another authType")
    return given[key]
