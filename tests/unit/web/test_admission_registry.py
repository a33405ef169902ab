"""The way in for servers."""

import asyncio
from typing import Any

import pytest

from cdi.web.admission import decision, registry, resources
from cdi.web.admission.decision import Denied
from cdi.web.admission.inquiry import Get
from cdi.web.admission.request import AdmissionRequest
from support.admission import World

ALL = registry.registrations(
    sign=lambda payload: f"token for {payload.name}",
    read_token=lambda _token: None,
    name_for=lambda beginning: beginning + "1",
)
BY_PATH = {each.path: each for each in ALL}
GOOD = {
    "source": {"pvc": {"namespace": "vms", "name": "src"}},
    "pvc": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}
WORLD = World({Get(resources.NAMESPACES, "vms"): {}})


def request(spec: Any, resource: str = resources.DATA_VOLUMES, **more: Any) -> AdmissionRequest:
    obj = {"metadata": {"name": "d", "namespace": "vms"}, "spec": spec}
    return AdmissionRequest("CREATE", resource, "DataVolume", "vms", "d", obj, **more)


def admit(path: str, asked: AdmissionRequest) -> Any:
    return asyncio.run(registry.hook(BY_PATH[path], WORLD.look)(asked))


def test_every_webhook_is_there_mutating_ones_first() -> None:
    mutating = ["/datavolume-mutate", "/pvc-mutate", "/hyperconverged-mutate"]
    assert [each.path for each in ALL if each.mutates] == mutating
    assert [each.path for each in ALL][3:] == [
        "/datavolume-validate",
        "/dataimportcron-validate",
        "/populator-validate",
        "/objecttransfer-validate",
        "/hyperconverged-validate",
        "/ssp-validate",
        "/cdi-validate",
    ]
    assert {each.webhook for each in ALL} == {f"{path[1:]}.cdi.kubevirt.io" for path in BY_PATH}


@pytest.mark.parametrize(
    ("path", "operations"),
    [
        ("/datavolume-validate", {"CREATE", "UPDATE"}),
        ("/pvc-mutate", {"CREATE"}),
        ("/cdi-validate", {"DELETE"}),
    ],
)
def test_operations(path: str, operations: set[str]) -> None:
    assert BY_PATH[path].operations == operations


def test_a_hook_gives_the_object_to_store() -> None:
    stored = admit("/datavolume-mutate", request(GOOD)).object
    token = stored["metadata"]["annotations"]["cdi.kubevirt.io/storage.clone.token"]
    assert token == "token for src"


def test_a_hook_has_nothing_to_say_of_what_is_right() -> None:
    assert admit("/datavolume-validate", request(GOOD)) == decision.allow()


def test_a_hook_passes_warnings_on() -> None:
    asked = request({**GOOD, "checkpoints": [{"previous": "", "current": "one"}]})
    (warning,) = admit("/datavolume-validate", asked).warnings
    assert warning.startswith("checkpoints have no effect")


def test_a_hook_leaves_alone_what_does_not_concern_it() -> None:
    asked = request({}, resource="pods")
    assert admit("/datavolume-validate", asked) == decision.allow()


def test_a_refusal_has_the_shape_of_a_status() -> None:
    with pytest.raises(Denied) as refusal:
        admit("/datavolume-validate", request({"pvc": GOOD["pvc"]}))
    assert (refusal.value.code, refusal.value.reason) == (422, "Invalid")
    assert refusal.value.message == (
        'admission webhook "datavolume-validate.cdi.kubevirt.io" denied the request: '
        " Data volume should have either Source or SourceRef"
    )
    assert refusal.value.details == {
        "name": "d",
        "group": "cdi.kubevirt.io",
        "kind": "DataVolume",
        "causes": [
            {
                "reason": "FieldValueInvalid",
                "message": "Data volume should have either Source or SourceRef",
                "field": "spec.source",
            }
        ],
    }
