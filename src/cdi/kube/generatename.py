"""How Kubernetes completes the names of objects that come with `metadata.generateName`."""

from __future__ import annotations

import secrets
from typing import Final

_SUFFIX: Final = 5  # characters
_LONGEST: Final = 63  # so that the whole name stays a DNS label
_ALPHABET: Final = "bcdfghjklmnpqrstvwxz2456789"  # no vowels, no look-alikes


def generated_name(beginning: str) -> str:
    """A fresh name that begins so."""
    end = "".join(secrets.choice(_ALPHABET) for _ in range(_SUFFIX))
    return beginning[: _LONGEST - _SUFFIX] + end
