"""
Users that Kubernetes' API server vouches for: the protocol of aggregated API servers.

It connects with a client certificate of an authority, and says in headers who asked it. Authority,
names and headers are in ConfigMap `extension-apiserver-authentication` of kube-system. Whether the
certificate is of that authority is found out by TLS; here is whose it is and what the headers say.
Pure; raises NoFrontProxy and statuses.Refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

from cdi.kube import objects
from cdi.kube.reviews import User
from cdi.web import statuses

NAMESPACE: Final = "kube-system"
CONFIG_MAP: Final = "extension-apiserver-authentication"

_AUTHORITY: Final = "requestheader-client-ca-file"
_NAMES: Final = "requestheader-allowed-names"
_USERS: Final = "requestheader-username-headers"
_GROUPS: Final = "requestheader-group-headers"
_UIDS: Final = "requestheader-uid-headers"
_EXTRAS: Final = "requestheader-extra-headers-prefix"


class NoFrontProxy(ValueError):
    """The ConfigMap does not say who the front proxy is; tells what is missing."""


@dataclass(frozen=True, slots=True)
class FrontProxy:
    """Who may speak for users, and how it does."""

    authority: str  # PEM
    names: tuple[str, ...]  # empty: whoever the authority signed
    user_headers: tuple[str, ...]
    group_headers: tuple[str, ...]
    uid_headers: tuple[str, ...]
    extra_prefixes: tuple[str, ...]  # in lower case


def parse_config(config_map: Mapping[str, Any]) -> FrontProxy:
    """What the ConfigMap says."""
    data: Mapping[str, str] = objects.get(config_map, "data", default={})
    authority = data.get(_AUTHORITY, "")
    if not authority.strip():
        raise NoFrontProxy(f"ConfigMap {NAMESPACE}/{CONFIG_MAP} has no {_AUTHORITY}")
    return FrontProxy(
        authority,
        _list(data, _NAMES),
        _list(data, _USERS),
        _list(data, _GROUPS),
        _list(data, _UIDS),
        tuple(prefix.lower() for prefix in _list(data, _EXTRAS)),
    )


def user_of(
    proxy: FrontProxy | None, shown: str | None, headers: Iterable[tuple[str, str]]
) -> User:
    """The user of a request with these headers.

    `shown` is the common name of the client certificate that TLS has verified, None if there was
    none.
    """
    if proxy is None or shown is None:
        raise statuses.unauthorized("no client certificate of the front proxy was shown")
    if proxy.names and shown not in proxy.names:
        raise statuses.unauthorized(f"client certificate {shown!r} is not that of the front proxy")
    sent = [(name.lower(), value) for name, value in headers]
    name = _first(proxy.user_headers, sent)
    groups = _first(proxy.group_headers, sent)
    if not name or not name[0]:
        raise statuses.unauthorized("the front proxy does not say who the user is")
    if not groups:
        raise statuses.unauthorized("the front proxy does not say of which groups the user is")
    uid = _first(proxy.uid_headers, sent)
    return User(name[0], tuple(groups), uid[0] if uid else "", _extra(proxy.extra_prefixes, sent))


def _first(candidates: Iterable[str], sent: Sequence[tuple[str, str]]) -> list[str]:
    """All values of the first of these headers that is there."""
    for candidate in candidates:
        if found := [value for name, value in sent if name == candidate.lower()]:
            return found
    return []


def _extra(
    prefixes: tuple[str, ...], sent: Iterable[tuple[str, str]]
) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name, value in sent:
        prefix = next((each for each in prefixes if name.startswith(each)), None)
        if prefix is not None:
            key = unquote(name[len(prefix) :])
            found[key] = (*found.get(key, ()), value)
    return found


def _list(data: Mapping[str, str], key: str) -> tuple[str, ...]:
    try:
        found = json.loads(data.get(key) or "[]")
    except ValueError as error:
        raise NoFrontProxy(f"{key} in {NAMESPACE}/{CONFIG_MAP} is no list: {error}") from error
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise NoFrontProxy(f"{key} in {NAMESPACE}/{CONFIG_MAP} is no list of texts")
    return tuple(each for each in found if each)
