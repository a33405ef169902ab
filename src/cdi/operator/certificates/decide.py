"""
What has to be made anew, and when to look again: pure decisions over what is there, and the time.

A signer is renewed when it is old, well before it ends. What it signs is renewed by age, too, but
not while the signer is young: whoever has to trust it gets a tenth of the time until the next
renewal to hear of it. The reasons that are returned are for logs; empty means that all is well.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cdi import pki
from cdi.storage.lifetimes import Lifetime

_LATEST: Final = 0.8  # share of its life after which a certificate is renewed whatever else is said
_SPREAD: Final = 0.1  # share of a refresh age that trust gets to spread


@dataclass(frozen=True, slots=True)
class Held:
    """A certificate that is there and can be used, as far as decisions need to know it."""

    issued: datetime
    ends: datetime
    issuer: str
    hosts: frozenset[str]
    config: str  # the lifetime that it was made by, as recorded

    def latest(self) -> datetime:
        """When it has to be renewed whatever else is said."""
        return self.issued + (self.ends - self.issued) * _LATEST


def why_renew_signer(held: Held | None, wanted: Lifetime, now: datetime) -> str:
    """Why a signer has to be made; empty if it need not."""
    if held is None:
        return "missing"
    if held.config != wanted.as_text():
        return "configured differently"
    return _age(held, now) or ("old" if now >= held.issued + wanted.refresh else "")


def why_renew_target(
    held: Held | None,
    wanted: Lifetime,
    hosts: frozenset[str],
    trusted: Collection[str],
    signer: Held,
    now: datetime,
) -> str:
    """Why a certificate has to be made; `trusted` are the names of the signers in the bundle."""
    if held is None:
        return "missing"
    if held.issuer not in trusted:
        return "its signer is not trusted any more"
    if held.hosts != hosts:
        return "for other hosts"
    if reason := _age(held, now):
        return reason
    if now < _spread_at(signer, wanted):
        return ""
    if held.config != wanted.as_text():
        return "configured differently"
    return "old" if now >= held.issued + wanted.refresh else ""


def next_look(
    signer: Held, signer_lifetime: Lifetime, target: Held | None, wanted: Lifetime
) -> datetime:
    """When one of the two is due at the earliest."""
    moments = [min(signer.issued + signer_lifetime.refresh, signer.latest())]
    if target is not None:
        due = target.issued + wanted.refresh
        if target.config != wanted.as_text():
            due = signer.issued
        moments.append(min(max(due, _spread_at(signer, wanted)), target.latest()))
    return min(moments)


def _age(held: Held, now: datetime) -> str:
    if now >= held.ends:
        return "expired"
    if now < held.issued - pki.BACKDATED:
        return "not good yet"  # it was made by a clock that was ahead
    return "near its end" if now >= held.latest() else ""


def _spread_at(signer: Held, wanted: Lifetime) -> datetime:
    """When everybody who has to trust a signer has heard of it."""
    spread: timedelta = wanted.refresh * _SPREAD
    return signer.issued + spread
