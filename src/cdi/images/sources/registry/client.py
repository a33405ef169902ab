"""
An image in a registry that speaks the OCI distribution API (Docker's version 2).

Here: manifests and other small documents, with retries; and layers, as http sources. Elsewhere:
names (`reference`), tokens (`auth`). Credentials go to the registry and to the realm that it
names, never along a redirect to anybody else.

A registry that need not be verified is asked over https first, and over http where it does not
speak TLS. Raises SourceError, InvalidRequest, Cancelled.
"""

from __future__ import annotations

import dataclasses
import http
import logging
import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from cdi.images import errors
from cdi.images.http import client, connection, retry, urls
from cdi.images.http.client import PLAIN, Fields, Service
from cdi.images.http.options import HttpOptions
from cdi.images.http.response import Response
from cdi.images.sources.http import HttpSource, codings
from cdi.images.sources.registry import auth, manifest, store
from cdi.images.sources.registry.credentials import Credentials
from cdi.images.sources.registry.manifest import Descriptor, Document
from cdi.images.sources.registry.reference import Reference
from cdi.images.sources.source import PIECE

log = logging.getLogger(__name__)

# docker-registry takes some 10 ms to begin with an answer, others ask a database first.
_WORTHWHILE = 512 << 10  # bytes

_TOKEN_LIMIT = 1 << 20

_RETRIED = (errors.SourceUnavailable, errors.ConnectionLost, errors.Stalled)
_NO_TLS = (errors.SourceRefused, errors.SourceUnavailable, errors.ConnectionLost)

T = TypeVar("T")


class Registry:
    """One image of a registry; see `store.Store`. Opens nothing before it is asked.

    `options` hold no user: who we are is the business of `credentials`, which are shown to those
    alone that ask for them. `wait`, `clock` and `rng` as for `HttpSource`.
    """

    def __init__(
        self,
        image: Reference,
        options: HttpOptions,
        credentials: Credentials,
        *,
        cancel: threading.Event,
        wait: Callable[[float], bool] | None = None,
        clock: Callable[[], float] = time.monotonic,
        rng: Callable[[], float] = random.random,
    ) -> None:
        self._image = image
        self._options = dataclasses.replace(options, user="", password="")
        self._cancel, self._wait = cancel, cancel.wait if wait is None else wait
        self._clock, self._rng = clock, rng
        self._base = ""
        self._talk: client.Client | None = None  # about small documents
        self._service = auth.Registry(
            image.host,
            image.repository,
            credentials,
            self._ask_realm,
            clock,
            insecure=options.insecure,
        )

    @property
    def shown(self) -> str:
        return str(self._image)

    def root(self) -> Document:
        return self._manifest(self._image.version, self._image.digest)

    def document(self, descriptor: Descriptor) -> Document:
        store.insist_small(descriptor, manifest.LIMIT)
        return self._manifest(descriptor.digest, descriptor.digest)

    def config(self, descriptor: Descriptor) -> bytes:
        store.insist_small(descriptor, manifest.LIMIT)
        url = self._url("blobs", descriptor.digest)
        _, body = self._document(url, (), manifest.LIMIT)
        store.insist_digest(body, descriptor.digest)
        return body

    def blob(self, descriptor: Descriptor, halt: threading.Event) -> HttpSource:
        source = HttpSource(
            self._url("blobs", descriptor.digest),
            self._options,
            service=self._service,
            version=descriptor.digest,
            preferred_request=_WORTHWHILE,
            cancel=halt,
            wait=None if self._wait == self._cancel.wait else self._wait,
            clock=self._clock,
            rng=self._rng,
        )
        if source.size is not None and source.size != descriptor.size:
            size = source.size
            source.close()
            raise errors.SourceRefused(
                f"{self.shown}: a layer has {size} bytes instead of {descriptor.size}; "
                "the registry's storage may be damaged, push the image again"
            )
        return source

    def close(self) -> None:
        if self._talk is not None:
            self._talk.close()

    def _manifest(self, version: str, digest: str) -> Document:
        url = self._url("manifests", version)
        accepted = (("Accept", ", ".join(manifest.ACCEPTED)),)
        media_type, body = self._document(url, accepted, manifest.LIMIT)
        if digest:
            store.insist_digest(body, digest)
        return Document(media_type, body, digest or store.digest_of(body))

    def _url(self, kind: str, version: str) -> str:
        if not self._base:
            self._base = self._found_base()
        return f"{self._base}/v2/{self._image.repository}/{kind}/{version}"

    # Whether the registry speaks TLS.

    def _found_base(self) -> str:
        secure, plain = (f"{scheme}://{self._image.server}" for scheme in ("https", "http"))
        if not self._options.insecure:
            return secure
        return self._retried(lambda: self._answering(secure, plain))

    def _answering(self, secure: str, plain: str) -> str:
        try:
            self._ping(secure)
        except _NO_TLS:
            self._ping(plain)
            log.warning(
                "The registry is spoken to without encryption, as was asked for",
                extra={"registry": self._image.host},
            )
            return plain
        return secure

    def _ping(self, base: str) -> None:
        """Whether something answers there, whatever it says."""
        location = urls.parse_url(f"{base}/v2/")
        talk = self._client_for(location, self._options)
        try:
            answer, _ = talk.follow(urls.Route(location), ())
            answer.close()
        finally:
            talk.close()

    # Small documents.

    def _ask_realm(self, url: str, credentials: Credentials) -> bytes:
        location = urls.parse_url(url)
        options = dataclasses.replace(
            self._options, user=credentials.user, password=credentials.password
        )
        talk = self._client_for(location, options)
        try:
            return _fetch(talk, location, (), _TOKEN_LIMIT, PLAIN)[1]
        finally:
            talk.close()

    def _document(self, url: str, fields: Fields, limit: int) -> tuple[str, bytes]:
        """Return media type and content of what is behind a URL of the registry."""
        location = urls.parse_url(url)
        if self._talk is None:
            self._talk = self._client_for(location, self._options, self._service)
        talk = self._talk
        try:
            return self._retried(lambda: _fetch(talk, location, fields, limit, self._service))
        except errors.SpeaksNoTls as error:
            raise errors.SourceRefused(
                f"{location.printable}: the registry speaks plain HTTP and no TLS; if that is "
                f"meant, add {self._image.host} to insecureRegistries of the CDI configuration, "
                "or use --insecure on the command line"
            ) from error

    def _client_for(
        self,
        location: urls.Url,
        options: HttpOptions,
        service: Service = PLAIN,
    ) -> client.Client:
        watch = connection.Watch(self._cancel, options.stall, self._clock)
        return client.Client(location, options, watch, service)

    def _retried(self, step: Callable[[], T]) -> T:
        policy = self._options.retries
        budget = retry.Budget(policy, policy.opening_tries, self._rng)
        return retry.repeated(step, _RETRIED, budget, self._pause)

    def _pause(self, failure: errors.TransferError, delay: float) -> None:
        log.info(
            "A request has failed and is made again",
            extra={"image": self.shown, "reason": failure.reason, "delay": delay},
        )
        if self._wait(delay):
            raise errors.Cancelled("the transfer was asked to stop")


def _fetch(
    talk: client.Client,
    location: urls.Url,
    fields: Fields,
    limit: int,
    service: Service,
) -> tuple[str, bytes]:
    answer, _ = talk.follow(urls.Route(location), fields)
    with answer:
        if answer.status != http.HTTPStatus.OK:
            raise service.refusal(location.printable, answer)
        codings.check(location.printable, answer, service)
        media_type = answer.headers.get("Content-Type", "").partition(";")[0].strip()
        return media_type.lower(), _read_all(location.printable, answer, limit)


def _read_all(shown: str, answer: Response, limit: int) -> bytes:
    pieces, length = [], 0
    while piece := answer.read(PIECE):
        pieces.append(piece)
        length += len(piece)
        if length > limit:
            raise errors.SourceRefused(f"{shown} is larger than the {limit} bytes allowed for it")
    return b"".join(pieces)
