"""ObjectTransfers on a cluster of plain data, with a crash before every single write."""

import copy
import itertools
from typing import Any

import pytest

from cdi.api import annotations as known
from cdi.controllers import plan
from cdi.controllers.transferring.decide import decide
from cdi.controllers.transferring.seen import Seen, child_of, kind_of, source_of, target_of
from cdi.kube import objects
from cdi.kube.objects import Key, Object

NOW = "2030-01-01T00:00:00Z"


class Crash(Exception):
    """The controller has died."""


class Cluster:
    """Objects by kind and key; it binds claims by name, and lets DataVolumes succeed."""

    def __init__(self, crash_at: int | None = None) -> None:
        self.objects: dict[tuple[str, Key], Object] = {}
        self.writes = 0
        self.crash_at = crash_at
        self._uids = itertools.count(1)

    def put(self, obj: Object) -> Object:
        obj["metadata"].setdefault("uid", f"u{next(self._uids)}")
        self.objects[obj["kind"], objects.key(obj)] = obj
        return obj

    def get(self, kind: str, key: Key) -> Object | None:
        return copy.deepcopy(self.objects.get((kind, key)))

    def act(self, wanted: plan.Plan) -> bool:
        """Carry a plan out; return whether there was anything to do."""
        for step in wanted.steps:
            self.writes += 1
            if self.writes == self.crash_at:
                raise Crash
            self._take(step)
        return bool(wanted.steps)

    def _take(self, step: Any) -> None:
        match step:
            case plan.Create(object=obj):
                if (obj["kind"], objects.key(obj)) not in self.objects:
                    self.put(copy.deepcopy(obj))
            case plan.Change(seen=seen, wanted=wanted):
                found = self.objects[seen["kind"], objects.key(seen)]
                found.update({k: v for k, v in copy.deepcopy(wanted).items() if k != "status"})
            case plan.SetStatus(seen=seen, status=status):
                self.objects[seen["kind"], objects.key(seen)]["status"] = status
            case plan.Remove(seen=seen):
                self._remove(seen)

    def _remove(self, seen: Object) -> None:
        gone = self.objects.pop((seen["kind"], objects.key(seen)))
        if gone["kind"] == "DataVolume":  # its claim would go along, if it were still its own
            for claim in [x for x in self.objects.values() if x["kind"] == "PersistentVolumeClaim"]:
                refs = claim["metadata"].get("ownerReferences", [])
                if any(ref["uid"] == gone["metadata"]["uid"] for ref in refs):
                    self._remove(claim)
        if gone["kind"] == "PersistentVolumeClaim":
            volume = self.objects["PersistentVolume", Key("", gone["spec"]["volumeName"])]
            policy = volume["spec"]["persistentVolumeReclaimPolicy"]
            assert policy == "Retain", "the volume and its data are lost"

    def turn(self) -> None:
        """What others do: bind, and take a filled claim for a DataVolume that succeeds."""
        for (kind, key), obj in list(self.objects.items()):
            if kind == "PersistentVolumeClaim":
                volume = self.objects["PersistentVolume", Key("", obj["spec"]["volumeName"])]
                reference = volume["spec"]["claimRef"]
                if Key(reference["namespace"], reference["name"]) == key:
                    reference.setdefault("uid", obj["metadata"]["uid"])
                    obj["status"] = {"phase": "Bound"}
            if kind == "DataVolume":
                claim = self.objects.get(("PersistentVolumeClaim", key))
                given = objects.annotations(claim or {})
                if given.get(known.POPULATED_FOR) == key.name:
                    obj["status"] = {"phase": "Succeeded"}

    def seen(self, transfer: Object) -> Seen:
        here, there = source_of(transfer), target_of(transfer)
        kind = "DataVolume" if kind_of(transfer) == "datavolume" else "PersistentVolumeClaim"
        claim = self.get("PersistentVolumeClaim", here)
        name = objects.get(transfer, "status", "data", "pvName")
        name = name or objects.get(claim, "spec", "volumeName") or ""
        return Seen(
            transfer=transfer,
            now=NOW,
            source=self.get(kind, here),
            target=self.get(kind, there),
            claim=claim,
            target_claim=self.get("PersistentVolumeClaim", there),
            volume=self.get("PersistentVolume", Key("", name)),
            child=self.get("ObjectTransfer", child_of(transfer)),
        )

    def settle(self) -> None:
        for _ in range(200):
            busy = False
            for (kind, key), _ in list(self.objects.items()):
                if kind == "ObjectTransfer" and (found := self.get(kind, key)):
                    try:
                        busy |= self.act(decide(self.seen(found)))
                    except Crash:
                        busy = True
            self.turn()
            if not busy:
                return
        raise AssertionError("it never comes to rest")


def claim(**given: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "disk", "namespace": "a", "annotations": given, "labels": {"l": "1"}},
        "spec": {"volumeName": "pv", "storageClassName": "fast"},
        "status": {"phase": "Bound"},
    }


def volume(of: Object) -> Object:
    reference = {"namespace": "a", "name": "disk", "uid": of["metadata"]["uid"]}
    spec = {"claimRef": reference, "persistentVolumeReclaimPolicy": "Delete"}
    return {"kind": "PersistentVolume", "metadata": {"name": "pv"}, "spec": spec}


def transfer(kind: str, **more: Any) -> Object:
    source = {"kind": kind, "namespace": "a", "name": "disk", **more}
    return {
        "apiVersion": "cdi.kubevirt.io/v1beta1",
        "kind": "ObjectTransfer",
        "metadata": {"name": "t"},
        "spec": {"source": source, "target": {"namespace": "b", "name": "moved"}},
    }


def cluster(kind: str, crash_at: int | None = None) -> Cluster:
    found = Cluster(crash_at)
    made = found.put(claim(**{known.POPULATED_FOR: "disk"}))
    found.put(volume(made))
    if kind == "DataVolume":
        owner = found.put(
            {
                "apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "DataVolume",
                "metadata": {"name": "disk", "namespace": "a"},
                "spec": {"source": {"blank": {}}}, "status": {"phase": "Succeeded"},
            }
        )  # fmt: skip
        made["metadata"]["ownerReferences"] = [{"uid": owner["metadata"]["uid"]}]
    found.put(transfer(kind))
    return found


KINDS = ["PersistentVolumeClaim", "DataVolume"]
WRITES = {}
for each in KINDS:
    whole = cluster(each)
    whole.settle()
    WRITES[each] = whole.writes


@pytest.mark.parametrize(
    ("kind", "crash_at"),
    [(kind, at) for kind in KINDS for at in (None, *range(1, WRITES[kind] + 1))],
)
def test_an_object_moves_whenever_the_controller_dies(kind: str, crash_at: int | None) -> None:
    found = cluster(kind, crash_at)
    found.settle()

    ended = found.get("ObjectTransfer", Key("", "t"))
    assert ended is not None
    assert (ended["status"]["phase"], ended["status"]["data"]) == ("Complete", {})
    assert not objects.finalizers(ended)
    kinds_left = sorted(key for key in found.objects if key[0] != "ObjectTransfer")
    there = [("PersistentVolume", Key("", "pv")), ("PersistentVolumeClaim", Key("b", "moved"))]
    assert (
        kinds_left == ([("DataVolume", Key("b", "moved"))] if kind == "DataVolume" else []) + there
    )
    moved = found.get("PersistentVolumeClaim", Key("b", "moved")) or {}
    assert objects.labels(moved) == {"l": "1"}
    assert known.OBJECT_TRANSFER not in objects.annotations(moved)
    kept = found.get("PersistentVolume", Key("", "pv")) or {}
    assert kept["spec"]["persistentVolumeReclaimPolicy"] == "Delete"
    assert kept["spec"]["claimRef"]["uid"] == moved["metadata"]["uid"]


def pending(source: Object | None, **fields: Any) -> Seen:
    of = fields.pop("of", None) or transfer("PersistentVolumeClaim")
    of["status"] = {"phase": "Pending"}
    made = source and {**source, "metadata": {**source["metadata"], "uid": "u"}}
    return Seen(of, NOW, source=made, claim=made, **fields)


OURS = volume({"metadata": {"uid": "u"}})
FOREIGN = volume({"metadata": {"uid": "x"}})


@pytest.mark.parametrize(
    ("seen", "message"),
    [
        pytest.param(pending(None), "No source", id="no-source"),
        pytest.param(pending({**claim(), "status": {}}), "PVC not bound", id="unbound"),
        pytest.param(pending(claim(), volume=FOREIGN), "PV not bound", id="volume-of-another"),
        pytest.param(pending(claim(), volume=OURS, users=[{}]), "Pods using PVC", id="in-use"),
        pytest.param(
            pending(claim(**{known.OBJECT_TRANSFER: "x"}), volume=OURS),
            "Source in use by another transfer", id="anothers",
        ),
        pytest.param(
            pending(claim(), volume=OURS,
                    of=transfer("PersistentVolumeClaim", requiredAnnotations={"k": "v"})),
            "Required annotation missing", id="annotation",
        ),
    ],
)  # fmt: skip
def test_what_a_transfer_waits_for_is_told(seen: Seen, message: str) -> None:
    (step,) = decide(seen).steps
    assert isinstance(step, plan.SetStatus)
    assert step.status["phase"] == "Pending"
    assert step.status["conditions"][0]["message"] == message


def deleted(phase: str, **fields: Any) -> list[str]:
    of = transfer("PersistentVolumeClaim")
    of["metadata"] |= {"deletionTimestamp": NOW, "finalizers": ["cdi.kubevirt.io/objectTransfer"]}
    of["status"] = {
        "phase": phase,
        "data": {"source": '{"metadata": {"uid": "u"}}', "pvName": "pv"},
    }
    found = decide(Seen(of, NOW, **fields))
    changed = [step for step in found.steps if isinstance(step, plan.Change)]
    return objects.finalizers(changed[-1].wanted) if changed else ["held"]


@pytest.mark.parametrize(
    ("phase", "fields", "held"),
    [
        pytest.param("Pending", {}, False, id="pending"),
        pytest.param("Error", {"source": claim()}, False, id="error-with-its-source"),
        pytest.param("Error", {}, True, id="error-that-alone-knows-what-there-was"),
        pytest.param("Running", {}, True, id="running"),
    ],
)
def test_a_deleted_transfer_takes_nothing_with_it(
    phase: str, fields: dict[str, Any], held: bool
) -> None:
    assert bool(deleted(phase, **fields)) is held
