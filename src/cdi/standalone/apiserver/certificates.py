"""
The server's own certificate authority and the certificate it shows.

Both live in the state directory and are kept across restarts, so that kubeconfigs stay valid; the
server's certificate is made anew when it does not cover the addresses, nears its end or, because
the clock was ahead once, has not begun. The authority is issued anew with its old key then: what
trusts that key goes on trusting it.
"""

import os
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cdi import pki
from cdi.volumes.pool import sync_directory

CA_LIFE = timedelta(days=3650)
LIFE = timedelta(days=365)
RENEW_BEFORE = timedelta(days=30)
BACKDATED = timedelta(hours=1)  # clocks of clients may be slow
ALWAYS = ("localhost", "127.0.0.1", "::1", "kubernetes", "kubernetes.default.svc")


@dataclass(frozen=True, slots=True)
class Certificates:
    """Paths of the PEM files."""

    authority: Path
    certificate: Path
    key: Path

    def server_context(self) -> ssl.SSLContext:
        """TLS as the server speaks it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.show_in(context)
        context.set_alpn_protocols(["http/1.1"])
        return context

    def show_in(self, context: ssl.SSLContext) -> None:
        """Have connections from now on shown what the files hold; open ones go on as they are."""
        context.load_cert_chain(self.certificate, self.key)


def ensure_certificates(directory: Path, hosts: Iterable[str], now: datetime) -> Certificates:
    """The certificates for `hosts` (names or addresses), made where missing or outdated."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = Certificates(directory / "ca.crt", directory / "server.crt", directory / "server.key")
    names = tuple(dict.fromkeys((*ALWAYS, *hosts)))
    ca_key = _authority_key(directory / "ca.key")
    if _ensure_authority(found.authority, ca_key, now):
        found.certificate.unlink(missing_ok=True)  # issued by what is no more
    if _covers(found.certificate, names, now) and _has_content(found.key):
        return found
    ca = x509.load_pem_x509_certificate(found.authority.read_bytes())
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _server_certificate(ca, ca_key, key.public_key(), names, now)
    write_private(found.key, _pem(key))
    write_private(found.certificate, certificate.public_bytes(serialization.Encoding.PEM))
    return found


def write_private(path: Path, content: bytes) -> None:
    """Replace a file in one step; nobody but the owner ever can read it."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_directory(path.parent)


def _authority_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """The authority's key, made now if there is none."""
    if not _has_content(path):
        write_private(path, _pem(ec.generate_private_key(ec.SECP256R1())))
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{path} does not hold an elliptic curve key")
    return key


def _ensure_authority(path: Path, key: ec.EllipticCurvePrivateKey, now: datetime) -> bool:
    """Have a certificate of the authority that holds now; whether it was issued anew."""
    if _has_content(path):
        present = x509.load_pem_x509_certificate(path.read_bytes())
        if _holds(present, now) and present.public_key() == key.public_key():
            return False
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cdi standalone")])
    certificate = (
        pki.builder(name, name, key.public_key(), now, CA_LIFE, BACKDATED)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(pki.key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    write_private(path, certificate.public_bytes(serialization.Encoding.PEM))
    return True


def _server_certificate(
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    public_key: ec.EllipticCurvePublicKey,
    names: tuple[str, ...],
    now: datetime,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cdi apiserver")])
    return (
        pki.builder(subject, ca.subject, public_key, now, LIFE, BACKDATED)
        .add_extension(x509.SubjectAlternativeName(map(pki.general_name, names)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(pki.key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()),
            critical=False,
        )
        .sign(ca_key, hashes.SHA256())
    )


def _has_content(path: Path) -> bool:
    """Whether a file is there and not empty, as a full disk may have left it."""
    return path.exists() and path.stat().st_size > 0


def _covers(path: Path, names: tuple[str, ...], now: datetime) -> bool:
    if not _has_content(path):
        return False
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    if not _holds(certificate, now):
        return False
    alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    present = set(alternatives.value)
    return all(pki.general_name(name) in present for name in names)


def _holds(certificate: x509.Certificate, now: datetime) -> bool:
    """Whether it has begun, and does not end soon."""
    at = now.astimezone(UTC)
    begun = certificate.not_valid_before_utc <= at
    return begun and certificate.not_valid_after_utc >= at + RENEW_BEFORE


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
