"""
Certificates in Secrets and bundles in ConfigMaps: read as they are found, written as others know.

A Secret that holds anything but a certificate with its key, or whose annotations are gone, counts
as empty. Expired certificates leave a bundle by themselves.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from cdi import pki
from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.operator.certificates.chains import BUNDLE_KEY
from cdi.operator.certificates.decide import Held
from cdi.pki import BACKDATED, BrokenPem, Pair
from cdi.storage.lifetimes import Lifetime

TYPE: Final = "kubernetes.io/tls"
CERTIFICATE, KEY = "tls.crt", "tls.key"

CONFIG: Final = "operator.cdi.kubevirt.io/certConfig"
NOT_BEFORE: Final = "auth.openshift.io/certificate-not-before"
NOT_AFTER: Final = "auth.openshift.io/certificate-not-after"
ISSUER: Final = "auth.openshift.io/certificate-issuer"
HOSTS: Final = "auth.openshift.io/certificate-hostnames"

_REQUIRED: Final = (CONFIG, NOT_BEFORE, NOT_AFTER, ISSUER)


@dataclass(frozen=True, slots=True)
class Stored:
    """A usable pair, and what decisions need to know of it."""

    pair: Pair
    held: Held


def parse_secret(secret: Object | None) -> Stored | None:
    """What a Secret holds; None if it is of no use."""
    annotations = objects.annotations(secret or {})
    if secret is None or not all(annotations.get(name) for name in _REQUIRED):
        return None
    pair = Pair(_decoded(secret, CERTIFICATE), _decoded(secret, KEY))
    try:
        leaf = pair.leaf
        belongs = _public_bytes(leaf.public_key()) == _public_bytes(_key_of(pair))
    except (BrokenPem, ValueError, TypeError):
        return None
    if not belongs or annotations[NOT_AFTER] != _time(leaf.not_valid_after_utc):
        return None  # somebody wants it renewed, or has mixed something up
    held = Held(
        issued=leaf.not_valid_before_utc + BACKDATED,
        ends=leaf.not_valid_after_utc,
        issuer=_issuer(leaf),
        hosts=pki.hosts_of(leaf),
        config=annotations[CONFIG],
    )
    return Stored(pair, held)


def secret_of(pair: Pair, lifetime: Lifetime) -> Object:
    """What is written into a Secret: `data`, and annotations under `metadata`."""
    leaf = pair.leaf
    annotations = {
        CONFIG: lifetime.as_text(),
        NOT_BEFORE: _time(leaf.not_valid_before_utc),
        NOT_AFTER: _time(leaf.not_valid_after_utc),
        ISSUER: _issuer(leaf),
    }
    if hosts := pki.hosts_of(leaf):
        annotations[HOSTS] = ",".join(sorted(hosts))
    return {
        "metadata": {"annotations": annotations},
        "data": {CERTIFICATE: _encoded(pair.certificate), KEY: _encoded(pair.key)},
    }


def parse_bundle(config_map: Object | None, now: datetime) -> list[x509.Certificate]:
    """The certificates in a bundle that have not expired; none if it is of no use."""
    text = objects.get(config_map, "data", BUNDLE_KEY, default="")
    try:
        found = pki.parse_certificates(str(text)) if text else []
    except BrokenPem:
        return []
    return [each for each in found if each.not_valid_after_utc > now]


def bundle_of(certificates: Iterable[x509.Certificate]) -> Object:
    """What is written into a ConfigMap."""
    return {"data": {BUNDLE_KEY: pki.bundle_of(certificates)}}


def _decoded(secret: Object, key: str) -> str:
    try:
        return base64.b64decode(objects.get(secret, "data", key, default="")).decode()
    except (binascii.Error, UnicodeDecodeError, TypeError):
        return ""


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _key_of(pair: Pair) -> object:
    key = serialization.load_pem_private_key(pair.key.encode(), None)
    return key.public_key()


def _public_bytes(key: object) -> bytes:
    encode = getattr(key, "public_bytes", None)
    if encode is None:
        raise TypeError("not a public key")
    encoded: bytes = encode(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return encoded


def _issuer(certificate: x509.Certificate) -> str:
    found = certificate.issuer.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(found[0].value) if found else ""


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
