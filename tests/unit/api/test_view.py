"""Typed views read what the server sends, build what it takes, and lose nothing in between."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdi.api import resources, view
from cdi.api.core.metadata import LabelSelector, ObjectMeta
from cdi.api.kinds.config import FilesystemOverhead, ImportProxy
from cdi.api.kinds.datavolume import DataVolume, DataVolumeSpec, StorageSpec
from cdi.api.kinds.sources import Checkpoint, DataVolumeSource, HTTPSource
from cdi.api.kinds.uploadtoken import UploadTokenRequest, UploadTokenRequestSpec

VOLUME = {
    "apiVersion": "cdi.kubevirt.io/v1beta1",
    "kind": "DataVolume",
    "metadata": {"name": "disk", "managedFields": [{"manager": "kubectl"}], "generation": 2},
    "spec": {
        "source": {"http": {"url": "https://host/disk.qcow2", "futureField": 1}},
        "storage": {"resources": {"requests": {"storage": "10Gi", "iops": 5}}},
        "checkpoints": [
            {"previous": "", "current": "a", "note": "first"},
            {"previous": "a", "current": "b", "note": "second"},
        ],
        "somethingNew": {"deep": [1, 2]},
    },
    "status": {"phase": "Pending", "other": True},
}


def test_a_view_reads_an_object_of_the_server():
    volume = view.read(DataVolume, VOLUME)
    assert volume.metadata.name == "disk"
    assert volume.spec.source.http.url == "https://host/disk.qcow2"
    assert volume.spec.storage.resources.requests == {"storage": "10Gi", "iops": 5}
    assert volume.spec.source.upload is None


def test_writing_a_view_over_its_object_changes_nothing():
    assert view.update(VOLUME, view.read(DataVolume, VOLUME)) == VOLUME


def test_writing_a_view_keeps_unknown_fields_at_every_depth():
    before = copy.deepcopy(VOLUME)
    volume = view.read(DataVolume, VOLUME)
    volume.spec.source.http.url = "https://other/disk.qcow2"
    volume.status.phase = "ImportScheduled"
    after = view.update(VOLUME, volume)
    assert before == VOLUME
    assert after["spec"]["source"]["http"] == {"url": "https://other/disk.qcow2", "futureField": 1}
    assert after["spec"]["somethingNew"] == {"deep": [1, 2]}
    assert after["status"] == {"phase": "ImportScheduled", "other": True}
    assert after["metadata"] == VOLUME["metadata"]


def test_a_field_set_to_none_goes_away():
    volume = view.read(DataVolume, VOLUME)
    volume.spec.source = None
    assert "source" not in view.update(VOLUME, volume)["spec"]


def test_list_items_keep_their_unknown_fields_when_the_order_changes():
    spec = view.read(DataVolumeSpec, VOLUME["spec"])
    spec.checkpoints.reverse()
    assert view.update(VOLUME["spec"], spec)["checkpoints"] == VOLUME["spec"]["checkpoints"][::-1]


def test_a_removed_list_item_takes_only_its_own_fields_along():
    spec = view.read(DataVolumeSpec, VOLUME["spec"])
    del spec.checkpoints[0]
    assert view.update(VOLUME["spec"], spec)["checkpoints"] == [VOLUME["spec"]["checkpoints"][1]]


def test_a_changed_list_item_keeps_the_fields_of_its_place():
    spec = view.read(DataVolumeSpec, VOLUME["spec"])
    spec.checkpoints[1] = Checkpoint(previous="a", current="c")
    assert view.update(VOLUME["spec"], spec)["checkpoints"][1] == {
        "previous": "a",
        "current": "c",
        "note": "second",
    }


def test_null_reads_as_absent():
    assert view.read(DataVolumeSpec, {"source": None, "pvc": None}) == DataVolumeSpec()


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        pytest.param({"source": {"http": {}}}, "url", id="required-field"),
        pytest.param({"preallocation": "yes"}, "preallocation", id="wrong-type"),
        pytest.param({"checkpoints": {}}, "checkpoints", id="no-list"),
    ],
)
def test_an_object_of_another_shape_is_refused_with_the_place(fields, where):
    with pytest.raises(view.InvalidObject, match=where):
        view.read(DataVolumeSpec, fields)


def test_a_new_object_has_its_version_and_kind_and_no_empty_fields():
    volume = DataVolume(
        metadata=ObjectMeta(name="disk"),
        spec=DataVolumeSpec(
            source=DataVolumeSource(http=HTTPSource(url="https://host/disk")),
            storage=StorageSpec(selector=LabelSelector(match_labels={"a": "b"})),
        ),
    )
    assert resources.build(volume) == {
        "apiVersion": "cdi.kubevirt.io/v1beta1",
        "kind": "DataVolume",
        "metadata": {"name": "disk"},
        "spec": {
            "source": {"http": {"url": "https://host/disk"}},
            "storage": {"selector": {"matchLabels": {"a": "b"}}},
        },
    }


def test_a_token_request_is_built_like_any_other_object():
    request = UploadTokenRequest(spec=UploadTokenRequestSpec(pvc_name="disk"))
    assert resources.build(request) == {
        "apiVersion": "upload.cdi.kubevirt.io/v1beta1",
        "kind": "UploadTokenRequest",
        "spec": {"pvcName": "disk"},
    }


@pytest.mark.parametrize(
    ("built", "fields"),
    [
        (ImportProxy(http_proxy="a", https_proxy="b", trusted_ca_proxy="c", no_proxy="d"),
         {"HTTPProxy": "a", "HTTPSProxy": "b", "trustedCAProxy": "c", "noProxy": "d"}),
        (FilesystemOverhead(global_="0.1", storage_class={"x": "0"}),
         {"global": "0.1", "storageClass": {"x": "0"}}),
    ],
)  # fmt: skip
def test_odd_names_are_written_as_the_api_has_them(built, fields):
    assert view.fields_of(built) == fields
    assert view.read(type(built), fields) == built


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
unknown = st.dictionaries(st.text(max_size=4).map(lambda key: f"x-{key}"), values, max_size=3)


@given(unknown, unknown, unknown, st.lists(unknown, max_size=3))
def test_no_unknown_field_is_ever_lost(root, spec, source, checkpoints):
    fields = root | {
        "spec": spec
        | {
            "source": {"http": source | {"url": "u"}},
            "checkpoints": [
                item | {"previous": "", "current": str(number)}
                for number, item in enumerate(checkpoints)
            ],
        }
    }
    assert view.update(fields, view.read(DataVolume, fields)) == fields
