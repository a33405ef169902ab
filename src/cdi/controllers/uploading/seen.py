"""What is known about one claim that asks for an upload server when it is decided about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cdi.controllers.uploading.certificates import Issuer
from cdi.controllers.working.context import Context
from cdi.kube.objects import Object


@dataclass(frozen=True, slots=True)
class Seen:
    """One claim and what concerns it."""

    claim: Object
    context: Context
    issuer: Issuer
    now: datetime
    pod: Object | None = None
    service: Object | None = None
    users: Sequence[Object] = ()  # other pods that use the claim and have not ended
    events: Sequence[Object] = ()  # about the claim
    scratch: Object | None = None  # whatever claim has the scratch claim's name
    classes: Sequence[Object] = ()  # StorageClasses
    source: Object | None = None  # of a clone target: the claim that it is copied from
    told_on: Object | None = None  # where events are to be told, if not on the claim
    gates: Sequence[str] = field(default_factory=tuple)
