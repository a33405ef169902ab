"""
The cluster that the end-to-end tests run on.

CDI_TEST_KUBECONFIG names one; otherwise every test process starts `cdi up` over a directory of its
own. KUBECONFIG alone is not taken: tests must never end up in a cluster that just happens to be
the one somebody works with. CDI_TEST_HOST is the address under which a foreign cluster reaches
this machine, whose servers have the images; CDI_TEST_WAITING_CLASS is its StorageClass that waits
for a consumer, CDI_TEST_CLASS the one of all other volumes, if it is not the default. The
StorageProfiles of that class and of the waiting one are told that there are block volumes,
if they do not know.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import disks, httpd
from support.cluster import Cluster, Machine, Namespace
from support.manifests import USUAL_CLASS, WAITING_CLASS


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    given = os.environ.get("CDI_TEST_KUBECONFIG")
    if given:
        found = Cluster(Path(given).resolve(), os.environ.get("CDI_TEST_HOST", "127.0.0.1"))
        for storage_class in (USUAL_CLASS or found.default_class(), WAITING_CLASS):
            found.complete_profile(storage_class)
        yield found
        return
    with Machine.over(tmp_path_factory.mktemp("up") / "data").running() as machine:
        yield machine


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """`cdi up` for one test alone, which may kill it."""
    with Machine.over(tmp_path / "data").running() as found:
        yield found


@pytest.fixture
def space(cluster: Cluster) -> Iterator[Namespace]:
    with cluster.namespace() as found:
        yield found


@pytest.fixture
def server(cluster: Cluster) -> Iterator[httpd.Server]:
    with httpd.Server(host=cluster.host, bind=cluster.bind) as found:
        yield found


@dataclass(frozen=True)
class Images:
    """One disk of 24 MiB, in several forms."""

    raw: Path
    qcow2: Path
    gz: Path

    def blob(self, kind: str) -> httpd.Blob:
        return httpd.Blob(getattr(self, kind).read_bytes())


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Images:
    raw = disks.raw_disk(tmp_path_factory.mktemp("images") / "disk.raw")
    return Images(raw, disks.convert(raw, "qcow2"), disks.compress(raw, "gz"))
