"""What a HyperConverged says, at whichever of its places."""

import pytest

from cdi.bootsources.settings import golden_namespace, settings_of

GATE = "enableCommonBootImageImport"


def hyperconverged(**spec):
    return {"metadata": {"name": "kubevirt-hyperconverged", "namespace": "hco"}, "spec": spec}


@pytest.mark.parametrize(
    ("spec", "on"),
    [
        pytest.param({}, True, id="by-default"),
        pytest.param({"featureGates": {GATE: False}}, False, id="gate"),
        pytest.param({GATE: False}, False, id="spec"),
        pytest.param({"workloadSources": {GATE: False}}, False, id="v1"),
        pytest.param({"featureGates": {GATE: True}, GATE: False}, False, id="spec-over-gate"),
        pytest.param({"featureGates": {GATE: False}, GATE: True}, True, id="also-to-switch-on"),
        pytest.param({GATE: True, "workloadSources": {GATE: False}}, False, id="v1-over-spec"),
        pytest.param({"featureGates": [{"name": GATE, "state": "Disabled"}]}, False, id="list"),
        pytest.param({"featureGates": ["other"]}, True, id="not-in-the-list"),
    ],
)
def test_the_switch_is_found_at_all_of_its_places(spec, on):
    assert settings_of(hyperconverged(**spec)).imports_common is on


@pytest.mark.parametrize(
    ("old", "new", "field", "value"),
    [
        ({"scratchSpaceStorageClass": "a"}, {"storage": {"scratchSpaceStorageClass": "b"}},
         "scratch_class", "ab"),
        ({"commonBootImageNamespace": "a"}, {"workloadSources": {"commonBootImageNamespace": "b"}},
         "namespace", "ab"),
        ({"filesystemOverhead": "a"}, {"storage": {"filesystemOverhead": "b"}}, "overhead", "ab"),
        ({"resourceRequirements": {"storageWorkloads": "a"}},
         {"storage": {"workloadResourceRequirements": "b"}}, "resources", "ab"),
    ],
)  # fmt: skip
def test_the_newest_place_of_a_setting_counts(old, new, field, value):
    assert getattr(settings_of(hyperconverged(**old)), field) == value[0]
    assert getattr(settings_of(hyperconverged(**old, **new)), field) == value[1]


def test_lists_are_found_in_both_versions():
    old = hyperconverged(
        storageImport={"insecureRegistries": ["r"]}, dataImportCronTemplates=[{"a": 1}]
    )
    new = hyperconverged(
        storage={"storageImport": {"insecureRegistries": ["r"]}},
        workloadSources={"dataImportCronTemplates": [{"a": 1}]},
    )
    for each in (old, new):
        assert settings_of(each).insecure_registries == ("r",)
        assert settings_of(each).templates == ({"a": 1},)


def test_boot_images_are_where_documentation_looks_for_them():
    assert golden_namespace("kubevirt-hyperconverged") == "kubevirt-os-images"
    assert golden_namespace("openshift-cnv") == "openshift-virtualization-os-images"
