"""What an operator makes where OpenShift's, Prometheus' or Kubernetes' further APIs are there."""

from __future__ import annotations

import asyncio

import pytest

from cdi.operator import kinds
from support.fakekube import FakeKube
from support.installation import NAMESPACE, serve, world

OURS = [f"system:serviceaccount:{NAMESPACE}:{name}" for name in ("cdi-sa", "cdi-cronjob")]
CONSTRAINTS = "securitycontextconstraints"
NAME = "containerized-data-importer"
MONITORING = (
    ("prometheusrules", "prometheus-cdi-rules"),
    ("servicemonitors", "service-monitor-cdi"),
)


def installed_with(*apis):
    """Run a check against an installation on a cluster that has these APIs."""

    def decorated(check):
        def run():
            async def play():
                async with FakeKube() as server:
                    serve(server, *apis)
                    async with world(server=server) as cluster:
                        cluster.create()
                        await cluster.installed()
                        await check(cluster)

            asyncio.run(play())

        run.__name__ = check.__name__
        return run

    return decorated


def changed(cluster, plural, name, namespace="", **fields):
    cluster.change(plural, name, namespace, **fields)
    return cluster.server.notify()


@installed_with(kinds.CONSTRAINTS)
async def test_workers_of_openshift_have_their_constraints(cluster):
    found = cluster.server.objects(CONSTRAINTS)
    await cluster.until(lambda: ("", NAME) in cluster.server.objects(CONSTRAINTS))
    found = cluster.server.objects(CONSTRAINTS)["", NAME]
    assert found["users"] == OURS
    assert found["runAsUser"] == {"type": "MustRunAsNonRoot"}
    assert found["requiredDropCapabilities"] == ["ALL"]
    assert found["metadata"]["ownerReferences"][0]["kind"] == "CDI"


@installed_with(kinds.CONSTRAINTS)
async def test_users_that_others_add_stay_and_drift_goes(cluster):
    await cluster.until(lambda: ("", NAME) in cluster.server.objects(CONSTRAINTS))
    theirs = ["system:serviceaccount:other:builder"]
    await changed(cluster, CONSTRAINTS, NAME, users=theirs, allowPrivilegeEscalation=True)

    def restored():
        now = cluster.server.objects(CONSTRAINTS)["", NAME]
        return now["users"] == theirs + OURS and now["allowPrivilegeEscalation"] is False

    await cluster.until(restored)


@installed_with(kinds.ROUTES)
async def test_the_upload_proxy_has_a_route_that_trusts_it(cluster):
    def route():
        return cluster.server.objects("routes").get((NAMESPACE, "cdi-uploadproxy"))

    await cluster.until(lambda: route() is not None)
    tls = route()["spec"]["tls"]
    assert (tls["termination"], tls["insecureEdgeTerminationPolicy"]) == ("reencrypt", "Redirect")
    assert "BEGIN CERTIFICATE" in tls["destinationCACertificate"]
    assert route()["metadata"]["annotations"]["haproxy.router.openshift.io/timeout"] == "60m"
    spec = {**route()["spec"], "tls": {**tls, "destinationCACertificate": "old"}}
    await changed(cluster, "routes", "cdi-uploadproxy", NAMESPACE, spec=spec)
    await cluster.until(lambda: route()["spec"]["tls"] == tls)


@installed_with(kinds.ROUTES)
async def test_a_users_route_that_asks_is_filled_in_and_told(cluster):
    def put(name, asked, **spec):
        given = {"operator.cdi.kubevirt.io/injectUploadProxyCert": asked}
        metadata = {"name": name, "namespace": NAMESPACE, "annotations": given}
        made = {"apiVersion": "route.openshift.io/v1", "kind": "Route", "metadata": metadata}
        cluster.server.put("routes", {**made, "spec": spec})

    put("asks", "true", tls={"termination": "reencrypt"})
    put("asks-not", "false", tls={"termination": "reencrypt"})
    put("has-no-tls", "true")
    await cluster.server.notify()

    def filled(name):
        spec = cluster.server.objects("routes")[NAMESPACE, name]["spec"]
        return bool((spec.get("tls") or {}).get("destinationCACertificate"))

    await cluster.until(lambda: filled("asks"))
    assert not filled("asks-not")
    assert not filled("has-no-tls")

    def told():
        return [
            (each["involvedObject"]["kind"], each["involvedObject"]["name"])
            for each in cluster.server.objects("events").values()
            if each["reason"] == "UploadProxyRouteInjectSuccess"
        ]

    await cluster.until(lambda: told() == [("Route", "asks")])


@installed_with(kinds.SERVICE_MONITORS, kinds.PROMETHEUS_RULES)
async def test_what_prometheus_is_told_comes_back_when_it_is_deleted(cluster):
    for plural, name in MONITORING:
        await cluster.until(
            lambda plural=plural, name=name: (NAMESPACE, name) in cluster.server.objects(plural)
        )
        cluster.server.drop(plural, name, NAMESPACE)
        await cluster.server.notify()
        await cluster.until(
            lambda plural=plural, name=name: (NAMESPACE, name) in cluster.server.objects(plural)
        )


@installed_with(kinds.POPULATORS)
async def test_kinds_that_claims_may_name_are_registered(cluster):
    def registered():
        found = cluster.server.objects("volumepopulators")
        return {
            name: (each["sourceKind"]["group"], each["sourceKind"]["kind"])
            for (_, name), each in found.items()
        }

    await cluster.until(lambda: len(registered()) == 5)
    assert registered()["volumeimportsource"] == ("cdi.kubevirt.io", "VolumeImportSource")


@pytest.mark.parametrize("plural", [CONSTRAINTS, "routes", "prometheusrules", "volumepopulators"])
def test_a_cluster_without_these_apis_lacks_nothing(plural):
    async def check():
        async with world() as cluster:
            cluster.create()
            await cluster.installed()
            assert not cluster.holds("Degraded")
            assert not any(
                f"/{plural}" in each.path
                for each in cluster.server.requests
                if each.verb in ("create", "list", "watch")
            )

    asyncio.run(check())
