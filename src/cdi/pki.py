"""
Keys and certificates as PEM text: authorities, what they sign, and RSA pairs.

Here: making them, reading back what was made, and showing it. Elsewhere: when they are made anew,
and where they are kept. Times are handed in; a certificate begins a little before the time it is
made at, because clocks of machines differ. Raises BrokenPem.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

BACKDATED: Final = timedelta(minutes=5)
_RSA_BITS: Final = 2048
_LONGEST_COMMON_NAME: Final = 64  # characters, by X.509


class BrokenPem(ValueError):
    """The text is not what it should be; says what was expected."""


class Use(Enum):
    """What a certificate proves."""

    SERVER = ExtendedKeyUsageOID.SERVER_AUTH
    CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate, perhaps with its issuers behind it, and its key; both PEM."""

    certificate: str
    key: str = field(repr=False)

    @property
    def leaf(self) -> x509.Certificate:
        """Raises BrokenPem."""
        return parse_certificates(self.certificate)[0]


def make_authority(name: str, now: datetime, life: timedelta) -> Pair:
    """A self-signed authority that signs no other authorities."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(name)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    made = (
        builder(subject, subject, key.public_key(), now, life)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage(signs_certificates=True), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )
    return Pair(_text(made), _key_text(key))


def issue(
    authority: Pair,
    name: str,
    use: Use,
    now: datetime,
    life: timedelta,
    *,
    hosts: Iterable[str] = (),
) -> Pair:
    """A certificate signed by `authority`, and the authority's behind it.

    A client is known by its name, of whatever length; a server by its hosts. It never outlives its
    authority. Raises BrokenPem.
    """
    issuer, issuer_key = authority.leaf, _parse_key(authority.key)
    key = ec.generate_private_key(ec.SECP256R1())
    life = min(life, issuer.not_valid_after_utc - now)
    usage: ObjectIdentifier = use.value
    begun = (
        builder(_name(name, whole=use is Use.CLIENT), issuer.subject, key.public_key(), now, life)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
    )
    if names := [general_name(host) for host in hosts]:
        begun = begun.add_extension(x509.SubjectAlternativeName(names), critical=False)
    made = begun.sign(issuer_key, hashes.SHA256())
    return Pair(_text(made) + _text(issuer), _key_text(key))


def load_pair(context: ssl.SSLContext, pair: Pair) -> None:
    """Let a context show a certificate. Raises OSError, ValueError."""
    # The ssl module takes keys from files only.
    with _file_of(f"{pair.key}\n{pair.certificate}".encode("ascii")) as path:
        context.load_cert_chain(path)


@contextmanager
def _file_of(content: bytes) -> Iterator[Path]:
    """A file for this process alone: in memory, if it can be opened there.

    One on a disk that is busy takes tens of milliseconds, in which a server answers nobody.
    """
    if hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("tls"), "wb") as file:
            file.write(content)
            file.flush()
            path = Path(f"/proc/self/fd/{file.fileno()}")
            if os.access(path, os.R_OK):
                yield path
                return
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "tls.pem"
        path.touch(mode=0o600)
        path.write_bytes(content)
        yield path


def common_name(certificate: x509.Certificate) -> str:
    """Whom a certificate is about."""
    found = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else ""


def hosts_of(certificate: x509.Certificate) -> frozenset[str]:
    """By which names the owner of a certificate may be reached."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return frozenset()
    return frozenset(names.value.get_values_for_type(x509.DNSName))


def parse_certificates(text: str) -> list[x509.Certificate]:
    """The certificates of a bundle, at least one. Raises BrokenPem."""
    try:
        return x509.load_pem_x509_certificates(text.encode())
    except ValueError as error:
        raise BrokenPem(f"not certificates in PEM form: {error}") from error


def bundle_of(certificates: Iterable[x509.Certificate]) -> str:
    """One text with each certificate once, in an order that does not depend on the given one."""
    return "".join(sorted({_text(each) for each in certificates}))


def make_rsa_pair() -> tuple[str, str]:
    """A private key (PKCS#1) and its public one (PKIX)."""
    key = rsa.generate_private_key(65537, _RSA_BITS)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    return private.decode(), public_text(key.public_key())


def public_text(key: rsa.RSAPublicKey) -> str:
    """A public key as PEM."""
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()


def parse_rsa_private(text: str) -> rsa.RSAPrivateKey:
    """Raises BrokenPem, also where it is a key of another kind."""
    try:
        key = serialization.load_pem_private_key(text.encode(), None)
    except (ValueError, TypeError) as error:
        raise BrokenPem(f"not a private key in PEM form: {error}") from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise BrokenPem(f"not an RSA key but {type(key).__name__}")
    return key


def parse_rsa_public(text: str) -> rsa.RSAPublicKey:
    """Raises BrokenPem, also where it is a key of another kind."""
    try:
        key = serialization.load_pem_public_key(text.encode())
    except (ValueError, TypeError) as error:
        raise BrokenPem(f"not a public key in PEM form: {error}") from error
    if not isinstance(key, rsa.RSAPublicKey):
        raise BrokenPem(f"not an RSA key but {type(key).__name__}")
    return key


def _parse_key(text: str) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    try:
        key = serialization.load_pem_private_key(text.encode(), None)
    except (ValueError, TypeError) as error:
        raise BrokenPem(f"not a private key in PEM form: {error}") from error
    # An authority that somebody else made may have an RSA key.
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise BrokenPem(f"neither an elliptic curve nor an RSA key but {type(key).__name__}")
    return key


def builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    now: datetime,
    life: timedelta,
    backdated: timedelta = BACKDATED,
) -> x509.CertificateBuilder:
    """Begin a certificate that holds from `backdated` before `now` on: clocks may be slow."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - backdated)
        .not_valid_after(now + life)
    )


def _name(common: str, *, whole: bool = False) -> x509.Name:
    """A name that is cut to what X.509 allows, unless all of it counts."""
    if not whole or len(common) <= _LONGEST_COMMON_NAME:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common[:_LONGEST_COMMON_NAME])])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is too long
        long = x509.NameAttribute(NameOID.COMMON_NAME, common, _validate=False)
    return x509.Name([long])


def key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    """What a certificate's key is for: signatures, and those of others' certificates if asked."""
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def general_name(host: str) -> x509.GeneralName:
    """A host of a certificate: an address, or a name."""
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _text(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_text(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
