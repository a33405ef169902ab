"""
One chain, from what is there to what should be: keys are made here, nothing is written.

Written in the order of `Renewal.writes`, and safe to stop after any of them: the bundle that trusts
a new signer first, then the signer, then what it has signed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cdi import pki
from cdi.kube.objects import Object
from cdi.operator.certificates import contents, decide
from cdi.operator.certificates.chains import BUNDLE_KEY, Chain, Target
from cdi.operator.certificates.contents import Stored
from cdi.operator.certificates.decide import Held
from cdi.pki import Pair, Use
from cdi.storage.lifetimes import Lifetime, Lifetimes


@dataclass(frozen=True, slots=True)
class Seen:
    """The objects of one chain, as they are; None where there is none."""

    signer: Object | None = None
    bundle: Object | None = None
    target: Object | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """What one object should hold; `reason` is why, for the log."""

    kind: str  # Secret or ConfigMap
    name: str
    body: Object
    reason: str


@dataclass(frozen=True, slots=True)
class Renewal:
    """What to write, in order, and when to look again."""

    writes: tuple[Write, ...]
    again_at: datetime


def renew(chain: Chain, seen: Seen, lifetimes: Lifetimes, namespace: str, now: datetime) -> Renewal:
    """Decide about one chain and make what it lacks."""
    writes: list[Write] = []
    signer = contents.parse_secret(seen.signer)
    reason = decide.why_renew_signer(signer.held if signer else None, lifetimes.signer, now)
    if signer is None or reason:
        name = chain.signer_name(namespace, int(now.timestamp()))
        made = pki.make_authority(name, now, lifetimes.signer.life)
        body = contents.secret_of(made, lifetimes.signer)
        writes.append(Write("Secret", chain.signer, body, reason))
        signer = Stored(made, _held(body))
    trusted = [*contents.parse_bundle(seen.bundle, now), signer.pair.leaf]
    bundle = contents.bundle_of(trusted)
    if bundle["data"] != _data(seen.bundle):
        writes.insert(0, Write("ConfigMap", chain.bundle, bundle, "not what is to be trusted"))
    lifetime = _lifetime_of(chain.target, lifetimes)
    target: Held | None = None
    if chain.target is not None:
        names = {pki.common_name(each) for each in trusted}
        found = contents.parse_secret(seen.target)
        hosts = chain.target.hosts(namespace)
        target = found.held if found else None
        reason = decide.why_renew_target(target, lifetime, hosts, names, signer.held, now)
        if reason:
            issued = _issued(chain.target, signer.pair, lifetime, hosts, now)
            body = contents.secret_of(issued, lifetime)
            writes.append(Write("Secret", chain.target.secret, body, reason))
            target = _held(body)
    return Renewal(
        tuple(writes),
        decide.next_look(signer.held, lifetimes.signer, target, lifetime),
    )


def _issued(
    target: Target, signer: Pair, lifetime: Lifetime, hosts: frozenset[str], now: datetime
) -> Pair:
    name, use = (target.service, Use.SERVER) if target.service else (target.client, Use.CLIENT)
    return pki.issue(signer, name, use, now, lifetime.life, hosts=sorted(hosts))


def _lifetime_of(target: Target | None, lifetimes: Lifetimes) -> Lifetime:
    return lifetimes.client if target is not None and target.client else lifetimes.server


def _held(body: Object) -> Held:
    """What was just made, as it will be read."""
    stored = contents.parse_secret(body)
    if stored is None:
        raise AssertionError("what was made cannot be read")
    return stored.held


def _data(config_map: Object | None) -> Object:
    found = (config_map or {}).get("data") or {}
    return {BUNDLE_KEY: found[BUNDLE_KEY]} if BUNDLE_KEY in found else {}
