"""At which host clients reach the upload proxy: found in Ingresses, then in OpenShift's Routes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cdi.storage import documents

Object = dict[str, Any]

SERVICE: Final = "cdi-uploadproxy"

# Where a Route's CA is: a ConfigMap that every namespace has, and its key.
ROUTE_CA_CONFIG_MAP: Final = "kube-root-ca.crt"
ROUTE_CA_KEY: Final = "ca.crt"
INGRESS_CERTIFICATE_KEY: Final = "tls.crt"


@dataclass(frozen=True, slots=True)
class Address:
    """A host without scheme and port, and where its certificate is to be looked for."""

    host: str
    secret: str = ""  # with the certificate of an Ingress, if it has one
    is_route: bool = False


def choose(
    ingresses: Iterable[Object], routes: Iterable[Object], namespace: str, service: str = SERVICE
) -> Address | None:
    """Return the first address in a namespace that leads to the service, or None."""
    for ingress in ingresses:
        if documents.namespace(ingress) == namespace and (host := _ingress_host(ingress, service)):
            return Address(host, secret=_tls_secret(ingress))
    for route in routes:
        if documents.namespace(route) == namespace and (host := _route_host(route, service)):
            return Address(host, is_route=True)
    return None


def _ingress_host(ingress: Mapping[str, Any], service: str) -> str:
    rules = documents.at(ingress, "spec", "rules") or []
    default = documents.at(ingress, "spec", "defaultBackend")
    if default is not None:
        # Everything that no rule takes goes there: the rules' own backends do not matter.
        leads_here = documents.at(default, "service", "name") == service
        return str(rules[0].get("host") or "") if leads_here and rules else ""
    for rule in rules:
        paths = documents.at(rule, "http", "paths") or []
        backends = [documents.at(path, "backend", "service", "name") for path in paths]
        if service in backends and rule.get("host"):
            return str(rule["host"])
    return ""


def _tls_secret(ingress: Mapping[str, Any]) -> str:
    entries = documents.at(ingress, "spec", "tls") or []
    return next((str(each["secretName"]) for each in entries if each.get("secretName")), "")


def _route_host(route: Mapping[str, Any], service: str) -> str:
    if documents.at(route, "spec", "to", "name") != service:
        return ""
    admitted = documents.at(route, "status", "ingress") or []
    return str(admitted[0].get("host") or "") if admitted else ""
