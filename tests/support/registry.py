"""
Container images made in memory, and registries that serve them: Debian's docker-registry, and a
fake one that asks for tokens and misbehaves.

    disk = registry.Image(layers=[registry.layer(registry.file("disk/disk.img", data))])
    with registry.Registry(folder) as server:
        url = server.push("fedora", "latest", disk)
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import lzma
import re
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import urllib3
import zstandard

from support import authority, httpd

OCI = "application/vnd.oci.image."
DOCKER = "application/vnd.docker.distribution.manifest."
INDEX, MANIFEST = f"{OCI}index.v1+json", f"{OCI}manifest.v1+json"
CONFIG = f"{OCI}config.v1+json"
TAR = f"{OCI}layer.v1.tar"
EMPTY = "application/vnd.oci.empty.v1+json"

USER, PASSWORD = "somebody", "sesame"
# bcrypt of the password, the only kind that docker-registry takes
_HTPASSWD = "somebody:$2y$05$abcdefghijklmnopqrstuuKcS.CYWVYVaLiiCKrrc0A5s3mGesJ9O\n"

COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda data: data,
    "gzip": lambda data: gzip.compress(data, 1, mtime=0),
    "zstd": lambda data: zstandard.ZstdCompressor(level=1).compress(data),
    "xz": lambda data: lzma.compress(data, preset=0),
}

Member = tuple[tarfile.TarInfo, bytes]


# Members of a layer.


def file(name: str, data: bytes = b"") -> Member:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    return info, data


def folder(name: str) -> Member:
    info = tarfile.TarInfo(name)
    info.type = tarfile.DIRTYPE
    info.mode = 0o755  # who runs the image is not root
    return info, b""


def link(name: str, target: str, *, hard: bool = False) -> Member:
    info = tarfile.TarInfo(name)
    info.type = tarfile.LNKTYPE if hard else tarfile.SYMTYPE
    info.linkname = target
    return info, b""


def pipe(name: str) -> Member:
    info = tarfile.TarInfo(name)
    info.type = tarfile.FIFOTYPE
    return info, b""


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class Blob:
    """Something with a digest."""

    data: bytes
    media_type: str
    annotations: dict[str, str] = field(default_factory=dict)
    unpacked: str = ""  # the digest of a layer's tar; container runtimes insist on it

    @property
    def digest(self) -> str:
        return digest_of(self.data)

    @property
    def descriptor(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "mediaType": self.media_type,
            "digest": self.digest,
            "size": len(self.data),
        }
        return found | ({"annotations": self.annotations} if self.annotations else {})


def layer(*members: Member, compression: str = "gzip") -> Blob:
    """A layer with these members."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    suffix = f"+{compression}" if compression else ""
    tar = packed.getvalue()
    return Blob(COMPRESSIONS[compression](tar), TAR + suffix, unpacked=digest_of(tar))


@dataclass(frozen=True)
class Image:
    """An image, or an artifact if `config_type` is another."""

    layers: list[Blob]
    architecture: str = "amd64"
    env: list[str] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    media_type: str = MANIFEST
    config_type: str = CONFIG
    artifact_type: str = ""

    @property
    def config(self) -> Blob:
        if self.config_type == EMPTY:
            return Blob(b"{}", EMPTY)
        fields = {
            "architecture": self.architecture,
            "os": "linux",
            "config": {"Env": self.env, "Labels": self.labels},
            "rootfs": {"type": "layers", "diff_ids": [each.unpacked for each in self.layers]},
        }
        return Blob(json.dumps(fields).encode(), self.config_type)

    @property
    def manifest(self) -> Blob:
        fields: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": self.media_type,
            "config": self.config.descriptor,
            "layers": [each.descriptor for each in self.layers],
        }
        if self.artifact_type:
            fields["artifactType"] = self.artifact_type
        return Blob(json.dumps(fields).encode(), self.media_type)

    def blobs(self) -> Iterator[Blob]:
        yield self.config
        yield from self.layers

    def manifests(self) -> Iterator[Blob]:
        yield self.manifest


@dataclass(frozen=True)
class Index:
    """Images for several platforms: (os, architecture, variant)."""

    images: dict[tuple[str, str, str], Image]
    media_type: str = INDEX

    @property
    def manifest(self) -> Blob:
        entries = [
            image.manifest.descriptor
            | {"platform": {"os": name, "architecture": arch} | ({"variant": v} if v else {})}
            for (name, arch, v), image in self.images.items()
        ]
        fields = {"schemaVersion": 2, "mediaType": self.media_type, "manifests": entries}
        return Blob(json.dumps(fields).encode(), self.media_type)

    def blobs(self) -> Iterator[Blob]:
        for image in self.images.values():
            yield from image.blobs()

    def manifests(self) -> Iterator[Blob]:
        for image in self.images.values():
            yield image.manifest
        yield self.manifest


def disk_image(data: bytes, name: str = "disk.img", **more: Any) -> Image:
    """An image as they usually are: one layer, one file."""
    return Image([layer(folder("disk"), file(f"disk/{name}", data))], **more)


def write_layout(path: Path, images: dict[str, Image | Index]) -> Path:
    """Write images as an OCI archive: a tar file of OCI layout. The name "" stands for none."""
    named = []
    with tarfile.open(path, "w") as archive:

        def add(name: str, data: bytes) -> None:
            archive.addfile(file(name, data)[0], io.BytesIO(data))

        add("oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
        for tag, image in images.items():
            for blob in (*image.blobs(), *image.manifests()):
                add("blobs/" + blob.digest.replace(":", "/"), blob.data)
            notes = {"annotations": {"org.opencontainers.image.ref.name": tag}} if tag else {}
            named.append(image.manifest.descriptor | notes)
        add("index.json", json.dumps({"schemaVersion": 2, "manifests": named}).encode())
    return path


class Registry:
    """Debian's docker-registry on a free port of an address, until the `with` block ends.

    `secured` gives it a certificate, `guarded` makes it want USER and PASSWORD.
    """

    def __init__(
        self,
        folder: Path,
        secured: authority.Authority | None = None,
        *,
        guarded: bool = False,
        address: str = "127.0.0.1",
    ) -> None:
        self._secured, self._guarded, self._address = secured, guarded, address
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._http = urllib3.PoolManager(
            **({"ca_certs": str(secured.ca)} if secured else {}), retries=False
        )

    def __enter__(self) -> Registry:
        config = self._folder / "config.yml"
        config.write_text(json.dumps(self._config()))  # JSON is YAML
        self._process = subprocess.Popen(
            ["docker-registry", "serve", config], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
            text=True,
        )  # fmt: skip
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if found := re.search(rf"listening on {re.escape(self._address)}:(\d+)", line):
                self.host = f"{self._address}:{found[1]}"
                break
        else:
            raise AssertionError("docker-registry did not start")
        self._drain = threading.Thread(target=self._process.stderr.read, daemon=True)
        self._drain.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)

    def _config(self) -> dict[str, Any]:
        http: dict[str, Any] = {"addr": f"{self._address}:0"}
        if self._secured is not None:
            certificate, key = self._secured.issue(self._address, "localhost")
            http["tls"] = {"certificate": str(certificate), "key": str(key)}
        config: dict[str, Any] = {
            "version": "0.1",
            "log": {"level": "info", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(self._folder / "storage")}},
            "http": http,
        }
        if self._guarded:
            users = self._folder / "htpasswd"
            users.write_text(_HTPASSWD)
            config["auth"] = {"htpasswd": {"realm": "test", "path": str(users)}}
        return config

    @property
    def origin(self) -> str:
        return f"{'https' if self._secured else 'http'}://{self.host}"

    def url(self, repository: str, tag: str = "latest") -> str:
        return f"docker://{self.host}/{repository}:{tag}"

    def push(self, repository: str, tag: str, image: Image | Index) -> str:
        """Upload an image; return its URL."""
        for blob in image.blobs():
            self._upload(repository, blob)
        for manifest in image.manifests():
            self._put(f"/v2/{repository}/manifests/{manifest.digest}", manifest)
        self._put(f"/v2/{repository}/manifests/{tag}", image.manifest)
        return self.url(repository, tag)

    def _upload(self, repository: str, blob: Blob) -> None:
        begun = self._ask("POST", f"/v2/{repository}/blobs/uploads/")
        place = str(begun.headers["Location"])
        place = place.removeprefix(self.origin)
        mark = "&" if "?" in place else "?"
        self._put(f"{place}{mark}digest={blob.digest}", Blob(blob.data, "application/octet-stream"))

    def _put(self, target: str, blob: Blob) -> None:
        self._ask("PUT", target, body=blob.data, headers={"Content-Type": blob.media_type})

    def _ask(self, method: str, target: str, **more: Any) -> urllib3.BaseHTTPResponse:
        headers = dict(more.pop("headers", {}))
        if self._guarded:
            headers |= urllib3.make_headers(basic_auth=f"{USER}:{PASSWORD}")
        answer = self._http.request(method, self.origin + target, headers=headers, **more)
        assert answer.status < 300, (method, target, answer.status, answer.data)
        return answer


class Fake:
    """A registry of a `httpd.Server` that wants tokens, and does what a twist says.

    Tokens are given out at `/token`; the registry takes the newest one only, so `expire` makes
    all that were given out void.
    """

    def __init__(self, server: httpd.Server, *, realm: str = "", guarded: bool = False) -> None:
        self.server = server
        self.host = server.origin.partition("://")[2]
        self.realm = realm or f"{server.origin}/token"
        self.issued = 0
        self._valid = 0
        self._guarded = guarded
        token: httpd.Resource = self.token
        server.put("/token", httpd.guarded(USER, PASSWORD, token) if guarded else token)

    def token(self, _request: httpd.Request) -> httpd.Reply:
        self.issued += 1
        self._valid = self.issued
        return httpd.Reply(200, json.dumps({"token": f"t-{self.issued}"}).encode())

    def expire(self) -> None:
        self._valid = -1

    def push(
        self, repository: str, tag: str, image: Image | Index, twist: httpd.Twist | None = None
    ) -> str:
        """Serve an image, its layers spoilt by a twist; return its URL."""
        layers = {each.digest for one in _images(image) for each in one.layers}
        for blob in image.blobs():
            spoilt = twist if blob.digest in layers else None
            served = httpd.Blob(blob.data, etag=f'"{blob.digest}"', twist=spoilt)
            self.put(f"/v2/{repository}/blobs/{blob.digest}", served)
        for manifest in image.manifests():
            self.put(f"/v2/{repository}/manifests/{manifest.digest}", _document(manifest))
        self.put(f"/v2/{repository}/manifests/{tag}", _document(image.manifest))
        return f"docker://{self.host}/{repository}:{tag}"

    def put(self, path: str, resource: httpd.Resource) -> None:
        def guard(request: httpd.Request) -> httpd.Reply:
            if request.header("authorization") == f"Bearer t-{self._valid}":
                return resource(request)
            challenge = f'Bearer realm="{self.realm}",service="fake",scope="registry:all:*"'
            return httpd.Reply(401, b"{}", {"WWW-Authenticate": challenge})

        self.server.put(path, guard)


def _document(blob: Blob) -> httpd.Resource:
    return lambda _request: httpd.Reply(200, blob.data, {"Content-Type": blob.media_type})


def _images(image: Image | Index) -> list[Image]:
    return [image] if isinstance(image, Image) else list(image.images.values())


@contextlib.contextmanager
def fake(**more: Any) -> Iterator[Fake]:
    with httpd.Server() as server:
        yield Fake(server, **more)
