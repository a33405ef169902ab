"""
What the accounts of an installation may do, as the API server evaluates it: the list, nothing else.

CDI_TEST_KUBECONFIG names a cluster on which an operator keeps CDI. It is `kubectl auth can-i
--list` for each account, in the namespace of the installation and in another one.
"""

from __future__ import annotations

import json
import os
from typing import Any, TypeAlias

import pytest

from support.cluster import Cluster
from support.permissions import BOOT_SOURCES, RBAC, allowed_by_table

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        not os.environ.get("CDI_TEST_KUBECONFIG"),
        reason="needs a cluster with CDI on it: CDI_TEST_KUBECONFIG",
    ),
    pytest.mark.xdist_group("operator"),
]

Rights: TypeAlias = set[tuple[str, str, str]]  # group, resource or address, verb

# Account, its ClusterRole, and its Role in the namespace of the installation.
ACCOUNTS = [
    ("cdi-sa", "cdi", "cdi-deployment"),
    ("cdi-apiserver", "cdi-apiserver", "cdi-apiserver"),
    ("cdi-uploadproxy", "cdi-uploadproxy", "cdi-uploadproxy"),
    ("cdi-cronjob", "cdi-cronjob", ""),
    ("cdi-metrics-reader", "cdi-metrics-reader", ""),
]
EVERYBODY = "system:serviceaccount:default:nobody-in-particular"


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> str:
    """That of the installation."""
    found = cluster.kubectl(
        "get", "deployment", "-A", "-l", "cdi.kubevirt.io=cdi-deployment",
        "-o", "jsonpath={.items[*].metadata.namespace}",
    )  # fmt: skip
    if not found:
        pytest.skip("this cluster has no CDI that an operator keeps")
    return found


@pytest.mark.parametrize("inside", [True, False], ids=["at-home", "elsewhere"])
@pytest.mark.parametrize(("account", "everywhere", "at_home"), ACCOUNTS)
def test_an_account_may_do_what_the_list_says_and_nothing_else(
    cluster: Cluster, namespace: str, account: str, everywhere: str, at_home: str, inside: bool
) -> None:
    wanted = allowed_by_table(RBAC["ClusterRole", everywhere])
    if inside and at_home:
        wanted |= allowed_by_table(RBAC["Role", at_home])
    if account in BOOT_SOURCES and has_boot_sources(cluster, namespace):
        wanted |= allowed_by_table(BOOT_SOURCES[account])
    where = namespace if inside else "default"
    asked = f"system:serviceaccount:{namespace}:{account}"
    assert allowed(cluster, asked, where) == wanted | allowed(cluster, EVERYBODY, where)


def has_boot_sources(cluster: Cluster, namespace: str) -> bool:
    """Whether somebody has added them, which no operator does."""
    found = cluster.kubectl(
        "get", "deployment", "cdi-bootsources", "-n", namespace, "--ignore-not-found", "-o", "name"
    )
    return bool(found)


def allowed(cluster: Cluster, account: str, namespace: str) -> Rights:
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    said = cluster.kubectl(
        "create", "--validate=false", "-f", "-", "-o", "json", "--as", account,
        stdin=json.dumps(review),
    )  # fmt: skip
    return rights_in(json.loads(said)["status"])


def rights_in(status: dict[str, Any]) -> Rights:
    found = {
        (group, resource, verb)
        for rule in status["resourceRules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    addresses = {
        ("", url, verb)
        for rule in status["nonResourceRules"]
        for url in rule["nonResourceURLs"]
        for verb in rule["verbs"]
    }
    return found | addresses
