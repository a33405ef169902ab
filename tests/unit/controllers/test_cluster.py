"""Which informers the controllers run, and which they only look into."""

from typing import cast

from cdi.controllers import cluster
from cdi.kube import objects
from cdi.kube.client import Client
from cdi.kube.informer import Informer
from cdi.kube.resource import PODS

NOBODY = cast(Client, None)  # nothing is asked before an informer runs

CLAIM = {"metadata": {"name": "disk", "namespace": "a"}}
POD = {
    "metadata": {"name": "p", "namespace": "a"},
    "spec": {"volumes": [{"persistentVolumeClaim": {"claimName": "disk"}}]},
}


def test_a_given_informer_is_indexed_and_left_to_its_owner() -> None:
    pods = Informer(NOBODY, PODS, indexes={"name": lambda pod: [objects.name(pod)]})
    pods.cache.upsert(POD)
    watches = cluster.Watches(NOBODY, given={"pods": pods})
    assert watches.of("pods") is pods
    assert pods not in watches.informers
    assert watches.cluster.pods_using(CLAIM) == [POD]
    assert pods.cache.by_index("name", "p") == [POD]


def test_without_given_ones_every_cache_has_an_informer_that_is_to_be_run() -> None:
    watches = cluster.Watches(NOBODY)
    assert {each.cache for each in watches.informers} == {
        getattr(watches.cluster, name) for name in watches.cluster.__dataclass_fields__
    }
