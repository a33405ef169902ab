"""A DataVolume can be deleted in every phase, and nothing of it stays."""

import pytest

from support import httpd
from support.cluster import Machine
from support.manifests import BLANK, RETAIN, RETRY_NEVER, WAITING_CLASS, consumer, data_volume, http

pytestmark = pytest.mark.e2e


def in_phase(name: str, phase: str):
    return lambda lines: f"{name}={phase}" in lines


def slow(images) -> httpd.Blob:
    """An image that takes minutes."""
    return httpd.Blob(images.raw.read_bytes(), twist=httpd.changed(rate=100_000))


def lacking(what: str) -> dict:
    """A source whose importer cannot start: an object that it refers to is not there."""
    return http("http://server.example/disk", **{what: "not-there"})


def stuck(images) -> httpd.Blob:
    return httpd.Blob(images.raw.read_bytes(), twist=httpd.changed(before_headers="stall"))


@pytest.mark.parametrize(
    ("phase", "source", "options"),
    [
        pytest.param("Pending", BLANK, {"storageClassName": "missing", "by": "pvc"}, id="pending"),
        pytest.param("waiting", BLANK, {"storageClassName": WAITING_CLASS}, id="waiting"),
        pytest.param("ImportScheduled", lacking("certConfigMap"), {}, id="no-config-map"),
        pytest.param("ImportScheduled", lacking("secretRef"), {}, id="no-secret"),
        pytest.param("ImportInProgress", slow, {}, id="in-progress"),
        pytest.param("ImportInProgress", slow, {"by": "pvc", "volumeMode": "Block"}, id="block"),
        pytest.param("ImportInProgress", stuck, {}, id="stalled"),
        pytest.param(
            "ImportInProgress",
            slow,
            {"annotations": {"cdi.kubevirt.io/storage.usePopulator": "true"}},
            id="populating",
        ),
        pytest.param(
            "Failed", {"http": {"url": "none"}}, {"annotations": RETRY_NEVER}, id="failed"
        ),
        pytest.param("Succeeded", BLANK, {}, id="succeeded"),
        pytest.param("Succeeded", BLANK, {"annotations": {RETAIN: "true"}}, id="retained"),
    ],
)
def test_a_volume_is_deleted(cluster, space, server, images, phase, source, options):
    if phase == "waiting":
        phase = cluster.waiting_phase(WAITING_CLASS)
    if callable(source):
        source = http(server.put("/disk", source(images)))
    elif source.get("http") == {"url": "none"}:
        source = http(f"{server.origin}/none")
    with space.watch("dv", "{.metadata.name}={.status.phase}") as watch:
        space.apply(data_volume("doomed", source, **options))
        watch.until(in_phase("doomed", phase))
    delete_all_of_it(cluster, space)
    space.only("pods")


def test_a_volume_that_waits_for_somebody_else_is_deleted(cluster, space):
    """Nothing is imported into a claim that a pod uses; the pod is not ours to remove.

    Kubernetes keeps the claim as long as a pod of a node names it.
    """
    space.apply(consumer("somebody", "doomed"))
    with space.watch("dv", "{.metadata.name}={.status.phase}") as watch:
        space.apply(data_volume("doomed", BLANK))
        watch.until(in_phase("doomed", "PVCBound"))
    space.wait("pvc/doomed", "jsonpath={.status.phase}=Bound")
    space.until_event("pvc/doomed", "ImportTargetInUse")
    assert space.get("dv", "doomed")["status"]["phase"] == "PVCBound"
    if "nodeName" in space.get("pod", "somebody")["spec"]:
        space.kubectl("delete", "dv", "doomed", "--timeout=60s")
        space.wait("pvc/doomed", "jsonpath={.metadata.deletionTimestamp}")
        assert space.names("pods") == {"somebody"}
        space.kubectl("delete", "pod", "somebody", "--grace-period=0", "--force")
        space.gone("pvc/doomed")
    else:
        delete_all_of_it(cluster, space)
        space.only("pods", "somebody")
    space.only("pvc")


def delete_all_of_it(cluster, space) -> None:
    """Delete DataVolume doomed; whatever was made for it goes."""
    volumes = set(space.kubectl("get", "pvc", "-ojsonpath={.items[*].spec.volumeName}").split())
    claims = space.names("pvc")
    pods = {name for name in space.names("pods") if name.startswith("importer-")}
    space.kubectl("delete", "dv", "doomed", "--wait=true", "--timeout=60s")
    space.gone(
        "dv/doomed",
        *(f"pod/{name}" for name in pods),
        *(f"pvc/{name}" for name in claims),
        *(f"pv/{name}" for name in volumes),
    )
    space.only("pvc")
    space.only("volumeimportsource")
    if isinstance(cluster, Machine):
        assert cluster.volumes().isdisjoint(volumes)


def test_a_namespace_takes_everything_with_it(cluster, server, images):
    url = server.put("/disk", slow(images))
    with cluster.namespace() as space:
        with space.watch("dv", "{.metadata.name}={.status.phase}") as watch:
            space.apply(data_volume("slow", http(url)), data_volume("blank", BLANK))
            watch.until(lambda lines: {"slow=ImportInProgress", "blank=Succeeded"} <= set(lines))
        claims = space.kubectl("get", "pvc", "-ojsonpath={.items[*].spec.volumeName}").split()
        cluster.kubectl("delete", "namespace", space.name, "--timeout=60s")
        for name in claims:
            cluster.kubectl("wait", f"pv/{name}", "--for=delete", "--timeout=60s")
        cluster.kubectl("create", "namespace", space.name)


def test_a_deleted_volume_can_be_applied_again(space, server, images):
    url = server.put("/disk", images.blob("qcow2"))
    for _ in range(2):
        space.apply(data_volume("disk", http(url)))
        space.wait_phase("disk", "Succeeded")
        space.kubectl("delete", "dv", "disk")
        space.gone("pvc/disk")
