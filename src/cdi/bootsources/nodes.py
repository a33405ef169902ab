"""The architectures of a cluster, from its nodes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cdi.kube import objects
from cdi.kube.objects import Object

_ARCHITECTURE: Final = "kubernetes.io/arch"
_CONTROL_PLANE: Final = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
_WORKER: Final = "node-role.kubernetes.io/worker"
_USUAL: Final = "amd64"  # of a cluster that shows no nodes


@dataclass(frozen=True, slots=True)
class Architectures:
    """Each once."""

    control_plane: tuple[str, ...] = ()
    workloads: tuple[str, ...] = ()  # of the nodes on which machines run

    @property
    def all(self) -> tuple[str, ...]:
        """Of the whole cluster; the default one, which is the control plane's, first."""
        return tuple(dict.fromkeys((*self.control_plane, *self.workloads))) or (_USUAL,)


NO_NODES: Final = Architectures((), (_USUAL,))


def architectures_of(nodes: Sequence[Object]) -> Architectures:
    """Those of some nodes. Machines run on workers; where no node is called one, beside the
    control plane, and on it where there is nothing else."""
    leading = [
        node for node in nodes if any(each in objects.labels(node) for each in _CONTROL_PLANE)
    ]
    workers = [node for node in nodes if _WORKER in objects.labels(node)]
    others = [node for node in nodes if node not in leading]
    found = Architectures(_named(leading), _named(workers or others or nodes))
    return found if found.workloads else NO_NODES


def _named(nodes: Sequence[Object]) -> tuple[str, ...]:
    found = [objects.labels(node).get(_ARCHITECTURE, "") for node in nodes]
    return tuple(dict.fromkeys(filter(None, found)))
