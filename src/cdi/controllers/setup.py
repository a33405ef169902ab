"""
All controllers, wired to their watches, as parts for a `cdi.kube` manager.

    async with Client.to(connection.choose(kubeconfig)) as client:
        manager = Manager()
        parts = await controllers(client, settings)
        parts.add_to(manager)
        await manager.run(stop)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from cdi.controllers import cdiconfig, storageprofile
from cdi.controllers.act import Actor
from cdi.controllers.cloning import inplace
from cdi.controllers.cloning import reconciler as cloning
from cdi.controllers.cloning import sendingreconciler as sending
from cdi.controllers.cluster import Watches, keys_of_claim_event
from cdi.controllers.dataimportcron import reconciler as dataimportcron
from cdi.controllers.dataimportcron.metrics import NotCounted, Outdated
from cdi.controllers.datasource import reconciler as datasource
from cdi.controllers.datavolume import reconciler as datavolume
from cdi.controllers.datavolume.operations.operation import Operation
from cdi.controllers.datavolume.operations.registry import OPERATIONS
from cdi.controllers.importing import reconciler as importing
from cdi.controllers.origins.permission import CloneTokens
from cdi.controllers.populating import reconciler as populating
from cdi.controllers.populating.populator import Populator
from cdi.controllers.populating.registry import POPULATORS
from cdi.controllers.progress import Progress
from cdi.controllers.settings import Settings
from cdi.controllers.transferring import reconciler as transferring
from cdi.controllers.uploading import reconciler as uploading
from cdi.kube.client import Client
from cdi.kube.clock import Clock, SystemClock
from cdi.kube.controller import Controller, KeysOf, Metrics, Reconcile, own_key
from cdi.kube.events import Recorder
from cdi.kube.informer import Informer
from cdi.kube.leader import Elector
from cdi.kube.manager import Group, Manager

WORKERS: Final = 3  # for each controller
LEASE: Final = "cdi-controller-leader-election-helper"


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that has to run."""

    recorders: tuple[Recorder, ...]
    watches: Watches
    controllers: tuple[Controller, ...]

    def add_to(self, manager: Manager, elector: Elector | None = None) -> None:
        """Register all parts; with an elector, controllers run while this process leads."""
        manager.add(Group.SUPPORT, *self.recorders)
        manager.add(Group.CACHES, *self.watches.informers)
        if elector is None:
            manager.add(Group.CONTROLLERS, *self.controllers)
            return
        manager.add(Group.ELECTION, elector)
        manager.add(Group.LEADER, *self.controllers)


async def controllers(
    client: Client,
    settings: Settings,
    *,
    clock: Clock | None = None,
    metrics: Metrics | None = None,
    given: Mapping[str, Informer] | None = None,
    tokens: CloneTokens | None = None,
    outdated: Outdated | None = None,
) -> Parts:
    """Make all controllers. Raises KubeError where there is no server to work with.

    Without `tokens` nothing is cloned between namespaces. `given` are informers that the process
    has and runs anyway, by the cache of `Cluster`. `outdated` publishes which DataImportCrons are.
    """
    clock = clock or SystemClock()
    await client.raw("GET", "/version")  # informers are patient; whoever starts us should hear now
    watches = Watches(client, namespace=settings.namespace, clock=clock, given=given)
    maker = _Maker(client, settings, watches, clock, metrics, tokens)
    made = (
        maker.cdi_config(),
        maker.storage_profile(),
        *(maker.data_volume(operation) for operation in OPERATIONS),
        maker.importing(),
        maker.uploading(),
        *(maker.populating(populator) for populator in POPULATORS),
        maker.cloning(),
        maker.copying_in_place(),
        maker.sending(),
        maker.transferring(),
        maker.data_source(),
        maker.data_import_cron(outdated or NotCounted()),
    )
    return Parts(tuple(maker.recorders), watches, made)


class _Maker:
    """Wires one controller after the other."""

    def __init__(
        self,
        client: Client,
        settings: Settings,
        watches: Watches,
        clock: Clock,
        metrics: Metrics | None,
        tokens: CloneTokens | None,
    ) -> None:
        self.recorders: list[Recorder] = []
        self._client = client
        self._settings = settings
        self._watches = watches
        self._clock = clock
        self._metrics = metrics
        self._tokens = tokens
        self._progress = Progress(clock)

    def cdi_config(self) -> Controller:
        name = "config-controller"
        made = cdiconfig.Reconciler(
            self._watches.cluster, self._settings, self._actor(name), self._client, self._clock
        )
        controller = self._controller(name, made.reconcile, workers=1)
        for cache in ("configs", "installations", "classes", "ingresses", "routes", "proxies"):
            self._watch(controller, cache, cdiconfig.keys_of_anything)
        self._watch(controller, "config_maps", cdiconfig.keys_of_config_map)
        controller.queue.add(cdiconfig.KEY)  # there may be nothing yet that could change
        return controller

    def storage_profile(self) -> Controller:
        name = "storageprofile-controller"
        made = storageprofile.Reconciler(
            self._watches.cluster, self._settings, self._actor(name), self._clock
        )
        controller = self._controller(name, made.reconcile)
        self._watch(controller, "classes", own_key)
        self._watch(controller, "profiles", own_key)
        self._watch(controller, "snapshot_classes", made.keys_of_snapshot_class)
        self._watch(controller, "volumes", made.keys_of_volume)
        for cache in ("config_maps", "legacy_defaults"):
            self._watch(controller, cache, made.keys_of_config_map)
        self._watch(controller, "hyperconvergeds", made.keys_of_hyperconverged)
        return controller

    def data_volume(self, operation: Operation) -> Controller:
        name = operation.controller
        made = datavolume.Reconciler(
            operation,
            self._watches.cluster,
            self._settings,
            self._actor(name),
            self._progress,
            self._clock,
            self._tokens,
        )
        controller = self._controller(name, made.reconcile)
        made.enqueue = controller.queue.add
        self._watch(controller, "data_volumes", own_key)
        self._watch(controller, "claims", datavolume.keys_of_claim)
        if operation.source_object is not None:
            cache = operation.source_object.cache
            self._watch(controller, cache, datavolume.keys_of_source_object)
        for cache in ("classes", "profiles", "csi_drivers", "configs"):
            self._watch(controller, cache, made.waiting)
        self._watch(controller, "volumes", made.waiting_for_volume)
        self._watch(controller, "pods", datavolume.keys_of_measuring_pod)
        if operation.clones:
            self._watch(controller, "claims", made.cloned_from_claim)
            self._watch(controller, "snapshots", made.cloned_from_snapshot)
            self._watch(controller, "data_sources", made.cloned_from_data_source)
            self._watch(controller, "pods", made.measured_by)
        return controller

    def importing(self) -> Controller:
        name = "import-controller"
        made = importing.Reconciler(
            self._watches.cluster, self._settings, self._client, self._actor(name), self._clock
        )
        controller = self._controller(name, made.reconcile)
        self._watch(controller, "claims", own_key)
        self._watch(controller, "pods", importing.keys_of_pod)
        self._watch(controller, "config_maps", made.keys_of_config_map)
        self._watch(controller, "events", partial(keys_of_claim_event, but_of=name))
        return controller

    def uploading(self) -> Controller:
        name = "upload-controller"
        made = uploading.Reconciler(
            self._watches.cluster, self._settings, self._client, self._actor(name), self._clock
        )
        controller = self._controller(name, made.reconcile)
        self._watch(controller, "claims", own_key)
        self._watch(controller, "pods", uploading.keys_of_pod)
        self._watch(controller, "services", uploading.keys_of_service)
        self._watch(controller, "config_maps", made.keys_of_config_map)
        self._watch(controller, "events", partial(keys_of_claim_event, but_of=name))
        return controller

    def populating(self, populator: Populator) -> Controller:
        name = populator.controller
        made = populating.Reconciler(
            populator, self._watches.cluster, self._settings, self._actor(name), self._progress
        )
        controller = self._controller(name, made.reconcile)
        made.enqueue = controller.queue.add
        self._watch(controller, "claims", made.keys_of_claim)
        self._watch(controller, populator.cache, made.keys_of_source_object)
        self._watch(controller, "classes", made.keys_of_class)
        self._watch(controller, "events", made.keys_of_event)
        return controller

    def cloning(self) -> Controller:
        name = cloning.NAME
        made = cloning.Reconciler(
            self._watches.cluster,
            self._settings,
            self._actor(name),
            self._progress,
            self._clock,
            self._tokens,
        )
        controller = self._controller(name, made.reconcile)
        made.enqueue = controller.queue.add
        self._watch(controller, "claims", made.keys_of_claim)
        self._watch(controller, "data_volumes", made.keys_of_volume)
        self._watch(controller, "snapshots", made.keys_of_snapshot)
        self._watch(controller, "pods", made.keys_of_pod)
        self._watch(controller, "clone_sources", made.keys_of_source_object)
        for cache in ("classes", "profiles", "snapshot_classes"):
            self._watch(controller, cache, made.keys_of_class)
        self._watch(controller, "events", made.keys_of_event)
        return controller

    def transferring(self) -> Controller:
        name = transferring.NAME
        made = transferring.Reconciler(self._watches.cluster, self._actor(name), self._clock)
        controller = self._controller(name, made.reconcile)
        self._watch(controller, "transfers", transferring.keys_of_transfer)
        for cache in ("claims", "data_volumes"):
            self._watch(controller, cache, made.keys_of_moved)
        return controller

    def data_source(self) -> Controller:
        name = "datasource-controller"
        made = datasource.Reconciler(self._watches.cluster, self._actor(name), self._clock)
        controller = self._controller(name, made.reconcile)
        self._watch(controller, "data_sources", made.keys_of_data_source)
        for cache in ("claims", "data_volumes"):
            self._watch(controller, cache, made.keys_of_claim)
        self._watch(controller, "snapshots", made.keys_of_snapshot)
        return controller

    def data_import_cron(self, outdated: Outdated) -> Controller:
        name = "dataimportcron-controller"
        made = dataimportcron.Reconciler(
            self._watches.cluster,
            self._settings,
            self._client,
            self._actor(name),
            self._clock,
            outdated,
        )
        controller = self._controller(name, made.reconcile)
        self._watch(controller, "crons", made.keys_of_cron)
        self._watch(controller, "data_sources", made.keys_of_data_source)
        for cache in ("data_volumes", "claims", "snapshots", "cron_jobs", "jobs", "pods"):
            self._watch(controller, cache, made.keys_of_made)
        for cache in ("classes", "profiles", "snapshot_classes", "configs", "installations"):
            self._watch(controller, cache, made.keys_of_all)
        self._watch(controller, "config_maps", made.keys_of_config_map)
        return controller

    def copying_in_place(self) -> Controller:
        name = inplace.NAME
        made = inplace.Reconciler(self._watches.cluster, self._settings, self._actor(name))
        controller = self._controller(name, made.reconcile)
        self._watch(controller, "claims", made.keys_of_claim)
        self._watch(controller, "pods", made.keys_of_pod)
        return controller

    def sending(self) -> Controller:
        name = sending.NAME
        made = sending.Reconciler(
            self._watches.cluster,
            self._settings,
            self._client,
            self._actor(name),
            self._clock,
            self._tokens,
        )
        controller = self._controller(name, made.reconcile)
        self._watch(controller, "claims", made.keys_of_claim)
        self._watch(controller, "pods", made.keys_of_pod)
        return controller

    def _actor(self, component: str) -> Actor:
        recorder = Recorder(self._client, component, clock=self._clock)
        self.recorders.append(recorder)
        return Actor(self._client, recorder)

    def _controller(self, name: str, reconcile: Reconcile, *, workers: int = WORKERS) -> Controller:
        return Controller(
            name, reconcile, workers=workers, metrics=self._metrics, clock=self._clock
        )

    def _watch(self, controller: Controller, cache: str, keys_of: KeysOf) -> None:
        controller.watch(self._watches.of(cache), keys_of)
