"""
One StorageProfile for each StorageClass: created, kept right and deleted with it.

What a profile says is decided by `cdi.storage.profile`; here is which objects that takes. The
status is written in the same pass as the profile itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cdi.api import labels
from cdi.controllers import kinds, metadata, plan
from cdi.controllers.act import Actor
from cdi.controllers.cluster import Cluster
from cdi.controllers.settings import Settings
from cdi.kube import objects, owners
from cdi.kube.clock import Clock
from cdi.kube.controller import Result
from cdi.kube.objects import Key, Object
from cdi.storage import legacydefaults, profile, provisioners, snapshots

_UNUSABLE = "InvalidStorageProfile"


@dataclass(frozen=True, slots=True)
class Seen:
    """A class and its profile, either of which may be missing."""

    name: str
    settings: Settings
    now: str
    storage_class: Object | None = None
    found: Object | None = None
    snapshot_classes: tuple[Object, ...] = ()
    volumes: tuple[Object, ...] = ()
    installation: Object | None = None
    legacy_defaults: Mapping[str, str] = field(default_factory=dict)  # see `legacydefaults`


def decide(seen: Seen) -> plan.Plan:
    """Choose the next steps. No I/O, no clock."""
    if seen.storage_class is None or objects.is_deleting(seen.storage_class):
        if seen.found is None:
            return plan.NOTHING
        return plan.Plan((plan.Remove(kinds.STORAGE_PROFILES, seen.found),))
    if seen.found is None:
        return plan.Plan((plan.Create(kinds.STORAGE_PROFILES, _new(seen)),))
    try:
        wanted = profile.profile_for(
            profile.Seen(
                storage_class=seen.storage_class,
                profile=seen.found,
                snapshot_classes=seen.snapshot_classes,
                volumes=seen.volumes,
                legacy_defaults=seen.legacy_defaults,
            ),
            seen.now,
        )
    except (snapshots.SnapshotClassNotFound, profile.IncompleteProperties) as error:
        return plan.Plan(events=(plan.warning(seen.found, _UNUSABLE, str(error)),))
    return _written(seen, seen.found, wanted)


def _written(seen: Seen, found: Object, wanted: profile.Wanted) -> plan.Plan:
    described = metadata.changed(
        found, annotations=wanted.annotations, labels={**_labels(seen.settings)}
    )
    steps: list[plan.Step] = []
    if _has_news(found, wanted.annotations, _labels(seen.settings)):
        steps.append(plan.Change(kinds.STORAGE_PROFILES, found, described))
    if wanted.status != found.get("status"):
        steps.append(plan.SetStatus(kinds.STORAGE_PROFILES, found, wanted.status))
    events = [plan.warning(found, _UNUSABLE, text) for text in wanted.warnings]
    return plan.Plan(tuple(steps), tuple(events) if steps else ())


def _has_news(found: Object, wanted: Any, wanted_labels: dict[str, str]) -> bool:
    given, labelled = objects.annotations(found), objects.labels(found)
    differ = any(given.get(key) != value for key, value in wanted.items())
    return differ or any(labelled.get(key) != value for key, value in wanted_labels.items())


def _new(seen: Seen) -> Object:
    found: Object = {
        "apiVersion": kinds.STORAGE_PROFILES.api_version,
        "kind": kinds.STORAGE_PROFILES.kind,
        "metadata": {"name": seen.name, "labels": _labels(seen.settings)},
        "spec": {},
    }
    if seen.installation is not None:
        found["metadata"]["ownerReferences"] = [owners.owner_reference(seen.installation)]
    return found


def _labels(settings: Settings) -> dict[str, str]:
    return {
        labels.APP: labels.APP_VALUE,
        labels.COMPONENT: "",
        **metadata.recommended_labels(settings),
    }


class Reconciler:
    """Keys are names of StorageClasses."""

    def __init__(self, cluster: Cluster, settings: Settings, actor: Actor, clock: Clock) -> None:
        self._cluster = cluster
        self._settings = settings
        self._actor = actor
        self._clock = clock

    async def reconcile(self, key: Key) -> Result | None:
        return await self._actor.act(decide(self.observe(key)))

    def observe(self, key: Key) -> Seen:
        cluster = self._cluster
        storage_class = cluster.classes.get(key)
        by_hand = objects.get(storage_class, "provisioner") == provisioners.NO_PROVISIONER
        return Seen(
            name=key.name,
            settings=self._settings,
            now=self._clock.wall().strftime("%Y-%m-%dT%H:%M:%SZ"),
            storage_class=storage_class,
            found=cluster.profiles.get(key),
            snapshot_classes=tuple(cluster.snapshot_classes.list()),
            volumes=tuple(cluster.volumes.list()) if by_hand else (),
            installation=cluster.installation,
            legacy_defaults=self._legacy_defaults(),
        )

    def _legacy_defaults(self) -> Mapping[str, str]:
        """Of this installation, or else of a HyperConverged; others' ConfigMaps say nothing."""
        theirs = sorted({objects.namespace(x) for x in self._cluster.hyperconvergeds.list()})
        for namespace in (self._settings.namespace, *theirs):
            key = Key(namespace, legacydefaults.CONFIG_MAP)
            found = self._cluster.legacy_defaults.get(key) or self._cluster.config_maps.get(key)
            if found is not None:
                data: Mapping[str, str] = found.get("data") or {}
                return data
        return {}

    def keys_of_config_map(self, found: Object) -> list[Key]:
        """The defaults of an older installation may say something of every class."""
        named = objects.name(found) == legacydefaults.CONFIG_MAP
        return self.keys_of_hyperconverged(found) if named else []

    def keys_of_hyperconverged(self, _: Object) -> list[Key]:
        """Its namespace may have such defaults."""
        return [objects.key(each) for each in self._cluster.classes.list()]

    def keys_of_snapshot_class(self, found: Object) -> list[Key]:
        """A snapshot class concerns all classes of its driver."""
        driver = found.get("driver")
        return [
            objects.key(each)
            for each in self._cluster.classes.list()
            if each.get("provisioner") == driver
        ]

    def keys_of_volume(self, found: Object) -> list[Key]:
        """A volume concerns its class, if its volumes are made by hand."""
        name = objects.get(found, "spec", "storageClassName", default="")
        storage_class = self._cluster.classes.get(Key("", name))
        by_hand = objects.get(storage_class, "provisioner") == provisioners.NO_PROVISIONER
        return [Key("", name)] if by_hand else []
