"""
What controllers see of the cluster: one cache for each kind, with the indexes they need.

Observations read nothing else, apart from the few objects of the installation itself that are
not worth a watch. A `Cluster` is only caches, so that a test fills one by hand; `Watches` keeps
one in step with a server.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Final

from cdi.api import annotations as known
from cdi.api import labels, names, phases, resources
from cdi.controllers import clonesource, foreignpods, kinds
from cdi.kube import objects, owners
from cdi.kube.cache import Cache, IndexFunction
from cdi.kube.client import Client
from cdi.kube.clock import Clock
from cdi.kube.controller import Result
from cdi.kube.informer import Informer, Transform
from cdi.kube.objects import Key, Object, Objects
from cdi.kube.resource import (
    CONFIG_MAPS,
    CRON_JOBS,
    CSI_DRIVERS,
    EVENTS,
    INGRESSES,
    JOBS,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    PODS,
    SERVICES,
    STORAGE_CLASSES,
    Resource,
)
from cdi.storage import legacydefaults, rendering

ABOUT: Final = "about"  # events: UID of the object they are about
IMPORTING: Final = "importing"  # claims: the empty value, for those that are to be imported into
UNCLAIMED: Final = "unclaimed"  # DataVolumes: the empty value, for those without a claim
USES: Final = "uses"  # pods: `<namespace>/<claim>` of the claims that they mount
POPULATED_FROM: Final = "populated-from"  # claims: `<kind>/<namespace>/<name>` of a source object
COPIED_FROM: Final = "copied-from"  # claims that want a copy: `<namespace>/<name>` of its source
UID: Final = "uid"  # claims: their own UID
# Temporaries of a clone: the UID of the claim that they are for.
OWNED_BY: Final = "owned-by"
# DataVolumes and VolumeCloneSources: `<kind>/<namespace>/<name>` of what they clone.
CLONED_FROM: Final = "cloned-from"
STANDS_FOR: Final = "stands-for"  # DataSources: `<member of spec.source>/<namespace>/<name>`
OF_CRON: Final = "of-cron"  # products, DataSources, pollers: `<namespace>/<name>` of their cron
MANAGES: Final = "manages"  # DataImportCrons: `<namespace>/<name>` of their DataSource

# Without the CDIConfig nobody knows which feature gates are on: nothing is decided until it is
# there, which takes its controller a moment. Seconds.
UNCONFIGURED: Final = Result(again_in=0.2)


@dataclass(frozen=True, slots=True)
class Cluster:
    """One cache for each kind."""

    data_volumes: Cache
    claims: Cache
    pods: Cache
    volumes: Cache
    events: Cache
    import_sources: Cache
    upload_sources: Cache
    ovirt_populators: Cache
    openstack_populators: Cache
    services: Cache  # in front of upload servers
    clone_sources: Cache
    data_sources: Cache
    snapshots: Cache
    snapshot_contents: Cache
    transfers: Cache  # ObjectTransfers
    crons: Cache  # DataImportCrons
    cron_jobs: Cache  # of the installation's own namespace
    jobs: Cache  # the same
    classes: Cache
    profiles: Cache
    configs: Cache
    installations: Cache  # CDI objects
    csi_drivers: Cache
    snapshot_classes: Cache
    config_maps: Cache  # of the installation's own namespace
    legacy_defaults: Cache  # ConfigMaps of this one name, anywhere
    hyperconvergeds: Cache
    ingresses: Cache  # the same
    routes: Cache  # the same
    infrastructures: Cache  # OpenShift's
    proxies: Cache  # the same

    def of(self, cache: str) -> Cache:
        """The cache of this name."""
        found: Cache = getattr(self, cache)
        return found

    @property
    def config(self) -> Object | None:
        return self.configs.get(Key("", names.CDI_CONFIG))

    @property
    def installation(self) -> Object | None:
        """The CDI object; of several the oldest counts, as the operator has it."""
        found = sorted(
            self.installations.list(),
            key=lambda each: (
                str(objects.metadata(each).get("creationTimestamp")),
                objects.name(each),
            ),
        )
        return found[0] if found else None

    @property
    def gates(self) -> tuple[str, ...]:
        return tuple(objects.get(self.config, "spec", "featureGates", default=()))

    def storage(self) -> rendering.Cluster:
        """What rendering a claim reads."""
        return rendering.Cluster(
            classes=self.classes.list(),
            profiles={objects.name(each): each for each in self.profiles.list()},
            volumes=self.volumes.list(),
            config=self.config,
        )

    def unclaimed(self) -> Objects:
        """DataVolumes that have no claim, as far as their status says."""
        return self.data_volumes.by_index(UNCLAIMED, "")

    def prime_of(self, claim: Object) -> Object | None:
        name = names.prime_for(objects.uid(claim))
        return self.claims.get(Key(objects.namespace(claim), name))

    def events_about(self, obj: Object | None) -> Objects:
        return [] if obj is None else self.events.by_index(ABOUT, objects.uid(obj))

    def pods_using(self, claim: Object) -> Objects:
        return self.pods.by_index(USES, f"{objects.namespace(claim)}/{objects.name(claim)}")


def claims_used_by(pod: Object) -> list[Key]:
    """The claims that a pod mounts."""
    volumes: list[Object] = objects.get(pod, "spec", "volumes", default=[])
    claims = (objects.get(each, "persistentVolumeClaim", "claimName") for each in volumes)
    return [Key(objects.namespace(pod), claim) for claim in claims if claim]


def target_of(prime: Object) -> list[Key]:
    """The claim that a prime is for."""
    if known.POPULATOR_KIND not in objects.annotations(prime):
        return []
    owner = owners.controller_name(prime, PERSISTENT_VOLUME_CLAIMS.kind, "")
    return [Key(objects.namespace(prime), owner)] if owner else []


def _unclaimed(volume: Object) -> Iterable[str]:
    return [] if objects.get(volume, "status", "claimName") else [""]


def _uses(pod: Object) -> Iterable[str]:
    return [str(key) for key in claims_used_by(pod)]


def _about(event: Object) -> Iterable[str]:
    uid = objects.get(event, "involvedObject", "uid")
    return [uid] if uid else []


def keys_of_claim_event(event: Object, *, but_of: str) -> list[Key]:
    """The claim that an event is about, unless controller `but_of` has told it itself.

    A pass that is begun by its own event tells it again, and never ends.
    """
    if objects.get(event, "source", "component") == but_of:
        return []
    involved = event.get("involvedObject") or {}
    if involved.get("kind") != PERSISTENT_VOLUME_CLAIMS.kind or not involved.get("name"):
        return []
    return [Key(str(involved.get("namespace", "")), str(involved["name"]))]


def _stands_for(data_source: Object) -> Iterable[str]:
    source: Object = objects.get(data_source, "spec", "source", default={})
    for member, named in source.items():
        if named:
            namespace = named.get("namespace") or objects.namespace(data_source)
            yield f"{member}/{namespace}/{named.get('name', '')}"


def stands_for(member: str, obj: Object) -> str:
    """The value of index STANDS_FOR for what a DataSource may name."""
    return f"{member}/{objects.namespace(obj)}/{objects.name(obj)}"


def _of_cron(obj: Object) -> Iterable[str]:
    return [str(key) for key in cron_of(obj)]


def cron_of(obj: Object) -> list[Key]:
    """The DataImportCron that an object was made for, as its labels say."""
    there = objects.labels(obj)
    name = there.get(labels.DATA_IMPORT_CRON)
    namespace = there.get(labels.DATA_IMPORT_CRON_NAMESPACE) or objects.namespace(obj)
    return [Key(namespace, name)] if name else []


def _manages(cron: Object) -> Iterable[str]:
    return [f"{objects.namespace(cron)}/{objects.get(cron, 'spec', 'managedDataSource')}"]


def _importing(claim: Object) -> Iterable[str]:
    given = objects.annotations(claim)
    asked = known.SOURCE in given or known.ENDPOINT in given
    over = given.get(known.POD_PHASE) in (phases.Pod.SUCCEEDED, phases.Pod.FAILED)
    return [""] if asked and not over else []


def _populated_from(claim: Object) -> Iterable[str]:
    reference = objects.get(claim, "spec", "dataSourceRef", default={})
    if reference.get("apiGroup") not in (None, resources.CDI_GROUP, resources.FORKLIFT_GROUP):
        return []
    elsewhere = objects.annotations(claim).get(known.DATA_SOURCE_NAMESPACE)
    namespace = elsewhere or objects.namespace(claim)
    return [f"{reference.get('kind')}/{namespace}/{reference.get('name')}"]


def _copied_from(claim: Object) -> Iterable[str]:
    given = objects.annotations(claim)
    source = given.get(known.CLONE_REQUEST)
    return [source] if source and known.CLONE_OF not in given else []


def _uid(obj: Object) -> Iterable[str]:
    return [objects.uid(obj)]


def owned_by(obj: Object) -> Iterable[str]:
    """The UID of the claim for which a clone has made an object."""
    owner = objects.labels(obj).get(labels.OWNED_BY_UID)
    return [owner] if owner else []


def _cloned_from(obj: Object) -> Iterable[str]:
    found = clonesource.named_by(obj)
    return [found.index_value] if found else []


_RESOURCES: Final[Mapping[str, Resource]] = {
    "data_volumes": kinds.DATA_VOLUMES,
    "claims": PERSISTENT_VOLUME_CLAIMS,
    "pods": PODS,
    "volumes": PERSISTENT_VOLUMES,
    "events": EVENTS,
    "import_sources": kinds.IMPORT_SOURCES,
    "upload_sources": kinds.UPLOAD_SOURCES,
    "ovirt_populators": kinds.OVIRT_POPULATORS,
    "openstack_populators": kinds.OPENSTACK_POPULATORS,
    "services": SERVICES,
    "clone_sources": kinds.CLONE_SOURCES,
    "data_sources": kinds.DATA_SOURCES,
    "snapshots": kinds.SNAPSHOTS,
    "snapshot_contents": kinds.SNAPSHOT_CONTENTS,
    "transfers": kinds.OBJECT_TRANSFERS,
    "crons": kinds.DATA_IMPORT_CRONS,
    "cron_jobs": CRON_JOBS,
    "jobs": JOBS,
    "classes": STORAGE_CLASSES,
    "profiles": kinds.STORAGE_PROFILES,
    "configs": kinds.CDI_CONFIGS,
    "installations": kinds.CDIS,
    "csi_drivers": CSI_DRIVERS,
    "snapshot_classes": kinds.SNAPSHOT_CLASSES,
    "config_maps": CONFIG_MAPS,
    "legacy_defaults": CONFIG_MAPS,
    "hyperconvergeds": kinds.HYPERCONVERGEDS,
    "ingresses": INGRESSES,
    "routes": kinds.ROUTES,
    "infrastructures": kinds.INFRASTRUCTURES,
    "proxies": kinds.PROXIES,
}
_INDEXES: Final[Mapping[str, Mapping[str, IndexFunction]]] = {
    "data_volumes": {UNCLAIMED: _unclaimed, CLONED_FROM: _cloned_from, OF_CRON: _of_cron},
    "claims": {
        POPULATED_FROM: _populated_from,
        IMPORTING: _importing,
        COPIED_FROM: _copied_from,
        UID: _uid,
        OWNED_BY: owned_by,
        OF_CRON: _of_cron,
    },
    "clone_sources": {CLONED_FROM: _cloned_from},
    "data_sources": {STANDS_FOR: _stands_for, OF_CRON: _of_cron},
    "crons": {MANAGES: _manages},
    "cron_jobs": {OF_CRON: _of_cron},
    "snapshots": {OWNED_BY: owned_by, OF_CRON: _of_cron},
    "pods": {USES: _uses, OWNED_BY: owned_by, OF_CRON: _of_cron},
    "events": {ABOUT: _about},
}
# What is kept of objects that are mostly those of others.
_KEPT: Final[Mapping[str, Transform]] = {"pods": foreignpods.kept_of}
# Only claims have events that anybody here reads.
_FIELDS: Final[Mapping[str, str]] = {
    "events": "involvedObject.kind=PersistentVolumeClaim",
    "legacy_defaults": f"metadata.name={legacydefaults.CONFIG_MAP}",
}
_LABELS: Final[Mapping[str, str]] = {"services": f"{labels.COMPONENT}={labels.UPLOAD_SERVER}"}
# Kinds that somebody else defines, and kinds that are watched in the installation's namespace only.
_MAY_BE_MISSING: Final = frozenset(
    {
        "snapshots",
        "snapshot_contents",
        "snapshot_classes",
        "ingresses",
        "routes",
        "infrastructures",
        "proxies",
        "hyperconvergeds",
        "legacy_defaults",  # elsewhere they are seen only where somebody has allowed it
    }
)
_OF_INSTALLATION: Final = frozenset({"config_maps", "cron_jobs", "jobs", "ingresses", "routes"})


def empty_cluster() -> Cluster:
    """Caches that nobody fills."""
    return Cluster(**{field.name: Cache(_INDEXES.get(field.name)) for field in fields(Cluster)})


def resource_of(cache: str) -> Resource:
    """The kind that a cache of Cluster holds."""
    return _RESOURCES[cache]


class Watches:
    """Informers that keep a cluster's caches; parts for `manager.Group.CACHES`."""

    def __init__(
        self,
        client: Client,
        *,
        namespace: str = "",
        clock: Clock | None = None,
        given: Mapping[str, Informer] | None = None,
    ) -> None:
        """`namespace` is that of the installation.

        `given` are informers, by cache, that others of the process have and run: objects are held
        once then. They get our indexes on top of their own.
        """
        given = given or {}
        self._own = {
            name: Informer(
                client,
                resource,
                namespace if name in _OF_INSTALLATION else None,
                labels=_LABELS.get(name, ""),
                fields=_FIELDS.get(name, ""),
                indexes=_INDEXES.get(name),
                transform=_KEPT.get(name, objects.compact),
                optional=name in _MAY_BE_MISSING,
                clock=clock,
            )
            for name, resource in _RESOURCES.items()
            if name not in given
        }
        self._informers = {**self._own, **given}
        for name, informer in given.items():
            for index, function in _INDEXES.get(name, {}).items():
                informer.cache.add_index(index, function)
        caches = {name: informer.cache for name, informer in self._informers.items()}
        self.cluster = Cluster(**caches)

    @property
    def informers(self) -> tuple[Informer, ...]:
        """Those that are to be run; not the given ones."""
        return tuple(self._own.values())

    def of(self, cache: str) -> Informer:
        """The informer of a cache of Cluster."""
        return self._informers[cache]
