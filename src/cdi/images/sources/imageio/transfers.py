"""
One image transfer of the engine: begun, waited for, extended, ended.

    initializing ──► transferring ──► finalizing_... ──► finished_...
         paused_... ──► resuming ──┘       cancelled...

Here: what the phases mean, and what follows from them. Elsewhere: when this is done (`lease`),
and what is served meanwhile (`daemon`). Waits are the caller's `pause`, which raises Cancelled.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from xml.sax import saxutils

from cdi.images import errors
from cdi.images.sources.imageio.catalog import Image
from cdi.images.sources.imageio.engine import Engine
from cdi.images.sources.imageio.markup import Node
from cdi.images.sources.imageio.patience import Patience

log = logging.getLogger(__name__)

Pause = Callable[[float], None]

READY = "transferring"
_ON_ITS_WAY = frozenset({"initializing", "resuming", "unknown", ""})
_PAUSED = frozenset({"paused_system", "paused_user"})
_ACTION = b"<action/>"
_IDS = re.compile(r"[0-9A-Za-z_.-]{1,100}")  # they become part of paths


@dataclass(frozen=True, slots=True)
class Transfer:
    """A transfer as the engine last told of it."""

    id: str
    phase: str
    # Where its bytes are: straight from the host first, then through the engine's proxy.
    urls: tuple[str, ...] = field(default=(), repr=False)
    format: str = ""  # empty: an engine too old to convert

    @property
    def lives(self) -> bool:
        return self.phase == READY or self.phase in _ON_ITS_WAY or self.phase in _PAUSED


class Step(Enum):
    """What to do next to end a transfer."""

    NONE = "none"
    FINALIZE = "finalize"
    CANCEL = "cancel"


def ask_for(engine: Engine, image: Image, patience: Patience, pause: Pause) -> Transfer:
    """Have the engine begin a transfer; wait while another operation has locked the disk."""
    waited, delay = 0.0, patience.locked_first
    while True:
        try:
            return _transfer(engine.post("/imagetransfers", _wish(image, patience)))
        except errors.SourceLocked as error:
            if waited >= patience.locked:
                raise errors.SourceLocked(
                    f"{error}; this was waited for during {waited:.0f} s, and is tried again later"
                ) from error
            log.info("The disk is locked and is waited for", extra={"delay": delay})
        pause(delay)
        waited += delay
        delay = min(delay * 1.5, patience.locked_most)


def look(engine: Engine, transfer_id: str) -> Transfer | None:
    """Return how a transfer stands, None if the engine does not know it, or not any more."""
    if not _IDS.fullmatch(transfer_id):
        return None
    try:
        return _transfer(engine.get(f"/imagetransfers/{transfer_id}"))
    except errors.NotFound:
        return None


def until_ready(engine: Engine, transfer: Transfer, patience: Patience, pause: Pause) -> Transfer:
    """Wait until the bytes can be fetched; never begin another transfer meanwhile."""
    waited, resumed = 0.0, False
    found: Transfer | None = transfer
    while True:
        if found is None or not found.lives:
            phase = "gone" if found is None else found.phase
            raise errors.SourceUnavailable(
                f"the engine ended the image transfer {transfer.id} by itself (phase {phase}); "
                "look into the engine's events and the log of vdsm on the host"
            )
        if found.phase == READY:
            return found
        if found.phase in _PAUSED:
            if resumed:
                raise errors.SourceUnavailable(
                    f"the engine paused the image transfer {transfer.id} ({found.phase}); check "
                    "that the ovirt-imageio service runs on the host and that the engine reaches it"
                )
            resumed = True
            act(engine, transfer.id, "resume")
        if waited >= patience.beginning:
            raise errors.SourceUnavailable(
                f"the image transfer {transfer.id} was still {found.phase or 'unknown'} after "
                f"{waited:.0f} s; look into the engine's events and try again"
            )
        pause(patience.look)
        waited += patience.look
        found = look(engine, transfer.id)


def act(engine: Engine, transfer_id: str, action: str) -> None:
    """Have the engine extend, resume, finalize or cancel a transfer."""
    engine.post(f"/imagetransfers/{transfer_id}/{action}", _ACTION, repeatable=True)


def end(
    engine: Engine, transfer_id: str, *, success: bool, patience: Patience, pause: Pause
) -> bool:
    """Finalize a transfer, or cancel it; return whether the engine has taken note."""
    trouble = False
    for attempt in range(patience.ending_tries):
        try:
            if attempt:
                pause(patience.ending_pause)
            step = _step_for(engine, transfer_id, success=success, trouble=trouble)
            if step is not Step.NONE:
                act(engine, transfer_id, step.value)
        except errors.Cancelled:
            return False
        except errors.TransferError as error:
            log.warning(
                "The image transfer could not be ended",
                extra={"transfer": transfer_id, "cause": str(error)},
            )
            trouble = True
        else:
            return True
    return False


def step_to_end(transfer: Transfer | None, *, success: bool, trouble: bool) -> Step:
    """Choose what ends a transfer; `trouble` says that an earlier try has failed."""
    if transfer is None or not transfer.lives:
        return Step.NONE
    if transfer.phase == READY and success and not trouble:
        return Step.FINALIZE
    return Step.CANCEL


def _step_for(engine: Engine, transfer_id: str, *, success: bool, trouble: bool) -> Step:
    return step_to_end(look(engine, transfer_id), success=success, trouble=trouble)


def _wish(image: Image, patience: Patience) -> bytes:
    return (
        f"<image_transfer><{image.kind} id={saxutils.quoteattr(image.id)}/>"
        "<direction>download</direction>"
        f"<format>{image.format}</format>"
        f"<inactivity_timeout>{patience.inactivity}</inactivity_timeout></image_transfer>"
    ).encode()


def _transfer(node: Node) -> Transfer:
    if node.name != "image_transfer" or not _IDS.fullmatch(node.id):
        raise errors.SourceRefused(
            "the engine's answer is no image transfer; check that its version is 4.4 or later"
        )
    urls = (node.value("transfer_url"), node.value("proxy_url"))
    return Transfer(
        node.id, node.value("phase"), tuple(url for url in urls if url), node.value("format")
    )
