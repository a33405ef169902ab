"""What is installed against the tables of what has to be: written out here as a second account."""

from __future__ import annotations

import re

import pytest

from cdi.kube import objects
from cdi.operator.inventory import networkpolicies, operator, rules
from cdi.operator.inventory.installed import NO_FACTS, Facts, installed
from cdi.operator.settings import Images, Settings
from support.openshift import CONSTRAINTS_SAY
from support.permissions import RBAC, allowed_by_table

SETTINGS = Settings(namespace="cdi", version="v1.2.3", images=Images.all("registry/cdi:1"))
CDI = {"apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "CDI", "metadata": {"name": "cdi"}}


def made(cdi=CDI, facts=NO_FACTS, settings=SETTINGS):
    return {
        (each["kind"], each["metadata"]["name"]): each for each in installed(settings, cdi, facts)
    }


# Kind and names. A name that is in no namespace is marked with a star.
INVENTORY = """
ServiceAccount: cdi-sa cdi-apiserver cdi-uploadproxy cdi-cronjob cdi-metrics-reader
Role: cdi-deployment cdi-apiserver cdi-uploadproxy
RoleBinding: cdi-deployment cdi-apiserver cdi-uploadproxy
Service: cdi-api cdi-uploadproxy cdi-prometheus-metrics
Deployment: cdi-deployment cdi-apiserver cdi-uploadproxy
Secret: cdi-apiserver-signer cdi-apiserver-server-cert cdi-uploadproxy-signer
Secret: cdi-uploadproxy-server-cert cdi-uploadserver-signer cdi-uploadserver-client-signer
Secret: cdi-uploadserver-client-cert
ConfigMap: cdi-apiserver-signer-bundle cdi-uploadproxy-signer-bundle
ConfigMap: cdi-uploadserver-signer-bundle cdi-uploadserver-client-signer-bundle
*CustomResourceDefinition: datavolumes.cdi.kubevirt.io cdiconfigs.cdi.kubevirt.io
*CustomResourceDefinition: storageprofiles.cdi.kubevirt.io datasources.cdi.kubevirt.io
*CustomResourceDefinition: dataimportcrons.cdi.kubevirt.io objecttransfers.cdi.kubevirt.io
*CustomResourceDefinition: volumeimportsources.cdi.kubevirt.io volumeuploadsources.cdi.kubevirt.io
*CustomResourceDefinition: volumeclonesources.cdi.kubevirt.io
*CustomResourceDefinition: ovirtvolumepopulators.forklift.cdi.kubevirt.io
*CustomResourceDefinition: openstackvolumepopulators.forklift.cdi.kubevirt.io
*ClusterRole: cdi cdi-apiserver cdi-uploadproxy cdi-cronjob cdi-metrics-reader cdi-pprof-reader
*ClusterRole: cdi.kubevirt.io:admin cdi.kubevirt.io:edit cdi.kubevirt.io:view
*ClusterRole: cdi.kubevirt.io:clone-sourcer cdi.kubevirt.io:config-reader
*ClusterRoleBinding: cdi-sa cdi-apiserver cdi-uploadproxy cdi-cronjob cdi-metrics-reader
*ClusterRoleBinding: cdi.kubevirt.io:config-reader
*APIService: v1beta1.upload.cdi.kubevirt.io
*ValidatingWebhookConfiguration: cdi-api-datavolume-validate cdi-api-dataimportcron-validate
*ValidatingWebhookConfiguration: cdi-api-populator-validate objecttransfer-api-validate
*ValidatingWebhookConfiguration: cdi-api-validate
*MutatingWebhookConfiguration: cdi-api-datavolume-mutate cdi-api-pvc-mutate
"""


def table():
    for line in INVENTORY.strip().splitlines():
        kind, names = line.split(":", 1)
        for name in names.split():
            yield kind.lstrip("*"), name, not kind.startswith("*")


def test_exactly_what_the_table_names_is_installed():
    assert set(made()) == {(kind, name) for kind, name, _ in table()}


@pytest.mark.parametrize(("kind", "name", "namespaced"), list(table()))
def test_what_belongs_to_the_namespace_is_in_it(kind, name, namespaced):
    assert objects.namespace(made()[kind, name]) == ("cdi" if namespaced else "")


def test_every_object_bears_the_common_labels():
    for found in made().values():
        given = found["metadata"]["labels"]
        assert given["app"] == "containerized-data-importer"
        assert given["app.kubernetes.io/managed-by"] == "cdi-operator"
        assert given["app.kubernetes.io/component"] == "storage"
        assert "cdi.kubevirt.io" in given


def test_labels_of_the_installer_are_handed_on():
    marks = {"app.kubernetes.io/part-of": "hco", "app.kubernetes.io/version": "9"}
    cdi = {**CDI, "metadata": {"name": "cdi", "labels": {**marks, "other": "x"}}}
    for found in made(cdi).values():
        assert marks.items() <= found["metadata"]["labels"].items()
        assert "other" not in found["metadata"]["labels"]
    template = made(cdi)["Deployment", "cdi-deployment"]["spec"]["template"]
    assert marks.items() <= template["metadata"]["labels"].items()


def allowed_by_role(role):
    found = set()
    for each in role["rules"]:
        for resource in each.get("resources") or each["nonResourceURLs"]:
            for group in each.get("apiGroups", [""]):
                found |= {(group, resource, verb) for verb in each["verbs"]}
    return found


@pytest.mark.parametrize(("role", "text"), RBAC.items(), ids=str)
def test_a_role_allows_exactly_what_the_table_says(role, text):
    assert allowed_by_role(made()[role]) == allowed_by_table(text)


def test_there_is_no_role_beside_those_of_the_table():
    assert {key for key in made() if key[0] in ("Role", "ClusterRole")} == set(RBAC)


def test_bindings_give_each_role_to_its_account():
    found = {
        (key[1], each["roleRef"]["name"], subject.get("namespace"), subject["name"])
        for key, each in made().items()
        if key[0].endswith("Binding")
        for subject in each["subjects"]
    }
    assert found == {
        ("cdi-sa", "cdi", "cdi", "cdi-sa"),
        ("cdi-deployment", "cdi-deployment", "cdi", "cdi-sa"),
        ("cdi-apiserver", "cdi-apiserver", "cdi", "cdi-apiserver"),
        ("cdi-uploadproxy", "cdi-uploadproxy", "cdi", "cdi-uploadproxy"),
        ("cdi-cronjob", "cdi-cronjob", "cdi", "cdi-cronjob"),
        ("cdi-metrics-reader", "cdi-metrics-reader", "cdi", "cdi-metrics-reader"),
        *(
            ("cdi.kubevirt.io:config-reader", "cdi.kubevirt.io:config-reader", None, group)
            for group in ("system:authenticated", "system:serviceaccounts")
        ),
    }


@pytest.mark.parametrize("word", ["admin", "edit", "view"])
def test_user_roles_are_parts_of_the_clusters_own(word):
    given = made()["ClusterRole", f"cdi.kubevirt.io:{word}"]["metadata"]["labels"]
    assert given[f"rbac.authorization.k8s.io/aggregate-to-{word}"] == "true"


def test_the_operator_may_give_away_every_rule():
    """Kubernetes lets nobody grant what it may not do itself."""
    cluster, namespaced = rules.OPERATOR_CLUSTER, rules.OPERATOR_NAMESPACE
    for (kind, _), found in made(facts=EVERYTHING).items():
        if kind == "ClusterRole":
            assert all(each in cluster for each in found["rules"])
        if kind == "Role":
            assert all(each in (*namespaced, *cluster) for each in found["rules"])


def test_the_operator_may_change_no_webhook_but_ours():
    named = [
        set(each["resourceNames"])
        for each in rules.OPERATOR_CLUSTER
        if {"update", "delete"} & set(each["verbs"])
        and "admissionregistration.k8s.io" in each.get("apiGroups", ())
    ]
    configurations = {name for kind, name in made() if kind.endswith("WebhookConfiguration")}
    assert set().union(*named) == {*configurations, "cdi-api-dataimportcron-mutate"}


# Configuration, webhook, resources, operations (+ is CREATE,UPDATE), failure policy, timeout,
# reviews (* is v1,v1beta1).
WEBHOOKS = """
cdi-api-datavolume-validate datavolume-validate datavolumes + Fail 30 *
cdi-api-datavolume-mutate datavolume-mutate datavolumes + Fail 30 *
cdi-api-dataimportcron-validate dataimportcron-validate dataimportcrons + Fail 30 *
cdi-api-populator-validate populator-validate volumeimportsources,volumeuploadsources + Fail 30 *
objecttransfer-api-validate objecttransfer-validate objecttransfers + Fail 30 *
cdi-api-validate cdi-validate cdis DELETE Ignore 30 *
cdi-api-pvc-mutate pvc-mutate persistentvolumeclaims CREATE Fail 10 v1
"""


@pytest.mark.parametrize("row", [line.split() for line in WEBHOOKS.strip().splitlines()], ids=str)
def test_webhooks_are_as_the_table_says(row):
    configuration, name, plurals, operations, policy, timeout, reviews = row
    mutating = name.endswith("-mutate")
    kind = "MutatingWebhookConfiguration" if mutating else "ValidatingWebhookConfiguration"
    found = made(facts=Facts(api_authority="pem"))[kind, configuration]
    (hook,) = found["webhooks"]
    claims = plurals == "persistentvolumeclaims"
    assert found["metadata"]["labels"]["cdi.kubevirt.io"] == "cdi-api"
    assert hook["name"] == f"{name}.cdi.kubevirt.io"
    assert hook["clientConfig"] == {
        "service": {"name": "cdi-api", "namespace": "cdi", "path": f"/{name}", "port": 443},
        "caBundle": "cGVt",
    }
    assert hook["rules"] == [
        {
            "apiGroups": ["" if claims else "cdi.kubevirt.io"],
            "apiVersions": ["v1" if claims else "v1beta1"],
            "resources": plurals.split(","),
            "operations": operations.replace("+", "CREATE,UPDATE").split(","),
            "scope": "*",
        }
    ]
    assert hook["failurePolicy"] == policy
    assert hook["timeoutSeconds"] == int(timeout)
    assert hook["admissionReviewVersions"] == reviews.replace("*", "v1,v1beta1").split(",")
    assert (hook["matchPolicy"], hook["sideEffects"]) == ("Exact", "None")
    selector = {"matchLabels": {"cdi.kubevirt.io/applyStorageProfile": "true"}} if claims else {}
    assert hook["objectSelector"] == selector
    assert hook.get("reinvocationPolicy") == ("Never" if mutating else None)


def test_claims_are_left_alone_where_rendering_is_disabled():
    cdi = {**CDI, "spec": {"config": {"webhookPvcRendering": "Disabled"}}}
    assert set(made()) - set(made(cdi)) == {("MutatingWebhookConfiguration", "cdi-api-pvc-mutate")}


def test_the_aggregated_api_is_reached_through_the_service():
    found = made(facts=Facts(api_authority="pem"))["APIService", "v1beta1.upload.cdi.kubevirt.io"]
    assert found["metadata"]["labels"]["cdi.kubevirt.io"] == "cdi-api"
    assert found["spec"] == {
        "service": {"name": "cdi-api", "namespace": "cdi", "port": 443},
        "group": "upload.cdi.kubevirt.io",
        "version": "v1beta1",
        "groupPriorityMinimum": 1000,
        "versionPriority": 15,
        "caBundle": "cGVt",
    }


@pytest.mark.parametrize(
    ("name", "ports", "selector"),
    [
        ("cdi-api", [(443, 8443)], {"cdi.kubevirt.io": "cdi-apiserver"}),
        ("cdi-uploadproxy", [(443, 8443)], {"cdi.kubevirt.io": "cdi-uploadproxy"}),
        ("cdi-prometheus-metrics", [(8443, "metrics")], {"prometheus.cdi.kubevirt.io": "true"}),
    ],
)
def test_services_lead_to_their_pods(name, ports, selector):
    spec = made()["Service", name]["spec"]
    assert [(port["port"], port["targetPort"]) for port in spec["ports"]] == ports
    assert spec["selector"] == selector
    chosen = [
        each["spec"]["template"]["metadata"]["labels"]
        for (kind, _), each in made().items()
        if kind == "Deployment"
    ]
    assert any(selector.items() <= given.items() for given in chosen)


CERTS, BUNDLES = "/var/run/certs", "/var/run/ca-bundle"
# Account, ports, probe, mounts, environment.
DEPLOYMENTS = {
    "cdi-deployment": (
        "cdi-sa",
        {"metrics": 8443},
        {"exec": {"command": ["cat", "/tmp/ready"]}},
        {
            "/var/run/cdi/token/keys": "cdi-api-signing-key",
            f"{CERTS}/cdi-uploadserver-signer": "cdi-uploadserver-signer",
            f"{CERTS}/cdi-uploadserver-client-signer": "cdi-uploadserver-client-signer",
            f"{BUNDLES}/cdi-uploadserver-signer-bundle": "cdi-uploadserver-signer-bundle",
            f"{BUNDLES}/cdi-uploadserver-client-signer-bundle": (
                "cdi-uploadserver-client-signer-bundle"
            ),
        },
        (
            "IMPORTER_IMAGE CLONER_IMAGE UPLOADSERVER_IMAGE OVIRT_POPULATOR_IMAGE "
            "UPLOADPROXY_SERVICE PULL_POLICY INSTALLER_PART_OF_LABEL INSTALLER_VERSION_LABEL"
        ),
    ),
    "cdi-apiserver": (
        "cdi-apiserver",
        {"cdi-apiserver": 8443},
        {"httpGet": {"path": "/healthz", "port": 8443, "scheme": "HTTPS"}},
        {
            f"{CERTS}/cdi-apiserver-signer-bundle": "cdi-apiserver-signer-bundle",
            f"{CERTS}/cdi-apiserver-server-cert": "cdi-apiserver-server-cert",
        },
        "INSTALLER_PART_OF_LABEL INSTALLER_VERSION_LABEL",
    ),
    "cdi-uploadproxy": (
        "cdi-uploadproxy",
        {},
        {"httpGet": {"path": "/healthz", "port": 8443, "scheme": "HTTPS"}},
        {
            f"{CERTS}/cdi-uploadproxy-server-cert": "cdi-uploadproxy-server-cert",
            f"{CERTS}/cdi-uploadserver-client-cert": "cdi-uploadserver-client-cert",
            "/var/run/cdi/token/keys": "cdi-api-signing-key",
        },
        "APISERVER_PUBLIC_KEY",
    ),
}


def test_the_upload_proxy_sees_no_private_key():
    volumes = made()["Deployment", "cdi-uploadproxy"]["spec"]["template"]["spec"]["volumes"]
    (keys,) = (each["secret"] for each in volumes if each["name"] == "cdi-api-signing-key")
    names = ["id_rsa.pub", "previous_id_rsa.pub", "next_id_rsa.pub"]
    assert keys["items"] == [{"key": name, "path": name} for name in names]
    assert keys["optional"] is True  # most of the time only the first is there


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_deployments_are_as_the_table_says(name):
    account, ports, probe, mounts, environment = DEPLOYMENTS[name]
    deployment = made()["Deployment", name]
    spec = deployment["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    volumes = {each["name"]: each for each in spec["volumes"]}
    assert deployment["spec"]["selector"] == {"matchLabels": {"cdi.kubevirt.io": name}}
    assert spec["serviceAccountName"] == account
    assert container["name"] == name
    assert {each["name"]: each["containerPort"] for each in container.get("ports", [])} == ports
    times = {
        "initialDelaySeconds": 2,
        "periodSeconds": 5,
        "timeoutSeconds": 1,
        "failureThreshold": 3,
        "successThreshold": 1,
    }
    assert container["readinessProbe"] == {**probe, **times}
    assert {
        each["mountPath"]: source_of(volumes[each["name"]]) for each in container["volumeMounts"]
    } == mounts
    assert [each["name"] for each in container["env"]] == environment.split()
    assert container["resources"] == {"requests": {"cpu": "100m", "memory": "150Mi"}}
    assert container["args"] == ["-v=1"]
    assert container["terminationMessagePolicy"] == "FallbackToLogsOnError"
    given = deployment["spec"]["template"]["metadata"]
    assert given["labels"]["np.kubevirt.io/allow-access-cluster-services"] == "true"
    assert given["annotations"] == {"openshift.io/required-scc": "restricted-v2"}
    scraped = given["labels"].get("prometheus.cdi.kubevirt.io")
    assert scraped == ("true" if name == "cdi-deployment" else None)


def source_of(volume):
    return volume.get("secret", {}).get("secretName") or volume.get("configMap", {}).get("name")


def test_every_pod_keeps_to_the_restricted_standard():
    ours = [each for each in made().values() if each["kind"] == "Deployment"]
    for deployment in [*ours, operator.operator_deployment(SETTINGS)]:
        spec = deployment["spec"]["template"]["spec"]
        assert spec["securityContext"] == {"runAsNonRoot": True}
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "runAsNonRoot": True,
                "seccompProfile": {"type": "RuntimeDefault"},
            }


PLACED = {
    "nodeSelector": {"disk": "fast"},
    "tolerations": [{"key": "infra", "operator": "Exists"}],
    "affinity": {
        "podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 7, "podAffinityTerm": {}}
            ]
        }
    },
    "deploymentReplicas": 2,
    "apiServerReplicas": 3,
    "uploadProxyReplicas": 4,
}


def test_infra_places_and_multiplies_the_deployments():
    found = made({**CDI, "spec": {"infra": PLACED}})
    counts = {"cdi-deployment": 2, "cdi-apiserver": 3, "cdi-uploadproxy": 4}
    for name, count in counts.items():
        spec = found["Deployment", name]["spec"]
        pod = spec["template"]["spec"]
        assert spec["replicas"] == count
        assert pod["nodeSelector"] == PLACED["nodeSelector"]
        assert pod["tolerations"] == PLACED["tolerations"]
        preferred = pod["affinity"]["podAntiAffinity"]
        weights = [
            each["weight"] for each in preferred["preferredDuringSchedulingIgnoredDuringExecution"]
        ]
        assert weights == [7, 1]
        assert found["PodDisruptionBudget", name]["spec"]["maxUnavailable"] == 1


@pytest.mark.parametrize("count", [0, 1, -1])
def test_there_is_never_less_than_one_replica(count):
    found = made({**CDI, "spec": {"infra": {"deploymentReplicas": count}}})
    assert found["Deployment", "cdi-deployment"]["spec"]["replicas"] == 1
    assert not [key for key in found if key[0] == "PodDisruptionBudget"]


def test_workload_placement_leaves_the_deployments_alone():
    assert made({**CDI, "spec": {"workload": PLACED}}) == made()


def test_settings_of_the_cdi_object_reach_the_pods():
    spec = {
        "imagePullPolicy": "Always",
        "priorityClass": "ours",
        "config": {"logVerbosity": 3, "imagePullSecrets": [{"name": "pull"}]},
    }
    found = made({**CDI, "spec": spec}, Facts(priority_class_exists=True))
    for name in DEPLOYMENTS:
        pod = found["Deployment", name]["spec"]["template"]["spec"]
        assert pod["imagePullSecrets"] == [{"name": "pull"}]
        assert pod["priorityClassName"] == "ours"
        assert pod["containers"][0]["imagePullPolicy"] == "Always"
        assert pod["containers"][0]["args"] == ["-v=3"]
    environment = found["Deployment", "cdi-deployment"]["spec"]["template"]["spec"]["containers"][
        0
    ]["env"]
    assert {"name": "PULL_POLICY", "value": "Always"} in environment


@pytest.mark.parametrize(
    ("asked", "exists", "wanted"),
    [
        ("", True, "kubevirt-cluster-critical"),
        ("", False, None),
        ("ours", True, "ours"),
        ("ours", False, None),
    ],
)
def test_a_priority_class_is_set_only_if_it_exists(asked, exists, wanted):
    found = made({**CDI, "spec": {"priorityClass": asked}}, Facts(priority_class_exists=exists))
    for name in DEPLOYMENTS:
        pod = found["Deployment", name]["spec"]["template"]["spec"]
        assert pod.get("priorityClassName") == wanted


EVERYTHING = Facts(
    has_monitoring=True,
    has_constraints=True,
    has_routes=True,
    has_populators=True,
    controller_ready=True,
    proxy_authority="pem",
)


def test_optional_objects_come_with_their_apis():
    assert set(made(facts=EVERYTHING)) - set(made()) == {
        ("Secret", "cdi-metrics-reader-token"),
        ("Role", "cdi-monitoring"),
        ("RoleBinding", "cdi-monitoring"),
        ("ServiceMonitor", "service-monitor-cdi"),
        ("PrometheusRule", "prometheus-cdi-rules"),
        ("SecurityContextConstraints", "containerized-data-importer"),
        ("Route", "cdi-uploadproxy"),
        *(
            ("VolumePopulator", name)
            for name in (
                "volumeimportsource",
                "volumeclonesource",
                "volumeuploadsource",
                "openstackvolumepopulator",
                "ovirtvolumepopulator",
            )
        ),
    }


def test_constraints_say_what_openshift_wants_to_be_said():
    found = made(facts=EVERYTHING)["SecurityContextConstraints", "containerized-data-importer"]
    assert found.keys() >= CONSTRAINTS_SAY
    assert {key for key, value in found.items() if value is True} == set()


def test_users_that_others_added_to_the_constraints_stay():
    facts = Facts(has_constraints=True, constrained_users=("somebody",))
    found = made(facts=facts)["SecurityContextConstraints", "containerized-data-importer"]
    ours = [f"system:serviceaccount:cdi:{name}" for name in ("cdi-sa", "cdi-cronjob")]
    assert found["users"] == ["somebody", *ours]


def test_nothing_cluster_wide_is_made_where_somebody_else_does_that():
    settings = Settings(
        namespace="cdi", version="1", images=Images.all("x"), cluster_resources=False
    )
    wide = {kind for kind, _, namespaced in table() if not namespaced}
    dynamic = {"APIService", "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"}
    assert {kind for kind, _ in made(settings=settings)} & wide == dynamic


def test_no_name_of_a_namespace_is_written_down():
    settings = Settings(namespace="elsewhere", version="1", images=Images.all("x"))
    for found in installed(settings, CDI, EVERYTHING):
        assert objects.namespace(found) in ("", "elsewhere")
        assert not re.search(r"'namespace': 'cdi'", str(found))


def test_network_policies_are_those_of_the_table():
    names = {each["metadata"]["name"] for each in networkpolicies.network_policies("cdi")}
    assert names == {
        "cdi-allow-ingress-to-metrics",
        "cdi-allow-uploadproxy-communications",
        "cdi-allow-cdi-api-webhook-server",
        "cdi-allow-cdi-deployment-importer-metrics",
        "cdi-allow-egress-from-poller",
    }
