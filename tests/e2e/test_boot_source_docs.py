"""
What the documentation of boot sources tells an administrator to type, as it is typed.

On one machine `cdi up` keeps the HyperConverged. On a cluster the test installs what
`cdi manifests boot-sources` prints, with CDI_TEST_IMAGE or that of CDI's operator, and puts the
CDI object back as it was; the namespace of boot images is one, so nothing else may use it
meanwhile.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from support import manifests, registry
from support.cluster import DEADLINE, Cluster, Machine, Namespace, Refused
from support.waiting import wait_until

pytestmark = pytest.mark.e2e

NAME, HOME, GOLDEN = "kubevirt-hyperconverged", "kubevirt-hyperconverged", "kubevirt-os-images"
ENABLE = "dataimportcrontemplate.kubevirt.io/enable"
BIND = "cdi.kubevirt.io/storage.bind.immediate.requested"
VIRT = "storageclass.kubevirt.io/is-default-virt-class"
SELECTOR = "--selector=cdi.kubevirt.io/dataImportCron"
TEMPLATES = "/spec/dataImportCronTemplates"


@dataclass
class Images:
    """A cluster whose boot images come from a registry of the test."""

    cluster: Cluster
    server: registry.Registry

    @property
    def golden(self) -> Namespace:
        return Namespace(self.cluster, GOLDEN)

    def patch(self, *operations: dict) -> None:
        """`kubectl edit hco`, by those who cannot."""
        self.cluster.kubectl(
            *("patch", "hco", NAME, "-n", HOME, "--type=json", "-p", json.dumps(operations))
        )

    def own(self, *templates: dict) -> None:
        self.patch({"op": "add", "path": TEMPLATES, "value": list(templates)})

    def refuse(self, why: str, *templates: dict) -> None:
        """See templates refused; on a cluster from when Kubernetes has heard of its webhooks on."""
        tried = [{"op": "add", "path": TEMPLATES, "value": list(templates)}]
        words = ("patch", "hco", NAME, "-n", HOME, "--type=json", "-p", json.dumps(tried))
        until, said = time.monotonic() + DEADLINE, ""
        while why not in said:
            assert time.monotonic() < until, f"nobody says {why!r}, but {said!r}"
            said = self._refusal(*words, "--dry-run=server")

    def _refusal(self, *words: str) -> str:
        try:
            self.cluster.kubectl(*words)
        except Refused as refusal:
            return str(refusal)
        return ""

    def in_effect(self) -> dict[str, dict]:
        path = "-ojsonpath={.status.dataImportCronTemplates}"
        found = json.loads(self.cluster.kubectl("get", "hco", NAME, "-n", HOME, path) or "[]")
        return {each["metadata"]["name"]: each for each in found}

    def source(self, name: str) -> dict:
        return self._found("datasource", name)

    def class_of(self, name: str) -> str:
        """Of the claim that a DataSource names, if both are there."""
        claim = self._found("pvc", _named(self.source(name)) or "nothing")
        return claim.get("spec", {}).get("storageClassName", "")

    def _found(self, kind: str, name: str) -> dict:
        what = ("get", kind, name, "-ojson", "--ignore-not-found")
        return json.loads(self.golden.kubectl(*what) or "{}")

    def forget(self) -> None:
        """Delete what crons have made; a cluster without snapshots does not know the word."""
        known = self.cluster.kubectl("api-resources", "-oname")
        kinds = "dv,vs" if "volumesnapshots." in known else "dv"
        self.golden.kubectl("delete", kinds, SELECTOR, "--ignore-not-found")

    def ready(self, name: str) -> str:
        """Wait for a DataSource that is ready with what it names now, and return that."""
        self.golden.wait(f"datasource/{name}", "condition=Ready")
        return wait_until(lambda: _named(self.source(name)))

    def ready_in(self, name: str, storage_class: str) -> None:
        """Wait until what a DataSource names is in a class."""
        wait_until(lambda: self.class_of(name) == storage_class, DEADLINE)


def _named(source: dict) -> str:
    """What a DataSource names, once it is ready with that."""
    status = source.get("status", {})
    said = {each["type"]: each["status"] for each in status.get("conditions", [])}
    if said.get("Ready") != "True" or status.get("source") != source["spec"]["source"]:
        return ""
    (named,) = status["source"].values()
    return str(named["name"])


def template(name: str, source: str, url: str, **storage: object) -> dict:
    size = {"resources": {"requests": {"storage": "64Mi"}}}
    spec = {"source": {"registry": {"url": url}}, "storage": {**size, **storage}}
    return {
        "metadata": {"name": name},
        "spec": {
            "schedule": "0 */12 * * *",
            "template": {"spec": spec},
            "managedDataSource": source,
            "garbageCollect": "Outdated",
        },
    }


def named(name: str) -> dict:
    return {"metadata": {"name": name}}


@pytest.fixture
def images(tmp_path: Path) -> Iterator[Images]:
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    with ExitStack() as stack:
        given = _given_cluster()
        host = given.host if given else "127.0.0.1"
        server = stack.enter_context(registry.Registry(tmp_path / "registry", address=host))
        for name in ("fedora", "centos-stream9"):
            url = server.push(
                f"boot/{name}", "latest", registry.disk_image(name.encode().ljust(1 << 20, b"\0"))
            )
            text = yaml.safe_dump([template(f"{name}-image-cron", name, url)])
            (shipped / f"{name}.yaml").write_text(text)
        options = ("--boot-images", str(shipped))
        if given:
            stack.enter_context(_installed(given, *options))
            cluster = given
        else:
            machine = Machine.over(tmp_path / "up", *options)
            cluster = stack.enter_context(machine.running())
        found = Images(cluster, server)
        stack.callback(_end, cluster)
        _begin(found)
        yield found


INSTALLATION, OTHER = "cdi", "boot-images"


@contextmanager
def _installed(cluster: Cluster, *options: str) -> Iterator[None]:
    """Boot sources as an administrator installs them, under the rights that they get."""
    path = "-ojsonpath={.spec.template.spec.containers[0].image}"
    image = os.environ.get("CDI_TEST_IMAGE") or cluster.kubectl(
        "-n", INSTALLATION, "get", "deploy", "cdi-operator", path
    )
    made = cluster.cdi("manifests", "boot-sources", "--image", image, *options).stdout
    (cdi,) = json.loads(cluster.kubectl("get", "cdi", "-ojson"))["items"]
    cluster.kubectl("apply", "-f-", stdin=made)
    try:
        cluster.kubectl("-n", INSTALLATION, "rollout", "status", "deploy/cdi-bootsources")
        yield
    finally:
        cluster.kubectl("delete", "-f-", stdin=made)
        back = json.dumps([{"op": "replace", "path": "/spec", "value": cdi["spec"]}])
        cluster.kubectl("patch", "cdi", cdi["metadata"]["name"], "--type=json", "-p", back)


def _given_cluster() -> Cluster | None:
    given = os.environ.get("CDI_TEST_KUBECONFIG")
    host = os.environ.get("CDI_TEST_HOST", "127.0.0.1")
    return Cluster(Path(given).resolve(), host) if given else None


def _begin(images: Images) -> None:
    wanted = {
        "apiVersion": "hco.kubevirt.io/v1beta1",
        "kind": "HyperConverged",
        "metadata": {"name": NAME, "namespace": HOME},
        "spec": {"storageImport": {"insecureRegistries": [images.server.host]}},
    }
    images.cluster.kubectl("create", "namespace", HOME)
    images.cluster.kubectl("apply", "-f-", stdin=json.dumps(wanted))
    Namespace(images.cluster, HOME).wait(f"hco/{NAME}", "condition=Available")


def _end(cluster: Cluster) -> None:
    cluster.kubectl("delete", "hco", NAME, "-n", HOME, "--timeout=60s")
    cluster.kubectl("delete", "cdi", "cdi-kubevirt-hyperconverged", "--ignore-not-found")
    cluster.kubectl("delete", "sc", OTHER, "--ignore-not-found")
    Namespace(cluster, HOME).gone(f"namespace/{GOLDEN}")
    cluster.kubectl("delete", "namespace", HOME, "--timeout=60s")


def test_common_images_are_switched_off_and_on_again(images):
    golden = images.golden
    old = images.ready("fedora")
    images.own(template("mine", "mine", images.server.url("boot/fedora")))
    images.ready("mine")
    kept = images.cluster.kubectl("get", "hco", NAME, "-n", HOME, "-ojsonpath={.spec}")
    assert json.loads(kept)["dataImportCronTemplates"][0]["metadata"]["annotations"][BIND] == "true"
    status = {name: each["status"] for name, each in images.in_effect().items()}
    assert status == {
        "fedora-image-cron": {"commonTemplate": True},
        "centos-stream9-image-cron": {"commonTemplate": True},
        "mine": {},
    }
    assert golden.get("dic", "mine")["metadata"]["annotations"][BIND] == "true"

    gate = "/spec/featureGates/enableCommonBootImageImport"
    images.patch({"op": "replace", "path": gate, "value": False})
    golden.gone("dic/fedora-image-cron", "dic/centos-stream9-image-cron", f"dv/{old}")
    assert golden.names("dic") == {"mine"}
    golden.wait("datasource/fedora", "jsonpath={.spec.source.pvc.name}=fedora")
    golden.wait("datasource/fedora", "condition=Ready=false")
    assert images.ready("mine")

    images.patch({"op": "replace", "path": gate, "value": True})
    assert images.ready("fedora") == old  # the same digest, imported anew


def test_one_image_is_switched_off_by_annotation(images):
    images.ready("fedora")
    off = {"metadata": {"name": "fedora-image-cron", "annotations": {ENABLE: "false"}}}
    images.own(off)
    images.golden.gone("dic/fedora-image-cron")
    assert set(images.in_effect()) == {"centos-stream9-image-cron"}
    assert images.golden.names("dic") == {"centos-stream9-image-cron"}


def test_a_json_patch_reaches_the_ssp(images):
    replicas = "jsonpath={.spec.templateValidator.replicas}"
    home = Namespace(images.cluster, HOME)
    home.wait("ssp/ssp-kubevirt-hyperconverged", f"{replicas}=2")
    patch = '[{"op": "replace", "path": "/spec/templateValidator/replicas", "value": 0}]'
    home.kubectl("annotate", "hco", NAME, f"ssp.kubevirt.io/jsonpatch={patch}")
    home.wait("ssp/ssp-kubevirt-hyperconverged", f"{replicas}=0")
    home.kubectl("annotate", "hco", NAME, "ssp.kubevirt.io/jsonpatch-")
    home.wait("ssp/ssp-kubevirt-hyperconverged", f"{replicas}=2")


def test_what_makes_no_sense_is_refused_when_it_is_typed(images):
    home = Namespace(images.cluster, HOME)
    wrong = template("mine", "mine", images.server.url("boot/fedora"))
    wrong["metadata"]["annotations"] = {ENABLE: "maybe"}
    images.refuse(f"invalid {ENABLE} annotation of template mine: 'maybe'", wrong)
    images.refuse("spec is empty for an enabled DataImportCronTemplate: bare", named("bare"))
    again = {"apiVersion": "ssp.kubevirt.io/v1beta3", "kind": "SSP", "metadata": {"name": "two"}}
    with pytest.raises(Refused, match=f"an SSP CR already exists in namespace {HOME}"):
        home.apply({**again, "spec": {"commonTemplates": {"namespace": "openshift"}}})
    path = "/spec/commonTemplates/dataImportCronTemplates/0/metadata/name"
    gone = json.dumps([{"op": "remove", "path": path}])
    with pytest.raises(Refused, match="missing name in DataImportCronTemplate 0"):
        home.kubectl("patch", "ssp", "ssp-kubevirt-hyperconverged", "--type=json", "-p", gone)
    # What is switched off needs no spec, and says nothing wrong.
    images.own({"metadata": {"name": "bare", "annotations": {ENABLE: "False"}}})
    assert "bare" not in images.in_effect()


def test_an_image_of_ones_own_takes_the_place_of_a_common_one_and_gives_it_back(images):
    golden, label = images.golden, "cdi.kubevirt.io/dataImportCron"
    images.ready("fedora")
    own = manifests.data_volume("fedora", manifests.BLANK, size="64Mi")
    own["metadata"]["annotations"] = {BIND: "true"}
    golden.apply(own)
    golden.wait_phase("fedora", "Succeeded")
    golden.kubectl("label", "datasource", "fedora", f"{label}-")
    golden.gone("dic/fedora-image-cron")
    golden.wait("datasource/fedora", "jsonpath={.status.source.pvc.name}=fedora")

    golden.kubectl("label", "--overwrite", "datasource", "fedora", f"{label}=true")
    golden.wait("dic/fedora-image-cron", "create")
    golden.wait("dic/fedora-image-cron", "condition=UpToDate")
    assert images.ready("fedora").startswith("fedora-")
    marked = images.source("fedora")["metadata"]["labels"]
    assert marked[label] == "fedora-image-cron"
    golden.kubectl("delete", "dv", "fedora")  # the namespace stays while it is there


def test_one_image_moves_to_another_class(images):
    cluster, golden = images.cluster, images.golden
    old = images.ready("fedora")
    other = _another_class(cluster, golden.get("pvc", old)["spec"]["storageClassName"])
    storage = {"template": {"spec": {"storage": {"storageClassName": other}}}}
    images.own({"metadata": {"name": "fedora-image-cron"}, "spec": storage})
    # The cron is made anew, as its template cannot be changed: for a moment there is none.
    with golden.watch("dic", "{.metadata.name} {..storageClassName}") as crons:
        crons.until(lambda lines: f"fedora-image-cron {other}" in lines)
    images.forget()
    images.ready_in("fedora", other)
    assert images.in_effect()["fedora-image-cron"]["status"] == {
        "commonTemplate": True,
        "modified": True,
    }
    images.ready("centos-stream9")


def test_images_follow_the_default_class_for_machines(images):
    cluster, golden = images.cluster, images.golden
    old = images.ready("fedora")
    other = _another_class(cluster, golden.get("pvc", old)["spec"]["storageClassName"])
    path = "jsonpath={.metadata.annotations.cdi\\.kubevirt\\.io/storage\\.import\\.storageClass}"
    cluster.kubectl("annotate", "sc", other, f"{VIRT}=true")
    try:
        golden.wait("dic/fedora-image-cron", f"{path}={other}")
        golden.wait("dic/fedora-image-cron", "condition=UpToDate")
        images.ready_in("fedora", other)
    finally:
        cluster.kubectl("annotate", "sc", other, f"{VIRT}-")


def test_images_become_snapshots_and_claims_again(images):
    cluster, golden = images.cluster, images.golden
    old = images.ready("fedora")
    name = golden.get("pvc", old)["spec"]["storageClassName"]
    profile = json.loads(cluster.kubectl("get", "storageprofile", name, "-ojson"))
    if not profile["status"].get("snapshotClass"):
        pytest.skip("the storage takes no snapshots")
    for form, kind, other in (("snapshot", "vs", "pvc"), ("pvc", "pvc", "vs")):
        spec = f'{{"spec": {{"dataImportCronSourceFormat": "{form}"}}}}'
        cluster.kubectl("patch", "storageprofile", name, "--type=merge", "-p", spec)
        golden.wait("dic/fedora-image-cron", f"jsonpath={{.status.sourceFormat}}={form}")
        golden.gone(f"{other}/{old}")
        golden.wait("datasource/fedora", "condition=Ready")
        assert old in golden.names(kind)
        images.forget()
        golden.wait("dic/fedora-image-cron", "condition=UpToDate")
        images.ready("fedora")


def _another_class(cluster: Cluster, given: str) -> str:
    """A class like the default one, under another name."""
    found = json.loads(cluster.kubectl("get", "sc", given, "-ojson"))
    made = {
        "apiVersion": found["apiVersion"],
        "kind": found["kind"],
        "metadata": {"name": OTHER},
        **{key: found[key] for key in ("provisioner", "parameters", "reclaimPolicy",
                                       "volumeBindingMode") if key in found},
    }  # fmt: skip
    cluster.kubectl("apply", "-f-", stdin=json.dumps(made))
    return OTHER
