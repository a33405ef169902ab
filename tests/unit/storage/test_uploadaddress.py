"""At which host clients reach the upload proxy, and which certificates they need."""

import datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cdi.storage import certificates, uploadaddress
from cdi.storage.uploadaddress import Address

PROXY = "cdi-uploadproxy"


def backend(service: str) -> dict[str, Any]:
    return {"service": {"name": service}}


def rule(host: str | None, *services: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"http": {"paths": [{"backend": backend(each)} for each in services]}}
    return entry | ({"host": host} if host else {})


def ingress(*rules: Any, default: str = "", secret: str = "", namespace: str = "cdi") -> Any:
    spec: dict[str, Any] = {"rules": list(rules)}
    if default:
        spec["defaultBackend"] = backend(default)
    if secret:
        spec["tls"] = [{}, {"secretName": secret}]
    return {"metadata": {"namespace": namespace}, "spec": spec}


def route(service: str, host: str, namespace: str = "cdi") -> Any:
    status = {"ingress": [{"host": host}] if host else []}
    spec = {"to": {"name": service}}
    return {"metadata": {"namespace": namespace}, "spec": spec, "status": status}


@pytest.mark.parametrize(
    ("ingresses", "routes", "expected"),
    [
        pytest.param([], [], None, id="none"),
        pytest.param([ingress(rule("a", "other"), rule("b", PROXY))], [], Address("b"), id="rule"),
        pytest.param([ingress(rule("a"), default=PROXY)], [], Address("a"), id="default-backend"),
        pytest.param([ingress(default=PROXY)], [], None, id="default-backend-without-rules"),
        pytest.param(
            [ingress(rule("a", PROXY), default="other")], [], None, id="other-default-backend"
        ),
        pytest.param([ingress(rule(None, PROXY))], [], None, id="rule-without-host"),
        pytest.param(
            [ingress(rule("a", PROXY), namespace="other")], [], None, id="other-namespace"
        ),
        pytest.param(
            [ingress(rule("x", "other")), ingress(rule("a", PROXY), secret="tls")],
            [route(PROXY, "r")],
            Address("a", secret="tls"),
            id="ingress-before-route",
        ),
        pytest.param(
            [],
            [route("other", "x"), route(PROXY, "y", "other"), route(PROXY, "r")],
            Address("r", is_route=True),
            id="route",
        ),
        pytest.param([], [route(PROXY, "")], None, id="route-not-admitted"),
    ],
)
def test_address(ingresses: Any, routes: Any, expected: Address | None) -> None:
    assert uploadaddress.choose(ingresses, routes, "cdi") == expected


NOW = datetime.datetime(2025, 6, 1, tzinfo=datetime.UTC)
KEY = ec.generate_private_key(ec.SECP256R1())


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificate(
    subject: str, issuer: str, *hosts: str, days: int = 10, from_day: int = -1, ca: bool = False
) -> str:
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(KEY.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + datetime.timedelta(days=from_day))
        .not_valid_after(NOW + datetime.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if hosts:
        names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
        builder = builder.add_extension(names, critical=False)
    signed = builder.sign(KEY, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


LEAF = certificate("leaf", "middle", "a.example.com")
LATER = certificate("later", "root", "*.example.com", days=20)
MIDDLE = certificate("middle", "root", "m.other.org")
ROOT = certificate("root", "root", ca=True)
PAST = certificate("past", "root", "a.example.com", days=-1, from_day=-5)
FUTURE = certificate("future", "root", "a.example.com", days=90, from_day=30)
LOOP = certificate("loop", "pool", "loop.org") + certificate("pool", "loop", "pool.org")


@pytest.mark.parametrize(
    ("bundle", "host", "expected"),
    [
        pytest.param("", "a.example.com", "", id="empty"),
        pytest.param(LEAF + MIDDLE + ROOT, "a.example.com", LEAF + MIDDLE + ROOT, id="chain"),
        pytest.param(
            ROOT + LEAF + LATER, "A.example.com", LATER + ROOT, id="the-one-that-lasts-longest"
        ),
        pytest.param(PAST + LEAF + FUTURE, "a.example.com", LEAF, id="only-valid-ones"),
        pytest.param(LEAF + PAST + ROOT, "b.org", LEAF + ROOT, id="no-match-gives-all-valid"),
        pytest.param(LATER, "a.b.example.com", LATER, id="a-star-is-one-label"),
        pytest.param(PAST, "a.example.com", "", id="nothing-valid"),
        pytest.param(LOOP, "loop.org", LOOP, id="a-circle-ends"),
    ],
)
def test_certificates(bundle: str, host: str, expected: str) -> None:
    assert (certificates.chain_for(bundle, host, NOW) or "") == expected.strip()


def test_what_is_no_bundle_is_refused() -> None:
    with pytest.raises(certificates.BrokenBundle):
        certificates.chain_for("not a certificate", "a", NOW)
