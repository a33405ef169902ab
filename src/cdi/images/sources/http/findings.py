"""What the first answer of a server tells of an object, and what says that it is another one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cdi.images import errors
from cdi.images.http import response
from cdi.images.http.response import Response

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
