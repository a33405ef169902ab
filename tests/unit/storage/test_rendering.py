"""A claim completed from classes, profiles, volumes and the CDIConfig."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdi.storage import local, overhead, rendering
from cdi.storage import profile as profiles
from cdi.storage.rendering import ClaimNotValid, Cluster
from support.storage_objects import (
    K8S_DEFAULT,
    VIRT_DEFAULT,
    config,
    persistent_volume,
    profile,
    storage_class,
)

RWO, RWX, BLOCK, FILES = "ReadWriteOnce", "ReadWriteMany", "Block", "Filesystem"
MINIMUM = "cdi.kubevirt.io/minimumSupportedPvcSize"

CLUSTER = Cluster(
    classes=[
        storage_class("usual", "p", K8S_DEFAULT),
        storage_class("gold"),
        storage_class("silver"),
        storage_class("empty"),
        storage_class("new"),
    ],
    profiles={
        "usual": profile("usual", (RWO, FILES)),
        "gold": profile("gold", (RWX, BLOCK), (RWO, BLOCK), (RWO, FILES)),
        "silver": profile("silver", (RWX, FILES), **{MINIMUM: "4Gi"}),
        "empty": profile("empty"),
    },
    config=config("0.06", gold="0.1"),
)


def storage(size: Any = "1Gi", **more: Any) -> dict[str, Any]:
    block = {} if size is None else {"resources": {"requests": {"storage": size}}}
    return {"storage": block | more}


def render(spec: dict[str, Any], cluster: Cluster = CLUSTER, **how: Any) -> dict[str, Any]:
    return rendering.render(spec, cluster, **how)


def modes_of(claim: dict[str, Any]) -> tuple[Any, Any, Any]:
    return claim.get("storageClassName"), claim.get("accessModes"), claim.get("volumeMode")


def size_of(claim: dict[str, Any]) -> str:
    return str(claim["resources"]["requests"]["storage"])


def test_pvc_is_taken_word_for_word() -> None:
    pvc = {"accessModes": [RWO], "resources": {"requests": {"storage": "1Gi"}}}
    rendered = render({"pvc": pvc})
    assert rendered == pvc
    assert rendered["resources"] is not pvc["resources"]


def test_neither_pvc_nor_storage_is_refused() -> None:
    with pytest.raises(ClaimNotValid, match="neither pvc nor storage"):
        render({})


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        pytest.param({}, ("usual", [RWO], FILES), id="nothing-given"),
        pytest.param({"storageClassName": "gold"}, ("gold", [RWX], BLOCK), id="first-set"),
        pytest.param(
            {"storageClassName": "gold", "volumeMode": FILES},
            ("gold", [RWO], FILES),
            id="by-volume",
        ),
        pytest.param(
            {"storageClassName": "gold", "accessModes": [RWO]},
            ("gold", [RWO], BLOCK),
            id="by-access",
        ),
        pytest.param(
            {"storageClassName": "silver", "accessModes": [RWO]},
            ("silver", [RWO], None),
            id="access-that-no-set-shares",
        ),
        pytest.param(
            {"storageClassName": "silver", "accessModes": [RWO], "volumeMode": BLOCK},
            ("silver", [RWO], BLOCK),
            id="both-given-stay-even-unlisted",
        ),
        pytest.param(
            {"storageClassName": "new", "accessModes": [RWO], "volumeMode": BLOCK},
            ("new", [RWO], BLOCK),
            id="both-given-need-no-profile",
        ),
        pytest.param(
            {"storageClassName": "gold", "volumeMode": "FromStorageProfile"},
            ("gold", [RWX], BLOCK),
            id="from-storage-profile-reads-as-absent",
        ),
    ],
)
def test_modes_come_from_the_profile(said: dict[str, Any], wanted: Any) -> None:
    assert modes_of(render(storage(**said))) == wanted


@pytest.mark.parametrize(
    ("said", "text"),
    [
        pytest.param(
            {"storageClassName": "empty"},
            "no accessMode specified in StorageProfile empty",
            id="empty-profile",
        ),
        pytest.param(
            {"storageClassName": "silver", "volumeMode": BLOCK},
            "no matching accessMode specified in StorageProfile silver",
            id="no-set-with-this-volume-mode",
        ),
        pytest.param(
            {"storageClassName": "new"}, "StorageProfile new does not exist", id="no-profile"
        ),
        pytest.param(
            {"storageClassName": "new", "accessModes": [RWO]},
            "StorageProfile new does not exist",
            id="no-profile-for-the-volume-mode",
        ),
        pytest.param(
            {"storageClassName": "gone"},
            "PVC spec is missing accessMode and no storageClass to choose profile",
            id="no-class",
        ),
        pytest.param(
            {"storageClassName": ""},
            "PVC spec is missing accessMode and no storageClass to choose profile",
            id="class-refused",
        ),
    ],
)
def test_what_cannot_be_completed_is_refused_in_words(said: dict[str, Any], text: str) -> None:
    with pytest.raises(ClaimNotValid, match=text) as refusal:
        render(storage(**said))
    assert refusal.value.reason == "ErrClaimNotValid"


def test_without_any_class_given_modes_are_enough() -> None:
    claim = render(storage(accessModes=[RWO]), Cluster(config=config()))
    assert modes_of(claim) == (None, [RWO], None)
    assert size_of(claim) == "1138166334"


def test_without_class_and_modes_there_is_no_claim() -> None:
    with pytest.raises(ClaimNotValid, match="mark a StorageClass as default"):
        render(storage(), Cluster())


@pytest.mark.parametrize(
    ("volume", "wanted"),
    [
        pytest.param(persistent_volume("a", "hand"), ([RWO], FILES), id="fits"),
        pytest.param(persistent_volume("a", "hand", access=RWX), ([RWX], FILES), id="its-access"),
        pytest.param(persistent_volume("a", "hand", capacity="1Mi"), None, id="too-small"),
        pytest.param(persistent_volume("a", "hand", volume_mode=BLOCK), None, id="other-mode"),
        pytest.param(persistent_volume("a", "other"), None, id="other-class"),
        pytest.param(persistent_volume("a", "hand", phase="Bound"), None, id="taken"),
    ],
)
def test_volumes_made_by_hand_say_what_a_class_that_does_not_exist_has(
    volume: Any, wanted: Any
) -> None:
    cluster = Cluster(volumes=[volume], config=config())
    if wanted is None:
        with pytest.raises(ClaimNotValid, match="StorageClass hand does not exist"):
            render(storage(storageClassName="hand"), cluster)
    else:
        claim = render(storage(storageClassName="hand"), cluster)
        assert (claim["accessModes"], claim["volumeMode"]) == wanted


def test_a_volume_that_is_going_does_not_count() -> None:
    volume = persistent_volume("a", "hand")
    volume["metadata"]["deletionTimestamp"] = "2024-01-01T00:00:00Z"
    with pytest.raises(ClaimNotValid):
        render(storage(storageClassName="hand"), Cluster(volumes=[volume]))


def test_given_access_modes_choose_among_volumes() -> None:
    volumes = [
        persistent_volume("a", "hand"),
        persistent_volume("b", "hand", access=f"{RWO} {RWX}"),
    ]
    claim = render(storage(storageClassName="hand", accessModes=[RWX]), Cluster(volumes=volumes))
    assert claim["accessModes"] == [RWX]


def test_an_archive_needs_a_file_system() -> None:
    spec = storage(storageClassName="gold") | {"contentType": "archive"}
    assert modes_of(render(spec)) == ("gold", [RWO], FILES)


def test_an_archive_does_not_fit_a_block_volume() -> None:
    spec = storage(volumeMode=BLOCK) | {"contentType": "archive"}
    with pytest.raises(ClaimNotValid, match="archive"):
        render(spec)


def test_disks_prefer_the_class_for_machines() -> None:
    cluster = Cluster(
        classes=[storage_class("usual", "p", K8S_DEFAULT), storage_class("vm", "p", VIRT_DEFAULT)],
        profiles={"vm": profile("vm", (RWX, BLOCK)), "usual": profile("usual", (RWO, FILES))},
    )
    assert modes_of(render(storage(), cluster))[0] == "vm"
    assert modes_of(render(storage() | {"contentType": "archive"}, cluster))[0] == "usual"


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        pytest.param({}, "1138166334", id="filesystem-grows"),
        pytest.param({"storageClassName": "gold"}, "1Gi", id="block-stays-as-written"),
        pytest.param(
            {"storageClassName": "gold", "volumeMode": FILES}, "1181116007", id="overhead-of-class"
        ),
        pytest.param({"storageClassName": "silver"}, str(4 << 30), id="raised-to-the-minimum"),
        pytest.param(
            {"storageClassName": "silver", "size": "8Gi"}, "9105330668", id="above-the-minimum"
        ),
    ],
)
def test_size(said: dict[str, Any], wanted: str) -> None:
    assert size_of(render(storage(**said))) == wanted


@pytest.mark.parametrize("written", ["", "much", "-"])
def test_a_minimum_that_makes_no_sense_is_ignored(written: str) -> None:
    minimum = {"usual": profile("usual", (RWO, BLOCK), **{MINIMUM: written})}
    assert size_of(render(storage(), Cluster(CLUSTER.classes, minimum))) == "1Gi"


@pytest.mark.parametrize(
    ("size", "text"),
    [
        pytest.param(None, "size is missing", id="missing"),
        pytest.param("1048575", "smaller than 1Mi", id="too-small"),
        pytest.param("much", "not a quantity", id="no-quantity"),
    ],
)
def test_a_size_that_is_no_use_is_refused(size: Any, text: str) -> None:
    with pytest.raises(ClaimNotValid, match=text):
        render(storage(size))


def test_a_clone_may_leave_its_size_to_its_source() -> None:
    assert size_of(render(storage(None), size_follows=True)) == "0"


def test_a_clone_that_names_a_size_gets_it() -> None:
    assert size_of(render(storage("1Gi"), size_follows=True)) == "1138166334"


def test_a_claim_left_to_the_webhook_is_not_completed() -> None:
    claim = render(storage(volumeName="v"), left_to_webhook=True)
    assert modes_of(claim) == (None, None, "FromStorageProfile")
    assert (size_of(claim), claim["volumeName"]) == ("1Gi", "v")


@pytest.mark.parametrize(
    ("labels", "switch", "wanted"),
    [
        pytest.param({"cdi.kubevirt.io/applyStorageProfile": "true"}, "", True, id="labelled"),
        pytest.param({"cdi.kubevirt.io/applyStorageProfile": "yes"}, "", False, id="other-value"),
        pytest.param({}, "", False, id="no-label"),
        pytest.param(
            {"cdi.kubevirt.io/applyStorageProfile": "true"}, "Disabled", False, id="switched-off"
        ),
    ],
)
def test_who_completes_a_claim(labels: dict[str, str], switch: str, wanted: bool) -> None:
    assert rendering.is_left_to_webhook(labels, switch) is wanted


def test_what_storage_says_besides_is_kept() -> None:
    said = {
        "selector": {"matchLabels": {"a": "b"}},
        "dataSourceRef": {"kind": "K", "name": "n"},
        "volumeName": "v",
    }
    rendered = render(storage(**said))
    assert {key: rendered[key] for key in said} == said


def test_rendering_leaves_its_input_alone() -> None:
    spec = storage()
    render(spec)
    assert spec == storage()


def test_the_classes_of_one_machine_render_by_what_their_profiles_say() -> None:
    own = local.storage_classes()
    wanted = {
        each["metadata"]["name"]: profiles.profile_for(profiles.Seen(each, None), "now")
        for each in own
    }
    found = {name: {"status": each.status} for name, each in wanted.items()}
    cluster = Cluster(own, found, config=config())
    assert modes_of(render(storage(), cluster)) == ("local", [RWO], FILES)
    waiting = {"storageClassName": "local-wffc", "volumeMode": BLOCK}
    assert modes_of(render(storage(**waiting), cluster)) == ("local-wffc", [RWO], BLOCK)


@given(
    size=st.integers(min_value=1 << 20, max_value=1 << 45),
    share=st.integers(0, 999).map(lambda thousandths: f"0.{thousandths:03}"),
    mode=st.sampled_from([FILES, BLOCK]),
)
def test_a_rendered_claim_always_has_room_for_the_disk(size: int, share: str, mode: str) -> None:
    cluster = Cluster(CLUSTER.classes, CLUSTER.profiles, config=config(share))
    given_modes = {"accessModes": [RWO], "volumeMode": mode}
    rendered = int(size_of(render(storage(str(size), **given_modes), cluster)))
    room = rendered if mode == BLOCK else overhead.usable(rendered, float(share))
    assert room >= size
