"""Boot images that follow a tag: DataImportCrons, and the DataSources that they manage."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from cdi.api import annotations as known
from cdi.api import names
from support import disks, httpd, registry
from support.cluster import Refused

pytestmark = pytest.mark.e2e

UP_TO_DATE = "condition=UpToDate"
READY = "condition=Ready"
INSTALLATION = "cdi"


@pytest.fixture(scope="module")
def server(cluster, tmp_path_factory) -> Iterator[registry.Registry]:
    with registry.Registry(tmp_path_factory.mktemp("registry"), address=cluster.host) as running:
        cluster.trust(running.host)
        yield running


def data_import_cron(name: str, source: dict, *, managed: str = "fedora", **spec) -> dict:
    storage = {"resources": {"requests": {"storage": "64Mi"}}}
    return {
        "apiVersion": "cdi.kubevirt.io/v1beta1",
        "kind": "DataImportCron",
        "metadata": {"name": name},
        "spec": {
            "template": {"spec": {"source": source, "storage": storage}},
            "schedule": "0 0 1 1 *",
            "managedDataSource": managed,
            "retentionPolicy": "None",
            "importsToKeep": 1,
            **spec,
        },
    }


def packed(data: bytes) -> registry.Image:
    return registry.disk_image(data, "disk.img")


def poll(space, name: str, turn: str = "again") -> None:
    """Look for a new version now, as an administrator does."""
    cron = space.get("dic", name)
    job = names.cron_job_for(name, cron["metadata"]["uid"])
    space.cluster.kubectl(
        *("-n", INSTALLATION, "create", "job", f"--from=cronjob/{job}", f"{turn}-{space.name}")
    )


def digest_of(space, name: str) -> str:
    return space.get("dic", name)["metadata"]["annotations"][known.DESIRED_DIGEST]


def test_a_data_source_follows_a_tag(space, server, images):
    first, second = images.raw.read_bytes(), bytes(1 << 20) + b"second" * 1000
    url = server.push("boot/fedora", "latest", packed(first))
    space.apply(data_import_cron("fedora-cron", {"registry": {"url": url}}))
    space.wait("dic/fedora-cron", UP_TO_DATE)
    space.wait("datasource/fedora", READY)
    old = space.get("datasource", "fedora")["status"]["source"]["pvc"]["name"]
    assert old == names.boot_image_for("fedora", digest_of(space, "fedora-cron"))
    disk = space.claim_disk(old)
    assert disk is None or disks.differs(disk, images.raw) == ""

    ready = "{.metadata.name} {.status.conditions[?(@.type=='Ready')].status}"
    with space.watch("datasources", ready) as watch:
        server.push("boot/fedora", "latest", packed(second))
        poll(space, "fedora-cron")
        space.gone(f"pvc/{old}")
        assert watch.until(bool)
        assert set(watch.lines) <= {"fedora True"}
    new = space.get("datasource", "fedora")["status"]["source"]["pvc"]["name"]
    assert new == names.boot_image_for("fedora", digest_of(space, "fedora-cron")) != old
    space.wait("dic/fedora-cron", UP_TO_DATE)

    space.kubectl("delete", "dic", "fedora-cron")
    space.gone("datasource/fedora", f"pvc/{new}", f"dv/{new}")
    jobs = json.loads(space.cluster.kubectl("-n", INSTALLATION, "get", "cronjobs", "-ojson"))
    marked = {each["metadata"]["labels"].get("cdi.kubevirt.io/dataImportCronNs")
              for each in jobs["items"]}  # fmt: skip
    assert space.name not in marked


def test_a_registry_in_trouble_leaves_the_last_image(space, cluster):
    with httpd.Server(host=cluster.host, bind=cluster.bind) as web:
        fake = registry.Fake(web)
        cluster.trust(fake.host)
        good, bad = packed(bytes(1 << 20)), packed(bytes(2 << 20))
        url = fake.push("boot/fedora", "latest", good)
        space.apply(data_import_cron("trouble", {"registry": {"url": url}}))
        space.wait("dic/trouble", UP_TO_DATE)
        space.wait("datasource/fedora", READY)
        last = space.get("datasource", "fedora")["spec"]["source"]

        fake.push("boot/fedora", "latest", bad, httpd.status(404))  # without its layer
        poll(space, "trouble", "bad")
        failed = names.boot_image_for("fedora", bad.manifest.digest)
        space.wait(f"dv/{failed}", "create")
        running = 'jsonpath={.status.conditions[?(@.type=="Running")].reason}'
        space.wait(f"dv/{failed}", f"{running}=Error")
        assert space.get("datasource", "fedora")["spec"]["source"] == last

        fake.push("boot/fedora", "latest", good)  # the tag is moved back
        poll(space, "trouble", "good-again")
        space.gone(f"dv/{failed}")
        space.wait("dic/trouble", UP_TO_DATE)

        manifest = "/v2/boot/fedora/manifests/latest"
        for code, turn in ((429, "busy"), (401, "locked")):
            web.put(manifest, lambda _, code=code: httpd.Reply(code, b""))
            poll(space, "trouble", turn)
            until_told(space, "trouble", f"{code}.*PollFailed")
            still_the_same(space, last)
    poll(space, "trouble", "stopped")
    until_told(space, "trouble", "(refused|reset|connect).*PollFailed")
    still_the_same(space, last)


def until_told(space, name: str, pattern: str) -> None:
    """Wait until what the conditions say, message before reason, fits."""
    with space.watch(f"dic/{name}", "{.status.conditions}") as watch:
        watch.until(lambda lines: any(re.search(pattern, line) for line in lines))


def still_the_same(space, last: dict) -> None:
    found = space.get("datasource", "fedora")
    assert found["spec"]["source"] == last
    (ready,) = found["status"]["conditions"]
    assert ready["status"] == "True"


def test_a_private_image_needs_its_secret_beside_the_cron_alone(space, cluster, tmp_path):
    with registry.Registry(tmp_path, address=cluster.host, guarded=True) as guarded:
        cluster.trust(guarded.host)
        url = guarded.push("boot/private", "latest", packed(bytes(1 << 20)))
        login = {"accessKeyId": registry.USER, "secretKey": registry.PASSWORD}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"}}
        source = {"registry": {"url": url, "secretRef": "login"}}
        space.apply(data_import_cron("private", source))
        until_told(space, "private", '[sS]ecret .?"?login.*PollFailed')
        space.apply({**secret, "stringData": login})
        space.wait("dic/private", UP_TO_DATE)
        space.wait("datasource/fedora", READY)
        assert digest_of(space, "private").startswith("sha256:")
        space.gone(*(f"pod/{name}" for name in space.names("pod") if "poller" in name))


def test_an_image_that_is_a_claim_is_followed(space):
    def made() -> dict:
        storage = {"resources": {"requests": {"storage": "64Mi"}}}
        return {
            "apiVersion": "cdi.kubevirt.io/v1beta1",
            "kind": "DataVolume",
            "metadata": {"name": "master", "annotations": {known.BIND_IMMEDIATE: "true"}},
            "spec": {"source": {"blank": {}}, "storage": storage},
        }

    space.apply(made())
    space.wait_phase("master", "Succeeded")
    source = {"pvc": {"name": "master", "namespace": space.name}}
    space.apply(data_import_cron("clones", source))
    space.wait("dic/clones", UP_TO_DATE)
    space.wait("datasource/fedora", READY)
    first = space.get("pvc", "master")["metadata"]["uid"]
    assert digest_of(space, "clones") == f"uid:{first}"
    old = space.get("datasource", "fedora")["spec"]["source"]["pvc"]["name"]

    space.kubectl("delete", "dv", "master")
    space.gone("pvc/master")
    space.apply(made())
    space.wait_phase("master", "Succeeded")
    second = space.get("pvc", "master")["metadata"]["uid"]
    now = f"{known.NEXT_CRON_TIME}=2000-01-01T00:00:00Z"
    space.kubectl("annotate", "dic", "clones", "--overwrite", now)  # look at once
    path = "jsonpath={.status.currentImports[0].Digest}"
    space.wait("dic/clones", f"{path}=uid:{second}")
    space.gone(f"dv/{old}", f"pvc/{old}")
    space.wait("datasource/fedora", READY)
    assert space.get("datasource", "fedora")["spec"]["source"]["pvc"]["name"] != old


def test_a_data_source_has_one_source(space):
    sources = {"pvc": {"name": "a", "namespace": space.name},
               "snapshot": {"name": "b", "namespace": space.name}}  # fmt: skip
    made = {
        "apiVersion": "cdi.kubevirt.io/v1beta1",
        "kind": "DataSource",
        "metadata": {"name": "either"},
        "spec": {"source": sources},
    }
    with pytest.raises(Refused, match="at most one of pvc, snapshot, dataSource"):
        space.apply(made)
    sources.pop("pvc")
    space.apply(made)
    other = {"spec": {"source": {"snapshot": None, "pvc": {"name": "a", "namespace": ""}}}}
    space.kubectl("patch", "das", "either", "--type=merge", "-p", json.dumps(other))
