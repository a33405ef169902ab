"""
The poller: `python -m cdi.workers.poller` says which version of a source there is now.

Its order comes from the environment (`PollOrder`): a source as importers are told of it. The
answer is the `version` of its termination message: `sha256:` and the digest of an image's manifest
or of a file, `uid:` and a text for a file whose server only says that it has changed. Nothing is
written anywhere else, and no credentials for the cluster are needed. Exits with 0, or with 1 and
the reason in the message.

Registries are asked for one manifest. Web servers are asked for the first bytes of the file, or
for the file of checksums that the order names.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from cdi.api.termination import Termination
from cdi.api.workersettings import WorkerSettings
from cdi.api.workorder import InvalidVariable, PollOrder
from cdi.images import errors
from cdi.images.http import retry
from cdi.images.sources import registry
from cdi.workers import checksumfile, ending, logs
from cdi.workers.sources import http
from cdi.workers.sources.registry import wanted

log = logging.getLogger(__name__)

# The next start, and the next poll, are not far: a server in trouble is left alone until then.
_PATIENCE = retry.Policy(opening_tries=2)


def main(env: Mapping[str, str]) -> int:
    """Carry out the order in `env`; write the answer and return the exit status."""
    logs.start()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        settings = WorkerSettings.from_env(env)
        order = PollOrder.from_env(env)
    except InvalidVariable as error:
        return _report(_failed(errors.InvalidRequest(str(error)), ""), WorkerSettings())
    try:
        if stop.wait(order.delay):
            raise errors.Cancelled("the poller was asked to stop")
        found = version_of(order, settings, stop)
    except errors.TransferError as error:
        log.error("polling failed", extra={"reason": error.reason, "cause": str(error)})  # noqa: TRY400
        return _report(_failed(error, order.source), settings)
    log.info("polled", extra={"source": order.endpoint, "version": found})
    return _report(Termination(message="Poll Complete", version=found), settings)


def version_of(order: PollOrder, settings: WorkerSettings, stop: threading.Event) -> str:
    """Ask the source for its version. Raises SourceError, InvalidRequest, Cancelled."""
    if order.source == "registry":
        image = wanted(order, settings)
        options = replace(image.options, retries=_PATIENCE)
        return registry.digest_behind(replace(image, options=options), stop)
    if order.source != "http":
        raise errors.InvalidRequest(f"sources of kind {order.source} cannot be polled")
    options = replace(http.options_for(order, settings), retries=_PATIENCE)
    if order.checksum_file:
        url = checksumfile.url_for(order.endpoint, order.checksum_file)
        with http.open_http(url, options, stop) as listing:
            return checksumfile.version_in(checksumfile.read(listing), order.endpoint)
    with http.open_http(order.endpoint, options, stop) as file:
        return checksumfile.version_of_file(file)


def _failed(error: errors.TransferError, source: str) -> Termination:
    ended = ending.failed(error, source, connecting=False)
    return replace(ended, message=str(error))


def _report(ended: Termination, settings: WorkerSettings) -> int:
    # A kubelet tells whole seconds, within which a tag can move and be polled again.
    ended = replace(ended, ended_at=datetime.now(UTC).isoformat(timespec="microseconds"))
    settings.termination_log.write_text(ended.to_message(), encoding="utf-8")
    return ended.exit_code


if __name__ == "__main__":
    sys.exit(main(os.environ))
