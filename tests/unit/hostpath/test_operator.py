"""What becomes of HostPathProvisioners: validated, decided, and what they stand for."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cdi.hostpath.operator import certificate, decide, kinds, manifests, validation
from cdi.hostpath.operator.decide import Seen
from cdi.hostpath.operator.inventory import pools
from cdi.hostpath.operator.inventory.installed import Facts, installed
from cdi.hostpath.operator.settings import (
    InvalidSettings,
    Settings,
    environment_for,
    parse_environment,
)
from cdi.kube.installing.ref import ref_of
from cdi.kube.installing.steps import Create, Remove, Update

VERSION = "v1.2.3"
RUNBOOKS = Path(__file__).parents[3] / "docs" / "runbooks"
SETTINGS = Settings(
    namespace="hpp", version=VERSION, driver_image="cdi:1", provisioner_image="cdi:1"
)
NOW = datetime(2026, 1, 2, tzinfo=UTC)
LOCAL = {"name": "local", "path": "/var/hpp"}


def provisioner(name: str = "hpp", created: str = "2026-01-01T00:00:00Z", **spec: Any) -> Any:
    return {
        "apiVersion": "hostpathprovisioner.kubevirt.io/v1beta1",
        "kind": "HostPathProvisioner",
        "metadata": {"name": name, "uid": name, "creationTimestamp": created},
        "spec": spec or {"storagePools": [LOCAL]},
    }


@pytest.mark.parametrize(("spec", "says"), [
    ({"pathConfig": {"path": "/var/hpp"}}, None),
    ({"storagePools": [LOCAL]}, None),
    ({"storagePools": [LOCAL, {"name": "b", "path": "/b", "snapshotProvider": "reflink"}]}, None),
    ({"pathConfig": {"path": "/x"}, "storagePools": []}, None),
    ({}, "neither"),
    ({"storagePools": []}, "neither"),
    ({"pathConfig": {"path": "/x"}, "storagePools": [LOCAL]}, "both"),
    ({"pathConfig": {"path": ""}}, "path is empty"),
    ({"pathConfig": {}}, "path is empty"),
    ({"pathConfig": {"path": "var/hpp"}}, "absolute"),
    ({"pathConfig": {"path": "/"}}, "absolute"),
    ({"pathConfig": {"path": "/var/../etc"}}, "absolute"),
    ({"storagePools": [{"name": "", "path": "/b"}]}, "name is empty"),
    ({"storagePools": [{"name": "x" * 51, "path": "/b"}]}, "longer than 50"),
    ({"storagePools": [{"name": "a", "path": ""}]}, "path is empty"),
    ({"storagePools": [{"name": "a", "path": "/" + "x" * 255}]}, "longer than 255"),
    ({"storagePools": [{"name": "Upper", "path": "/b"}]}, "lower case"),
    ({"storagePools": [{"name": "a_b", "path": "/b"}]}, "lower case"),
    ({"storagePools": [LOCAL, {"name": "local", "path": "/b"}]}, "name 'local' twice"),
    ({"storagePools": [LOCAL, {"name": "b", "path": "/var/hpp"}]}, "path '/var/hpp' twice"),
    ({"storagePools": [{"name": "a", "path": "/a", "snapshotProvider": "x"}]}, "reflink"),
])  # fmt: skip
def test_what_cannot_be_followed_is_said(spec: Any, says: str | None) -> None:
    found = validation.problems(provisioner(**spec) if spec else {"spec": {}})

    assert bool(found) == (says is not None)
    assert says is None or says in "; ".join(found)


def seen(obj: Any, *current: Any, others: tuple[Any, ...] = (), **settings: Any) -> Seen:
    return Seen(
        provisioner=obj,
        settings=SETTINGS if not settings else Settings(**{**fields(), **settings}),
        others=others,
        current={ref_of(each): each for each in current},
        facts=Facts(),
    )


def fields() -> dict[str, Any]:
    return {name: getattr(SETTINGS, name) for name in Settings.__dataclass_fields__}


def made(obj: Any, ready: bool = True, **settings: Any) -> list[Any]:
    """Everything that a first pass makes, with pods that are ready or not."""
    plan = decide.decide(seen(obj, **settings))
    found = [each.obj for each in plan.steps if isinstance(each, Create)]
    for each in found:
        if each["kind"] == "DaemonSet":
            count = 1 if ready else 0
            each["status"] = {
                "desiredNumberScheduled": 1,
                "numberReady": count,
                "updatedNumberScheduled": 1,
            }
    return found


def names(steps: Any, kind: type = Create) -> set[tuple[str, str]]:
    found = set()
    for step in steps:
        if isinstance(step, kind):
            obj = (
                step.obj
                if isinstance(step, Create)
                else (step.wanted if isinstance(step, Update) else step.seen)
            )
            found.add((obj["kind"], obj["metadata"]["name"]))
    return found


def test_a_pool_needs_the_driver_only() -> None:
    plan = decide.decide(seen(provisioner()))

    assert plan.finalizer
    assert ("DaemonSet", "hostpath-provisioner-csi") in names(plan.steps)
    assert ("DaemonSet", "hostpath-provisioner") not in names(plan.steps)
    assert ("CSIDriver", "kubevirt.io.hostpath-provisioner") in names(plan.steps)
    assert plan.status is not None
    assert plan.status.progressing.holds
    assert not plan.status.available.holds


def test_a_path_needs_both_and_a_change_to_pools_takes_one_away() -> None:
    old = provisioner(pathConfig={"path": "/var/hpp"})
    there = made(old)
    plan = decide.decide(seen(provisioner(), *there))

    assert ("DaemonSet", "hostpath-provisioner") in {
        (each["kind"], each["metadata"]["name"]) for each in there
    }
    assert names(plan.steps, Remove) == {
        ("DaemonSet", "hostpath-provisioner"),
        ("ServiceAccount", "hostpath-provisioner-admin"),
        ("ClusterRole", "hostpath-provisioner"),
        ("ClusterRoleBinding", "hostpath-provisioner"),
    }


def test_it_is_complete_once_all_pods_are_ready() -> None:
    obj = provisioner()
    waiting = decide.decide(seen(obj, *made(obj, ready=False)))
    done = decide.decide(seen(obj, *made(obj)))

    assert waiting.steps == done.steps == ()
    assert waiting.status is not None
    assert "hostpath-provisioner-csi" in waiting.status.progressing.message
    assert done.status is not None
    assert done.status.available.reason == "Complete"
    assert done.status.pools == ("local",)
    assert ("observedVersion", VERSION) in done.versions
    assert [each.reason for each in done.events] == ["ProvisionerHealthy"]


def test_no_node_is_no_trouble() -> None:
    obj = provisioner()
    there = made(obj)
    for each in there:
        if each["kind"] == "DaemonSet":
            each["status"] = {"desiredNumberScheduled": 0}
    plan = decide.decide(seen(obj, *there))

    assert plan.status is not None
    assert plan.status.available.holds
    assert "No node" in plan.status.available.message


def test_what_drifts_is_brought_back_and_what_is_added_stays() -> None:
    obj = provisioner()
    there = made(obj)
    daemon_set = next(each for each in there if each["kind"] == "DaemonSet")
    daemon_set["spec"]["template"]["spec"]["containers"][0]["image"] = "other"
    daemon_set["metadata"]["labels"]["mine"] = "kept"
    del daemon_set["metadata"]["labels"]["app.kubernetes.io/component"]
    plan = decide.decide(seen(obj, *there))

    (step,) = plan.steps
    assert isinstance(step, Update)
    assert step.wanted["spec"]["template"]["spec"]["containers"][0]["image"] == "cdi:1"
    assert step.wanted["metadata"]["labels"]["mine"] == "kept"
    assert step.wanted["metadata"]["labels"]["app.kubernetes.io/component"] == "storage"


def test_a_daemon_set_with_another_selector_is_made_anew() -> None:
    obj = provisioner()
    there = made(obj)
    daemon_set = next(each for each in there if each["kind"] == "DaemonSet")
    daemon_set["spec"]["selector"] = {"matchLabels": {"k8s-app": "hostpath-provisioner"}}

    assert names(decide.decide(seen(obj, *there)).steps, Remove) == {
        ("DaemonSet", "hostpath-provisioner-csi")
    }


def observed(version: str, **spec: Any) -> Any:
    obj = provisioner(**spec)
    obj["status"] = {"observedVersion": version, "conditions": []}
    return obj


def test_an_upgrade_says_so_until_all_is_new() -> None:
    obj = observed("v1.0.0")
    there = made(obj, version="v1.0.0")
    begun = decide.decide(seen(obj, *there))
    obj["status"]["conditions"] = [
        {"type": "Progressing", "status": "True", "reason": "UpgradeStarted"}
    ]
    done = decide.decide(seen(obj, *made(obj)))

    assert begun.status is not None
    assert begun.status.available.holds
    assert begun.status.progressing.reason == "UpgradeStarted"
    assert [each.reason for each in begun.events] == ["UpgradeStarted"]
    assert ("observedVersion", VERSION) in done.versions
    assert done.status is not None
    assert done.status.available.reason == "Complete"


@pytest.mark.parametrize(("obj", "others", "reason"), [
    (observed("v9.0.0"), (), "OperatorDowngraded"),
    (provisioner(storagePools=[{"name": "A", "path": "/x"}]), (), "InvalidSpec"),
    (provisioner("new", "2026-01-02T00:00:00Z"), (provisioner("old"),), "MultipleProvisioners"),
])  # fmt: skip
def test_what_is_refused_changes_nothing(obj: Any, others: Any, reason: str) -> None:
    plan = decide.decide(seen(obj, others=others))

    assert plan.steps == ()
    assert plan.status is not None
    assert plan.status.degraded.reason == reason
    assert not plan.status.available.holds


def test_the_oldest_goes_on() -> None:
    younger = provisioner("new", "2026-01-02T00:00:00Z")

    assert decide.decide(seen(provisioner("old"), others=(younger,))).steps


def test_deletion_takes_pods_first_then_what_is_nobodys_then_lets_go() -> None:
    obj = provisioner()
    there = made(obj)
    obj["metadata"] |= {"deletionTimestamp": "x", "finalizers": [kinds.FINALIZER]}
    first = decide.decide(seen(obj, *there))
    rest = [each for each in there if each["kind"] != "DaemonSet"]
    second = decide.decide(seen(obj, *rest))
    last = decide.decide(seen(obj, *(each for each in rest if each["metadata"].get("namespace"))))

    assert names(first.steps, Remove) == {("DaemonSet", "hostpath-provisioner-csi")}
    assert ("CSIDriver", "kubevirt.io.hostpath-provisioner") in names(second.steps, Remove)
    assert all(not each.seen["metadata"].get("namespace") for each in second.steps)
    assert last.finalizer is False


def test_claims_of_pools_outlive_the_installation() -> None:
    obj = provisioner()
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": "hpp-pool-local-node", "namespace": "hpp",
            "ownerReferences": [{"uid": "hpp", "controller": True}],
        },
    }  # fmt: skip

    assert names(decide.decide(seen(obj, *made(obj), claim)).steps, Remove) == set()


def test_the_driver_is_told_of_its_pools() -> None:
    obj = provisioner(
        storagePools=[LOCAL, {"name": "x" * 50, "path": "/x", "snapshotProvider": "reflink"}],
        workload={"nodeSelector": {"a": "b"}, "tolerations": [{"operator": "Exists"}]},
    )
    found = {each["metadata"]["name"]: each for each in installed(SETTINGS, obj)}
    pod = found["hostpath-provisioner-csi"]["spec"]["template"]["spec"]
    variables = {each["name"]: each.get("value") for each in pod["containers"][0]["env"]}
    told = json.loads(variables["PV_DIR"])
    paths = {each["name"]: each["hostPath"]["path"] for each in pod["volumes"]}

    assert told[0] == {"name": "local", "path": "/local-data-dir/csi", "shared": False}
    assert paths["local-data-dir"] == "/var/hpp"
    assert told[1]["snapshotProvider"] == "reflink"
    assert all(len(name) <= 63 for name in paths)
    assert pod["nodeSelector"] == {"a": "b"}
    assert pod["tolerations"] == [{"operator": "Exists"}]


def test_what_only_some_clusters_have_is_made_there_only() -> None:
    obj = provisioner(pathConfig={"path": "/x"})
    everything = installed(SETTINGS, obj, Facts(has_constraints=True, has_monitoring=True))
    kinds_there = {each["kind"] for each in everything}
    rules = next(each for each in everything if each["kind"] == "PrometheusRule")
    alerts = {each["alert"] for each in rules["spec"]["groups"][0]["rules"]}

    assert {"SecurityContextConstraints", "PrometheusRule", "ServiceMonitor"} <= kinds_there
    assert {"HPPOperatorDown", "HPPNotReady", "HPPSharingPoolPathWithOS"} <= alerts
    assert alerts == {each.stem for each in RUNBOOKS.glob("HPP*.md")}
    assert "SecurityContextConstraints" not in {each["kind"] for each in installed(SETTINGS, obj)}


def test_the_operator_may_grant_what_it_grants() -> None:
    """Kubernetes refuses a role from whoever does not have what is in it."""
    printed = {
        (each["kind"], each["metadata"]["name"]): each
        for each in manifests.operator_objects(SETTINGS)
    }
    own = {
        kind: allowed(printed[kind, manifests.NAME]["rules"]) for kind in ("ClusterRole", "Role")
    }
    obj = provisioner(pathConfig={"path": "/x"})
    for each in installed(SETTINGS, obj, Facts(has_constraints=True, has_monitoring=True)):
        if each["kind"] in ("ClusterRole", "Role"):
            missing = allowed(each["rules"]) - own["ClusterRole"]
            assert missing <= (own["Role"] if each["kind"] == "Role" else set())


def allowed(rules: Any) -> set[tuple[str, str, str]]:
    return {
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_what_is_printed_takes_the_webhook_along() -> None:
    """Left behind, it would have every change refused for want of somebody to ask."""
    printed = {each["kind"]: each for each in manifests.operator_objects(SETTINGS)}

    assert printed["ValidatingWebhookConfiguration"]["metadata"]["name"] == (
        certificate.CONFIGURATION
    )
    assert "webhooks" not in printed["ValidatingWebhookConfiguration"]


def test_settings_survive_the_environment() -> None:
    assert parse_environment(environment_for(SETTINGS), "hpp", {}) == SETTINGS


@pytest.mark.parametrize(
    "change",
    [
        {"OPERATOR_IMAGE": ""},
        {"OPERATOR_VERSION": ""},
        {"PULL_POLICY": "Sometimes"},
        {"RUNBOOK_URL_TEMPLATE": "none"},
        {"KUBELET_DIR": "relative"},
        {"VERBOSITY": "loud"},
    ],
)
def test_settings_that_cannot_be_followed_name_the_variable(change: dict[str, str]) -> None:
    with pytest.raises(InvalidSettings, match=next(iter(change))):
        parse_environment(environment_for(SETTINGS) | change, "hpp", {})


@pytest.mark.parametrize(("name", "short"), [("local", "local-data-dir"), ("x" * 55, None)])
def test_names_are_shortened_by_a_hash(name: str, short: str | None) -> None:
    found = pools.shortened(name, "data-dir")

    assert len(found) <= 63
    assert found == short or f"{pools.fnv1a(name):08x}" in found


def test_a_certificate_is_used_for_two_thirds_of_its_life() -> None:
    keeper = certificate.WebhookCertificate(None, SETTINGS, Stopped())  # type: ignore[arg-type]
    held = keeper._made()
    secret = {"data": {
        key: encoded(text)
        for key, text in (
            ("tls.crt", held.pair.certificate), ("tls.key", held.pair.key),
            ("ca.crt", held.authority),
        )
    }}  # fmt: skip
    hosts = keeper._hosts()

    assert certificate.parse_secret(secret, hosts, NOW) == held
    assert certificate.parse_secret(secret, hosts, NOW + timedelta(days=300)) is None
    assert certificate.parse_secret(secret, hosts, NOW - timedelta(days=1)) is None
    assert certificate.parse_secret(secret, ["elsewhere"], NOW) is None
    assert certificate.parse_secret({"data": {"tls.crt": "x"}}, hosts, NOW) is None
    assert certificate.parse_secret(None, hosts, NOW) is None


class Stopped:
    def wall(self) -> datetime:
        return NOW


def encoded(text: str) -> str:
    import base64

    return base64.b64encode(text.encode()).decode()
