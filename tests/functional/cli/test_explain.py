"""`cdi explain` against an API server: every kind, several names, and what may not be read."""

import json
from pathlib import Path
from typing import Any

import pytest

from support import commands
from support.fakekube import FakeKube, Fault
from support.loop import in_loop

CDI = "cdi.kubevirt.io/v1beta1"
IMPORT = "cdi.kubevirt.io/storage.import."
RUNNING = "cdi.kubevirt.io/storage.condition.running"
SIZE = {"resources": {"requests": {"storage": "1Gi"}}, "storageClassName": "local"}


def made(api: str, kind: str, name: str, owner: tuple[str, str] = ("", ""), **more: Any) -> Any:
    """An object, controlled by `owner` (kind and name) where one is given."""
    annotations = more.pop("annotations", {})
    labels = more.pop("labels", {})
    metadata: dict[str, Any] = {
        "name": name,
        "namespace": "default",
        "uid": f"uid-of-{kind}-{name}",
        "annotations": annotations,
        "labels": labels,
        "creationTimestamp": "2030-01-01T00:00:00Z",
    }
    if owner[0]:
        group = CDI if owner[0] == "DataVolume" else "v1"
        metadata["ownerReferences"] = [
            {
                "apiVersion": group,
                "kind": owner[0],
                "name": owner[1],
                "uid": "u",
                "controller": True,
            }
        ]
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **more}


def claim(name: str, phase: str, owner: tuple[str, str] = ("", ""), **annotations: str) -> Any:
    status = {"phase": phase}
    found = made("v1", "PersistentVolumeClaim", name, owner, spec=SIZE, status=status)
    found["metadata"]["annotations"] = annotations
    return found


def using(name: str, claimed: str) -> Any:
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": claimed}}]
    return made("v1", "Pod", name, spec={"volumes": volumes}, status={"phase": "Pending"})


def furnished(server: FakeKube) -> None:
    for api, plural, kind in (
        (CDI, "datavolumes", "DataVolume"),
        (CDI, "datasources", "DataSource"),
        (CDI, "dataimportcrons", "DataImportCron"),
        ("v1", "persistentvolumeclaims", "PersistentVolumeClaim"),
        ("v1", "pods", "Pod"),
        ("v1", "events", "Event"),
        ("storage.k8s.io/v1", "storageclasses", "StorageClass"),
    ):
        server.collection(api, plural, kind)
    why = "404 Not Found"
    failed = {"type": "Running", "status": "False", "reason": "SourceNotFound", "message": why}
    status = {"phase": "Failed", "conditions": [failed]}
    server.put("datavolumes", made(CDI, "DataVolume", "disk", status=status))
    server.put("datavolumes", made(CDI, "DataVolume", "done", status={"phase": "Succeeded"}))
    server.put("persistentvolumeclaims", claim("disk", "Pending", ("DataVolume", "disk")))
    prime = claim("prime-1", "Bound", ("PersistentVolumeClaim", "disk"))
    server.put("persistentvolumeclaims", prime)
    scratch = claim("disk-scratch", "Bound", ("Pod", "importer-disk"))
    server.put("persistentvolumeclaims", scratch)
    server.put("persistentvolumeclaims", claim("plain", "Bound"))
    server.put("persistentvolumeclaims", by_hand())
    worker = made("v1", "Pod", "importer-disk", ("PersistentVolumeClaim", "disk"))
    worker["metadata"]["labels"] = {"app": "containerized-data-importer"}
    server.put("pods", worker)
    server.put("pods", using("vm", "disk"))
    server.put("pods", using("other", "nowhere"))
    source = {"source": {"pvc": {"name": "disk", "namespace": "default"}}}
    server.put("datasources", made(CDI, "DataSource", "boot", spec=source))
    imports = {"currentImports": [{"DataVolumeName": "disk", "Digest": "sha256:1"}]}
    outdated = {"type": "UpToDate", "status": "False", "reason": "Outdated"}
    cron = made(CDI, "DataImportCron", "daily", status={**imports, "conditions": [outdated]})
    server.put("dataimportcrons", cron)


def by_hand() -> Any:
    """A claim that somebody annotated, whose import fails."""
    told = {
        f"{IMPORT}endpoint": "http://h/d",
        f"{IMPORT}source": "http",
        RUNNING: "false",
        f"{RUNNING}.reason": "ImagePullFailed",
        f"{RUNNING}.message": "failed to pull image: no/such",
        "cdi.kubevirt.io/storage.pod.phase": "Running",
    }
    return claim("hand", "Bound", **told)


async def explain(server: FakeKube, home: Path, *words: str) -> commands.Outcome:
    config = commands.kubeconfig(home / "config", server.url)
    return await commands.run("explain", "--kubeconfig", config, *words, home=home)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(("dv", "disk"), "DataVolume:  default/disk, Failed", id="volume"),
        pytest.param(("dv/disk",), "DataVolume:  default/disk, Failed", id="slash"),
        pytest.param(("pvc", "disk"), "Claim:       default/disk, of DataVolume disk", id="claim"),
        pytest.param(("pvc/prime-1",), "fills claim disk", id="prime"),
        pytest.param(("pvc/disk-scratch",), "scratch space of pod importer-disk", id="scratch"),
        pytest.param(("pod", "importer-disk"), "works for claim disk", id="worker"),
        pytest.param(("pod", "vm"), "volume disk: nothing: it failed for good", id="consumer"),
        pytest.param(("datasource", "boot"), "volume disk: nothing: it failed", id="source"),
        pytest.param(("dataimportcron", "daily"), "volume disk: nothing: it failed", id="cron"),
    ],
)
@in_loop
async def test_whatever_depends_on_a_volume_leads_to_its_reason(
    words: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    async with FakeKube() as server:
        furnished(server)
        found = await explain(server, tmp_path, *words)
    assert (found.status, found.errors) == (0, "")
    assert said in found.output
    assert "SourceNotFound: 404 Not Found" in found.output
    assert "check the URL, then delete the DataVolume" in found.output


@in_loop
async def test_claims_without_a_data_volume_are_explained(tmp_path: Path) -> None:
    async with FakeKube() as server:
        furnished(server)
        plain = await explain(server, tmp_path, "pvc", "plain")
        hand = await explain(server, tmp_path, "pvc", "hand")
        missing = await explain(server, tmp_path, "pod", "other")
    assert "it is bound, and not filled by CDI" in plain.output
    assert "ImagePullFailed: failed to pull image: no/such" in hand.output
    assert "check the name of the image" in hand.output
    assert "volume nowhere, which does not exist" in missing.output


@in_loop
async def test_several_objects_are_explained_one_after_the_other(tmp_path: Path) -> None:
    async with FakeKube() as server:
        furnished(server)
        text = await explain(server, tmp_path, "dv", "disk", "done")
        documents = await explain(server, tmp_path, "dv/done", "pvc/disk", "-o", "json")
        partly = await explain(server, tmp_path, "dv", "missing", "done")
    assert text.output.count("What to do:") == 2
    assert "\n\nDataVolume:  default/done" in text.output
    read = json.loads(documents.output)
    assert [(each["kind"], each["name"]) for each in read] == [
        ("DataVolume", "done"),
        ("PersistentVolumeClaim", "disk"),
    ]
    assert partly.status == 1
    assert "default/done, Succeeded" in partly.output
    assert partly.errors.startswith("cdi: ")


@in_loop
async def test_what_may_not_be_read_is_told_and_not_taken_for_missing(tmp_path: Path) -> None:
    async with FakeKube() as server:
        furnished(server)
        server.put("datavolumes", made(CDI, "DataVolume", "fresh", status={"phase": "Pending"}))
        server.put("persistentvolumeclaims", claim("fresh", "Pending", ("DataVolume", "fresh")))
        server.faults += [
            Fault("get", "/pods/", times=9, code=403),
            Fault("get", "/storageclasses/", times=9, code=403),
            Fault("list", "/events", times=9, code=403),
        ]
        found = await explain(server, tmp_path, "dv", "fresh")
    assert found.status == 0
    assert "does not exist" not in found.output
    for plural in ("pods", "storageclasses", "events"):
        assert f"explained without {plural}" in found.errors
