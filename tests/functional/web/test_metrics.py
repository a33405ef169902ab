"""What controllers report about themselves is shown under the names that dashboards know."""

import asyncio

from cdi.kube.controller import Controller, Outcome, TerminalError
from cdi.kube.objects import Key
from cdi.kube.transport import Request
from cdi.web.metrics import ProcessMetrics


def scraped(metrics: ProcessMetrics) -> str:
    return metrics.text().decode()


def test_reconciliations_are_counted_by_how_they_ended():
    async def ended(key: Key) -> None:
        if key.name == "bad":
            raise TerminalError("never")

    async def play() -> str:
        metrics = ProcessMetrics()
        controller = Controller("c", ended, metrics=metrics)
        for name in ("good", "better", "bad"):
            await controller.process(Key("ns", name))
        return scraped(metrics)

    text = asyncio.run(play())
    assert 'controller_runtime_reconcile_total{controller="c",result="success"} 2.0' in text
    assert 'controller_runtime_reconcile_total{controller="c",result="error"} 1.0' in text
    assert 'controller_runtime_terminal_reconcile_errors_total{controller="c"} 1.0' in text
    assert 'controller_runtime_reconcile_time_seconds_count{controller="c"} 3.0' in text


def test_queues_and_requests_are_shown_as_they_are_now():
    metrics = ProcessMetrics()
    metrics.queued("c", 5, 2)
    metrics.queued("c", 4, 1)
    metrics.answered(Request("GET", "/api"), 200, 0.1)
    metrics.answered(Request("GET", "/api"), 0, 0.1)
    text = scraped(metrics)
    assert 'workqueue_depth{name="c"} 4.0' in text
    assert 'workqueue_delayed{name="c"} 1.0' in text
    assert 'rest_client_requests_total{code="200",method="GET"} 1.0' in text
    assert 'rest_client_requests_total{code="0",method="GET"} 1.0' in text


def test_every_outcome_has_a_name_that_dashboards_know():
    metrics = ProcessMetrics()
    for outcome in Outcome:
        metrics.reconciled("c", outcome, 0.0)
    assert b'result="requeue"} 1.0' in metrics.text()
    assert b'result="requeue_after"} 1.0' in metrics.text()
