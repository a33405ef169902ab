"""
The one CDIConfig: created if it is missing, and its status kept as its spec and the cluster say.

What the status says is decided by `cdi.storage.config`. The kind has no status subresource: spec
and status are written at once, so that a setting takes effect in the pass in which it is seen.
"""

from dataclasses import dataclass
from typing import Final

from cdi.api import features, labels, names
from cdi.controllers import kinds, metadata, plan
from cdi.controllers.act import Actor
from cdi.controllers.cluster import Cluster
from cdi.controllers.settings import Settings
from cdi.kube import objects, owners
from cdi.kube.controller import Result
from cdi.kube.objects import Key, Object
from cdi.storage import config

KEY: Final = Key("", names.CDI_CONFIG)
_PROBLEM: Final = "InvalidSetting"

# What the CDI object of a release says, for a cluster that has none.
_DEFAULTS: Final = {"featureGates": [features.Gate.HONOR_WAIT_FOR_FIRST_CONSUMER.value]}


@dataclass(frozen=True, slots=True)
class Seen:
    """The CDIConfig and what it follows from."""

    settings: Settings
    found: Object | None = None
    installation: Object | None = None  # the CDI object
    classes: tuple[Object, ...] = ()


def decide(seen: Seen) -> plan.Plan:
    """Choose the next steps. No I/O, no clock."""
    before = _new(seen) if seen.found is None else seen.found
    spec = config.spec_for(
        before.get("spec") or {}, seen.installation, operated=seen.settings.operated
    )
    wanted = config.status_for(
        config.Seen(
            spec=spec,
            status=before.get("status") or {},
            classes=seen.classes,
            upload=seen.settings.upload,
        )
    )
    after = {**before, "spec": spec, "status": wanted.status}
    if seen.found is None:
        return plan.Plan((plan.Create(kinds.CDI_CONFIGS, after),))
    if after == before:
        return plan.NOTHING
    events = tuple(
        plan.warning(seen.found, _PROBLEM, problem.message) for problem in wanted.problems
    )
    return plan.Plan((plan.Change(kinds.CDI_CONFIGS, seen.found, after),), events)


def _new(seen: Seen) -> Object:
    found: Object = {
        "apiVersion": kinds.CDI_CONFIGS.api_version,
        "kind": kinds.CDI_CONFIGS.kind,
        "metadata": {
            "name": names.CDI_CONFIG,
            "labels": {
                labels.APP: labels.APP_VALUE,
                labels.COMPONENT: "",
                **metadata.recommended_labels(seen.settings),
            },
        },
        "spec": dict(_DEFAULTS) if seen.installation is None else _asked(seen.installation),
    }
    if seen.installation is not None:
        found["metadata"]["ownerReferences"] = [owners.owner_reference(seen.installation)]
    return found


def _asked(installation: Object) -> Object:
    return dict(objects.get(installation, "spec", "config", default={}))


class Reconciler:
    """There is one key."""

    def __init__(self, cluster: Cluster, settings: Settings, actor: Actor) -> None:
        self._cluster = cluster
        self._settings = settings
        self._actor = actor

    async def reconcile(self, key: Key) -> Result | None:
        return None if key != KEY else await self._actor.act(decide(self.observe()))

    def observe(self) -> Seen:
        return Seen(
            settings=self._settings,
            found=self._cluster.config,
            installation=self._cluster.installation,
            classes=tuple(self._cluster.classes.list()),
        )


def keys_of_anything(_: Object) -> tuple[Key]:
    return (KEY,)
