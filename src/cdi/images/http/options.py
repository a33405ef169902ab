"""
How to speak to one HTTP server: a frozen value, filled once at the edge.

Nothing here is read from the environment: whoever starts the work passes what it found there as
`proxies`. Durations are in seconds. Secrets do not show in `repr`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from cdi.images.http import retry

# Servers and firewalls of existing installations have rules for this name.
USER_AGENT = "cdi-golang-importer"


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """Credentials, trust, proxies and patience for one source.

    `headers` and `secret_headers` are lines `Name: value`; both go to the origin of the URL only.
    Basic authentication is used if both `user` and `password` are non-empty. Certificates of
    `ca_files`, `ca_dirs` and `proxy_ca_dirs` are trusted beside the system's; of these only a
    missing `proxy_ca_dirs` entry is fine. `proxies` takes http_proxy, https_proxy and no_proxy
    in either case; other keys are ignored, so an environment can be passed whole. `secret_path`
    says that the URL's path is a secret like a password.
    """

    user: str = ""
    password: str = field(default="", repr=False)
    headers: tuple[str, ...] = field(default=(), repr=False)
    secret_headers: tuple[str, ...] = field(default=(), repr=False)
    ca_files: tuple[Path, ...] = ()
    ca_dirs: tuple[Path, ...] = ()
    proxy_ca_dirs: tuple[Path, ...] = ()
    insecure: bool = False
    secret_path: bool = False
    proxies: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    user_agent: str = USER_AGENT
    connections: int = 8  # kept open for reuse; more may be open at a time
    connect_timeout: float = 15.0  # TCP and TLS handshake together; DNS has its own limits
    stall: float = 60.0  # without a single byte, after which a connection is given up
    retries: retry.Policy = field(default_factory=retry.Policy)
