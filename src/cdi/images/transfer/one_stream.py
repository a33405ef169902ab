"""
The last resort where a server does not serve ranges as it should: one plain stream, once.

Ranges of one object may come from servers that hold different copies of it, or may be answered
wrongly in ways that nobody has thought of. One answer is of one server: it is whole, or it ends
too early. It cannot be continued after a break, so that it is not taken before ranges have
failed for good; a checksum says whether it can be trusted.
"""

from __future__ import annotations

import dataclasses
import logging
import threading

from cdi.images import errors
from cdi.images.sources.source import Source, Streamable
from cdi.images.transfer.request import TransferRequest

log = logging.getLogger(__name__)


def instead(
    request: TransferRequest, source: Source, error: errors.TransferError, cancel: threading.Event
) -> TransferRequest | None:
    """Return the request in one stream after `error`, None where that is no way out.

    It has been tried that the server begins to answer: what an earlier attempt has done is not
    to be given up for less.
    """
    if not isinstance(error, errors.SourceError | errors.TruncatedSource):
        return None
    if not isinstance(source, Streamable) or not source.ranged or not source.doubtful:
        return None

    def opened(halt: threading.Event) -> Source:
        return source.in_one_stream(halt)

    try:
        opened(cancel).close()
    except errors.TransferError:
        return None
    log.warning(
        "the ranges of the source fail, it is fetched in one stream",
        extra={"source": source.identity.location, "cause": str(error)},
    )
    return dataclasses.replace(request, source=opened)
