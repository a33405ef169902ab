"""The official Python client as a second client: what kubectl does not exercise."""

from collections.abc import Iterator

import kubernetes
import pytest
from kubernetes import dynamic

from support import apiserver
from support.apiserver import Running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with apiserver.running(tmp_path_factory.mktemp("state")) as running:
        running.create(
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
            apiserver.widget_definition(),
        )
        yield running


@pytest.fixture
def client(server: Running) -> Iterator[kubernetes.client.ApiClient]:
    with kubernetes.config.new_client_from_config(str(server.kubeconfig)) as found:
        yield found


@pytest.fixture
def space(server: Running) -> str:
    made = server.create("/api/v1/namespaces", {"metadata": {"generateName": "py-"}})
    return str(made["metadata"]["name"])


def test_typed_objects_come_and_go(client, space):
    core = kubernetes.client.CoreV1Api(client)
    body = kubernetes.client.V1ConfigMap(
        metadata=kubernetes.client.V1ObjectMeta(name="c"), data={"a": "1"}
    )
    made = core.create_namespaced_config_map(space, body)
    assert made.metadata.uid
    core.patch_namespaced_config_map("c", space, {"data": {"b": "2"}})
    assert core.read_namespaced_config_map("c", space).data == {"a": "1", "b": "2"}
    made.data = {"late": "yes"}
    with pytest.raises(kubernetes.client.ApiException) as conflict:
        core.replace_namespaced_config_map("c", space, made)
    assert conflict.value.status == 409
    names = [item.metadata.name for item in core.list_namespaced_config_map(space).items]
    assert "c" in names
    core.delete_namespaced_config_map("c", space)
    with pytest.raises(kubernetes.client.ApiException) as gone:
        core.read_namespaced_config_map("c", space)
    assert (gone.value.status, gone.value.reason) == (404, "Not Found")


def test_typed_claims_and_classes_are_accepted(client, space):
    storage, core = kubernetes.client.StorageV1Api(client), kubernetes.client.CoreV1Api(client)
    storage.create_storage_class(
        kubernetes.client.V1StorageClass(
            metadata=kubernetes.client.V1ObjectMeta(name=f"{space}-class"),
            provisioner="example.com/none",
        )
    )
    spec = kubernetes.client.V1PersistentVolumeClaimSpec(
        access_modes=["ReadWriteOnce"],
        resources=kubernetes.client.V1VolumeResourceRequirements(requests={"storage": "1Gi"}),
        storage_class_name=f"{space}-class",
    )
    claim = kubernetes.client.V1PersistentVolumeClaim(
        metadata=kubernetes.client.V1ObjectMeta(generate_name="c-"), spec=spec
    )
    made = core.create_namespaced_persistent_volume_claim(space, claim)
    assert made.status.phase == "Pending"
    found = storage.read_storage_class(f"{space}-class")
    assert found.reclaim_policy == "Delete"


def test_the_dynamic_client_discovers_and_applies(client, space):
    widgets = dynamic.DynamicClient(client).resources.get(
        api_version="example.com/v1", kind="Widget"
    )
    body = {
        "apiVersion": "example.com/v1",
        "kind": "Widget",
        "metadata": {"name": "w"},
        "spec": {"size": 1},
    }
    applied = widgets.server_side_apply(body=body, namespace=space, field_manager="one")
    assert applied.spec.color == "red"
    body["spec"]["size"] = 2
    with pytest.raises(dynamic.exceptions.ConflictError):
        widgets.server_side_apply(body=body, namespace=space, field_manager="two")
    widgets.server_side_apply(body=body, namespace=space, field_manager="two", force_conflicts=True)
    assert widgets.get(name="w", namespace=space).spec.size == 2


def test_a_watch_resumes_where_a_list_ended(client, space):
    core = kubernetes.client.CoreV1Api(client)
    listed = core.list_namespaced_config_map(space)
    for name in ("a", "b"):
        core.create_namespaced_config_map(space, {"metadata": {"name": name}})
    seen = []
    watch = kubernetes.watch.Watch()
    for event in watch.stream(
        core.list_namespaced_config_map,
        space,
        resource_version=listed.metadata.resource_version,
        field_selector="metadata.name!=kube-root-ca.crt",
    ):
        seen.append((event["type"], event["object"].metadata.name))
        if len(seen) == 2:
            watch.stop()
    assert seen == [("ADDED", "a"), ("ADDED", "b")]
