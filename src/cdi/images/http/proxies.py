"""
Which proxy a request goes through: the rules of Go's net/http, which existing set-ups rely on.

`http_proxy` is for http URLs, `https_proxy` for https URLs, and `no_proxy` names hosts to reach
directly: `*`, `example.com` (with all below it), `.example.com` and `*.example.com` (only those
below it), addresses, networks, each but the networks with an optional `:port`. Upper-case names
win. Loopback hosts are never proxied. Raises InvalidRequest for a proxy's URL that makes no sense.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field

from cdi.images import errors
from cdi.images.http import urls
from cdi.images.http.options import basic


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy, its credentials apart."""

    url: str
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @property
    def fields(self) -> list[tuple[str, str]]:
        """What the proxy wants to see before it works for us."""
        if not self.user:
            return []
        return [("Proxy-Authorization", basic(self.user, self.password))]


def choose_proxy(proxies: Mapping[str, str], target: urls.Url) -> Proxy | None:
    """Return the proxy for `target`, or None to reach it directly."""
    value = _setting(proxies, f"{target.scheme}_proxy")
    if not value or _direct(target, _setting(proxies, "no_proxy")):
        return None
    return parse_proxy(value)


def parse_proxy(value: str) -> Proxy:
    """Read a proxy's URL; without a scheme it is http."""
    try:
        place = urls.parse_url(value if "://" in value else f"http://{value}")
    except errors.InvalidRequest:
        raise errors.InvalidRequest(
            "the proxy's URL is not of the form http(s)://[user:password@]host:port"
        ) from None
    url = f"{place.scheme}://{place.host}:{place.port}"
    return Proxy(url, place.user, place.password)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, as can be told by its name."""
    host = host.strip("[]").rstrip(".")
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _setting(proxies: Mapping[str, str], name: str) -> str:
    return (proxies.get(name.upper()) or proxies.get(name) or "").strip()


def _direct(target: urls.Url, exceptions: str) -> bool:
    host = target.host.strip("[]").rstrip(".")
    address = _address(host)
    if is_loopback(target.host):
        return True
    entries = [entry.strip().lower() for entry in exceptions.split(",")]
    return any(_matches(entry, host, address, target.port) for entry in entries if entry)


def _matches(entry: str, host: str, address: _Address | None, port: int) -> bool:
    if entry == "*":
        return True
    if "/" in entry:
        return address is not None and _in_network(address, entry)
    name, wanted = _split_port(entry)
    if wanted is not None and wanted != port:
        return False
    if (excepted := _address(name.strip("[]"))) is not None:
        return excepted == address
    name = name.removeprefix("*")
    if name.startswith("."):
        return host.endswith(name)
    return host == name or host.endswith(f".{name}")


_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _address(text: str) -> _Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _in_network(address: _Address, network: str) -> bool:
    try:
        return address in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _split_port(entry: str) -> tuple[str, int | None]:
    name, colon, port = entry.rpartition(":")
    if not colon or not port.isdigit() or (":" in name and not name.endswith("]")):
        return entry, None
    return name, int(port)
