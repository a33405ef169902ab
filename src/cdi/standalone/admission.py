"""
CDI's admission rules, run inside the API server instead of behind webhooks.

Here: the translation between what the API server tells a rule and what `cdi.web.admission` wants
to be told, and of refusals into Kubernetes' errors. Elsewhere: the rules (`cdi.web.admission`) and
what they may ask (`lookups`). As with webhooks, writes to subresources are not looked at.
"""

from __future__ import annotations

from collections.abc import Iterable

from cdi.kube.generatename import generated_name
from cdi.kube.reviews import User
from cdi.standalone.apiserver.admission import Admission, AdmissionRequest, Document
from cdi.standalone.apiserver.catalog import resource_of
from cdi.standalone.apiserver.status import ApiError
from cdi.web.admission import inquiry, registry
from cdi.web.admission.decision import Denied
from cdi.web.admission.registry import Registration
from cdi.web.admission.request import AdmissionRequest as Request
from cdi.web.tokens.signing import Tokens


def install(admission: Admission, tokens: Tokens, look: inquiry.Look) -> None:
    """Have the API server ask CDI's rules about every write that they are about."""
    rules = registry.registrations(tokens.sign_clone, tokens.clone_of, generated_name)
    install_rules(admission, rules, look)


def install_rules(admission: Admission, rules: Iterable[Registration], look: inquiry.Look) -> None:
    """Add some rules, in the order given."""
    for rule in rules:
        adapted = _Adapted(registry.hook(rule, look))
        for resource in rule.resources:
            if rule.mutates:
                admission.mutate_with(resource, adapted.mutate)
            else:
                admission.validate_with(resource, adapted.validate)


class _Adapted:
    """One rule, as the API server calls it."""

    def __init__(self, hook: registry.Hook) -> None:
        self._hook = hook

    async def mutate(self, request: AdmissionRequest) -> Document:
        given = request.object or {}
        if request.subresource:
            return given
        return await self._asked(request) or given

    async def validate(self, request: AdmissionRequest) -> None:
        if not request.subresource:
            await self._asked(request)

    async def _asked(self, request: AdmissionRequest) -> Document | None:
        """Return what to store instead, None for no change."""
        try:
            decision = await self._hook(_translated(request))
        except Denied as refusal:
            raise ApiError(
                refusal.code, refusal.reason, refusal.message, refusal.details
            ) from refusal
        request.warnings.extend(decision.warnings)
        return decision.object


def _translated(request: AdmissionRequest) -> Request:
    user = request.user
    return Request(
        operation=request.operation,
        resource=resource_of(request.kind.group, request.kind.plural),
        kind=request.kind.kind,
        namespace=request.namespace,
        name=request.name,
        object=request.object,
        old=request.old,
        user=User(
            user.name,
            user.groups,
            user.uid,
            {key: tuple(values) for key, values in user.extra.items()},
        ),
        dry_run=request.dry_run,
        version=request.kind.version,
    )
