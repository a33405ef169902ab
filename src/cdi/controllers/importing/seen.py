"""What is known about one importing claim when it is decided what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cdi.controllers.importing import pod
from cdi.controllers.importing.retries import Inputs
from cdi.kube.objects import Object


@dataclass(frozen=True, slots=True)
class Seen:
    """One importing claim and what concerns it."""

    claim: Object
    context: pod.PodContext
    now: datetime
    pod: Object | None = None
    users: Sequence[Object] = ()  # other pods that use the claim and have not ended
    kept: Sequence[Object] = ()  # pods that use the claim and have ended, other than `pod`
    events: Sequence[Object] = ()  # about the claim
    scratch: Object | None = None  # whatever claim has the scratch claim's name
    classes: Sequence[Object] = ()  # StorageClasses
    proxy_ca: Object | None = None  # the ConfigMap to copy, of the installation
    proxy_ca_copy: Object | None = None
    inputs: Inputs = field(default_factory=Inputs)  # where the import has failed
    missing: Sequence[str] = ()  # what the pod cannot start without: `Secret keys`
    gates: Sequence[str] = field(default_factory=tuple)
