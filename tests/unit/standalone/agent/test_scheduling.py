"""Whether a pod may run here, and what it waits for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cdi.kube.objects import Key, Object
from cdi.standalone.agent import roles, scheduling, vddk
from cdi.standalone.agent.scheduling import Plan, Seen

KEY = Key("ns", "a")
CLASSES = {
    "now": {"volumeBindingMode": "Immediate"},
    "later": {"volumeBindingMode": "WaitForFirstConsumer"},
}
UNBOUND = "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims."


def claim(of: str = "later", **metadata: Any) -> Object:
    return {
        "metadata": {"name": "a", "namespace": "ns", **metadata},
        "spec": {"storageClassName": of},
    }


BOUND = claim(annotations={"pv.kubernetes.io/bind-completed": "yes"})
SELECTED = claim(annotations={"volume.kubernetes.io/selected-node": "n"})
TAINT = {"key": "for", "value": "others", "effect": "NoSchedule"}
LOST = claim() | {"status": {"phase": "Lost"}}


def seen(found: Object | None, refusal: str = "", **spec: Any) -> Seen:
    return Seen({"spec": spec}, node(), {KEY: found}, CLASSES, refusal)


def node(**spec: Any) -> Object:
    return {"metadata": {"name": "n", "labels": {"disk": "ssd"}}, "spec": spec}


def on(found: Object, **spec: Any) -> Seen:
    """A pod whose claims are bound, and this node for it."""
    return Seen({"spec": spec}, found, {KEY: BOUND}, CLASSES)


def waits(why: str, select: tuple[Key, ...] = ()) -> Plan:
    return Plan(select, waits=f"0/1 nodes are available: {why}.")


CASES = [
    pytest.param(seen(BOUND), Plan(assign=True), id="all-bound"),
    pytest.param(seen(claim()), Plan((KEY,)), id="is-the-first-consumer"),
    pytest.param(seen(SELECTED), Plan(), id="volume-is-being-made"),
    pytest.param(
        seen(claim("now")), Plan(waits=UNBOUND, passing=True),
        id="immediate-claim-is-unbound",
    ),
    pytest.param(seen(None), waits('persistentvolumeclaim "a" not found'), id="claim-is-missing"),
    pytest.param(
        seen(claim(deletionTimestamp="x")), waits('persistentvolumeclaim "a" is being deleted'),
        id="claim-is-going",
    ),
    pytest.param(
        seen(LOST), waits('persistentvolumeclaim "a" has lost its volume'), id="claim-is-lost"
    ),
    pytest.param(seen(BOUND, "not ours"), waits("not ours"), id="foreign"),
    pytest.param(
        seen(claim(), "not ours"), waits("not ours", (KEY,)), id="foreign-is-a-consumer-too"
    ),
    pytest.param(
        seen(BOUND, nodeSelector={"disk": "hdd"}),
        waits("1 node(s) didn't match Pod's node affinity/selector"), id="other-node-wanted",
    ),
    pytest.param(seen(BOUND, nodeSelector={"disk": "ssd"}), Plan(assign=True), id="this-node"),
    pytest.param(
        on(node(unschedulable=True)), waits("1 node(s) were unschedulable"), id="cordoned"
    ),
    pytest.param(
        on(node(unschedulable=True), tolerations=[{"operator": "Exists"}]), Plan(assign=True),
        id="cordoned-and-tolerated",
    ),
    pytest.param(
        on(node(taints=[TAINT])), waits("1 node(s) had untolerated taint {for: others}"),
        id="tainted",
    ),
    pytest.param(
        on(node(taints=[TAINT]), tolerations=[{"key": "for", "value": "others"}]),
        Plan(assign=True), id="taint-tolerated",
    ),
    pytest.param(
        on(node(taints=[TAINT]), tolerations=[{"key": "for", "value": "us"}]),
        waits("1 node(s) had untolerated taint {for: others}"), id="another-value-tolerated",
    ),
    pytest.param(
        on(node(taints=[TAINT]),
           tolerations=[{"key": "for", "operator": "Exists", "effect": "NoExecute"}]),
        waits("1 node(s) had untolerated taint {for: others}"), id="another-effect-tolerated",
    ),
    pytest.param(
        on(node(taints=[TAINT | {"effect": "PreferNoSchedule"}])), Plan(assign=True),
        id="taint-that-only-wishes",
    ),
]  # fmt: skip


SSD = {"key": "disk", "operator": "In", "values": ["ssd", "nvme"]}
HDD = {"key": "disk", "operator": "In", "values": ["hdd"]}
HERE = {"key": "metadata.name", "operator": "In", "values": ["n"]}


@pytest.mark.parametrize(
    ("terms", "suits"),
    [
        pytest.param([{"matchExpressions": [SSD]}], True, id="suits"),
        pytest.param([{"matchExpressions": [HDD]}], False, id="does-not"),
        pytest.param([{"matchExpressions": [SSD, HDD]}], False, id="all-of-a-term"),
        pytest.param([{"matchExpressions": [HDD]}, {"matchExpressions": [SSD]}], True, id="any"),
        pytest.param([{"matchFields": [HERE]}], True, id="by-name"),
        pytest.param([{"matchFields": [HERE | {"values": ["m"]}]}], False, id="another-name"),
        pytest.param([{"matchExpressions": [SSD], "matchFields": [HERE]}], True, id="both"),
        pytest.param([{}], False, id="a-term-of-nothing"),
        pytest.param([], False, id="no-term"),
    ],
)
def test_a_pod_runs_where_it_is_required_to(terms: list[Object], suits: bool) -> None:
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    given = seen(BOUND, affinity={"nodeAffinity": required})
    refused = waits("1 node(s) didn't match Pod's node affinity/selector")
    assert scheduling.decide(given) == (Plan(assign=True) if suits else refused)


@pytest.mark.parametrize(("given", "plan"), CASES)
def test_a_pod_is_assigned_or_told_why_not(given: Seen, plan: Plan) -> None:
    assert scheduling.decide(given) == plan


IMPORTER = ["python3", "-m", "cdi.workers.importer"]


@pytest.mark.parametrize(
    ("image", "command", "args", "module"),
    [
        pytest.param("ours", IMPORTER, [], "cdi.workers.importer", id="ours"),
        pytest.param("ours", [], ["-m", "cdi.workers.importer"], "cdi.workers.importer", id="args"),
        pytest.param("theirs", IMPORTER, [], None, id="foreign-image"),
        pytest.param("ours", ["sh", "-c", "true"], [], None, id="another-command"),
        pytest.param("ours", ["python3", "-m", "http.server"], [], None, id="another-module"),
        pytest.param("ours", ["python3", "-m", "cdi.workers.none"], [], None, id="no-such-worker"),
        pytest.param("ours", ["python3", "-m"], [], None, id="cut-short"),
        pytest.param("ours", [], [], None, id="no-command"),
    ],
)
def test_only_our_own_workers_have_a_role(
    image: str, command: list[str], args: list[str], module: str | None
) -> None:
    role = roles.role_of({"image": image, "command": command, "args": args}, {"ours"})

    assert (role and role.module) == module


@pytest.mark.parametrize(
    ("init", "library", "words"),
    [
        pytest.param([], None, "", id="none"),
        pytest.param(["vddk-side-car"], Path("/vddk"), "", id="library-is-here"),
        pytest.param(["vddk-side-car"], None, "--vddk-libdir", id="library-is-missing"),
        pytest.param(["vddk-side-car", "x"], Path("/vddk"), "no init containers", id="another"),
    ],
)
def test_an_init_container_is_fine_where_it_only_brings_the_library(
    init: list[str], library: Path | None, words: str
) -> None:
    found = {"spec": {"initContainers": [{"name": name, "image": "any"} for name in init]}}
    refused = roles.refusal(found, {"ours"}, library)
    assert words in refused
    assert bool(refused) == bool(words)


@pytest.mark.parametrize("within", [True, False])
def test_the_library_is_linked_where_its_container_would_put_it(
    tmp_path: Path, within: bool
) -> None:
    library = tmp_path / "given" / vddk.DISTRIBUTION
    library.mkdir(parents=True)
    (tmp_path / "given" / "other").touch()
    volume = tmp_path / "volume"
    volume.mkdir()
    mount = [{"name": "v", "mountPath": "/opt"}]
    pod = {"spec": {"initContainers": [{"name": vddk.SIDE_CAR, "volumeMounts": mount}]}}
    for _ in range(2):
        vddk.link(pod, library.parent if within else library, {"v": volume})
    assert (volume / vddk.DISTRIBUTION).resolve() == library
    assert (volume / "other").exists() is within
