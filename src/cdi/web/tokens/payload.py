"""What a clone token says: this source may be cloned to that target."""

from dataclasses import dataclass
from typing import Final

CLAIM: Final = "persistentvolumeclaims"
SNAPSHOT: Final = "volumesnapshots"

_GROUPS: Final = {CLAIM: "", SNAPSHOT: "snapshot.storage.k8s.io"}

Claims = dict[str, object]


@dataclass(frozen=True, slots=True)
class ClonePayload:
    """A permission. How it is signed, and for how long it is good, is the signer's business."""

    resource: str  # CLAIM or SNAPSHOT
    namespace: str
    name: str
    target_namespace: str
    target_name: str

    def as_claims(self) -> Claims:
        """Return the claims of the token that are about the clone."""
        return {
            "operation": "Clone",
            "name": self.name,
            "namespace": self.namespace,
            "resource": {
                "group": _GROUPS[self.resource],
                "version": "v1",
                "resource": self.resource,
            },
            "params": {
                "targetNamespace": self.target_namespace,
                "targetName": self.target_name,
            },
        }
