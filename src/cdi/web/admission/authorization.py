"""
Who may clone from where.

Within a namespace everybody may. From another one, a user needs to be allowed to create
`datavolumes/source` there; being allowed to create pods there counts too, because whoever can
run a pod can read every volume of its namespace. Every question names the source object, so
that roles can be limited to single sources.
"""

from dataclasses import dataclass
from typing import Final

from cdi.kube.reviews import User
from cdi.web.admission.inquiry import Access, Seen
from cdi.web.tokens.payload import CLAIM

DENIED_TEXT: Final = "insufficient permissions in clone source namespace"

# A permission spelled `pvcs`, which is no resource, was asked for once; roles may still say it.
_CLAIM_SPELLINGS: Final = ("persistentvolumeclaims", "pvcs")


@dataclass(frozen=True, slots=True)
class CloneSource:
    """What is to be cloned."""

    resource: str  # CLAIM or SNAPSHOT of a ClonePayload
    namespace: str
    name: str


def may_clone(user: User, source: CloneSource, target_namespace: str, seen: Seen) -> bool:
    """Tell whether the user may clone the source into the target namespace."""
    if source.namespace == target_namespace:
        return True
    if seen.may(_to_create(user, source, "datavolumes", "cdi.kubevirt.io", "source")):
        return True
    if not seen.may(_to_create(user, source, "pods")):
        return False
    if source.resource == CLAIM:
        return True
    # A snapshot has to become a claim before a pod can read it.
    return any(seen.may(_to_create(user, source, spelling)) for spelling in _CLAIM_SPELLINGS)


def _to_create(
    user: User, source: CloneSource, resource: str, group: str = "", subresource: str = ""
) -> Access:
    return Access(user, "create", resource, source.namespace, source.name, group, subresource)
