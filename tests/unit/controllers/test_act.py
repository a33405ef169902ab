"""Plans are carried out step by step, on what is there by then."""

from typing import Any

import pytest

from cdi.controllers import metadata, plan
from cdi.controllers.act import Actor
from cdi.kube import errors, objects
from cdi.kube.objects import Object
from cdi.kube.resource import PERSISTENT_VOLUME_CLAIMS, PODS
from support import world
from support.loop import in_loop
from support.world import World

POD = {"metadata": {"name": "p", "namespace": "ns"}, "spec": {}}


def stage() -> tuple[World, Actor, Object]:
    found = World()
    client: Any = found
    claim = found.put("claims", {"metadata": {"name": "c"}, "spec": world.pvc_spec()})
    return found, Actor(client, found), claim


def change(claim: Object, **values: str | None) -> plan.Change:
    wanted = metadata.changed(claim, annotations=values)
    return plan.Change(PERSISTENT_VOLUME_CLAIMS, claim, wanted)


@in_loop
async def test_a_later_step_builds_on_an_earlier_one() -> None:
    found, actor, claim = stage()
    status = plan.SetStatus(PERSISTENT_VOLUME_CLAIMS, claim, {"phase": "Bound"})
    await actor.act(plan.Plan((change(claim, a="1"), change(claim, b="2"), status)))
    after = found.get_one("claims", "c")
    assert after is not None
    assert objects.annotations(after) == {"a": "1", "b": "2"}
    assert after["status"] == {"phase": "Bound"}


@in_loop
async def test_what_was_seen_and_is_no_longer_so_is_a_conflict() -> None:
    found, actor, claim = stage()
    found.patch_one("claims", "c", {"metadata": {"labels": {"x": "y"}}})
    with pytest.raises(errors.Conflict):
        await actor.act(plan.Plan((change(claim, a="1"),), (plan.normal(claim, "R", "m"),)))
    assert found.told == []


@in_loop
async def test_no_pod_is_made_for_a_claim_that_has_changed_meanwhile() -> None:
    found, actor, claim = stage()
    found.patch_one("claims", "c", {"metadata": {"annotations": {"done": "true"}}})
    sure = plan.Confirm(PERSISTENT_VOLUME_CLAIMS, claim, unchanged=True)
    with pytest.raises(errors.Conflict):
        await actor.act(plan.Plan((sure, plan.Create(PODS, POD))))
    assert found.pods_made == 0


@in_loop
async def test_a_namesake_is_not_the_object_that_was_seen() -> None:
    found, actor, claim = stage()
    found.drop("claims", claim)
    found.put("claims", {"metadata": {"name": "c"}, "spec": world.pvc_spec()})
    sure = plan.Confirm(PERSISTENT_VOLUME_CLAIMS, claim)
    told = (plan.normal(claim, "R", "m"),)
    assert await actor.act(plan.Plan((sure, plan.Create(PODS, POD)), told)) is None
    assert (found.pods_made, found.told) == (0, [])


@in_loop
async def test_an_object_that_is_gone_ends_the_plan_quietly() -> None:
    found, actor, claim = stage()
    found.drop("claims", claim)
    await actor.act(plan.Plan((change(claim, a="1"), plan.Create(PODS, POD))))
    assert found.pods_made == 0


@in_loop
async def test_a_failure_comes_last_and_an_appointment_is_kept() -> None:
    found, actor, claim = stage()
    with pytest.raises(plan.NotYet):
        await actor.act(plan.Plan((change(claim, a="1"),), failure=plan.NotYet("x")))
    after = found.get_one("claims", "c")
    assert after is not None
    assert objects.annotations(after) == {"a": "1"}
    result = await actor.act(plan.Plan(again_in=3).then(plan.Plan(again_in=2)))
    assert result is not None
    assert result.again_in == 2


@in_loop
async def test_what_exists_is_not_made_again() -> None:
    found, actor, _ = stage()
    for _ in range(2):
        await actor.act(plan.Plan((plan.Create(PODS, POD),)))
    assert found.pods_made == 1


@in_loop
async def test_what_a_new_object_needs_is_made_with_its_uid_before_the_plan_goes_on() -> None:
    found, actor, claim = stage()

    def labelled(made: Object) -> plan.Plan:
        return plan.Plan((change(claim, of=objects.uid(made)),))

    pod = plan.Create(PODS, POD, made=labelled)
    await actor.act(plan.Plan((pod, change(claim, then="x"))))
    (made,) = found.cluster.pods.list()
    after = found.get_one("claims", "c")
    assert objects.annotations(after or {}) == {"of": objects.uid(made), "then": "x"}
    await actor.act(plan.Plan((pod,)))
    assert found.writes[-1] == ("create", "Pod", "p")  # it was there: nothing more is due
