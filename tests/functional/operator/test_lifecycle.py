"""An operator against an API server: what becomes of CDI objects and of what they stand for."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json

import pytest

from cdi.operator import strategy
from support.fakekube import FakeKube, Fault
from support.installation import NAMESPACE, VERSION, world

WORKERS = ("importer", "cdi-upload-server", "cdi-clone-source")


def test_a_cdi_object_becomes_an_installation():
    async def check():
        async with world() as cluster:
            cluster.create()
            await cluster.until(lambda: cluster.phase() == "Deploying")
            assert cluster.holds("Progressing")
            await cluster.installed()
            status = cluster.cdi()["status"]
            assert status["phase"] == "Deployed"
            assert [each["type"] for each in status["conditions"]] == [
                "Available",
                "Progressing",
                "Degraded",
            ]
            assert [each["status"] for each in status["conditions"]] == ["True", "False", "False"]
            assert all(each["reason"] and each["message"] for each in status["conditions"])
            versions = ("operatorVersion", "targetVersion", "observedVersion")
            assert [status[each] for each in versions] == [VERSION] * 3
            assert cluster.cdi()["metadata"]["finalizers"] == ["operator.cdi.kubevirt.io"]
            await cluster.until(lambda: 1 in cluster.readiness)

    asyncio.run(check())


def test_webhooks_and_services_trust_one_authority_before_it_is_available():
    async def check():
        async with world() as cluster:
            cluster.create()
            await cluster.installed()
            for plural in ("validatingwebhookconfigurations", "mutatingwebhookconfigurations"):
                for each in cluster.server.objects(plural).values():
                    assert each["webhooks"][0]["clientConfig"]["caBundle"]
            bundle = cluster.server.objects("configmaps")[NAMESPACE, "cdi-apiserver-signer-bundle"]
            assert "BEGIN CERTIFICATE" in bundle["data"]["ca-bundle.crt"]
            secret = cluster.server.objects("secrets")[NAMESPACE, "cdi-apiserver-server-cert"]
            assert secret["data"]["tls.crt"]

    asyncio.run(check())


def test_nothing_is_written_while_nothing_changes():
    async def check():
        async with world() as cluster:
            cluster.create()
            await cluster.installed()
            before = len(cluster.server.requests)
            # A change that matters to nobody makes the operator look again.
            cluster.change("configmaps", "cdi-config", NAMESPACE, data={"theirs": "x"})
            await cluster.server.notify()
            await cluster.until(
                lambda: (
                    sum(
                        each.path.endswith("/secrets/cdi-uploadserver-client-cert")
                        for each in cluster.server.requests[before:]
                    )
                    > 0
                )
            )
            writes = [
                (each.verb, each.path)
                for each in cluster.server.requests[before:]
                if each.verb not in ("get", "list", "watch")
                and "/leases/" not in each.path
                and "/events" not in each.path
            ]
            assert writes == []

    asyncio.run(check())


@pytest.mark.parametrize(
    ("plural", "name", "namespace", "path", "value"),
    [
        ("deployments", "cdi-deployment", NAMESPACE, ("spec", "replicas"), 7),
        ("services", "cdi-api", NAMESPACE, ("spec", "selector"), {"a": "b"}),
        ("clusterroles", "cdi", "", ("rules",), []),
        ("serviceaccounts", "cdi-sa", NAMESPACE, ("metadata", "labels"), {}),
    ],
)
def test_drift_is_reverted(plural, name, namespace, path, value):
    async def check():
        async with world() as cluster:
            cluster.create()
            await cluster.installed()
            found = json.loads(json.dumps(cluster.server.objects(plural)[namespace, name]))
            at = found
            for step in path[:-1]:
                at = at[step]
            before, at[path[-1]] = at[path[-1]], value
            cluster.server.put(plural, found)
            await cluster.server.notify()

            def restored():
                at = cluster.server.objects(plural)[namespace, name]
                for step in path:
                    at = at[step]
                return at == before

            await cluster.until(restored)

    asyncio.run(check())


def test_a_deleted_object_comes_back():
    async def check():
        async with world() as cluster:
            cluster.create()
            await cluster.installed()
            cluster.server.drop("services", "cdi-api", NAMESPACE)
            await cluster.server.notify()
            await cluster.until(
                lambda: (NAMESPACE, "cdi-api") in cluster.server.objects("services")
            )

    asyncio.run(check())


def test_an_emptied_bundle_is_filled_again():
    async def check():
        async with world() as cluster:
            cluster.create()
            await cluster.installed()
            name = "cdi-uploadserver-signer-bundle"
            cluster.change("configmaps", name, NAMESPACE, data={})
            await cluster.server.notify()
            await cluster.until(
                lambda: cluster.server.objects("configmaps")[NAMESPACE, name]["data"]
            )

    asyncio.run(check())


def test_pods_that_are_not_ready_degrade_what_stays_available():
    async def check():
        async with world() as cluster:
            cluster.create()
            await cluster.installed()
            cluster.start_pods(ready=0)
            await cluster.server.notify()
            await cluster.until(lambda: cluster.holds("Degraded"))
            assert cluster.holds("Available")
            assert "cdi-deployment" in cluster.said()["Degraded"]["message"]
            cluster.start_pods()
            await cluster.server.notify()
            await cluster.until(lambda: not cluster.holds("Degraded"))

    asyncio.run(check())


def test_a_second_cdi_object_is_refused_and_takes_over_when_the_first_is_gone():
    async def check():
        async with world() as cluster:
            cluster.create("first")
            await cluster.installed("first")
            cluster.create("second")
            await cluster.server.notify()
            await cluster.until(lambda: cluster.phase("second") == "Error")
            assert cluster.said("second")["Degraded"]["reason"] == "ConfigError"
            assert "'first' owns the installation" in cluster.said("second")["Degraded"]["message"]
            assert not cluster.cdi("second")["metadata"].get("finalizers")
            await _deleted(cluster, "first")
            await cluster.until(lambda: cluster.phase("second") == "Deploying")
            await cluster.installed("second")

    asyncio.run(check())


async def _deleted(cluster, name="cdi"):
    metadata = {**cluster.cdi(name)["metadata"], "deletionTimestamp": "2020-01-01T00:00:00Z"}
    cluster.change("cdis", name, metadata=metadata)
    await cluster.server.notify()
    await cluster.until(lambda: cluster.cdi(name) is None)
    cluster.collect()
    await cluster.server.notify()


def test_an_installation_can_be_removed_and_made_again():
    async def check():
        async with world() as cluster:
            for _ in range(3):
                cluster.create()
                await cluster.installed()
                await _deleted(cluster)
                assert cluster.server.objects("customresourcedefinitions") == {}
                assert cluster.server.objects("deployments") == {}

    asyncio.run(check())


def test_workers_go_before_the_cdi_object_does():
    async def check():
        async with world() as cluster:
            cluster.create()
            await cluster.installed()
            for word in (*WORKERS, "somebody"):
                for plural, kind in (("pods", "Pod"), ("services", "Service")):
                    metadata = {
                        "name": word,
                        "namespace": "users",
                        "labels": {"cdi.kubevirt.io": word},
                    }
                    cluster.server.put(
                        plural, {"apiVersion": "v1", "kind": kind, "metadata": metadata}
                    )
            await _deleted(cluster)
            for plural in ("pods", "services"):
                users = [key[1] for key in cluster.server.objects(plural) if key[0] == "users"]
                assert users == ["somebody"]

    asyncio.run(check())


HELD = {
    "datavolumes": ("cdi.kubevirt.io/v1beta1", "DataVolume", "dataVolumeFinalizer"),
    "dataimportcrons": ("cdi.kubevirt.io/v1beta1", "DataImportCron", "dataImportCron"),
    "objecttransfers": ("cdi.kubevirt.io/v1beta1", "ObjectTransfer", "objectTransfer"),
    "persistentvolumeclaims": ("v1", "PersistentVolumeClaim", "clonePopulator"),
}
THEIRS = "example.com/theirs"


def held(plural, name="held", **metadata):
    """An object that a controller of ours holds, and somebody else, too."""
    api_version, kind, word = HELD[plural]
    namespaced = {} if plural == "objecttransfers" else {"namespace": "users"}
    metadata = {"finalizers": [THEIRS, f"cdi.kubevirt.io/{word}"], **metadata}
    metadata = {"name": name, **namespaced, **metadata}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


@pytest.mark.parametrize("faults", [(), ("patch", "list")], ids=["smoothly", "refused-at-first"])
def test_nothing_stays_held_by_controllers_that_have_gone(faults):
    async def check():
        async with world() as cluster:
            cluster.create()
            await cluster.installed()
            for plural in HELD:
                cluster.server.put(plural, held(plural))
            for verb in faults:
                cluster.server.faults.append(Fault(verb=verb, path="/datavolumes", code=500))
            await _deleted(cluster)
            for plural in HELD:
                (found,) = cluster.server.objects(plural).values()
                assert found["metadata"]["finalizers"] == [THEIRS]

    asyncio.run(check())


def test_what_was_made_for_a_clone_goes_with_the_installation():
    async def check():
        async with world() as cluster:
            cluster.create()
            await cluster.installed()
            target = cluster.server.put("persistentvolumeclaims", held("persistentvolumeclaims"))
            for name, owner in (("temporary", target["metadata"]["uid"]), ("other", "x")):
                made = {"finalizers": [], "labels": {"cdi.kubevirt.io/OwnedByUID": owner}}
                temporary = held("persistentvolumeclaims", name, **made)
                cluster.server.put("persistentvolumeclaims", temporary)
            await _deleted(cluster)
            left = {name for _, name in cluster.server.objects("persistentvolumeclaims")}
            assert left == {"held", "other"}

    asyncio.run(check())


def test_webhooks_go_before_what_they_would_be_asked_about_is_let_go():
    async def check():
        async with world() as cluster:
            cluster.create()
            await cluster.installed()
            cluster.server.put("datavolumes", held("datavolumes"))
            await _deleted(cluster)
            written = [(each.verb, each.path) for each in cluster.server.requests]
            patched = [n for n, (verb, path) in enumerate(written)
                       if verb == "patch" and path.endswith("/datavolumes/held")]  # fmt: skip
            gone = [n for n, (verb, path) in enumerate(written)
                    if verb == "delete" and "webhookconfig" in path]  # fmt: skip
            assert gone
            assert max(gone) < min(patched)

    asyncio.run(check())


def test_what_is_left_of_the_installation_before_is_waited_for():
    async def check():
        async with world() as cluster:
            orphan = {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {
                    "name": "cdi-api",
                    "namespace": NAMESPACE,
                    "labels": {"operator.cdi.kubevirt.io/createVersion": "v0"},
                    "ownerReferences": [
                        {"kind": "CDI", "name": "cdi", "uid": "gone", "controller": True}
                    ],
                },
            }
            cluster.server.put("services", orphan)
            cluster.create()
            await cluster.until(lambda: cluster.holds("Progressing"))
            assert "Service cdi-api" in cluster.said()["Progressing"]["message"]
            assert (NAMESPACE, "cdi-config") not in cluster.server.objects("configmaps")
            cluster.collect()
            await cluster.server.notify()
            await cluster.installed()

    asyncio.run(check())


def test_a_step_that_fails_is_told_and_holds_up_no_other():
    async def check():
        async with world() as cluster:
            cluster.server.faults.append(
                Fault(verb="create", path="/serviceaccounts", code=403, times=3)
            )
            cluster.create()
            await cluster.until(lambda: cluster.holds("Degraded"))
            assert "simulated" in cluster.said()["Degraded"]["message"]
            assert (NAMESPACE, "cdi-api") in cluster.server.objects("services")
            await cluster.installed()
            assert not cluster.holds("Degraded")

    asyncio.run(check())


def test_an_invalid_patch_degrades_and_does_not_block_deletion():
    async def check():
        async with world() as cluster:
            wrong = {"resourceType": "*", "resourceName": "*", "type": "json", "patch": "{"}
            cluster.create(customizeComponents={"patches": [wrong]})
            await cluster.installed()
            await cluster.until(lambda: cluster.holds("Degraded"))
            assert cluster.said()["Degraded"]["reason"] == "InvalidCustomization"
            await _deleted(cluster)

    asyncio.run(check())


def test_a_newer_operator_upgrades_and_removes_leftovers():
    async def check():
        async with FakeKube() as server:
            async with world("v1.0.0", server) as old:
                old.create()
                await old.installed()
                uid = old.cdi()["metadata"]["uid"]
            owner = {"kind": "CDI", "name": "cdi", "uid": uid, "controller": True}
            mark = {"operator.cdi.kubevirt.io/createVersion": "v1.0.0"}
            for name, labels, owned in (("left", mark, [owner]), ("theirs", {}, [owner])):
                metadata = {
                    "name": name,
                    "namespace": NAMESPACE,
                    "labels": labels,
                    "ownerReferences": owned,
                }
                server.put(
                    "services", {"apiVersion": "v1", "kind": "Service", "metadata": metadata}
                )
            async with world("v2.0.0", server) as new:
                await new.until(lambda: new.phase() == "Upgrading")
                assert new.holds("Available")
                assert new.cdi()["status"]["observedVersion"] == "v1.0.0"
                await new.until(lambda: new.phase() == "Deployed")
                assert new.cdi()["status"]["observedVersion"] == "v2.0.0"
                left = [key[1] for key in server.objects("services")]
                assert "left" not in left
                assert "theirs" in left

    asyncio.run(check())


def test_an_older_operator_touches_nothing_and_says_so():
    async def check():
        async with FakeKube() as server:
            async with world("v2.0.0", server) as new:
                new.create()
                await new.installed()
            server.drop("services", "cdi-api", NAMESPACE)
            async with world("v1.0.0", server) as old:
                await old.until(lambda: old.holds("Degraded"))
                assert old.said()["Degraded"]["reason"] == "OperatorDowngraded"
                assert old.holds("Available")
                assert (NAMESPACE, "cdi-api") not in server.objects("services")

    asyncio.run(check())


def test_old_storage_versions_are_written_anew():
    async def check():
        async with world() as cluster:
            definition = {
                "apiVersion": "apiextensions.k8s.io/v1",
                "kind": "CustomResourceDefinition",
                "metadata": {"name": "datavolumes.cdi.kubevirt.io"},
                "spec": {
                    "group": "cdi.kubevirt.io",
                    "scope": "Namespaced",
                    "names": {"plural": "datavolumes", "kind": "DataVolume"},
                    "versions": [{"name": "v1alpha1", "served": True, "storage": True}],
                },
                "status": {"storedVersions": ["v1alpha1"]},
            }
            cluster.server.put("customresourcedefinitions", definition)
            cluster.create()

            def stored():
                found = cluster.server.objects("customresourcedefinitions")
                return found["", "datavolumes.cdi.kubevirt.io"]["status"]["storedVersions"]

            await cluster.until(lambda: stored() == ["v1beta1"])
            await cluster.installed()
            found = cluster.server.objects("customresourcedefinitions")
            versions = found["", "datavolumes.cdi.kubevirt.io"]["spec"]["versions"]
            assert [each["name"] for each in versions] == ["v1beta1"]

    asyncio.run(check())


def test_a_cdi_object_that_says_nothing_takes_over_what_cdiconfig_says():
    async def check():
        async with world() as cluster:
            config = {
                "apiVersion": "cdi.kubevirt.io/v1beta1",
                "kind": "CDIConfig",
                "metadata": {"name": "config"},
                "spec": {"preallocation": True},
            }
            cluster.server.put("cdiconfigs", config)
            cluster.create()
            await cluster.installed()
            assert cluster.cdi()["spec"]["config"] == {"preallocation": True}
            given = cluster.cdi()["metadata"]["annotations"]
            assert given["cdi.kubevirt.io/configAuthority"] == ""

    asyncio.run(check())


def test_rendering_is_switched_off_and_on():
    async def check():
        async with world() as cluster:
            cluster.create()
            await cluster.installed()
            key = ("", "cdi-api-pvc-mutate")
            configurations = "mutatingwebhookconfigurations"
            assert key in cluster.server.objects(configurations)
            cluster.change("cdis", "cdi", spec={"config": {"webhookPvcRendering": "Disabled"}})
            await cluster.server.notify()
            await cluster.until(lambda: key not in cluster.server.objects(configurations))
            cluster.change("cdis", "cdi", spec={})
            await cluster.server.notify()
            await cluster.until(lambda: key in cluster.server.objects(configurations))

    asyncio.run(check())


def test_everything_wanted_is_dumped_for_who_asks():
    async def check():
        async with world(dump=True) as cluster:
            cluster.create()
            await cluster.installed()
            packed = cluster.server.objects("configmaps")[NAMESPACE, strategy.NAME]["binaryData"]
            text = gzip.decompress(base64.b64decode(packed[strategy.KEY])).decode()
            dumped = [json.loads(each) for each in text.split("---\n") if each]
            roles = {
                name: found["rules"]
                for (_, name), found in cluster.server.objects("clusterroles").items()
            }
            told = {
                each["metadata"]["name"]: each["rules"]
                for each in dumped
                if each["kind"] == "ClusterRole"
            }
            assert told == roles
            assert len([each for each in dumped if each["kind"] == "Deployment"]) == 3

    asyncio.run(check())


def test_nothing_is_dumped_unless_asked_for():
    async def check():
        async with world() as cluster:
            cluster.create()
            await cluster.installed()
            assert (NAMESPACE, strategy.NAME) not in cluster.server.objects("configmaps")

    asyncio.run(check())
