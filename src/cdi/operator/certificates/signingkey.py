"""
The key of tokens, exchanged so that no token becomes worthless: pure, but for the making of a key.

1. A next key is announced: whoever reads tokens believes it, nobody signs with it.
2. After SPREAD, when every reader has heard of it, it signs; the one before is still believed.
3. The one before goes when the next exchange puts another in its place.

So a token is believed for at least AGE after it was signed. The Secret is made by `cdi apiserver`;
one without a key is left to it.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from cdi import pki
from cdi.api import signingkey as layout
from cdi.kube import objects
from cdi.kube.objects import Object

AGE: Final = timedelta(days=30)
SPREAD: Final = timedelta(minutes=15)  # mounted Secrets take up to two minutes to change

# When the key that signs began to, and when the next one was announced.
SIGNS_SINCE: Final = "operator.cdi.kubevirt.io/signingKeySince"
NEXT_SINCE: Final = "operator.cdi.kubevirt.io/nextSigningKeySince"


@dataclass(frozen=True, slots=True)
class KeyChange:
    """A merge patch for the Secret, None where nothing is due, and when to look again."""

    patch: Object | None
    again_at: datetime
    reason: str = ""


def exchange(
    secret: Object | None, now: datetime, age: timedelta = AGE, spread: timedelta = SPREAD
) -> KeyChange:
    """The next step for a Secret, if one is due."""
    data: Mapping[str, str] = objects.get(secret, "data", default={})
    if secret is None or not data.get(layout.PRIVATE):
        return KeyChange(None, now + spread)
    announced = _moment(objects.annotations(secret).get(NEXT_SINCE))
    if data.get(layout.NEXT_PRIVATE) and data.get(layout.NEXT_PUBLIC) and announced is not None:
        if now < announced + spread:
            return KeyChange(None, announced + spread)
        return KeyChange(_promoted(data, now), now + age, "the next key signs")
    since = _moment(objects.annotations(secret).get(SIGNS_SINCE))
    since = since or _moment(objects.metadata(secret).get("creationTimestamp")) or now
    if now < since + age:
        return KeyChange(None, since + age)
    return KeyChange(_announced(now), now + spread, "a next key is announced")


def _announced(now: datetime) -> Object:
    private, public = pki.make_rsa_pair()
    return {
        "metadata": {"annotations": {NEXT_SINCE: _text(now)}},
        "data": {layout.NEXT_PRIVATE: _encoded(private), layout.NEXT_PUBLIC: _encoded(public)},
    }


def _promoted(data: Mapping[str, str], now: datetime) -> Object:
    return {
        "metadata": {"annotations": {SIGNS_SINCE: _text(now), NEXT_SINCE: None}},
        "data": {
            layout.PRIVATE: data[layout.NEXT_PRIVATE],
            layout.PUBLIC: data[layout.NEXT_PUBLIC],
            layout.PREVIOUS_PUBLIC: data.get(layout.PUBLIC) or _public_of(data[layout.PRIVATE]),
            layout.NEXT_PRIVATE: None,
            layout.NEXT_PUBLIC: None,
        },
    }


def _public_of(private: str) -> str | None:
    try:
        key = pki.parse_rsa_private(base64.b64decode(private).decode())
    except ValueError:
        return None  # it can have signed nothing
    return _encoded(pki.public_text(key.public_key()))


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _moment(text: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return found if found is None or found.tzinfo else found.replace(tzinfo=UTC)
