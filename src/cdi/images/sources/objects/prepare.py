"""
An object that a person names: s3://bucket/key, gs://bucket/object, az://account/container/blob.

Who asks is what the environment says in the words of the store's own tools; see `accounts`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from cdi.images import errors
from cdi.images.http.options import HttpOptions
from cdi.images.sources.http import HttpSource
from cdi.images.sources.objects import accounts, azure, gcs, s3
from cdi.images.sources.spec import SourceSpec


@contextmanager
def prepare(url: str, options: HttpOptions, environment: Mapping[str, str]) -> Iterator[SourceSpec]:
    """Yield the object at `url`. Raises InvalidRequest, SourceError."""
    if options.user or options.headers or options.secret_headers:
        raise errors.InvalidRequest(
            "users and headers are for http; an object store takes its credentials from the "
            "environment, as its own tools do"
        )
    yield SourceSpec(open=lambda halt: _open(url, options, environment, halt))


def _open(
    url: str, options: HttpOptions, environment: Mapping[str, str], halt: threading.Event
) -> HttpSource:
    match url.partition("://")[0].strip().lower():
        case "s3":
            return s3.open_object(url, accounts.s3_access(environment), options, halt)
        case "gs":
            return gcs.open_object(url, accounts.google_access(environment), options, halt)
    return azure.open_object(url, accounts.azure_access(environment), options, halt)
