"""What decisions are made from: the cluster at one moment, as one CDI object is concerned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from cdi.api import names
from cdi.kube import objects
from cdi.kube.installing.ref import Ref
from cdi.kube.objects import Object
from cdi.operator.inventory.installed import Facts
from cdi.operator.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The cluster at one moment, as far as one CDI object is concerned."""

    cdi: Object
    settings: Settings
    now: datetime
    others: tuple[Object, ...] = ()  # CDI objects beside this one
    current: Mapping[Ref, Object]
    facts: Facts
    configs: tuple[Object, ...] = ()  # CDIConfigs
    own_definition: Object | None = None  # of CDI itself
    routes: tuple[Object, ...] = ()  # of users, in the namespace of the installation

    @property
    def claim(self) -> Object | None:
        return self.current.get(Ref("ConfigMap", self.settings.namespace, names.CDI_CONFIG_MAP))

    @property
    def phase(self) -> str:
        return str(objects.get(self.cdi, "status", "phase", default=""))

    @property
    def observed(self) -> str:
        return str(objects.get(self.cdi, "status", "observedVersion", default=""))

    def deployment(self, name: str) -> Object | None:
        return self.current.get(Ref("Deployment", self.settings.namespace, name))
