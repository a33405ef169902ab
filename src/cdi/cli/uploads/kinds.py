"""The kinds that `cdi image-upload` reads and writes, as the client knows kinds."""

from __future__ import annotations

from typing import Final

from cdi.api import resources as ours
from cdi.kube.resource import PERSISTENT_VOLUME_CLAIMS, Resource


def _of_ours(kind: str) -> Resource:
    found = ours.find(kind)
    return Resource(
        found.group, found.storage_version, found.plural, found.kind, namespaced=found.namespaced
    )


CLAIMS: Final = PERSISTENT_VOLUME_CLAIMS
DATA_VOLUMES: Final = _of_ours("DataVolume")
DATA_SOURCES: Final = _of_ours("DataSource")
CONFIGS: Final = _of_ours("CDIConfig")
TOKEN_REQUESTS: Final = _of_ours("UploadTokenRequest")
