"""
Pods that are killed at random, of every kind that the cluster runs for CDI, while many DataVolumes
import: all of them succeed, every disk is the right one, and nothing is left over.

CDI_TEST_KILLS is how many pods are killed, CDI_TEST_VOLUMES how many DataVolumes import. Where an
operator has installed CDI, its pods and those of controller, API server and upload proxy are among
the victims; on one machine there are importers only.
"""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from support import disks, httpd
from support.cluster import Cluster, Namespace, Refused
from support.manifests import data_volume, http

pytestmark = pytest.mark.e2e

KILLS = int(os.environ.get("CDI_TEST_KILLS", "6"))
VOLUMES = int(os.environ.get("CDI_TEST_VOLUMES", "4"))
SYSTEM = os.environ.get("CDI_TEST_NAMESPACE", "cdi")
MIB = 1 << 20
SIZE = 32 * MIB
RATE = 128 << 10  # bytes a second on each connection: an import takes longer than a kill
PATIENCE = 900  # seconds: the kubelet's pauses between two starts of a container grow
GENTLY, BY_FORCE = ("--wait=false",), ("--wait=false", "--force", "--grace-period=0")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One disk in several forms."""
    raw = disks.raw_disk(tmp_path_factory.mktemp("killed") / "disk.raw", SIZE, SIZE // 2)
    return {"raw": raw, "qcow2": disks.convert(raw, "qcow2"), "gz": disks.compress(raw, "gz")}


@pytest.fixture
def importing(
    cluster: Cluster, server: httpd.Server, images: dict[str, Path]
) -> Iterator[Namespace]:
    """A namespace in which DataVolumes have begun to import, slowly."""
    forms = sorted(images)
    with cluster.namespace() as space:
        wanted = []
        for number in range(VOLUMES):
            form = forms[number % len(forms)]
            blob = httpd.Blob(images[form].read_bytes())
            slow = lambda request, blob=blob: replace(blob(request), rate=RATE)  # noqa: E731
            wanted.append(data_volume(f"dv-{number}", http(server.put(f"/{number}", slow))))
        space.apply(*wanted)
        yield space


def victims(space: Namespace) -> list[tuple[str, str]]:
    """Namespace and name of every pod that may be killed now."""
    importers = space.names("pods")
    system = space.cluster.kubectl(
        *("get", "pods", "-n", SYSTEM, "-ojsonpath={.items[*].metadata.name}")
    )
    return sorted((space.name, each) for each in importers) + sorted(
        (SYSTEM, each) for each in system.split()
    )


def kill_some(space: Namespace, chance: random.Random) -> int:
    """Kill pods, one after the other, until that was done often or all has Succeeded."""
    done = 0
    while done < KILLS and unfinished(space):
        there = victims(space)
        if not there:
            continue
        namespace, name = chance.choice(there)
        how = chance.choice((GENTLY, BY_FORCE))
        with contextlib.suppress(Refused):  # it has ended by itself
            space.cluster.kubectl("-n", namespace, "delete", "pod", name, *how)
            done += 1
    return done


def unfinished(space: Namespace) -> bool:
    phases = space.kubectl("get", "dv", "-ojsonpath={.items[*].status.phase}").split()
    return phases != ["Succeeded"] * VOLUMES


def test_whatever_is_killed_every_disk_arrives(
    importing: Namespace, images: dict[str, Path]
) -> None:
    killed = kill_some(importing, random.Random(KILLS))
    print(f"{killed} pods were killed")
    assert killed
    content = images["raw"].read_bytes()
    for number in range(VOLUMES):
        importing.wait_phase(f"dv-{number}", "Succeeded", seconds=PATIENCE)
        disk = importing.claim_disk(f"dv-{number}")
        if disk is not None:
            found = disk.read_bytes()
            assert found[:SIZE] == content, number
            assert not found[SIZE:].strip(b"\0"), number
    importing.only("pvc", *(f"dv-{number}" for number in range(VOLUMES)))
    importing.only("pods")
