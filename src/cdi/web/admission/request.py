"""What a rule is told: one write, before it happens. Frozen; rules change copies only."""

from dataclasses import dataclass
from typing import Any, Final

from cdi.kube.reviews import NOBODY, User

CREATE: Final = "CREATE"
UPDATE: Final = "UPDATE"
DELETE: Final = "DELETE"

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class AdmissionRequest:
    """One write. `object` is None for DELETE, `old` for CREATE.

    `resource` is qualified: datavolumes.cdi.kubevirt.io, persistentvolumeclaims.
    """

    operation: str
    resource: str
    kind: str
    namespace: str
    name: str
    object: Object | None
    old: Object | None = None
    user: User = NOBODY
    dry_run: bool = False
    version: str = "v1beta1"

    @property
    def group(self) -> str:
        return self.resource.partition(".")[2]
