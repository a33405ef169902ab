"""Where DataSources lead, and what their status says of it."""

from datetime import UTC, datetime

import pytest

from cdi.controllers import sourceref
from cdi.controllers.datasource.decide import Seen, decide
from cdi.kube import objects
from cdi.kube.objects import Key, Object

NOW = "2030-01-01T00:00:00Z"
PREFERENCE = "instancetype.kubevirt.io/default-preference"


def data_source(name: str = "fedora", *, labels: Object | None = None, **source: Object) -> Object:
    meta = {"name": name, "namespace": "ns", "labels": labels or {}}
    return {"metadata": meta, "spec": {"source": source}}


def to(name: str, namespace: str = "ns") -> Object:
    return {"namespace": namespace, "name": name}


def finder(*known: Object):
    return {objects.key(each): each for each in known}.get


PVC = data_source("claim", pvc=to("disk", "images"))
EMPTY = data_source("empty")


@pytest.mark.parametrize(
    ("given", "known", "leads_to"),
    [
        pytest.param(PVC, (), Key("images", "disk"), id="a-claim"),
        pytest.param(data_source(pvc={"name": "disk"}), (), Key("ns", "disk"), id="its-namespace"),
        pytest.param(data_source(snapshot=to("snap")), (), Key("ns", "snap"), id="a-snapshot"),
        pytest.param(
            data_source(dataSource=to("claim")), (PVC,), Key("images", "disk"), id="one-step"
        ),
        pytest.param(
            data_source(dataSource={"name": "claim"}), (PVC,), Key("images", "disk"), id="in-its-ns"
        ),
        pytest.param(data_source(dataSource=to("x", "b")), (), "CrossNamespaceReference", id="far"),
        pytest.param(data_source(dataSource=to("fedora")), (), "SelfReference", id="itself"),
        pytest.param(data_source(dataSource=to("absent")), (), "NotFound", id="nowhere"),
        pytest.param(
            data_source("a", dataSource=to("b")),
            (data_source("b", dataSource=to("a")),),
            "MaxReferenceDepthReached",
            id="in-a-circle",
        ),
        pytest.param(
            data_source("a", dataSource=to("b")),
            (data_source("b", dataSource=to("claim")), PVC),
            "MaxReferenceDepthReached",
            id="too-far",
        ),
        pytest.param(data_source(dataSource=to("empty")), (EMPTY,), "", id="to-nothing"),
        pytest.param(
            data_source(pvc=to("one"), snapshot=to("other")), (), Key("ns", "one"), id="both"
        ),
    ],
)  # fmt: skip
def test_a_data_source_leads_somewhere(given, known, leads_to):
    found = sourceref.resolve(given, finder(*known))
    if isinstance(found, sourceref.Unresolved):
        assert found.reason == leads_to
    else:
        assert (found.key if found.member else "") == leads_to


def seen(source: Object, **there: Object) -> Seen:
    return Seen(source, NOW, sourceref.resolve(source, finder(PVC)), **there)


def volume(phase: str, **labels: str) -> Object:
    return {"metadata": {"name": "disk", "labels": labels}, "status": {"phase": phase}}


CLAIM = {"metadata": {"name": "disk"}, "status": {"phase": "Pending"}}
SNAPSHOT = {"metadata": {"name": "snap"}, "status": {"readyToUse": False}}
READY = {"metadata": {"name": "snap"}, "status": {"readyToUse": True}}
WITH_SNAPSHOT = data_source(snapshot=to("snap"))


def status_of(planned) -> tuple[str, str, Object]:
    status = planned.steps[0].wanted["status"]
    (condition,) = status["conditions"]
    return condition["status"], condition["reason"], status["source"]


@pytest.mark.parametrize(
    ("given", "status", "reason"),
    [
        pytest.param(
            seen(PVC, volume=volume("Succeeded"), claim=CLAIM), "True", "Ready", id="full"
        ),
        pytest.param(seen(PVC, claim=CLAIM), "True", "Ready", id="a-claim-alone"),
        pytest.param(
            seen(PVC, volume=volume("ImportInProgress"), claim=CLAIM),
            "False", "ImportInProgress", id="under-way",
        ),
        pytest.param(seen(PVC), "False", "NotFound", id="no-claim"),
        pytest.param(seen(WITH_SNAPSHOT, snapshot=READY), "True", "Ready", id="snapshot"),
        pytest.param(
            seen(WITH_SNAPSHOT, snapshot=SNAPSHOT), "False", "SnapshotNotReady", id="not-ready"
        ),
        pytest.param(seen(WITH_SNAPSHOT), "False", "NotFound", id="no-snapshot"),
        pytest.param(seen(EMPTY), "False", "NoSource", id="nothing-named"),
        pytest.param(
            seen(data_source(dataSource=to("fedora"))), "False", "SelfReference", id="itself"
        ),
    ],
)  # fmt: skip
def test_ready_says_whether_it_can_be_cloned_from(given, status, reason):
    found = status_of(decide(given))
    assert found[:2] == (status, reason)
    assert bool(found[2]) == (status == "True")


def test_a_reference_shows_what_it_stands_for():
    given = seen(data_source("alias", dataSource=to("claim")), claim=CLAIM)
    assert status_of(decide(given)) == ("True", "Ready", {"pvc": to("disk", "images")})


def test_labels_of_the_image_travel_and_times_stay():
    marked = volume("Succeeded", **{PREFERENCE: "fedora", "cdi.kubevirt.io/own": "x", "a": "b"})
    before = data_source(pvc=to("disk"))
    after = decide(seen(before, volume=marked, claim=CLAIM)).steps[0].wanted
    assert objects.labels(after) == {PREFERENCE: "fedora"}
    later = datetime(2031, 1, 1, tzinfo=UTC).isoformat()
    again = Seen(after, later, sourceref.resolve(after, finder()), volume=marked, claim=CLAIM)
    assert decide(again).steps == ()
