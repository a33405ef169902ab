"""Copies over the network: what happens next follows from the claim and its clone source."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509

from cdi import pki
from cdi.api import annotations as known
from cdi.controllers import plan
from cdi.controllers.clonesource import CLAIM, CloneSource
from cdi.controllers.cloning import sending
from cdi.controllers.cloning.sending import Seen
from cdi.controllers.cloning.sendingkeys import CannotIssue, Issuer
from cdi.controllers.origins import restored
from cdi.controllers.origins.origin import Origin
from cdi.controllers.settings import Settings
from cdi.controllers.working.context import Context
from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.storage import lifetimes

NOW = datetime(2030, 1, 1, tzinfo=UTC)
SETTINGS = Settings(worker_image="registry.example/cdi:1")
HELD = ["cdi.kubevirt.io/cloneSource"]
READY = {known.POD_READY: "true", known.POD_PHASE: "Running"}
COMING = {known.POD_READY: "false", known.POD_PHASE: "Running"}
PENDING = {known.POD_READY: "false", known.POD_PHASE: "Pending"}
SOURCE = {
    "metadata": {"name": "src", "namespace": "golden", "uid": "u-src"},
    "spec": {"volumeMode": "Block", "resources": {"requests": {"storage": "1Gi"}}},
    "status": {"phase": "Bound"},
}


def signer() -> Object:
    made = pki.make_authority("clients", NOW, timedelta(days=2))
    encoded = {"tls.crt": made.certificate, "tls.key": made.key}
    return {"data": {k: base64.b64encode(v.encode()).decode() for k, v in encoded.items()}}


ISSUER = Issuer(
    "cdi", signer(), {"data": {"ca-bundle.crt": "PEM"}}, lifetimes.parse_lifetimes(None)
)


def claim(*, held: bool = True, **given: str) -> Object:
    return {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": "dv", "namespace": "ns", "uid": "u",
            "annotations": {known.CLONE_REQUEST: "golden/src", **given},
            "finalizers": HELD if held else [],
        },
        "spec": {"volumeMode": "Block", "resources": {"requests": {"storage": "1Gi"}}},
        "status": {"phase": "Bound"},
    }  # fmt: skip


def pod(phase: str) -> Object:
    return {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "u-source-pod", "namespace": "golden", "uid": "p"},
        "status": {"phase": phase},
    }  # fmt: skip


def trusting(authority: str) -> Object:
    """A pod that runs, and was told by what servers are known."""
    container = {"name": "cdi-clone-source", "env": [
        {"name": "SERVER_CA_CERT", "value": authority}
    ]}  # fmt: skip
    return {**pod("Running"), "spec": {"containers": [container]}}


def failed(of: Object) -> Object:
    """A pod whose container waits for its next start."""
    told = {
        "name": "cdi-clone-source", "ready": False, "restartCount": 1,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 1, "message": "not reached"}},
    }  # fmt: skip
    return {**of, "status": {**of["status"], "containerStatuses": [told]}}


def seen(of: Object, **fields: Any) -> Seen:
    fields.setdefault("origin", Origin(CloneSource(CLAIM, "golden", "src"), SOURCE))
    fields.setdefault("issuer", ISSUER)
    return Seen(claim=of, context=Context(SETTINGS), now=NOW, **fields)


def kinds(of: plan.Plan) -> list[str]:
    return [
        f"{type(each).__name__} {each.resource.kind}"
        for each in of.steps  # type: ignore[union-attr]
    ]


@pytest.mark.parametrize(
    ("at", "steps"),
    [
        pytest.param(seen(claim()), [], id="its-server-is-not-ready"),
        pytest.param(seen(claim(**PENDING)), [], id="its-server-does-not-run"),
        pytest.param(
            seen(claim(held=False, **READY)), ["Change PersistentVolumeClaim"], id="held-first"
        ),
        pytest.param(seen(claim(**COMING)), ["Create Pod"], id="its-server-comes-up"),
        pytest.param(
            seen(claim(**COMING), pod=trusting("OLD")), ["Remove Pod"], id="and-is-not-known"
        ),
        pytest.param(
            seen(claim(**PENDING), pod=trusting("OLD")), ["Remove Pod"], id="nor-will-the-next-be"
        ),
        pytest.param(seen(claim(**PENDING), pod=trusting("PEM")), [], id="or-it-will"),
        pytest.param(seen(claim(**READY), pod=trusting("OLD")), [], id="but-it-was-when-it-began"),
        pytest.param(
            seen(claim(**READY), pod=failed(trusting("OLD"))), ["Remove Pod"], id="until-it-failed"
        ),
        pytest.param(seen(claim(**READY)), ["Create Pod"], id="then-the-source-is-made"),
        pytest.param(seen(claim(**READY), refused="no"), [], id="unless-it-may-not-be"),
        pytest.param(
            seen(claim(**READY), pod=pod("Pending")), ["Create Secret"], id="which-needs-keys"
        ),
        pytest.param(seen(claim(**READY), pod=pod("Running")), [], id="sends"),
        pytest.param(seen(claim(**READY), pod=pod("Failed")), ["Remove Pod"], id="is-made-anew"),
        pytest.param(
            seen(claim(**{known.POD_PHASE: "Succeeded"}), pod=pod("Running")), [], id="is-told"
        ),
        pytest.param(
            seen(claim(**{known.POD_PHASE: "Succeeded"}), pod=failed(pod("Running"))),
            ["Remove Pod"], id="or-has-missed-it",
        ),
        pytest.param(
            seen(claim(**READY), pod=failed(pod("Running"))),
            ["Change PersistentVolumeClaim"], id="sends-again-while-there-is-a-server",
        ),
        pytest.param(
            seen(claim(**{known.POD_PHASE: "Succeeded"}), pod=pod("Succeeded")),
            ["Change PersistentVolumeClaim"], id="and-is-over",
        ),
        pytest.param(
            seen(claim(**{known.CLONE_OF: "true"}), pod=pod("Succeeded")),
            ["Remove Pod", "Change PersistentVolumeClaim"], id="it-goes-and-lets-go",
        ),
        pytest.param(
            seen(claim(**{known.CLONE_OF: "true", known.RETAIN_AFTER_COMPLETION: "true"}),
                 pod=pod("Succeeded")),
            ["Change PersistentVolumeClaim"], id="or-stays",
        ),
        pytest.param(seen(claim(held=False, **{known.CLONE_OF: "true"})), [], id="nothing-is-left"),
    ],
)  # fmt: skip
def test_what_happens_next(at: Seen, steps: list[str]) -> None:
    assert kinds(sending.decide(at)) == steps


def test_the_source_is_told_where_to_send() -> None:
    made = sending.decide(seen(claim(**READY))).steps[0]
    assert isinstance(made, plan.Create)
    assert objects.key(made.object) == ("golden", "u-source-pod")
    container = made.object["spec"]["containers"][0]
    told = {each["name"]: each.get("value") for each in container["env"]}
    assert told["UPLOAD_URL"] == "https://cdi-upload-dv.ns.svc:8443/v1beta1/upload"
    assert (told["SERVER_CA_CERT"], told["VOLUME_MODE"]) == ("PEM", "block")
    assert told["MOUNT_POINT"] == container["volumeDevices"][0]["devicePath"]


def test_its_certificate_is_for_this_one_claim() -> None:
    made = sending.decide(seen(claim(**READY), pod=pod("Pending"))).steps[0]
    assert isinstance(made, plan.Create)
    text = base64.b64decode(made.object["data"]["tls.crt"])
    assert pki.common_name(x509.load_pem_x509_certificates(text)[0]) == "golden/src-ns/dv"
    assert objects.metadata(made.object)["ownerReferences"][0]["uid"] == "p"


def test_the_source_gets_its_keys_as_soon_as_it_has_a_uid() -> None:
    create = sending.decide(seen(claim(**READY))).steps[0]
    assert isinstance(create, plan.Create)
    assert create.made is not None
    (secret,) = create.made(pod("Pending")).steps
    assert isinstance(secret, plan.Create)
    assert (secret.object["kind"], objects.name(secret.object)) == ("Secret", "u-source-pod")
    assert objects.metadata(secret.object)["ownerReferences"][0]["uid"] == "p"


def test_without_an_installation_it_says_what_is_missing() -> None:
    bare = Issuer("cdi", None, None, lifetimes.parse_lifetimes(None))
    failure = sending.decide(seen(claim(**READY), issuer=bare)).failure
    assert isinstance(failure, CannotIssue)
    assert "cdi-uploadserver-client-signer" in str(failure)


RESTORED = {
    "metadata": {
        "name": "uid-host-assisted-source-pvc", "namespace": "golden", "uid": "u-restored",
        "labels": {"cdi.kubevirt.io": (
            "cdi-clone-from-snapshot-source-host-assisted-fallback-pvc"
        )},
        "annotations": {known.OWNED_BY_DATA_VOLUME: "ns/dv"},
    },
    "spec": {
        "storageClassName": "late", "resources": {"requests": {"storage": "1Gi"}},
        "dataSourceRef": {
            "apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "snap",
        },
    },
    "status": {"phase": "Pending"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        pytest.param({}, "VolumeSnapshot golden/snap", id="its-snapshot"),
        pytest.param(
            {"metadata": {**RESTORED["metadata"], "annotations": {
                known.OWNED_BY_DATA_VOLUME: "ns/other"}}},
            "PersistentVolumeClaim golden/src", id="not-for-another-target",
        ),
        pytest.param(
            {"metadata": {**RESTORED["metadata"], "labels": {}}},
            "PersistentVolumeClaim golden/src", id="only-if-restored",
        ),
        pytest.param(
            {"spec": {"dataSourceRef": {"kind": "VolumeSnapshot", "name": "snap"}}},
            "PersistentVolumeClaim golden/src", id="only-a-snapshot",
        ),
    ],
)  # fmt: skip
def test_a_restored_claim_is_copied_with_the_permission_for(change: Object, wanted: str) -> None:
    source = CloneSource(CLAIM, "golden", "src")
    found = restored.permitted_by(source, {**RESTORED, **change}, objects.Key("ns", "dv"))
    assert str(found) == wanted


@pytest.mark.parametrize(("mode", "made"), [("WaitForFirstConsumer", True), ("Immediate", False)])
def test_a_restored_claim_may_be_bound_by_its_reader(mode: str, made: bool) -> None:
    late = {"metadata": {"name": "late"}, "provisioner": "x", "volumeBindingMode": mode}
    origin = Origin(CloneSource(CLAIM, "golden", "src"), RESTORED)
    target = claim(**READY)
    target["spec"]["volumeMode"] = "Filesystem"
    wanted = sending.decide(seen(target, origin=origin, classes=[late]))
    assert bool(wanted.steps) is made
