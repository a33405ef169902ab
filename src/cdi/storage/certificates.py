"""
Which certificates of a bundle a client needs to trust a host.

Bundles and answers are PEM text. Raises BrokenBundle where a bundle cannot be read.
"""

import ipaddress
from collections.abc import Iterator, Sequence
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID


class BrokenBundle(ValueError):
    """The text is not a bundle of certificates in PEM form."""


def chain_for(bundle: str, host: str, now: datetime) -> str | None:
    """Return the certificate of a host with its issuers, or None if nothing in there is valid.

    Of several that match the one that expires last counts. Where none matches, everything that
    is valid may be needed.
    """
    valid = [each for each in _parse(bundle) if _is_valid(each, now)]
    matching = [each for each in valid if _is_for(each, host)]
    chosen = valid
    if matching:
        last = max(matching, key=lambda each: each.not_valid_after_utc)
        chosen = list(_with_issuers(last, valid))
    text = "".join(each.public_bytes(Encoding.PEM).decode() for each in chosen)
    return text.strip() or None


def _parse(bundle: str) -> list[x509.Certificate]:
    if not bundle.strip():
        return []
    try:
        return x509.load_pem_x509_certificates(bundle.encode())
    except ValueError as error:
        raise BrokenBundle(f"the bundle of certificates cannot be read: {error}") from error


def _is_valid(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def _is_for(certificate: x509.Certificate, host: str) -> bool:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    try:
        return ipaddress.ip_address(host) in names.get_values_for_type(x509.IPAddress)
    except ValueError:
        return any(_covers(name, host) for name in names.get_values_for_type(x509.DNSName))


def _covers(name: str, host: str) -> bool:
    """Tell whether a name, perhaps `*.` and the rest, stands for a host."""
    name, host = name.lower(), host.lower()
    if name.startswith("*."):
        label, _, rest = host.partition(".")
        return bool(label) and rest == name[2:]
    return name == host


def _with_issuers(
    certificate: x509.Certificate, bundle: Sequence[x509.Certificate]
) -> Iterator[x509.Certificate]:
    """Yield a certificate, its issuer and so on, up to the first authority."""
    passed: set[x509.Certificate] = set()
    link: x509.Certificate | None = certificate
    while link is not None and link not in passed:
        yield link
        passed.add(link)
        if _is_authority(link) or link.issuer == link.subject:
            return
        issuer = _common_name(link.issuer)
        link = next((each for each in bundle if _common_name(each.subject) == issuer), None)


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return bool(certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
    except x509.ExtensionNotFound:
        return False


def _common_name(name: x509.Name) -> str:
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else ""
