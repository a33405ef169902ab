"""An image of an OpenStack as a source, for whoever runs the transfer."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace

from cdi.images.http.options import HttpOptions
from cdi.images.sources.objects.tokens import Keeper
from cdi.images.sources.openstack import glance
from cdi.images.sources.openstack.credentials import parse_credentials
from cdi.images.sources.openstack.keystone import Keystone
from cdi.images.sources.spec import SourceSpec


def prepare(
    url: str,
    image_id: str,
    given: Mapping[str, str],
    options: HttpOptions,
    cancel: threading.Event,
) -> SourceSpec:
    """Return what the identity service at `url` leads to; `given` are the keys of a Secret.

    Raises SourceError, InvalidRequest, Cancelled.
    """
    credentials = parse_credentials(given)
    options = replace(options, user="", password="", headers=(), secret_headers=())
    identity = Keystone(url, credentials, options, cancel)
    first = identity.granted()
    base = first.image_service(identity.shown, credentials.region, credentials.interface)
    tokens = iter([first.token])
    service = glance.Glance(Keeper(lambda: next(tokens, None) or identity.granted().token))
    image = glance.image_at(base, image_id, service, options, cancel)
    return SourceSpec(
        open=lambda halt: glance.open_bytes(image, service, options, halt),
        checksum=image.checksum,
    )
