"""What the first answer of a server tells of an object, and what says that it is another one."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final

from cdi.images import errors
from cdi.images.http import response
from cdi.images.http.response import Response

log = logging.getLogger(__name__)

# The headers of all disk formats, and most of the small tables that follow them.
HEAD: Final = 64 * 1024


@dataclass(slots=True)
class Findings:
    """What the first answer told. Either `head` (ranged) or `body` (forward only) is of use."""

    size: int | None
    validators: response.Validators
    kind: str = ""  # the type of its content
    ranged: bool = False
    head: bytes = b""
    body: Response | None = None
    coding: str = ""  # of every answer, where the object comes compressed though nobody asked


def changed(shown: str, what: str) -> errors.SourceChanged:
    """The error for an object that is another one than before."""
    return errors.SourceChanged(f"{shown}: the file changed while it was read: {what}; start again")


def warn_of_text(shown: str, kind: str) -> None:
    """Tell of an object that its server says is text, and of which `kind`."""
    # Existing installations look for this text, with the type inside it. Servers say
    # text/plain of every name they do not know: no reason to alarm anybody.
    level = logging.INFO if kind.startswith("text/plain") else logging.WARNING
    text = "Unexpected content type '%s'. Content might not be a KubeVirt image."
    log.log(level, text, kind.partition(";")[0], extra={"url": shown})
