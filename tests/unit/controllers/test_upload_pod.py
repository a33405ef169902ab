"""The upload server's pod, Service and Secret as they are created."""

import base64
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509

from cdi import pki
from cdi.api import annotations as known
from cdi.api.workorder import UploadOrder
from cdi.controllers.settings import Settings
from cdi.controllers.uploading import certificates, pod
from cdi.controllers.uploading.certificates import CannotIssue, Issuer
from cdi.controllers.working.context import Context
from cdi.kube.objects import Object
from cdi.storage.lifetimes import DEFAULT, Lifetime, Lifetimes
from support import world

SETTINGS = Settings(worker_image="registry.example/cdi:1", installer_labels={"x": "y"})
CONTEXT = Context(SETTINGS, overhead="0.06")
WORLD = world.with_certificates(world.World())
ISSUER = Issuer(
    "cdi",
    next(iter(WORLD.secrets.values())),
    WORLD.get_one("config_maps", "cdi-uploadserver-client-signer-bundle", "cdi"),
    DEFAULT,
)


def claim(name: str = "disk", *, mode: str = "Filesystem", **given: str) -> Object:
    asked = {known.UPLOAD_TARGET: "", **given}
    meta = {"name": name, "namespace": "ns", "uid": "c", "annotations": asked,
            "labels": {"theirs": "l"}}  # fmt: skip
    return {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta,
        "spec": world.pvc_spec(volumeMode=mode), "status": {"phase": "Bound"},
    }  # fmt: skip


def made(of: Object | None = None, context: Context = CONTEXT, **how: Any) -> Object:
    return pod.pod_for(of or claim(), context, world.START, **{"with_scratch": False, **how})


def order(found: Object) -> UploadOrder:
    (container,) = found["spec"]["containers"]
    return UploadOrder.from_env({each["name"]: each["value"] for each in container["env"]})


def test_the_whole_pod() -> None:
    found = made()
    (container,) = found["spec"]["containers"]
    environment = container.pop("env")
    assert "UPLOAD_IMAGE_SIZE" in [each["name"] for each in environment]
    assert found == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "cdi-upload-disk",
            "namespace": "ns",
            "labels": {
                "app": "containerized-data-importer",
                "cdi.kubevirt.io": "cdi-upload-server",
                "service": "cdi-upload-disk",
                "cdi.kubevirt.io/uploadTarget": "c",
                "app.kubernetes.io/managed-by": "cdi-controller",
                "app.kubernetes.io/component": "storage",
                "x": "y",
            },
            "annotations": {
                "cdi.kubevirt.io/storage.createdByUploadController": "yes",
                "k8s.ovn.org/open-default-ports": '[{"protocol": "tcp", "port": 8443}]',
                "sidecar.istio.io/inject": "false",
                "linkerd.io/inject": "disabled",
            },
            "ownerReferences": [{
                "apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": "disk", "uid": "c",
                "controller": True, "blockOwnerDeletion": True,
            }],
        },
        "spec": {
            "restartPolicy": "OnFailure",
            "enableServiceLinks": False,
            "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}, "fsGroup": 107},
            "containers": [{
                "name": "cdi-upload-server",
                "image": "registry.example/cdi:1",
                "imagePullPolicy": "IfNotPresent",
                "terminationMessagePolicy": "FallbackToLogsOnError",
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"]},
                    "runAsNonRoot": True,
                    "runAsUser": 107,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "command": ["python3", "-m", "cdi.workers.uploadserver"],
                "args": ["-v=1"],
                "readinessProbe": {
                    "httpGet": {"path": "/healthz", "port": 8443, "scheme": "HTTPS"},
                    "initialDelaySeconds": 1,
                    "periodSeconds": 1,
                    "failureThreshold": 15,
                },
                "volumeMounts": [
                    {"name": "tls-config", "mountPath": "/etc/tls/"},
                    {"name": "cdi-data-vol", "mountPath": "/data"},
                ],
            }],
            "volumes": [
                {"name": "tls-config", "secret": {"secretName": "cdi-upload-disk"}},
                {"name": "cdi-data-vol", "persistentVolumeClaim": {"claimName": "disk"}},
            ],
        },
    }  # fmt: skip


def test_what_the_server_is_told() -> None:
    told = order(made(claim(**{known.PREALLOCATION_REQUESTED: "true"})))
    assert told.client_name == "client.upload-server.cdi.kubevirt.io"
    assert told.deadline == world.START
    assert told.image_size is not None
    assert told.image_size.value() == 1 << 30
    assert str(told.filesystem_overhead) == "0.06"
    assert told.preallocation is True
    assert told.destination == "/data/disk.img"
    assert told.tls_min_version == "VersionTLS12"
    assert "ECDHE-RSA-AES128-GCM-SHA256" in told.tls_ciphers
    assert (told.tls_cert_file, told.client_cert_file) == ("/etc/tls/tls.crt", "/etc/tls/ca.crt")


def test_a_device_is_written_to_directly() -> None:
    found = made(claim(mode="Block"))
    (container,) = found["spec"]["containers"]
    assert container["volumeDevices"] == [
        {"name": "cdi-data-vol", "devicePath": "/dev/cdi-block-volume"}
    ]
    assert "fsGroup" in found["spec"]["securityContext"]  # certificates are files of somebody
    assert order(found).destination == "/dev/cdi-block-volume"
    assert order(found).claim_uid


def test_the_tls_profile_of_the_installation_counts() -> None:
    config = {"spec": {"tlsSecurityProfile": {"type": "Modern", "modern": {}}}}
    assert order(made(context=Context(SETTINGS, config))).tls_min_version == "VersionTLS13"


def test_it_runs_where_and_as_whom_the_claim_and_the_installation_say() -> None:
    given = {known.PRIORITY_CLASS: "high", known.SERVICE_ACCOUNT: "sa",
             known.MULTUS_NETWORKS: "net", known.POPULATOR_KIND: "VolumeUploadSource",
             known.SELECTED_NODE: "node1"}  # fmt: skip
    config = {"status": {"imagePullSecrets": [{"name": "pull"}],
                         "defaultPodResourceRequirements": {"limits": {"cpu": "1"}}}}  # fmt: skip
    context = Context(SETTINGS, config, placement={"nodeSelector": {"a": "b"}})
    spec = made(claim(**given), context)["spec"]
    assert (spec["priorityClassName"], spec["serviceAccountName"]) == ("high", "sa")
    assert (spec["nodeName"], spec["nodeSelector"]) == ("node1", {"a": "b"})
    assert spec["imagePullSecrets"] == [{"name": "pull"}]
    assert spec["containers"][0]["resources"] == {"limits": {"cpu": "1"}}
    annotated = made(claim(**given), context)["metadata"]["annotations"]
    assert annotated[known.MULTUS_NETWORKS] == "net"


@pytest.mark.parametrize(
    ("name", "service"),
    [
        pytest.param("disk", "cdi-upload-disk", id="short"),
        pytest.param("a.b", "cdi-upload-a-b", id="dots"),
        pytest.param("x" * 160, None, id="long"),
    ],
)
def test_a_service_leads_to_the_pod_whatever_the_claim_is_called(
    name: str, service: str | None
) -> None:
    of = claim(name)
    found = pod.service_for(of, CONTEXT)
    assert service in (None, found["metadata"]["name"])
    assert len(found["metadata"]["name"]) <= 63
    selector = found["spec"]["selector"]
    assert selector.items() <= made(of)["metadata"]["labels"].items()
    assert found["spec"]["clusterIP"] == "None"
    assert found["spec"]["ports"] == [{"protocol": "TCP", "port": 8443, "targetPort": 8443}]


def test_a_clone_source_finds_its_server_while_that_comes_up() -> None:
    early = "publishNotReadyAddresses"
    asked = claim()
    assert early not in pod.service_for(asked, CONTEXT)["spec"]
    asked["metadata"]["annotations"] = {"k8s.io/CloneRequest": "golden/src"}
    assert pod.service_for(asked, CONTEXT)["spec"][early] is True


def test_the_certificate_is_for_the_service_and_from_the_signer() -> None:
    of = claim()
    server = made(of)
    server["metadata"]["uid"] = "p"
    secret = certificates.secret_for(server, of, ISSUER, world.START)
    assert secret["type"] == "kubernetes.io/tls"
    data = {key: base64.b64decode(text).decode() for key, text in secret["data"].items()}
    leaf, issuer = pki.parse_certificates(data["tls.crt"])
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [
        "cdi-upload-disk", "cdi-upload-disk.ns", "cdi-upload-disk.ns.svc",
    ]  # fmt: skip
    leaf.verify_directly_issued_by(issuer)
    assert leaf.not_valid_after_utc == world.START + timedelta(hours=24)
    assert data["ca.crt"] == world.SIGNER.certificate
    assert secret["metadata"]["ownerReferences"][0]["uid"] == "p"


def test_a_server_makes_way_before_either_side_s_certificates_are_renewed() -> None:
    hour = timedelta(hours=1)
    lifetimes = Lifetimes(server=Lifetime(9 * hour, 5 * hour), client=Lifetime(9 * hour, 3 * hour))
    assert ISSUER.deadline(world.START) == world.START + 12 * hour
    changed = Issuer("cdi", ISSUER.signer, ISSUER.clients, lifetimes)
    assert changed.deadline(world.START) == world.START + 3 * hour


@pytest.mark.parametrize("data", [
    pytest.param({"tls.crt": "!", "tls.key": "!"}, id="no-base64"),
    pytest.param({"tls.crt": "eA==", "tls.key": "eA=="}, id="no-certificate"),
])  # fmt: skip
def test_a_broken_signer_is_named(data: Object) -> None:
    issuer = Issuer("cdi", {"data": data}, ISSUER.clients, DEFAULT)
    with pytest.raises(CannotIssue, match="cdi-uploadserver-signer in namespace cdi"):
        certificates.secret_for(made(), claim(), issuer, world.START)
