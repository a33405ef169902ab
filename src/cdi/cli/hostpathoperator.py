"""Run the operator of the hostpath provisioner in the foreground, until told to stop."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from cdi.cli import hostpath
from cdi.hostpath.metrics import OperatorMetrics
from cdi.hostpath.operator import validation
from cdi.hostpath.operator.certificate import CONFIGURATION, PATH, WebhookCertificate
from cdi.hostpath.operator.inventory import marks
from cdi.hostpath.operator.kinds import PROVISIONERS
from cdi.hostpath.operator.settings import Settings
from cdi.hostpath.operator.setup import operator as operator_of
from cdi.kube import objects
from cdi.kube.clock import SystemClock
from cdi.kube.manager import Group, Manager
from cdi.storage import tlsprofile
from cdi.web.admission import decision
from cdi.web.admission.decision import Decision
from cdi.web.admission.inquiry import Seen
from cdi.web.admission.registry import Registration
from cdi.web.admission.request import CREATE, UPDATE, AdmissionRequest
from cdi.web.apiserver import answers
from cdi.web.apiserver.webhooks import Webhooks
from cdi.web.metrics import ProcessMetrics
from cdi.web.serving import process
from cdi.web.serving.component import component_server
from cdi.web.serving.health import Health
from cdi.web.serving.server import Address, WebServer
from cdi.web.serving.tls import ServerTls


def run_operator(
    settings: Settings, kubeconfig: str, context: str, addresses: OperatorAddresses
) -> None:
    """Run the operator until SIGTERM. Exits with EXIT_FAILED where it cannot go on."""
    hostpath.run(
        "operator", _operator(settings, kubeconfig, context, addresses), settings.verbosity
    )


@dataclass(frozen=True, slots=True)
class OperatorAddresses:
    """Where the operator listens."""

    metrics: Address
    health: Address
    webhook: Address


async def _operator(
    settings: Settings, kubeconfig: str, context: str, addresses: OperatorAddresses
) -> None:
    stop, manager, metrics = process.stop_on_signals(), Manager(), ProcessMetrics()
    own = OperatorMetrics()
    async with hostpath.client_for(kubeconfig, context, metrics) as client:
        operator = operator_of(client, settings, metrics=metrics, readiness=own.readiness)
        certificate = WebhookCertificate(client, settings, SystemClock())
        health = Health({"caches": lambda: operator.synced})
        scraped = component_server(
            marks.OPERATOR_NAME,
            addresses.metrics,
            client,
            Health(),
            lambda: metrics.text() + own.text(),
            lambda: tlsprofile.INTERMEDIATE,
        )
        webhook = _webhook(addresses.webhook, certificate, metrics)
        manager.add(Group.SUPPORT, certificate)
        manager.add(Group.SERVERS, scraped, webhook, hostpath.probes(addresses.health, health))
        operator.add_to(manager)
        await manager.run(stop)


def _webhook(
    address: Address, certificate: WebhookCertificate, metrics: ProcessMetrics
) -> WebServer:
    registration = Registration(
        webhook=CONFIGURATION,
        path=PATH,
        resources=(str(PROVISIONERS),),
        operations=frozenset({CREATE, UPDATE}),
        mutates=False,
        rule=_judged,
    )
    app = web.Application(client_max_size=answers.LARGEST_BODY)
    hooks = Webhooks((registration,), _nothing_to_look_up, answers.Bodies(), metrics)
    app.router.add_routes(hooks.routes())
    return WebServer("webhook", app, address, ServerTls(certificate), Health())


def _judged(request: AdmissionRequest, seen: Seen) -> Decision:
    del seen
    if request.object is None or objects.is_deleting(request.object):
        return decision.allow()  # one that goes may always let go
    found = validation.problems(request.object)
    causes = [decision.Cause(each, each.split(" ")[0]) for each in found]
    return decision.reject(causes) if causes else decision.allow()


async def _nothing_to_look_up(_: object) -> None:
    raise NotImplementedError("the rule needs no answers")
