"""
TLS versions and cipher suites of CDI's servers, from the CDIConfig's `tlsSecurityProfile`.

Names are OpenSSL's. Which of them a TLS library knows is the server's business: names that it
does not know are to be dropped.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cdi.storage import documents


@dataclass(frozen=True, slots=True)
class TLSProfile:
    """The lowest version (`VersionTLS12`) and the cipher suites, best first."""

    minimum: str
    ciphers: tuple[str, ...]


_TLS13: Final = (
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
)
_FORWARD_SECRET: Final = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "DHE-RSA-AES128-GCM-SHA256",
    "DHE-RSA-AES256-GCM-SHA384",
)
_LEGACY: Final = (
    "DHE-RSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES128-SHA256",
    "ECDHE-RSA-AES128-SHA256",
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-RSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-SHA384",
    "ECDHE-RSA-AES256-SHA384",
    "ECDHE-ECDSA-AES256-SHA",
    "ECDHE-RSA-AES256-SHA",
    "DHE-RSA-AES128-SHA256",
    "DHE-RSA-AES256-SHA256",
    "AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
    "AES128-SHA256",
    "AES256-SHA256",
    "AES128-SHA",
    "AES256-SHA",
    "DES-CBC3-SHA",
)

INTERMEDIATE: Final = TLSProfile("VersionTLS12", _TLS13 + _FORWARD_SECRET)

PROFILES: Final[Mapping[str, TLSProfile]] = {
    "Old": TLSProfile("VersionTLS10", _TLS13 + _FORWARD_SECRET + _LEGACY),
    "Intermediate": INTERMEDIATE,
    "Modern": TLSProfile("VersionTLS13", _TLS13),
}


def profile_for(spec: Mapping[str, Any] | None) -> TLSProfile:
    """Return the profile in effect, given the CDIConfig's spec.

    A custom one wins whatever type is named; a type that says nothing means Intermediate.
    """
    said = documents.at(spec, "tlsSecurityProfile")
    custom = documents.at(said, "custom")
    if custom is not None:
        minimum = custom.get("minTLSVersion") or INTERMEDIATE.minimum
        return TLSProfile(minimum, tuple(custom.get("ciphers") or ()))
    return PROFILES.get(documents.at(said, "type") or "", INTERMEDIATE)
