"""Who may clone from where, and the token that says so."""

from typing import Any

import pytest

from cdi.web.admission import inquiry, resources
from cdi.web.admission.clonetokens import CloneTokens
from cdi.web.admission.decision import Decision
from cdi.web.admission.inquiry import Access, Get, Seen
from cdi.web.admission.request import AdmissionRequest, User
from cdi.web.tokens.payload import ClonePayload
from support.admission import World

A = "cdi.kubevirt.io/"
TOKEN, EXTENDED = A + "storage.clone.token", A + "storage.extended.clone.token"
PREPOPULATED, STATIC = A + "storage.prePopulated", A + "storage.checkStaticVolume"
SOURCE = ("datavolumes/source", "gold")
PODS = ("pods", "gold")
ALICE = User("alice", ("dev",))
GOLD = Get(resources.NAMESPACES, "gold")
IMAGE = Get(resources.DATA_SOURCES, "image", "gold")

RULE = CloneTokens(
    sign=lambda payload: (
        f"{payload.resource}:{payload.namespace}/{payload.name}"
        f">{payload.target_namespace}/{payload.target_name}"
    ),
    name_for=lambda beginning: beginning + "x7k2p",
).decide

CLONE = {"source": {"pvc": {"namespace": "gold", "name": "disk"}}}
OWN_CLONE = {"source": {"pvc": {"namespace": "", "name": "disk"}}}
SNAPSHOT = {"source": {"snapshot": {"namespace": "gold", "name": "snap"}}}
REFERENCE = {"sourceRef": {"kind": "DataSource", "name": "image", "namespace": "gold"}}


def volume(spec: dict[str, Any], *, name: str = "vm", **annotations: str) -> dict[str, Any]:
    metadata: dict[str, Any] = {"namespace": "vms", "annotations": annotations}
    return {"metadata": metadata | ({"name": name} if name else {}), "spec": spec}


def request(
    new: dict[str, Any], old: dict[str, Any] | None = None, operation: str = ""
) -> AdmissionRequest:
    return AdmissionRequest(
        operation=operation or ("UPDATE" if old else "CREATE"),
        resource=resources.DATA_VOLUMES,
        kind="DataVolume",
        namespace="vms",
        name=new["metadata"].get("name", ""),
        object=new,
        old=old,
        user=ALICE,
    )


def world(*allowed: tuple[str, str], **data_source: Any) -> World:
    found: dict[Any, Any] = {GOLD: {}, Get(resources.NAMESPACES, "vms"): {}}
    if data_source:
        found[IMAGE] = data_source
    return World(found, allowed)


def decided(
    spec: dict[str, Any], where: World, annotations: dict[str, str] | None = None
) -> Decision:
    return where.decide(RULE, request(volume(spec, **(annotations or {}))))


def annotations_of(answer: Decision) -> dict[str, str]:
    assert answer.allowed
    assert answer.object is not None
    annotations: dict[str, str] = answer.object["metadata"]["annotations"]
    return annotations


def token_of(answer: Decision) -> str | None:
    return annotations_of(answer).get(TOKEN)


@pytest.mark.parametrize(
    ("spec", "allowed", "token"),
    [
        pytest.param(
            CLONE, [SOURCE], "persistentvolumeclaims:gold/disk>vms/vm", id="may-use-as-source"
        ),
        pytest.param(
            CLONE, [PODS], "persistentvolumeclaims:gold/disk>vms/vm", id="may-run-pods-there"
        ),
        pytest.param(
            OWN_CLONE,
            [],
            "persistentvolumeclaims:vms/disk>vms/vm",
            id="own-namespace-needs-nothing",
        ),
        pytest.param(
            SNAPSHOT, [SOURCE], "volumesnapshots:gold/snap>vms/vm", id="snapshot-as-source"
        ),
        pytest.param(
            SNAPSHOT,
            [PODS, ("persistentvolumeclaims", "gold")],
            "volumesnapshots:gold/snap>vms/vm",
            id="snapshot-through-a-claim",
        ),
        pytest.param(
            SNAPSHOT,
            [PODS, ("pvcs", "gold")],
            "volumesnapshots:gold/snap>vms/vm",
            id="snapshot-through-a-claim-in-the-old-spelling",
        ),
    ],
)
def test_a_permitted_clone_gets_a_token(spec: Any, allowed: Any, token: str) -> None:
    assert token_of(decided(spec, world(*allowed))) == token


@pytest.mark.parametrize(
    ("spec", "allowed"),
    [
        pytest.param(CLONE, [], id="nothing-permitted"),
        pytest.param(CLONE, [("datavolumes/source", "vms"), ("pods", "vms")], id="elsewhere"),
        pytest.param(SNAPSHOT, [PODS], id="snapshot-needs-more-than-pods"),
        pytest.param(SNAPSHOT, [("persistentvolumeclaims", "gold")], id="snapshot-without-pods"),
    ],
)
def test_a_clone_that_is_not_permitted_is_refused(spec: Any, allowed: Any) -> None:
    answer = decided(spec, world(*allowed))
    (cause,) = answer.causes
    assert (answer.code, cause.field) == (422, "spec.source.PVC.namespace")
    assert "alice" in cause.message
    assert "insufficient permissions in clone source namespace gold" in cause.message


def test_permissions_are_asked_for_the_very_object() -> None:
    where = world(PODS)
    decided(CLONE, where)
    asked = [each for each in where.asked if isinstance(each, Access)]
    assert asked == [
        Access(ALICE, "create", "datavolumes", "gold", "disk", "cdi.kubevirt.io", "source"),
        Access(ALICE, "create", "pods", "gold", "disk"),
    ]


PVC_IMAGE = {"spec": {"source": {"pvc": {"namespace": "gold", "name": "img"}}}}
POINTING = {
    "spec": {"source": {"dataSource": {"name": "x"}}},
    "status": {"source": {"snapshot": {"namespace": "gold", "name": "img"}}},
}


@pytest.mark.parametrize(
    ("data_source", "token"),
    [
        pytest.param(PVC_IMAGE, "persistentvolumeclaims:gold/img>vms/vm", id="claim"),
        pytest.param(POINTING, "volumesnapshots:gold/img>vms/vm", id="followed-by-its-status"),
        pytest.param(
            {"spec": {"source": {"pvc": {"name": "img"}}}},
            "persistentvolumeclaims:gold/img>vms/vm",
            id="its-own-namespace",
        ),
    ],
)
def test_a_data_source_is_followed(data_source: Any, token: str) -> None:
    assert token_of(decided(REFERENCE, world(SOURCE, **data_source))) == token


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        pytest.param({"source": {"http": {"url": "http://x"}}}, world(), id="import"),
        pytest.param({"source": {"upload": {}}}, world(), id="upload"),
        pytest.param({"pvc": {"dataSource": {"kind": "K", "name": "n"}}}, world(), id="external"),
        pytest.param(REFERENCE, world(spec={"source": {}}), id="empty-data-source"),
        pytest.param(REFERENCE, world(spec={"source": {"dataSource": {}}}), id="unresolved"),
    ],
)
def test_what_clones_nothing_needs_no_token(spec: Any, where: World) -> None:
    answer = decided(spec, where)
    assert (answer.allowed, answer.object) == (True, None)
    assert not any(isinstance(each, Access) for each in where.asked)


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        pytest.param(REFERENCE, 'datasources.cdi.kubevirt.io "image" not found', id="data-source"),
        pytest.param(
            {"source": {"pvc": {"namespace": "gone", "name": "x"}}},
            'namespaces "gone" not found',
            id="namespace",
        ),
    ],
)
@pytest.mark.parametrize("waiver", [PREPOPULATED, STATIC])
def test_what_does_not_exist_is_an_error_unless_nothing_will_be_cloned(
    spec: Any, text: str, waiver: str
) -> None:
    answer = decided(spec, world())
    assert (answer.code, answer.message) == (400, text)
    assert decided(spec, world(), {waiver: ""}).allowed


def test_a_waived_permission_gives_no_token() -> None:
    answer = decided(CLONE, world(), {PREPOPULATED: "vm"})
    assert (answer.allowed, answer.object) == (True, None)


def test_a_waiver_with_permission_gives_a_token() -> None:
    assert token_of(decided(CLONE, world(SOURCE), {PREPOPULATED: "vm"}))


@pytest.mark.parametrize(
    ("spec", "annotations"),
    [
        pytest.param({"source": {"blank": {}}}, {}, id="no-clone"),
        pytest.param(CLONE, {PREPOPULATED: ""}, id="waived"),
        pytest.param(
            {"source": {"pvc": {"namespace": "gone", "name": "x"}}}, {STATIC: ""}, id="missing"
        ),
    ],
)
def test_tokens_brought_along_are_taken_away(spec: Any, annotations: dict[str, str]) -> None:
    brought = {TOKEN: "forged", EXTENDED: "forged", "keep": "me"}
    kept = annotations_of(decided(spec, world(), annotations | brought))
    assert kept == annotations | {"keep": "me"}


def test_a_token_brought_along_is_replaced() -> None:
    kept = annotations_of(decided(CLONE, world(SOURCE), {TOKEN: "forged", EXTENDED: "forged"}))
    assert kept == {TOKEN: "persistentvolumeclaims:gold/disk>vms/vm"}


def test_a_name_that_is_only_begun_is_completed_for_the_token() -> None:
    new = volume(CLONE, name="")
    new["metadata"]["generateName"] = "vm-"
    answer = world(SOURCE).decide(RULE, request(new))
    assert answer.object is not None
    assert answer.object["metadata"]["name"] == "vm-x7k2p"
    assert token_of(answer) == "persistentvolumeclaims:gold/disk>vms/vm-x7k2p"


# Changes and deletions


def changed(old: dict[str, str], new: dict[str, str]) -> Decision:
    return RULE(request(volume(CLONE, **new), volume(CLONE, **old)), Seen())


def test_changing_needs_no_permission() -> None:
    answer = changed({}, {"label": "x"})
    assert (answer.allowed, answer.object) == (True, None)


@pytest.mark.parametrize(
    ("old", "new", "kept"),
    [
        pytest.param({TOKEN: "t"}, {TOKEN: "forged"}, {TOKEN: "t"}, id="another-token"),
        pytest.param({TOKEN: "t"}, {}, {TOKEN: "t"}, id="token-removed"),
        pytest.param({}, {TOKEN: "forged"}, {}, id="token-added"),
    ],
)
def test_the_token_of_a_volume_stays_as_it_was(old: Any, new: Any, kept: Any) -> None:
    assert annotations_of(changed(old, new)) == kept


def test_controllers_may_add_the_long_lived_token() -> None:
    answer = changed({TOKEN: "t"}, {TOKEN: "t", EXTENDED: "e"})
    assert (answer.allowed, answer.object) == (True, None)


def test_a_volume_that_is_going_is_left_alone() -> None:
    going = volume(CLONE)
    going["metadata"]["deletionTimestamp"] = "2025-01-01T00:00:00Z"
    assert RULE(request(going), Seen()).object is None


@pytest.mark.parametrize(
    "nonsense",
    [
        pytest.param({"metadata": {"name": "d"}}, id="no-spec"),
        pytest.param({"metadata": {"annotations": []}, "spec": {}}, id="annotations-are-a-list"),
        pytest.param({"metadata": {"name": "d"}, "spec": {"source": "web"}}, id="source-is-text"),
    ],
)
def test_nonsense_is_left_to_the_schema(nonsense: dict[str, Any]) -> None:
    assert RULE(request(nonsense), Seen()).allowed


def test_another_resource_is_an_error() -> None:
    wrong = AdmissionRequest("CREATE", "pods", "Pod", "vms", "x", {})
    assert RULE(wrong, Seen()).code == 400


def test_a_cluster_that_cannot_be_asked_refuses() -> None:
    class Silent(World):
        async def look(self, lookup: inquiry.Lookup) -> Any:
            raise inquiry.LookupFailed(f"no answer about {lookup}")

    answer = Silent({}).decide(RULE, request(volume(CLONE)))
    assert (answer.allowed, answer.code) == (False, 400)
    assert "no answer" in answer.message


def test_the_rule_leaves_its_input_alone() -> None:
    new = volume(CLONE)
    world(SOURCE).decide(RULE, request(new))
    assert new == volume(CLONE)


def test_what_a_token_claims() -> None:
    payload = ClonePayload("volumesnapshots", "gold", "snap", "vms", "vm")
    assert payload.as_claims() == {
        "operation": "Clone",
        "name": "snap",
        "namespace": "gold",
        "resource": {
            "group": "snapshot.storage.k8s.io",
            "version": "v1",
            "resource": "volumesnapshots",
        },
        "params": {"targetNamespace": "vms", "targetName": "vm"},
    }
