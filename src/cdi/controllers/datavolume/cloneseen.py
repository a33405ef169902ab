"""What one look at a DataVolume that clones collects of what is cloned."""

from __future__ import annotations

from dataclasses import dataclass

from cdi.api import annotations as known
from cdi.api import names
from cdi.controllers import clonesource, sourceref
from cdi.controllers.cluster import Cluster
from cdi.controllers.origins import origin as origins
from cdi.controllers.origins import permission
from cdi.controllers.origins.origin import Origin
from cdi.controllers.origins.permission import ALLOWED, CloneTokens, Verdict
from cdi.kube import objects
from cdi.kube.objects import Key, Object


@dataclass(frozen=True, slots=True)
class CloneSeen:
    """Of a DataVolume whose source, or whose DataSource, is a claim or a snapshot."""

    origin: Origin | None = None
    unresolved: str = ""  # why nobody knows what is to be cloned
    verdict: Verdict = ALLOWED
    claim_token: str = ""  # what the claim is to get, if it has none yet
    measuring: Object | None = None  # the pod that measures the disk in the source
    data_source: Object | None = None  # that the DataVolume names, if it names one
    restored: Object | None = None  # the claim that is copied in place of a snapshot

    def is_elsewhere(self, volume: Object) -> bool:
        """Whether what is cloned is in another namespace."""
        there = self.origin.source.namespace if self.origin else objects.namespace(volume)
        return there != objects.namespace(volume)


def observe(
    cluster: Cluster, volume: Object, claim: Object | None, tokens: CloneTokens | None
) -> CloneSeen:
    """Look at what a DataVolume clones."""
    named = clonesource.named_by(volume)
    if named is None:
        return CloneSeen(unresolved="the DataVolume names nothing to clone")
    source = sourceref.cloned(named, cluster.data_sources.get)
    if isinstance(source, sourceref.Unresolved):
        return CloneSeen(unresolved=source.message, restored=_restored(cluster, volume, claim))
    found = origins.observe(cluster, source)
    elsewhere = source.namespace != objects.namespace(volume)
    return CloneSeen(
        origin=found,
        verdict=_verdict(volume, claim, found, tokens) if elsewhere else ALLOWED,
        claim_token=permission.for_claim(volume, claim, tokens) if elsewhere and claim else "",
        measuring=_measuring(cluster, found),
        data_source=cluster.data_sources.get(named.key) if named != source else None,
        restored=_restored(cluster, volume, claim, source.namespace),
    )


def _verdict(
    volume: Object, claim: Object | None, found: Origin, tokens: CloneTokens | None
) -> Verdict:
    """Asked for while there is no claim: later the claim carries its own permission."""
    return ALLOWED if claim is not None else permission.of_volume(volume, found.source, tokens)


def _restored(
    cluster: Cluster, volume: Object, claim: Object | None, namespace: str = ""
) -> Object | None:
    """The claim of the legacy flow; its target knows where that is, whatever became of a source."""
    asked = objects.annotations(claim or {}).get(known.CLONE_REQUEST, "")
    where = asked.partition("/")[0] or namespace
    return cluster.claims.get(Key(where, names.legacy_source_claim_for(objects.uid(volume))))


def _measuring(cluster: Cluster, found: Origin) -> Object | None:
    if found.object is None or found.is_snapshot:
        return None
    name = names.size_detection_pod_for(objects.uid(found.object))
    return cluster.pods.get(Key(found.source.namespace, name))
