"""
Which rule is about what: the way in for servers.

A server of webhooks calls `decide` for the path of a request; the API server of one machine
calls `hook`, which returns what to store or raises Denied, with the message that clients would
see if the rule were behind a webhook.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from cdi.api import resources, view
from cdi.web.admission import (
    claim,
    clonesize,
    clonetokens,
    dataimportcron,
    datavolume,
    hyperconverged,
    inquiry,
    installation,
    objecttransfer,
    populators,
    ssp,
)
from cdi.web.admission.decision import Decision, Denied, allow, error
from cdi.web.admission.request import CREATE, DELETE, UPDATE, AdmissionRequest, Object

Hook = Callable[[AdmissionRequest], Awaitable[Decision]]

_WRITES: Final = frozenset({CREATE, UPDATE})
_VIEWS: Final = {resource.name: resource.view for resource in resources.ALL}


@dataclass(frozen=True, slots=True)
class Registration:
    """One rule, the writes it is asked about, and the webhook it is known as."""

    webhook: str
    path: str
    resources: tuple[str, ...]  # qualified; in every version in which they are served
    operations: frozenset[str]
    mutates: bool
    rule: inquiry.Rule

    def concerns(self, request: AdmissionRequest) -> bool:
        return request.resource in self.resources and request.operation in self.operations


def registrations(
    sign: clonetokens.Signer,
    read_token: clonesize.TokenReader,
    name_for: clonetokens.Namer,
) -> tuple[Registration, ...]:
    """Return every rule, mutating ones first.

    `sign` makes a clone token, `read_token` says what a token is good for (None if nothing),
    `name_for` completes the beginning of a name.
    """
    tokens = clonetokens.CloneTokens(sign, name_for)
    rendering = claim.ClaimRendering(read_token)
    volumes, transfers = (datavolume.RESOURCE,), (objecttransfer.RESOURCE,)
    sources = (populators.IMPORTS, populators.UPLOADS)
    whole = (hyperconverged.RESOURCE,)
    return (
        _registration("datavolume-mutate", volumes, tokens.decide, mutates=True),
        _registration("pvc-mutate", (claim.RESOURCE,), rendering.decide, {CREATE}, mutates=True),
        _registration("hyperconverged-mutate", whole, hyperconverged.complete, mutates=True),
        _registration("datavolume-validate", volumes, datavolume.decide),
        _registration("dataimportcron-validate", (dataimportcron.RESOURCE,), dataimportcron.decide),
        _registration("populator-validate", sources, populators.decide),
        _registration("objecttransfer-validate", transfers, objecttransfer.decide),
        _registration("hyperconverged-validate", whole, hyperconverged.decide),
        _registration("ssp-validate", (ssp.RESOURCE,), ssp.decide),
        _registration("cdi-validate", (installation.RESOURCE,), installation.decide, {DELETE}),
    )


async def decide(
    registration: Registration, request: AdmissionRequest, look: inquiry.Look
) -> Decision:
    """Return the answer to one request, asking the cluster through `look`.

    What does not have the form of its kind reaches no rule. A mutating one is asked before the
    API server looks at the form, which will then say what is wrong better than we could; whoever
    asks a validating one has not looked. What is stored already is nobody's fault who changes it.
    """
    if registration.concerns(request):
        if request.old is not None and _fault(request.resource, request.old):
            return allow()
        if request.object is not None and (fault := _fault(request.resource, request.object)):
            return allow() if registration.mutates else error(fault)
    return await inquiry.settle(registration.rule, request, look)


def hook(registration: Registration, look: inquiry.Look) -> Hook:
    """Return a function that gives the decision where a write is allowed, or raises Denied."""

    async def admit(request: AdmissionRequest) -> Decision:
        if not registration.concerns(request):
            return allow()
        answer = await decide(registration, request, look)
        if not answer.allowed:
            message = f'admission webhook "{registration.webhook}" denied the request: '
            raise Denied(answer, message + answer.message, answer.details_for(request))
        return answer

    return admit


def _fault(resource: str, obj: Object) -> str:
    """Say in what an object does not have the form of its kind; empty if it has."""
    kind = _VIEWS.get(resource)
    if kind is None:
        return ""  # not ours; its rule knows what it needs
    try:
        view.read(kind, obj)
    except view.InvalidObject as fault:
        return str(fault)
    return ""


def _registration(
    name: str,
    qualified: tuple[str, ...],
    rule: inquiry.Rule,
    operations: frozenset[str] | set[str] = _WRITES,
    *,
    mutates: bool = False,
) -> Registration:
    webhook = f"{name}.cdi.kubevirt.io"
    return Registration(webhook, f"/{name}", qualified, frozenset(operations), mutates, rule)
