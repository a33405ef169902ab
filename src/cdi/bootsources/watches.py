"""What is watched for a HyperConverged: it, and everything that it comes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cdi.bootsources import kinds
from cdi.kube.client import Client
from cdi.kube.clock import Clock
from cdi.kube.informer import Informer
from cdi.kube.resource import NODES, PERSISTENT_VOLUME_CLAIMS


@dataclass(frozen=True, slots=True)
class Watches:
    """One informer for each kind; `own` are those that are to be run by whoever called."""

    hyperconvergeds: Informer
    ssps: Informer
    installations: Informer
    crons: Informer
    data_sources: Informer
    claims: Informer
    nodes: Informer
    own: tuple[Informer, ...]

    @classmethod
    def on(cls, client: Client, given: Mapping[str, Informer], clock: Clock) -> Watches:
        """Watch; `given` are informers that others of the process run, by their name here."""
        wanted = {
            "hyperconvergeds": (kinds.HYPERCONVERGEDS, True),
            "ssps": (kinds.SSPS, True),
            "installations": (kinds.CDIS, False),
            "crons": (kinds.CRONS, False),
            "data_sources": (kinds.DATA_SOURCES, False),
            "claims": (PERSISTENT_VOLUME_CLAIMS, False),
            "nodes": (NODES, False),
        }
        made = {
            name: Informer(client, resource, optional=optional, clock=clock)
            for name, (resource, optional) in wanted.items()
            if name not in given
        }
        chosen = {name: given.get(name) or made[name] for name in wanted}
        return cls(**chosen, own=tuple(made.values()))
