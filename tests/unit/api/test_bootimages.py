"""Templates of boot images: what is filled in, and what makes no sense."""

import pytest

from cdi.api import bootimages

GATE = "enableCommonBootImageImport"
ENABLE = "dataimportcrontemplate.kubevirt.io/enable"
BIND = "cdi.kubevirt.io/storage.bind.immediate.requested"


def hyperconverged(**spec):
    return {"metadata": {"name": "kubevirt-hyperconverged", "namespace": "hco"}, "spec": spec}


def template(spec=None, **annotations):
    meta = {"name": "mine"} | ({"annotations": annotations} if annotations else {})
    return {"metadata": meta} | ({"spec": spec} if spec is not None else {})


@pytest.mark.parametrize(
    ("spec", "gates"),
    [
        pytest.param({}, {GATE: True}, id="said-where-nothing-is"),
        pytest.param({GATE: False}, {GATE: False}, id="as-it-is"),
        pytest.param({"featureGates": {"x": True}}, {"x": True, GATE: True}, id="beside-others"),
        pytest.param({"featureGates": {GATE: False}}, {GATE: False}, id="left-alone"),
        pytest.param({"featureGates": ["x"]}, ["x"], id="not-into-a-list"),
    ],
)
def test_there_is_always_something_to_replace(spec, gates):
    assert bootimages.completed(hyperconverged(**spec))["spec"]["featureGates"] == gates


@pytest.mark.parametrize("place", ["spec", "workloadSources"])
@pytest.mark.parametrize(
    ("given", "bound", "spec"),
    [
        pytest.param(template({"schedule": "x"}), "true",
                     {"schedule": "x", "retentionPolicy": "None", "importsToKeep": 1},
                     id="what-is-usual"),
        pytest.param(template({"retentionPolicy": "All", "importsToKeep": 3}, **{BIND: "false"}),
                     "false", {"retentionPolicy": "All", "importsToKeep": 3}, id="what-is-said"),
        pytest.param(template(**{ENABLE: "False"}), None, None, id="nothing-if-unwanted"),
    ],
)  # fmt: skip
def test_templates_are_completed_at_both_of_their_places(place, given, bound, spec):
    inner = {"dataImportCronTemplates": [given]}
    made = bootimages.completed(
        hyperconverged(**inner) if place == "spec" else hyperconverged(workloadSources=inner)
    )
    there = made["spec"] if place == "spec" else made["spec"]["workloadSources"]
    (found,) = there["dataImportCronTemplates"]
    assert found["metadata"].get("annotations", {}).get(BIND) == bound
    assert found.get("spec") == spec


def test_what_is_complete_stays_as_it_is():
    once = bootimages.completed(hyperconverged(dataImportCronTemplates=[template({"a": 1})]))
    assert bootimages.completed(once) == once


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        pytest.param(template({"a": 1}), "", id="good"),
        pytest.param(template({"a": 1}, **{ENABLE: "TRUE"}), "", id="any-case"),
        pytest.param(template(**{ENABLE: "false"}), "", id="off-without-a-spec"),
        pytest.param(template({"a": 1}, **{ENABLE: "no"}), "want true or false", id="neither"),
        pytest.param(template(**{ENABLE: "true"}), "spec is empty", id="on-without-a-spec"),
        pytest.param(template(), "spec is empty", id="without-a-spec"),
        pytest.param(template({}), "spec is empty", id="with-an-empty-spec"),
    ],
)
def test_what_makes_no_sense_is_told_with_its_place(given, problem):
    found = bootimages.problems(hyperconverged(dataImportCronTemplates=[template({"a": 1}), given]))
    assert [field for _, field in found] == ["spec.dataImportCronTemplates[1]"] * bool(problem)
    assert all(problem in text and "mine" in text for text, _ in found)


@pytest.mark.parametrize(
    ("spec", "warned"),
    [
        pytest.param({"featureGates": {GATE: False}}, False, id="the-gate-alone"),
        pytest.param({"featureGates": {GATE: False}, GATE: False}, False, id="both-the-same"),
        pytest.param({"featureGates": {GATE: False}, GATE: True}, True, id="they-differ"),
    ],
)
def test_a_gate_that_counts_for_nothing_is_told(spec, warned):
    assert bool(bootimages.warnings(hyperconverged(**spec))) is warned
