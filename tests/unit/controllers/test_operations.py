"""Which operation a DataVolume asks for."""

import pytest

from cdi.controllers import kinds
from cdi.controllers.cloning import reconciler as cloning
from cdi.controllers.datavolume.operations import registry
from cdi.controllers.populating.registry import POPULATORS

FOREIGN = {"pvc": {"dataSourceRef": {"kind": "Other", "name": "x"}}}


@pytest.mark.parametrize(
    ("spec", "controller"),
    [
        pytest.param({"source": {"http": {}}}, "datavolume-import-controller", id="http"),
        pytest.param({"source": {"blank": {}}}, "datavolume-import-controller", id="blank"),
        pytest.param({"source": {"vddk": {}}}, "datavolume-import-controller", id="vddk"),
        pytest.param(FOREIGN, "datavolume-external-population-controller", id="foreign"),
        pytest.param({"source": {"upload": {}}}, "datavolume-upload-controller", id="upload"),
        pytest.param({"source": {"pvc": {}}}, "datavolume-clone-controller", id="clone"),
        pytest.param(
            {"source": {"pvc": {}, "http": {}}},
            "datavolume-clone-controller",
            id="a-clone-comes-first",
        ),
        pytest.param({"source": {"snapshot": {}}}, "datavolume-clone-controller", id="snapshot"),
        pytest.param({"sourceRef": {"name": "s"}}, "datavolume-clone-controller", id="source-ref"),
        pytest.param({"source": {"other": {}}}, None, id="unknown"),
        pytest.param({"source": {}}, None, id="empty-source"),
        pytest.param({}, None, id="nothing"),
    ],
)
def test_the_kind_of_its_source_decides(spec, controller):
    found = registry.operation_of({"spec": spec})
    assert (found and found.controller) == controller


def test_a_kind_of_source_belongs_to_one_operation():
    kinds = [kind for each in registry.OPERATIONS for kind in each.sources]
    assert len(kinds) == len(set(kinds))


@pytest.mark.parametrize("operation", registry.OPERATIONS, ids=lambda each: each.controller)
def test_phases_of_bytes_that_flow_are_under_way(operation):
    assert operation.in_progress is None or operation.in_progress in operation.under_way


def test_every_source_object_that_claims_may_name_has_its_populator():
    ours = (*(each.resource for each in POPULATORS), cloning.SOURCE)
    assert set(ours) == set(kinds.SOURCE_OBJECTS)
