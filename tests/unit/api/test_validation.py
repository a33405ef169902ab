"""What the schemas let through and what they stop, on whole objects."""

import jsonschema_rs
import pytest

from cdi.api import crds, resources, schema, view
from cdi.api.kinds.hyperconverged import HyperConverged

SCHEMAS = {
    definition["spec"]["names"]["kind"]: definition["spec"]["versions"][0]["schema"][
        "openAPIV3Schema"
    ]
    for definition in crds.all()
}


def accepts(kind, spec):
    return jsonschema_rs.is_valid(SCHEMAS[kind], {"metadata": {"name": "x"}, "spec": spec})


@pytest.mark.parametrize(
    ("kind", "spec", "taken"),
    [
        pytest.param("DataVolume", {}, True, id="nothing-is-required-in-a-volume"),
        pytest.param("DataVolume", {"source": {"http": {}}}, False, id="http-without-url"),
        pytest.param("DataVolume", {"contentType": "archive"}, True, id="archive"),
        pytest.param("DataVolume", {"contentType": ""}, False, id="empty-content-type"),
        pytest.param("VolumeImportSource", {"contentType": ""}, True, id="empty-is-fine-there"),
        pytest.param(
            "DataVolume",
            {"storage": {"resources": {"requests": {"storage": "10Gi"}}}},
            True,
            id="size-as-text",
        ),
        pytest.param(
            "DataVolume",
            {"storage": {"resources": {"requests": {"storage": 1073741824}}}},
            True,
            id="size-as-number",
        ),
        pytest.param(
            "DataVolume",
            {"storage": {"resources": {"requests": {"storage": "10 GB"}}}},
            False,
            id="size-is-nonsense",
        ),
        pytest.param("DataVolume", {"sourceRef": {"kind": "DataSource"}}, False, id="no-name"),
        pytest.param("DataVolume", {"checkpoints": [{"current": "a"}]}, False, id="no-previous"),
        pytest.param("DataSource", {"source": {}}, True, id="empty-source"),
        pytest.param("DataSource", {}, False, id="no-source"),
        pytest.param("CDI", {"cloneStrategyOverride": "csi-clone"}, True, id="strategy"),
        pytest.param("CDI", {"cloneStrategyOverride": "fast"}, False, id="unknown-strategy"),
        pytest.param("CDI", {"imagePullPolicy": "Sometimes"}, False, id="unknown-policy"),
        pytest.param(
            "CDI", {"config": {"tlsSecurityProfile": {"type": "Old", "old": {}}}}, True, id="tls"
        ),
        pytest.param(
            "CDI",
            {"config": {"tlsSecurityProfile": {"custom": {"ciphers": []}}}},
            False,
            id="custom-tls-without-version",
        ),
        *(
            pytest.param(
                "CDIConfig", {"filesystemOverhead": {"global": text}}, taken, id=f"overhead-{text}"
            )
            for text, taken in [("0", True), ("0.055", True), ("1", True), ("1.0", False),
                                ("0.0555", False), (".5", False), ("55%", False), ("", False)]
        ),
        pytest.param(
            "StorageProfile",
            {"claimPropertySets": [{"accessModes": ["ReadWriteOnce"], "volumeMode": "Block"}]},
            True,
            id="property-set",
        ),
        pytest.param(
            "StorageProfile",
            {"claimPropertySets": [{"accessModes": ["ReadWriteOnce"]}]},
            False,
            id="property-set-without-mode",
        ),
        pytest.param(
            "StorageProfile",
            {"claimPropertySets": [{"accessModes": [], "volumeMode": "Block"}] * 9},
            False,
            id="too-many-property-sets",
        ),
        pytest.param(
            "DataImportCron",
            {"template": {"spec": {}}, "schedule": "", "managedDataSource": "fedora"},
            True,
            id="cron-without-polling",
        ),
        pytest.param(
            "DataImportCron",
            {"template": {"spec": {}}, "managedDataSource": "fedora"},
            False,
            id="cron-without-schedule",
        ),
        pytest.param(
            "HostPathProvisioner",
            {"storagePools": [{"name": "local", "path": "/var/hpp"}]},
            True,
            id="pool",
        ),
        pytest.param(
            "HostPathProvisioner",
            {"storagePools": [{"name": "x" * 51, "path": "/var/hpp"}]},
            False,
            id="pool-with-long-name",
        ),
        pytest.param("HostPathProvisioner", {"pathConfig": {}}, False, id="config-without-path"),
    ],
)  # fmt: skip
def test_a_spec_is_taken_or_refused(kind, spec, taken):
    assert accepts(kind, spec) is taken


PARTIAL = {
    "metadata": {"name": "fedora-image-cron"},
    "spec": {"template": {"spec": {"storage": {"storageClassName": "fast"}}}},
}


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"featureGates": {"enableCommonBootImageImport": False}}, id="gate"),
        pytest.param({"featureGates": [{"name": "x", "state": "Enabled"}]}, id="gates-of-v1"),
        pytest.param({"enableCommonBootImageImport": False}, id="v1beta1"),
        pytest.param({"workloadSources": {"enableCommonBootImageImport": False}}, id="v1"),
        pytest.param({"dataImportCronTemplates": [PARTIAL]}, id="partial-override"),
        pytest.param({"workloadSources": {"dataImportCronTemplates": [PARTIAL]}}, id="new-place"),
        pytest.param({"liveMigrationConfig": {"progressTimeout": 150}}, id="not-ours"),
    ],
)
def test_settings_are_understood_in_every_place_they_have_had(spec):
    assert accepts("HyperConverged", spec)


def test_a_setting_of_the_wrong_type_is_refused():
    assert not accepts("HyperConverged", {"enableCommonBootImageImport": "no"})


def test_both_versions_of_hyperconverged_are_served():
    versions = crds.crd_for("HyperConverged")["spec"]["versions"]
    assert [(v["name"], v["served"], v["storage"]) for v in versions] == [
        ("v1", True, True),
        ("v1beta1", True, False),
    ]


def test_the_old_import_gate_is_there_by_default_so_that_a_patch_can_replace_it():
    spec = SCHEMAS["HyperConverged"]["properties"]["spec"]
    assert spec["properties"]["featureGates"]["default"] == {"enableCommonBootImageImport": True}
    assert spec["x-kubernetes-preserve-unknown-fields"] is True


def test_settings_that_are_not_described_are_kept():
    fields = {"spec": {"liveMigrationConfig": {"timeout": 150}, "featureGates": {"x": True}}}
    read = view.read(HyperConverged, fields)
    assert read.spec.feature_gates == {"x": True}
    assert view.update(fields, read) == fields


def test_a_boot_image_template_keeps_its_labels():
    metadata = {"labels": {"a": "b"}, "annotations": {"c": "d"}}
    spec = SCHEMAS["DataImportCron"]["properties"]["spec"]["properties"]["template"]
    assert set(spec["properties"]["metadata"]["properties"]) == set(metadata)


@pytest.mark.parametrize("resource", resources.ALL, ids=lambda resource: resource.kind)
def test_every_kind_has_a_view_that_reads_its_smallest_object(resource):
    smallest = {"spec": sample_of(resource)}
    assert view.fields_of(view.read(resource.view, smallest)) == smallest


def sample_of(resource):
    return filled(schema.schema_of(resource.view)["properties"]["spec"])


def filled(node):
    """Return the smallest value that a schema takes, with every required field."""
    if node.get("type") == "object":
        return {name: filled(node["properties"][name]) for name in node.get("required", [])}
    return {"string": "x", "array": []}[node["type"]]
