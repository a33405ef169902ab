"""Importer pods, whole, as they are created."""

from dataclasses import replace
from typing import Any

import pytest

from cdi.api import annotations as known
from cdi.api.workorder import WorkOrder
from cdi.controllers.importing import pod, requests
from cdi.controllers.importing.pod import CannotImport, PodContext, pod_for
from cdi.kube.objects import Object
from support import world

URL = "http://images.example/disk.qcow2"
RESOURCES = {"limits": {"cpu": "750m", "memory": "600M"}, "requests": {"cpu": "100m"}}
SECURITY = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "runAsUser": 107,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def claim(source: Object | None = None, name: str = "disk", **fields: Any) -> Object:
    given = requests.annotations_for({"http": {"url": URL}} if source is None else source)
    given |= fields.pop("annotations", {})
    meta = {
        "name": name, "namespace": "ns", "uid": "claim-uid", "annotations": given,
        "labels": fields.pop("labels", {}), "ownerReferences": fields.pop("owners", []),
    }  # fmt: skip
    spec = {**world.pvc_spec(), **fields}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec}


def context(**fields: Any) -> PodContext:
    config = {"status": {"defaultPodResourceRequirements": RESOURCES}}
    return PodContext(
        **{"settings": world.SETTINGS, "config": config, "overhead": "0.06", **fields}
    )


def environment(found: Object) -> dict[str, Any]:
    importer = found["spec"]["containers"][0]
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in importer["env"]}


def test_the_pod_of_a_plain_http_import_is_exactly_this() -> None:
    found = pod_for(claim(labels={"team": "a", "app": "mine"}), context(), with_scratch=False)
    env = found["spec"]["containers"][0].pop("env")
    assert found == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "importer-disk",
            "namespace": "ns",
            "labels": {
                "team": "a",
                "app": "containerized-data-importer",
                "cdi.kubevirt.io": "importer",
                "prometheus.cdi.kubevirt.io": "true",
                "app.kubernetes.io/managed-by": "cdi-controller",
                "app.kubernetes.io/component": "storage",
            },
            "annotations": {
                "cdi.kubevirt.io/storage.createdByController": "yes",
                "sidecar.istio.io/inject": "false",
                "linkerd.io/inject": "disabled",
            },
            "ownerReferences": [
                {
                    "apiVersion": "v1",
                    "kind": "PersistentVolumeClaim",
                    "name": "disk",
                    "uid": "claim-uid",
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": {
            "restartPolicy": "OnFailure",
            "enableServiceLinks": False,
            "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}, "fsGroup": 107},
            "containers": [
                {
                    "name": "importer",
                    "image": "registry.example/cdi:1",
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["python3", "-m", "cdi.workers.importer"],
                    "args": ["-v=1"],
                    "ports": [{"name": "metrics", "containerPort": 8443, "protocol": "TCP"}],
                    "terminationMessagePolicy": "FallbackToLogsOnError",
                    "securityContext": SECURITY,
                    "resources": RESOURCES,
                    "volumeMounts": [{"name": "cdi-data-vol", "mountPath": "/data"}],
                }
            ],
            "volumes": [{"name": "cdi-data-vol", "persistentVolumeClaim": {"claimName": "disk"}}],
        },
    }
    assert {each["name"]: each["value"] for each in env} == {
        "IMPORTER_SOURCE": "http",
        "IMPORTER_ENDPOINT": URL,
        "IMPORTER_CONTENTTYPE": "kubevirt",
        "IMPORTER_CHECKSUM": "",
        "IMPORTER_REGISTRY_IMAGE_ARCHITECTURE": "",
        "IMPORTER_DISK_ID": "",
        "IMPORTER_UUID": "",
        "IMPORTER_BACKING_FILE": "",
        "IMPORTER_THUMBPRINT": "",
        "IMPORTER_CURRENT_CHECKPOINT": "",
        "IMPORTER_PREVIOUS_CHECKPOINT": "",
        "IMPORTER_FINAL_CHECKPOINT": "false",
        "INSECURE_TLS": "false",
        "http_proxy": "",
        "https_proxy": "",
        "no_proxy": "",
        "IMPORTER_PULL_METHOD": "",
        "IMPORTER_READY_FILE": "",
        "IMPORTER_DONE_FILE": "",
        "IMPORTER_IMAGE_SIZE": "1Gi",
        "FILESYSTEM_OVERHEAD": "0.06",
        "PREALLOCATION": "false",
        "CACHE_MODE": "",
        "OWNER_UID": "claim-uid",
    }


def test_a_block_volume_is_a_device_and_needs_no_group() -> None:
    found = pod_for(claim(volumeMode="Block"), context(overhead="0"), with_scratch=False)
    importer = found["spec"]["containers"][0]
    devices = [{"name": "cdi-data-vol", "devicePath": "/dev/cdi-block-volume"}]
    assert importer["volumeDevices"] == devices
    assert importer["volumeMounts"] == [{"name": "cdi-state-vol", "mountPath": "/var/lib/cdi"}]
    assert {"name": "cdi-state-vol", "emptyDir": {}} in found["spec"]["volumes"]
    assert found["spec"]["securityContext"] == {"seccompProfile": {"type": "RuntimeDefault"}}
    assert {"name": "CLAIM_UID", "value": "claim-uid"} in importer["env"]


@pytest.mark.parametrize(("seconds", "told"), [(None, []), (2.5, ["2.5"]), (90.0, ["90"])])
def test_an_installation_says_how_long_silence_is_borne(seconds, told) -> None:
    chosen = context()
    settings = replace(chosen.settings, stall_timeout=seconds)
    found = pod_for(claim(), replace(chosen, settings=settings), with_scratch=False)
    env = found["spec"]["containers"][0]["env"]
    assert [each["value"] for each in env if each["name"] == "CDI_STALL_TIMEOUT"] == told


SECRET = {"secretKeyRef": {"name": "s", "key": "accessKeyId"}}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param(
            {"blank": {}}, {"IMPORTER_SOURCE": "none", "IMPORTER_ENDPOINT": ""}, id="blank"
        ),
        pytest.param(
            {"http": {"url": URL, "secretRef": "s"}},
            {"IMPORTER_SOURCE": "http", "IMPORTER_ACCESS_KEY_ID": SECRET},
            id="http-with-credentials",
        ),
        pytest.param(
            {"http": {"url": URL, "insecureSkipVerify": True}},
            {"INSECURE_TLS": "true"},
            id="insecure",
        ),
        pytest.param(
            {"http": {"url": URL, "checksum": "sha256:ab"}},
            {"IMPORTER_CHECKSUM": "sha256:ab"},
            id="checksum",
        ),
        pytest.param(
            {"http": {"url": URL, "certConfigMap": "ca"}}, {"IMPORTER_CERT_DIR": "/certs"}, id="ca"
        ),
        pytest.param(
            {"http": {"url": URL, "extraHeaders": [f"H{n}: v" for n in range(12)]}},
            {"IMPORTER_EXTRA_HEADER_2": "H2: v", "IMPORTER_EXTRA_HEADER_11": "H11: v"},
            id="headers-keep-their-order",
        ),
        pytest.param({"s3": {"url": "http://s3/b/k"}}, {"IMPORTER_SOURCE": "s3"}, id="s3"),
        pytest.param(
            {"gcs": {"url": "gs://b/k", "secretRef": "s"}},
            {"GOOGLE_APPLICATION_CREDENTIALS": "/google/credentials.json"},
            id="gcs",
        ),
        pytest.param(
            {"registry": {"url": "docker://reg:5000/a"}}, {"INSECURE_TLS": "true"}, id="registry"
        ),
        pytest.param(
            {"registry": {"url": "docker://reg/a"}}, {"INSECURE_TLS": "false"}, id="registry-secure"
        ),
        pytest.param(
            {"registry": {"url": "docker://reg/a", "pullMethod": "node"}},
            {
                "IMPORTER_SOURCE": "http",
                "IMPORTER_ENDPOINT": "http://localhost:8100/disk.img",
                "IMPORTER_PULL_METHOD": "node",
                "IMPORTER_READY_FILE": "/shared/ready",
            },
            id="node-pull",
        ),
        pytest.param(
            {"imageio": {"url": "https://o", "diskId": "d", "insecureSkipVerify": True}},
            {"IMPORTER_DISK_ID": "d", "INSECURE_TLS": "true"},
            id="imageio",
        ),
        pytest.param(
            {"vddk": {"url": "https://v", "uuid": "u", "backingFile": "b", "thumbprint": "t"}},
            {"IMPORTER_UUID": "u", "IMPORTER_BACKING_FILE": "b", "IMPORTER_THUMBPRINT": "t"},
            id="vddk",
        ),
    ],
)
def test_each_source_says_what_its_importer_must_know(source: Object, expected: Object) -> None:
    config = {"spec": {"insecureRegistries": ["reg:5000"]}}
    found = pod_for(claim(source), context(config=config, vddk_image="v"), with_scratch=False)
    env = environment(found)
    assert {key: env[key] for key in expected} == expected
    plain = {key: value for key, value in env.items() if isinstance(value, str)}
    assert WorkOrder.from_env(plain).source == env["IMPORTER_SOURCE"]


@pytest.mark.parametrize(
    ("source", "options", "mounts"),
    [
        pytest.param(None, {"with_scratch": True}, {"/data", "/scratch"}, id="scratch"),
        pytest.param(
            {"http": {"url": URL, "certConfigMap": "ca", "secretExtraHeaders": ["a", "b"]}},
            {},
            {"/data", "/certs", "/extraheaders/0", "/extraheaders/1"},
            id="certificates-and-secret-headers",
        ),
        pytest.param(
            {"gcs": {"url": "gs://b/k", "secretRef": "s"}}, {}, {"/data", "/google"}, id="gcs"
        ),
        pytest.param(
            {"registry": {"url": "docker://r/a", "pullMethod": "node"}},
            {},
            {"/data", "/shared"},
            id="node-pull",
        ),
        pytest.param(
            {"vddk": {"url": "https://v", "extraArgs": "x"}},
            {},
            {"/data", "/opt", "/vddk-args"},
            id="vddk",
        ),
    ],
)
def test_each_source_gets_its_mounts(source: Object, options: Object, mounts: set[str]) -> None:
    wanted = {"with_scratch": False, **options}
    found = pod_for(claim(source), context(vddk_image="v"), **wanted)
    spec = found["spec"]
    importer = spec["containers"][0]
    assert {each["mountPath"] for each in importer["volumeMounts"]} == mounts
    assert {each["name"] for each in importer["volumeMounts"]} == {
        v["name"] for v in spec["volumes"]
    }


def test_the_proxy_and_its_certificates_reach_the_importer() -> None:
    proxy = {
        "HTTPProxy": "http://p",
        "HTTPSProxy": "https://p",
        "noProxy": "a",
        "trustedCAProxy": "c",
    }
    config = {"status": {"importProxy": proxy, "imagePullSecrets": [{"name": "pull"}]}}
    found = pod_for(claim(), context(config=config), with_scratch=False)
    env = environment(found)
    told = {
        key: env[key]
        for key in ("http_proxy", "https_proxy", "no_proxy", "IMPORTER_PROXY_CERT_DIR")
    }
    assert list(told.values()) == ["http://p", "https://p", "a", "/proxycerts/"]
    assert found["spec"]["volumes"][1]["configMap"] == {"name": "import-proxy-cm-disk"}
    assert found["spec"]["imagePullSecrets"] == [{"name": "pull"}]


def test_placement_priority_and_account_are_passed_on() -> None:
    placement = {"nodeSelector": {"a": "b"}, "tolerations": [{"key": "k"}], "affinity": {"x": {}}}
    given = {known.PRIORITY_CLASS: "high", known.SERVICE_ACCOUNT: "me", known.MULTUS_NETWORKS: "n"}
    found = pod_for(claim(annotations=given), context(placement=placement), with_scratch=False)
    assert {key: found["spec"][key] for key in placement} == placement
    assert found["spec"]["priorityClassName"] == "high"
    assert found["spec"]["serviceAccountName"] == "me"
    assert found["metadata"]["annotations"][known.MULTUS_NETWORKS] == "n"


def test_the_pod_of_a_prime_has_its_targets_labels_and_its_node() -> None:
    owner = {"uid": "t", "kind": "PersistentVolumeClaim", "name": "target", "controller": True}
    given = {known.POPULATOR_KIND: "VolumeImportSource", known.SELECTED_NODE: "node1"}
    prime = claim(annotations=given, owners=[owner], labels={"of": "prime"})
    target = claim(name="target", labels={"of": "target"})
    found = pod_for(prime, context(target=target), with_scratch=False)
    assert found["metadata"]["labels"]["of"] == "target"
    assert found["spec"]["nodeName"] == "node1"
    assert environment(found)["OWNER_UID"] == "t"


def test_a_prime_without_a_target_gets_no_pod() -> None:
    prime = claim(annotations={known.POPULATOR_KIND: "VolumeImportSource"})
    with pytest.raises(CannotImport, match="no claim is its controller"):
        pod_for(prime, context(), with_scratch=False)


def test_a_source_without_a_url_gets_no_pod() -> None:
    bare = claim({"blank": {}}, annotations={known.SOURCE: "http"})
    with pytest.raises(CannotImport, match="needs a URL"):
        pod_for(bare, context(), with_scratch=False)


def test_a_node_pull_runs_the_image_beside_the_importer() -> None:
    source = {"registry": {"url": "docker://r/a:1", "pullMethod": "node",
                           "platform": {"architecture": "arm64"}}}  # fmt: skip
    spec = pod_for(claim(source), context(), with_scratch=False)["spec"]
    assert [each["name"] for each in spec["containers"]] == ["importer", "server"]
    assert spec["containers"][1]["image"] == "r/a:1"
    assert spec["initContainers"][0]["name"] == "init"
    assert spec["initContainers"][0]["command"][-1] == (
        "cp /usr/bin/cdi-containerimage-server /shared/server && cp /bin/busybox /shared/busybox"
    )
    assert spec["nodeSelector"] == {"kubernetes.io/arch": "arm64"}


def test_the_secret_of_a_registry_may_hold_keys_or_a_file() -> None:
    source = {"registry": {"url": "docker://r/a", "secretRef": "login"}}
    spec = pod_for(claim(source), context(), with_scratch=False)["spec"]
    importer = spec["containers"][0]
    secret = {"name": "login", "key": "accessKeyId", "optional": True}
    entry = {"name": "IMPORTER_ACCESS_KEY_ID", "valueFrom": {"secretKeyRef": secret}}
    assert entry in importer["env"]
    mount = {"name": "cdi-registry-secret-vol", "mountPath": "/registry"}
    assert mount in importer["volumeMounts"]
    volume = {"name": "cdi-registry-secret-vol", "secret": {"secretName": "login"}}
    assert volume in spec["volumes"]


def test_the_secret_of_a_node_pull_is_the_nodes() -> None:
    source = {"registry": {"url": "docker://r/a", "pullMethod": "node", "secretRef": "login"}}
    config = {"status": {"imagePullSecrets": [{"name": "all"}]}}
    spec = pod_for(claim(source), context(config=config), with_scratch=False)["spec"]
    assert spec["imagePullSecrets"] == [{"name": "all"}, {"name": "login"}]
    assert "login" not in str(spec["containers"])
    assert "login" not in str(spec["volumes"])


def test_an_image_stream_pod_has_no_owner() -> None:
    source = {"registry": {"imageStream": "s:1", "pullMethod": "node"}}
    found = pod_for(claim(source), context(), with_scratch=False)
    assert "ownerReferences" not in found["metadata"]
    assert found["metadata"]["annotations"][known.RESOLVE_NAMES] == "*"
    assert found["spec"]["containers"][1]["image"] == "s:1"


def test_each_stage_has_a_pod_of_its_own() -> None:
    assert pod.pod_name_of(claim(annotations={known.CHECKPOINT_CURRENT: "c1"})) == (
        "importer-disk-checkpoint-c1"
    )
    assert len(pod.pod_name_of(claim(name="x" * 250))) <= 253


def test_direct_io_and_preallocation_are_orders() -> None:
    given = {known.REQUIRES_DIRECT_IO: "true", known.PREALLOCATION_REQUESTED: "true"}
    env = environment(pod_for(claim(annotations=given), context(), with_scratch=False))
    assert (env["CACHE_MODE"], env["PREALLOCATION"]) == ("TRYNONE", "true")
