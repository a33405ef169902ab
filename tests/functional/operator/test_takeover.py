"""An operator in place of another one: it adopts what is there, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json

import pytest

from cdi.operator import kinds
from cdi.operator.inventory import deployments
from support import another
from support.fakekube import FakeKube, Fault
from support.installation import NAMESPACE, serve, world

OURS = "v0.1.0"
PLURALS = {
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
    "Role": "roles",
    "RoleBinding": "rolebindings",
    "Service": "services",
    "ServiceAccount": "serviceaccounts",
    "Deployment": "deployments",
    "ConfigMap": "configmaps",
    "Secret": "secrets",
    "APIService": "apiservices",
    "CustomResourceDefinition": "customresourcedefinitions",
    "ValidatingWebhookConfiguration": "validatingwebhookconfigurations",
    "MutatingWebhookConfiguration": "mutatingwebhookconfigurations",
    "PrometheusRule": "prometheusrules",
    "ServiceMonitor": "servicemonitors",
}


def put(server: FakeKube, *found):
    for each in found:
        server.put(PLURALS[each["kind"]], each)


def occupied(server: FakeKube, **of_cdi):
    """The cluster as another operator has left it; returns the CDI object."""
    serve(server, kinds.SERVICE_MONITORS, kinds.PROMETHEUS_RULES)
    cdi = server.put("cdis", another.cdi_object(**of_cdi))
    found = another.installation(cdi, NAMESPACE)
    put(server, *found)
    controllers = server.objects("deployments")[NAMESPACE, deployments.CONTROLLER]
    put(server, *another.given_to(controllers, found))
    return cdi


def left_of(server: FakeKube):
    return [
        name
        for _, kind, name, namespaced in another.LEFTOVERS
        if (NAMESPACE if namespaced else "", name) in server.objects(PLURALS[kind])
    ]


def programs(server: FakeKube):
    found = server.objects("deployments")
    return {
        name: found[NAMESPACE, name]["spec"]["template"]["spec"]["containers"][0].get("command")
        for name in deployments.NAMES
    }


async def taken_over(cluster):
    """Play kubelet until it is done."""
    await cluster.until(lambda: all(programs(cluster.server).values()))
    cluster.start_pods()
    await cluster.server.notify()
    await cluster.until(lambda: cluster.phase() == "Deployed" and cluster.holds("Available"))


@pytest.mark.parametrize("ours", [OURS, another.VERSION, "v9.0.0", "devel"])
def test_what_another_operator_has_made_is_adopted_whatever_its_version(ours):
    async def check():
        async with FakeKube() as server:
            before = occupied(server)
            async with world(ours, server) as cluster:
                await cluster.until(lambda: cluster.phase() == "Upgrading")
                assert cluster.holds("Available")
                await taken_over(cluster)
                after = cluster.cdi()
                assert after["metadata"]["uid"] == before["metadata"]["uid"]
                assert after["spec"] == before["spec"]
                assert after["metadata"]["finalizers"] == ["operator.cdi.kubevirt.io"]
                assert after["status"]["observedVersion"] == ours
                assert [each["type"] for each in after["status"]["conditions"]] == [
                    "Available",
                    "Progressing",
                    "Degraded",
                ]
                await cluster.until(lambda: not cluster.holds("Degraded"))
                await cluster.until(lambda: left_of(server) == [])

    asyncio.run(check())


def test_nothing_of_the_other_programs_is_left_in_the_deployments():
    async def check():
        async with FakeKube() as server:
            occupied(server)
            async with world(OURS, server) as cluster:
                await taken_over(cluster)
            async with world(OURS) as fresh:
                fresh.create(config={"featureGates": ["HonorWaitForFirstConsumer"]})
                await fresh.installed()
                for name in deployments.NAMES:
                    made = fresh.server.objects("deployments")[NAMESPACE, name]
                    found = server.objects("deployments")[NAMESPACE, name]
                    assert found["spec"]["template"] == made["spec"]["template"]

    asyncio.run(check())


def test_definitions_and_what_is_stored_in_them_stay():
    async def check():
        async with FakeKube() as server:
            occupied(server)
            kept = {
                name: each["metadata"]["uid"]
                for (_, name), each in server.objects("customresourcedefinitions").items()
            }
            async with world(OURS, server) as cluster:
                await taken_over(cluster)
            deleted = [each.path for each in server.requests if each.verb == "delete"]
            assert not any("customresourcedefinitions" in path for path in deleted)
            after = server.objects("customresourcedefinitions")
            assert {name: each["metadata"]["uid"] for (_, name), each in after.items()} == kept

    asyncio.run(check())


def test_what_belonged_to_its_controllers_belongs_to_the_cdi_object():
    async def check():
        async with FakeKube() as server:
            before = occupied(server)
            async with world(OURS, server) as cluster:
                await taken_over(cluster)
                rules = server.objects("prometheusrules")[NAMESPACE, "prometheus-cdi-rules"]

                def owned():
                    owner = rules_now()["metadata"]["ownerReferences"]
                    return [each["uid"] for each in owner] == [before["metadata"]["uid"]]

                def rules_now():
                    return server.objects("prometheusrules")[NAMESPACE, "prometheus-cdi-rules"]

                await cluster.until(owned)
                assert rules_now()["metadata"]["uid"] == rules["metadata"]["uid"]
                assert not cluster.holds("Degraded")

    asyncio.run(check())


@pytest.mark.parametrize("verb", ["update", "patch"])
def test_an_operator_that_dies_on_the_way_goes_on(verb):
    """Its version looks older than the one that was there: only what it has said helps."""

    async def check():
        async with FakeKube() as server:
            occupied(server)
            async with world(OURS, server) as cluster:
                await cluster.until(lambda: all(programs(server).values()))
            async with world(OURS, server) as cluster:
                server.faults.append(Fault(verb=verb, path="/services", code=500, times=1))
                await taken_over(cluster)
                await cluster.until(lambda: left_of(server) == [])

    asyncio.run(check())


def test_an_upgrade_of_the_other_operator_is_taken_over_halfway():
    async def check():
        async with FakeKube() as server:
            occupied(server, phase="Upgrading")
            async with world(OURS, server) as cluster:
                await taken_over(cluster)
                assert cluster.cdi()["status"]["observedVersion"] == OURS

    asyncio.run(check())


def test_a_program_that_a_user_puts_before_ours_is_not_another_operators():
    async def check():
        traced = {
            "resourceType": "Deployment",
            "resourceName": "cdi-apiserver",
            "type": "json",
            "patch": json.dumps(
                [
                    {
                        "op": "add",
                        "path": "/spec/template/spec/containers/0/command/0",
                        "value": "trace",
                    }
                ]
            ),
        }
        async with world(OURS) as cluster:
            cluster.create(customizeComponents={"patches": [traced]})
            await cluster.installed()
            cluster.change("configmaps", "cdi-config", NAMESPACE, data={"theirs": "x"})
            before = len(cluster.server.requests)
            await cluster.server.notify()
            await cluster.until(
                lambda: any(
                    each.path.endswith("/secrets/cdi-uploadserver-client-cert")
                    for each in cluster.server.requests[before:]
                )
            )
            assert cluster.phase() == "Deployed"

    asyncio.run(check())


# And back: what the other operator goes by, when it finds what ours has left.


def test_what_is_left_for_the_other_operator_is_what_it_knows():
    async def check():
        async with FakeKube() as server:
            occupied(server)
            async with world(OURS, server) as cluster:
                await taken_over(cluster)
                await cluster.until(lambda: left_of(server) == [])
                cdi = cluster.cdi()
            # It upgrades from any older version, and refuses a newer one.
            assert cdi["status"]["observedVersion"] == OURS
            assert cdi["metadata"]["finalizers"] == ["operator.cdi.kubevirt.io"]
            claim = server.objects("configmaps")[NAMESPACE, "cdi-config"]
            assert claim["metadata"]["ownerReferences"][0]["uid"] == cdi["metadata"]["uid"]
            known = {
                (each["kind"], each["metadata"]["name"])
                for each in another.installation(cdi, NAMESPACE)
            }
            for kind, plural in PLURALS.items():
                for (_, name), each in server.objects(plural).items():
                    if name == "cdi-api-signing-key":
                        continue
                    assert (kind, name) in known
                    applied = (
                        each["metadata"]
                        .get("annotations", {})
                        .get("operator.cdi.kubevirt.io/lastAppliedConfiguration")
                    )
                    assert applied is None or json.loads(applied)["kind"] == kind
                    # What it does not want any more it removes only where this mark is.
                    assert "operator.cdi.kubevirt.io/createVersion" in each["metadata"]["labels"]
                    assert not each["metadata"].get("finalizers")

    asyncio.run(check())
