"""How long certificates are good and when they are renewed: a CDI object's `certConfig`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from cdi.api import duration
from cdi.storage import documents

_HOUR: Final = timedelta(hours=1)
_LONGEST: Final = timedelta(days=36525)  # dates of certificates have four digits for the year


class InvalidCertConfig(ValueError):
    """`certConfig` cannot be followed; names the field and says why."""


@dataclass(frozen=True, slots=True)
class Lifetime:
    """From its making a certificate is good for `life`, and renewed once `refresh` has passed."""

    life: timedelta
    refresh: timedelta

    def as_text(self) -> str:
        """As an annotation records it."""
        lifetime, refresh = duration.show(self.life), duration.show(self.refresh)
        return json.dumps({"lifetime": lifetime, "refresh": refresh}, separators=(",", ":"))


_SIGNER: Final = Lifetime(48 * _HOUR, 24 * _HOUR)
_LEAF: Final = Lifetime(24 * _HOUR, 12 * _HOUR)


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """Of signers, of servers and of clients."""

    signer: Lifetime = _SIGNER
    server: Lifetime = _LEAF
    client: Lifetime = _LEAF


DEFAULT: Final = Lifetimes()


def parse_lifetimes(cdi: Mapping[str, Any] | None) -> Lifetimes:
    """What a CDI object asks for. Raises InvalidCertConfig."""
    given: Mapping[str, Any] = documents.at(cdi, "spec", "certConfig") or {}
    return Lifetimes(
        _lifetime(given, "ca", DEFAULT.signer),
        _lifetime(given, "server", DEFAULT.server),
        _lifetime(given, "client", DEFAULT.client),
    )


def _lifetime(given: Mapping[str, Any], whose: str, default: Lifetime) -> Lifetime:
    life = _duration(given, whose, "duration")
    before = _duration(given, whose, "renewBefore")
    total = default.life if life is None else life
    if total <= timedelta():
        raise InvalidCertConfig(f"spec.certConfig.{whose}.duration: must be more than nothing")
    if total > _LONGEST:
        raise InvalidCertConfig(f"spec.certConfig.{whose}.duration: must be less than 100 years")
    if before is None:
        return Lifetime(total, default.refresh)
    if not timedelta() <= before < total:
        raise InvalidCertConfig(
            f"spec.certConfig.{whose}.renewBefore: {duration.show(before)} is not shorter than the "
            f"duration, {duration.show(total)}"
        )
    return Lifetime(total, total - before)


def _duration(given: Mapping[str, Any], whose: str, key: str) -> timedelta | None:
    text = documents.at(given, whose, key)
    if text is None:
        return None
    try:
        return duration.parse(str(text))
    except duration.InvalidDuration as error:
        raise InvalidCertConfig(f"spec.certConfig.{whose}.{key}: {error}") from error
