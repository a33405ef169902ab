"""
Admission rules behind webhooks: a review comes in, the rule's decision goes out.

Here: HTTP, one log line for each refusal, and the time it took. Elsewhere: the rules and their
registration (`web.admission`). Kubernetes' API server shows no certificate when it asks, so anyone
who reaches the server can; an answer gives away no more than what the rules say and look up.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from time import perf_counter
from typing import Protocol

from aiohttp import web

from cdi.web import statuses
from cdi.web.admission import inquiry, registry, review
from cdi.web.admission.decision import Decision
from cdi.web.admission.registry import Registration
from cdi.web.admission.request import AdmissionRequest
from cdi.web.apiserver import answers

log = logging.getLogger(__name__)


class Observer(Protocol):
    """Told of every review; implemented by whoever publishes metrics."""

    def reviewed(self, webhook: str, allowed: bool, seconds: float) -> None: ...


class Webhooks:
    """Answers reviews at the paths of the registrations."""

    def __init__(
        self,
        registrations: Iterable[Registration],
        look: inquiry.Look,
        bodies: answers.Bodies,
        observer: Observer,
    ) -> None:
        self._registrations = tuple(registrations)
        self._look = look
        self._bodies = bodies
        self._observer = observer

    def routes(self) -> list[web.RouteDef]:
        """One address for each rule."""
        return [web.post(each.path, self._handler(each)) for each in self._registrations]

    def _handler(
        self, registration: Registration
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            began = perf_counter()
            try:
                uid, asked = review.parse_review(await self._bodies.document(request))
            except review.NotAReview as error:
                raise statuses.bad_request(str(error)) from error
            decision = await registry.decide(registration, asked, self._look)
            answer = answers.document(review.answer_to(uid, asked, decision))
            self._tell(registration, asked, decision, perf_counter() - began)
            return answer

        return handle

    def _tell(
        self, registration: Registration, asked: AdmissionRequest, decision: Decision, took: float
    ) -> None:
        self._observer.reviewed(registration.webhook, decision.allowed, took)
        level = logging.DEBUG if decision.allowed else logging.INFO
        log.log(
            level,
            "write allowed" if decision.allowed else "write refused",
            extra={
                "webhook": registration.webhook,
                "operation": asked.operation,
                "resource": asked.resource,
                "object": f"{asked.namespace}/{asked.name}",
                "user": asked.user.name,
                "cause": decision.message.strip(),
            },
        )
