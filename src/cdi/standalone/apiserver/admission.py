"""
Where other parts of CDI plug in their rules for writes.

Here: what a rule is told, how it refuses, and the table of rules per resource. Elsewhere: the
rules themselves; schema validation (`standalone.schema`).

A mutating rule returns the object to store; a validating rule returns nothing; both refuse by
raising Denied. Mutating rules run before validation against the schema, validating rules after.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cdi.standalone.apiserver.identity import User
from cdi.standalone.apiserver.reference import ObjectRef
from cdi.standalone.apiserver.status import ApiError
from cdi.standalone.schema.registry import KindInfo

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class AdmissionRequest:
    """One write, before it happens. `object` is None for DELETE, `old` for CREATE.

    Rules add to `warnings` what the client is to be told though the write goes through.
    """

    operation: str  # CREATE, UPDATE or DELETE
    kind: KindInfo
    namespace: str
    name: str
    subresource: str
    object: Document | None
    old: Document | None
    user: User
    dry_run: bool = False
    warnings: list[str] = field(default_factory=list)


def admission_of(
    operation: str,
    ref: ObjectRef,
    document: Document | None,
    live: Document | None,
    user: User,
    dry_run: bool,
) -> AdmissionRequest:
    """Return the request to admit a write to what an address names."""
    kind, namespace, name, subresource = ref.kind, ref.namespace, ref.name, ref.subresource
    return AdmissionRequest(
        operation, kind, namespace, name, subresource, document, live, user, dry_run
    )


class Denied(ApiError):
    """A rule refuses the write; causes are {"reason", "message", "field"}."""

    def __init__(
        self,
        message: str,
        *,
        code: int = 403,
        reason: str = "Forbidden",
        causes: Sequence[Document] = (),
    ) -> None:
        super().__init__(code, reason, message, {"causes": list(causes)} if causes else None)


Mutator = Callable[[AdmissionRequest], Awaitable[Document]]
Validator = Callable[[AdmissionRequest], Awaitable[None]]


class Admission:
    """The rules, by resource ("datavolumes.cdi.kubevirt.io"); they run in the order given."""

    def __init__(self) -> None:
        self._mutators: dict[str, list[Mutator]] = {}
        self._validators: dict[str, list[Validator]] = {}

    def mutate_with(self, resource: str, rule: Mutator) -> None:
        """Let `rule` change what is written to `resource`."""
        self._mutators.setdefault(resource, []).append(rule)

    def validate_with(self, resource: str, rule: Validator) -> None:
        """Let `rule` refuse what is written to `resource`."""
        self._validators.setdefault(resource, []).append(rule)

    async def mutate(self, resource: str, request: AdmissionRequest) -> Document | None:
        """The object as the mutating rules leave it."""
        for rule in self._mutators.get(resource, ()):
            request = replace(request, object=await rule(request))
        return request.object

    async def validate(self, resource: str, request: AdmissionRequest) -> None:
        """Raise Denied if a validating rule refuses."""
        for rule in self._validators.get(resource, ()):
            await rule(request)
