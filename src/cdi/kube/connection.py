"""
Where the API server is, and as whom we speak to it.

Here: `Access`, what one needs to connect; `Credentials`, which hands it out and renews it; and
three ways to get one: from a kubeconfig, from inside a pod, or given outright. Parsing kubeconfigs
and running exec plugins is the `kubernetes` package's business; its Configuration object does not
leave this module. It is imported late, because it costs 0.4 s and 20 MiB, which whoever runs in a
pod, or is given access outright, can save. Raises ConfigurationError.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import yaml

from cdi.kube import errors
from cdi.kube.clock import Clock, SystemClock

_TOKEN_IS_BELIEVED = 60.0  # seconds; a kubelet renews it long before it expires

# Where every pod finds the token and the certificate authority of its service account.
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True, slots=True)
class Tls:
    """What is trusted, and what we show. Paths of PEM files; empty means not given."""

    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    server_name: str = ""  # expected in the certificate, where it is not the URL's host
    verify: bool = True
    # Tells a renewed file from the one it replaced under the same name.
    stamp: tuple[int, ...] = ()

    def context(self) -> ssl.SSLContext:
        """Raises ConfigurationError where a file is missing or broken."""
        try:
            context = ssl.create_default_context(cafile=self.ca_file or None)
            # Python 3.13 insists on key identifiers, which many clusters' own CAs lack.
            context.verify_flags &= ~ssl.VERIFY_X509_STRICT
            if self.cert_file:
                context.load_cert_chain(self.cert_file, self.key_file or None)
        except OSError as error:
            raise errors.ConfigurationError(f"TLS files cannot be used: {error}") from error
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


@dataclass(frozen=True, slots=True)
class Access:
    """One way to reach one API server."""

    server: str  # https://host:port, possibly with a path, no slash at the end
    authorization: str = field(default="", repr=False)  # the header's value
    tls: Tls = Tls()
    proxy: str = field(default="", repr=False)  # may carry a password


class Credentials(Protocol):
    """Hands out access that is valid now."""

    async def current(self) -> Access:
        """Cheap enough to be asked before every request."""

    async def renew(self) -> Access:
        """Read or fetch everything again; for when the server said 401."""


async def as_bearer(credentials: Credentials, token: str) -> Static:
    """Access to the same API server as the bearer of a token, and as nobody else."""
    own = await credentials.current()
    tls = replace(own.tls, cert_file="", key_file="")
    return Static(replace(own, authorization=f"Bearer {token}", tls=tls))


class Static:
    """Access that never changes."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def current(self) -> Access:
        return self._access

    async def renew(self) -> Access:
        return self._access


class At:
    """Somebody's access to their API server, at another address of it."""

    def __init__(self, credentials: Credentials, server: str) -> None:
        """`server` is a URL, or host and port."""
        self._credentials = credentials
        self._server = (server if "://" in server else f"https://{server}").rstrip("/")

    async def current(self) -> Access:
        return replace(await self._credentials.current(), server=self._server)

    async def renew(self) -> Access:
        return replace(await self._credentials.renew(), server=self._server)


class InCluster:
    """The service account of the pod that we run in. The token file is read again every minute."""

    def __init__(
        self,
        directory: Path = SERVICE_ACCOUNT,
        environment: Mapping[str, str] = os.environ,
        clock: Clock | None = None,
    ) -> None:
        self._directory = directory
        self._environment = environment
        self._clock = clock or SystemClock()
        self._token = ""
        self._read_again = 0.0  # when

    async def current(self) -> Access:
        authority = str(self._directory / "ca.crt")
        try:
            server = f"https://{_host_and_port(self._environment)}"
            if not self._token or self._clock.now() >= self._read_again:
                self._read()
        except (ValueError, OSError) as error:
            raise errors.ConfigurationError(f"not inside a cluster: {error}") from error
        tls = Tls(ca_file=authority, stamp=(_changed_at(authority),))
        return Access(server, f"bearer {self._token}", tls)

    async def renew(self) -> Access:
        self._token = ""
        return await self.current()

    def _read(self) -> None:
        path = self._directory / "token"
        self._token = path.read_text(encoding="ascii").strip()
        if not self._token:
            raise ValueError(f"{path} is empty")
        self._read_again = self._clock.now() + _TOKEN_IS_BELIEVED


def _host_and_port(environment: Mapping[str, str]) -> str:
    """Raises ValueError where the environment is not that of a pod."""
    host, port = (environment.get(f"KUBERNETES_SERVICE_{each}") for each in ("HOST", "PORT"))
    if not host or not port:
        raise ValueError("KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set")
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class KubeConfig:
    """A kubeconfig file, or several joined by `:`, as kubectl reads it.

    It is read anew when the server refuses us, which also runs an exec plugin again and notices
    a replaced token file or certificate.
    """

    def __init__(self, path: str, context: str = "") -> None:
        self._path = path
        self._context = context
        self._access: Access | None = None
        self._loading = asyncio.Lock()

    async def current(self) -> Access:
        async with self._loading:  # an exec plugin may ask somebody to log in: once
            if self._access is None:
                self._access = await self._load()
            return self._access

    async def renew(self) -> Access:
        self._access = None
        return await self.current()

    async def _load(self) -> Access:
        from kubernetes.aio import client, config

        configuration = client.Configuration()
        try:
            await config.load_kube_config(
                config_file=_with_content(self._path),
                context=self._context or None,
                client_configuration=configuration,
            )
        except (config.ConfigException, yaml.YAMLError, ValueError) as error:
            message = f"kubeconfig {self._path}: {error}"
            raise errors.ConfigurationError(message) from error
        except OSError as error:
            message = f"kubeconfig {self._path} cannot be read: {error.strerror}"
            raise errors.ConfigurationError(message) from error
        except (TypeError, AttributeError, LookupError) as error:
            # The loader takes for granted that lists are lists and mappings mappings.
            message = f"kubeconfig {self._path} is none: {error}"
            raise errors.ConfigurationError(message) from error
        return await _access_of(configuration)


def _with_content(path: str) -> str:
    """Those files of `path` that are there and say something, joined as `path` is.

    Raises ConfigurationError where none does, or one says what no kubeconfig says.
    """
    files = [each for each in path.split(os.pathsep) if each and Path(each).expanduser().exists()]
    if not files:
        raise errors.ConfigurationError(f"kubeconfig {path}: no such file")
    found = []
    for file in files:
        content = yaml.safe_load(Path(file).expanduser().read_text(encoding="utf-8"))
        if content is not None and not isinstance(content, dict):
            raise errors.ConfigurationError(f"kubeconfig {file} is none: it holds no mapping")
        if content:
            found.append(file)
    if not found:
        raise errors.ConfigurationError(f"kubeconfig {path} is empty")
    return os.pathsep.join(found)


async def _access_of(configuration: Any) -> Access:
    settings: dict[str, Any] = dict(await configuration.auth_settings())
    files = [configuration.ssl_ca_cert, configuration.cert_file, configuration.key_file]
    authorization = (settings.get("BearerToken") or {}).get("value") or ""
    return Access(
        server=str(configuration.host).rstrip("/"),
        authorization=authorization.strip(),
        tls=Tls(
            ca_file=configuration.ssl_ca_cert or "",
            cert_file=configuration.cert_file or "",
            key_file=configuration.key_file or "",
            server_name=configuration.tls_server_name or "",
            verify=configuration.verify_ssl,
            stamp=tuple(_changed_at(file) for file in files if file),
        ),
        proxy=configuration.proxy or "",
    )


def _changed_at(file: str) -> int:
    try:
        return Path(file).stat().st_mtime_ns
    except OSError:
        return 0  # using it will say what is wrong


def direct(server: str, token: str = "", ca_file: str = "") -> Credentials:
    """Credentials given outright, without any configuration file."""
    bearer = f"Bearer {token}" if token else ""
    return Static(Access(server.rstrip("/"), bearer, Tls(ca_file=ca_file)))


def choose(
    kubeconfig: str = "", context: str = "", environment: Mapping[str, str] = os.environ
) -> Credentials:
    """The credentials that kubectl would use: the file named here, else the one named by
    KUBECONFIG, else the pod's own, else the file in the home directory."""
    path = kubeconfig or environment.get("KUBECONFIG", "")
    if not path and environment.get("KUBERNETES_SERVICE_HOST"):
        return InCluster(environment=environment)
    return KubeConfig(path or str(Path.home() / ".kube" / "config"), context)
