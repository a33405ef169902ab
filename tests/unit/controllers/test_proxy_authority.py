"""The copy of whom a cluster's proxy makes everybody trust, and what the CDIConfig says of it."""

from typing import Any

import pytest

from cdi.api import labels
from cdi.controllers import cdiconfig, plan
from cdi.controllers.cdiconfig import Seen
from cdi.kube.objects import Object
from support import world

PROXY = {
    "apiVersion": "config.openshift.io/v1",
    "kind": "Proxy",
    "metadata": {"name": "cluster"},
    "spec": {"trustedCA": {"name": "user-ca-bundle"}},
    "status": {"httpProxy": "http://p:1", "httpsProxy": "http://p:2", "noProxy": ".local"},
}
OURS = {labels.COMPONENT: ""}


def config_map(text: str, key: str, name: str = "user-ca-bundle", given: Any = None) -> Object:
    meta = {"name": name, "namespace": "cdi", "labels": given or {}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {key: text}}


def decided(spec: Object | None = None, trusted: str = "", **seen: Any) -> plan.Plan:
    found = {
        "apiVersion": "cdi.kubevirt.io/v1beta1",
        "kind": "CDIConfig",
        "metadata": {"name": "config"},
        "spec": spec or {},
        "status": {"importProxy": {"trustedCAProxy": trusted}},
    }
    return cdiconfig.decide(Seen(world.SETTINGS, found=found, **seen))


def written(of: plan.Plan) -> list[tuple[str, Object]]:
    return [
        (type(each).__name__, each.object if isinstance(each, plan.Create) else each.wanted)
        for each in of.steps
        if isinstance(each, plan.Create | plan.Change)
    ]


def test_the_cluster_proxy_is_the_importers_proxy() -> None:
    planned = decided(cluster_proxy=PROXY, proxy_authority=config_map("PEM", "ca-bundle.crt"))
    config = written(planned)[-1][1]
    assert config["status"]["importProxy"] == {
        "HTTPProxy": "http://p:1",
        "HTTPSProxy": "http://p:2",
        "noProxy": ".local",
        "trustedCAProxy": "user-ca-bundle",
    }
    verb, copy = written(planned)[0]
    assert (verb, copy["metadata"]["name"], copy["data"]) == (
        "Create",
        "user-ca-bundle",
        {"ca.crt": "PEM"},
    )
    assert copy["metadata"]["namespace"] == world.SETTINGS.namespace


def test_a_copy_follows_what_it_is_a_copy_of() -> None:
    there = {"user-ca-bundle": config_map("OLD", "ca.crt", given=OURS)}
    planned = decided(
        trusted="user-ca-bundle",
        cluster_proxy=PROXY,
        proxy_authority=config_map("NEW", "ca-bundle.crt"),
        copies=there,
    )
    assert written(planned)[0][1]["data"] == {"ca.crt": "NEW"}


@pytest.mark.parametrize("original", [None, config_map("PEM", "other.crt")])
def test_certificates_that_are_not_there_are_told_on_the_proxy(original: Object | None) -> None:
    planned = decided(cluster_proxy=PROXY, proxy_authority=original)
    assert [(each.about["kind"], each.reason) for each in planned.events] == [
        ("Proxy", "ErrResourceDoesntExist")
    ]


@pytest.mark.parametrize(
    ("given", "gone"),
    [pytest.param(OURS, ["old"], id="ours"), pytest.param({}, [], id="administrators")],
)
def test_a_copy_that_nobody_names_any_more_goes(given: Object, gone: list[str]) -> None:
    there = {"old": config_map("PEM", "ca.crt", "old", given)}
    planned = decided(trusted="old", copies=there)
    removed = [x.seen["metadata"]["name"] for x in planned.steps if isinstance(x, plan.Remove)]
    assert removed == gone


def test_what_the_cdiconfig_says_itself_counts() -> None:
    mine = {"importProxy": {"HTTPProxy": "http://mine", "trustedCAProxy": "mine"}}
    planned = decided(spec=mine, trusted="user-ca-bundle", cluster_proxy=PROXY)
    assert [verb for verb, _ in written(planned)] == ["Change"]
    assert written(planned)[0][1]["status"]["importProxy"]["HTTPProxy"] == "http://mine"
