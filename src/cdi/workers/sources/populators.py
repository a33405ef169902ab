"""
The Secret of an oVirt or OpenStack populator: files of a mount, one for each key.

Nothing of it is in an environment, in arguments or in a log. Its `cacert` is trusted beside what
the system trusts; `insecureSkipVerify` says that nothing is verified. Raises InvalidRequest.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from cdi.api.workersettings import WorkerSettings
from cdi.api.workorder import ARCHIVE, WorkOrder
from cdi.images import errors
from cdi.images.http.options import HttpOptions
from cdi.workers.sources import http

_CA: Final = "cacert"
_INSECURE: Final = "insecureSkipVerify"
_TRUTH: Final[Mapping[str, bool]] = {
    **dict.fromkeys(("1", "t", "true"), True),
    **dict.fromkeys(("", "0", "f", "false"), False),
}


def keys_of(directory: Path) -> dict[str, str]:
    """Return what a mounted Secret holds."""
    try:
        return {
            path.name: path.read_text(encoding="utf-8").rstrip("\r\n")
            for path in directory.iterdir()
            if not path.name.startswith(".") and path.is_file()
        }
    except (OSError, UnicodeDecodeError) as error:
        raise errors.InvalidRequest(
            f"the Secret of the source cannot be read: {type(error).__name__}"
        ) from error


def options_for(
    order: WorkOrder, settings: WorkerSettings, given: Mapping[str, str]
) -> HttpOptions:
    """Return how its server is spoken to."""
    if order.content_type == ARCHIVE:
        raise errors.InvalidRequest(f"an {order.source} source has disks and no archives")
    said = given.get(_INSECURE, "").lower()
    if said not in _TRUTH:
        raise errors.InvalidRequest(f"{_INSECURE} of the Secret is neither true nor false")
    options = replace(http.options_for(order, settings), insecure=_TRUTH[said])
    if not given.get(_CA) or options.insecure:
        return options
    return replace(options, ca_files=(_authority(given[_CA], settings),))


def _authority(text: str, settings: WorkerSettings) -> Path:
    """A file with the CA. One that holds no certificate is refused: nobody would be trusted."""
    path = settings.populator_dir / _CA
    if "-----BEGIN CERTIFICATE-----" in text:
        return path
    try:
        base64.b64decode(text, validate=True)
        hint = "it looks like base64; a Secret's data is encoded once, not twice"
    except (binascii.Error, ValueError):
        hint = "it is no PEM"
    raise errors.InvalidRequest(f"{_CA} of the Secret holds no certificate: {hint}")
