"""
Finds the server of a claim, and waits a little where there is none yet.

Claims are read through the API, whenever somebody wants to upload; the answers for resumable
uploads, whose chunks may be small and many, are believed for a moment. Times are in seconds.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from typing import Final

from cdi.kube import errors
from cdi.kube.client import Client
from cdi.kube.clock import Clock, SystemClock
from cdi.kube.objects import Object
from cdi.kube.resource import PERSISTENT_VOLUME_CLAIMS
from cdi.web.uploadproxy import readiness
from cdi.web.uploadproxy.readiness import NotYet, Ready
from cdi.web.uploadproxy.refusals import Refused

log = logging.getLogger(__name__)

PATIENCE: Final = 10.0  # until a client is told to come again
PAUSE: Final = 1.0  # between two looks
BELIEVED: Final = 2.0  # how long a server that was found is taken to be still there
_MOST: Final = 1024  # of those, at a time
_COME_AGAIN: Final = 5


class Claims:
    """Looks at claims for whoever uploads to them."""

    def __init__(self, client: Client, clock: Clock | None = None) -> None:
        self._client = client
        self._clock = clock or SystemClock()
        self._found: OrderedDict[tuple[str, str], tuple[float, Ready]] = OrderedDict()

    async def server_of(self, namespace: str, name: str, uid: str = "") -> Ready:
        """The server of a claim, waiting up to PATIENCE for one. Raises Refused."""
        until = self._clock.now() + PATIENCE
        while True:
            try:
                ready = await self._look(namespace, name, uid)
            except NotYet as error:
                why: Exception = error
            except errors.KubeError as error:
                log.warning("a claim cannot be read", extra={"cause": str(error)})
                why = NotYet(f"PVC {namespace}/{name} cannot be read at the moment")
            else:
                self._remember((namespace, name), ready)
                return ready
            if self._clock.now() + PAUSE > until:
                raise Refused(503, "NotReady", str(why), retry_after=_COME_AGAIN)
            await self._clock.sleep(PAUSE)

    async def server_of_session(self, namespace: str, name: str) -> Ready:
        """The same for a session that somebody was allowed to open. Raises Refused."""
        known = self._found.get((namespace, name))
        if known is not None and self._clock.now() < known[0]:
            return known[1]
        return await self.server_of(namespace, name)

    def forget(self, namespace: str, name: str) -> None:
        """Look again next time: the server was not where it was found."""
        self._found.pop((namespace, name), None)

    async def _look(self, namespace: str, name: str, uid: str) -> Ready:
        target = await self._read(namespace, name)
        if target is None:
            raise Refused(404, "NotFound", f"there is no PVC {namespace}/{name}")
        readiness.check_target(target, uid)
        prime = readiness.prime_of(target)
        if prime is None:
            return readiness.server_for(target)
        filled = await self._read(namespace, prime)
        if filled is None:
            raise NotYet(f"PVC {namespace}/{name} is between two states: {prime} is gone")
        return readiness.server_for(filled)

    async def _read(self, namespace: str, name: str) -> Object | None:
        try:
            return await self._client.get(PERSISTENT_VOLUME_CLAIMS, name, namespace)
        except errors.NotFound:
            return None

    def _remember(self, key: tuple[str, str], ready: Ready) -> None:
        self._found[key] = (self._clock.now() + BELIEVED, ready)
        self._found.move_to_end(key)
        while len(self._found) > _MOST:
            self._found.popitem(last=False)
