"""Imports in several stages, whole: pods, phases and marks on a cluster of plain data."""

import itertools
import json
import re
from typing import Any

import pytest

from cdi.api import annotations as known
from cdi.kube import objects
from cdi.kube.objects import Object
from support import world
from support.world import World, ended, state, with_classes

VDDK = {
    "vddk": {
        "url": "https://vcenter", "uuid": "u", "backingFile": "f", "thumbprint": "t",
        "secretRef": "s", "initImageURL": "vddk:8",
    }
}  # fmt: skip
TOLD = {"message": "Import Complete", "vddkInfo": {"Version": "8.0.2", "Host": "esx1"}}
SUCCEEDS = [
    world.CREATING,
    world.RUNNING,
    state("Succeeded", terminated=ended(json.dumps(TOLD))),
]
STAGES = [
    {"previous": "", "current": "one"},
    {"previous": "one", "current": "Snapshot (2)"},
    {"previous": "52 de-61 d5/3", "current": "snapshot-" + "3" * 60},
]
POPULATOR = pytest.mark.parametrize(
    "populator", [pytest.param(False, id="direct"), pytest.param(True, id="populator")]
)


def volume(stages: list[Object], *, final: bool, **more: Any) -> Object:
    spec = {"source": VDDK, "pvc": world.pvc_spec(), "checkpoints": stages}
    return world.data_volume(spec={**spec, "finalCheckpoint": final, **more})


def settled(*, populator: bool) -> World:
    """A world in which nothing is imported yet."""
    found = with_classes(World([list(SUCCEEDS) for _ in range(6)]))
    if populator:
        found.put("csi_drivers", {"metadata": {"name": world.DRIVER}})
    found.settle()
    return found


def begun(
    stages: list[Object], *, final: bool, populator: bool, crash_at: int | None = None
) -> World:
    found = settled(populator=populator)
    if crash_at is not None:
        found.crash_at = len(found.writes) + crash_at
    found.put("data_volumes", volume(stages, final=final))
    found.settle()
    return found


def phase_of(found: World) -> str:
    return str(objects.get(found.get_one("data_volumes", "dv"), "status", "phase"))


def go_on(found: World, stages: list[Object], *, final: bool) -> None:
    found.patch_one(
        "data_volumes", "dv", {"spec": {"checkpoints": stages, "finalCheckpoint": final}}
    )
    found.settle()


@POPULATOR
def test_every_stage_has_a_pod_of_its_own_and_the_last_one_ends_it(populator: bool) -> None:
    found = begun(STAGES, final=True, populator=populator)
    assert phase_of(found) == "Succeeded"
    assert found.pods_made == 3
    shown = objects.annotations(found.get_one("claims", "dv") or {})
    assert shown[known.VDDK_VERSION] == "8.0.2"
    assert not [key for key in shown if key.startswith(known.CHECKPOINT_COPIED)]
    assert len(found.cluster.pods) == 0


@POPULATOR
def test_it_pauses_until_the_next_stage_is_named(populator: bool) -> None:
    found = begun(STAGES[:1], final=False, populator=populator)
    assert (phase_of(found), found.pods_made) == ("Paused", 1)
    go_on(found, STAGES[:2], final=False)
    assert (phase_of(found), found.pods_made) == ("Paused", 2)
    go_on(found, STAGES, final=True)
    assert (phase_of(found), found.pods_made) == ("Succeeded", 3)


@POPULATOR
def test_a_list_declared_complete_afterwards_ends_without_another_pod(populator: bool) -> None:
    found = begun(STAGES[:2], final=False, populator=populator)
    assert (phase_of(found), found.pods_made) == ("Paused", 2)
    go_on(found, STAGES[:2], final=True)
    assert (phase_of(found), found.pods_made) == ("Succeeded", 2)


@POPULATOR
def test_a_crash_before_any_write_copies_no_stage_twice(populator: bool) -> None:
    straight = begun(STAGES[:2], final=True, populator=populator)
    steps = len(straight.writes) - len(settled(populator=populator).writes)
    assert steps > 10
    for crash_at in range(0, steps, 2):
        found = begun(STAGES[:2], final=True, populator=populator, crash_at=crash_at)
        assert (phase_of(found), found.pods_made) == ("Succeeded", 2), crash_at


@pytest.mark.parametrize(
    "name", ["one", "snapshot-12", "My Snapshot", "a" * 80, "Ünï", "a/b", "-x", "x-", "A.b_c"]
)
def test_any_name_of_a_checkpoint_makes_a_valid_key(name: str) -> None:
    _, _, key = known.checkpoint_copied(name).partition("/")
    assert re.fullmatch(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?", key)
    assert len(key) <= 63
    assert known.checkpoint_copied(name).startswith(f"{known.CHECKPOINT_COPIED}.")


def test_names_that_fit_stay_readable_and_others_stay_apart() -> None:
    assert known.checkpoint_copied("snapshot-12") == f"{known.CHECKPOINT_COPIED}.snapshot-12"
    names = ["a b", "a  b", "a" * 38, "a" * 39]
    pairs = itertools.combinations(map(known.checkpoint_copied, names), 2)
    assert all(left != right for left, right in pairs)
