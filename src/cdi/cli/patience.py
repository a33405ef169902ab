"""The option that says how long silence of a source is borne; `cdi.api.place` has the default."""

from __future__ import annotations

from typing import Annotated

from cdi.api.place import STALL_TIMEOUT
from cdi.cli import words

StallTimeout = Annotated[
    float | None,
    words.Option(
        min=0.1,
        metavar="SECONDS",
        envvar=STALL_TIMEOUT,
        show_default="60",
        help="Ask a source again that sends no byte for so long.",
    ),
]
