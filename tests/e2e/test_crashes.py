"""kill -9, anywhere: afterwards the import completes, the disk is right, nothing is orphaned."""

import os
import random
import signal

import pytest

from support import disks, httpd
from support.cluster import Machine, Namespace
from support.manifests import BLANK, data_volume, http
from support.waiting import wait_until

pytestmark = pytest.mark.e2e

PHASES = "{.metadata.name}={.status.phase}"
RATE = 6_000_000  # bytes a second on each connection: an import that takes a while


def reached(server: httpd.Server, count: int, watch) -> None:
    """Return once the import is under way and the server has sent `count` bytes of bodies.

    One at least: the phase may be there before the worker is.
    """
    watch.until(lambda lines: "disk=ImportInProgress" in lines)
    server.wait_served(max(count, 1))


def assert_whole(space: Namespace, machine: Machine, raw) -> None:
    disk = space.claim_disk("disk")
    assert disk is not None
    assert disks.differs(disk, raw) == ""
    space.gone("pod/importer-disk")
    assert machine.workers() == []
    claimed = space.kubectl("get", "pvc", "-A", "-ojsonpath={.items[*].spec.volumeName}")
    assert machine.volumes() == set(claimed.split())
    leftovers = [each.name for each in disk.parent.iterdir()]
    assert leftovers == ["disk.img"]
    pods = machine.directory / "pods"
    wait_until(lambda: not any(pods.iterdir()))


@pytest.mark.parametrize("share", [0.0, 0.35, 0.8], ids=["early", "middle", "late"])
def test_a_killed_worker_is_started_again(machine, server, images, share):
    blob = httpd.Blob(images.raw.read_bytes(), twist=httpd.changed(rate=RATE))
    url = server.put("/disk", blob)
    with machine.namespace() as space:
        with space.watch("dv", PHASES) as watch:
            space.apply(data_volume("disk", http(url)))
            reached(server, int(share * len(blob.body)), watch)
        for worker in machine.workers():
            os.kill(worker, signal.SIGKILL)
        blob.twist = None
        status = space.wait_phase("disk", "Succeeded")["status"]
        assert status["restartCount"] >= 1
        assert_whole(space, machine, images.raw)


@pytest.mark.parametrize(
    "populator", [pytest.param("false", id="plain"), pytest.param("true", id="populator")]
)
def test_an_import_survives_kills_of_everything(machine, server, images, populator):
    body = images.raw.read_bytes()
    blob = httpd.Blob(body, twist=httpd.changed(rate=RATE))
    url = server.put("/disk", blob)
    chosen = {"cdi.kubevirt.io/storage.usePopulator": populator}
    with machine.namespace() as space:
        space.apply(data_volume("disk", http(url), annotations=chosen))
        for count in sorted(random.Random(os.getpid()).sample(range(len(body)), 3)):
            server.wait_served(count)
            machine.kill()
            machine.start()
        blob.twist = None
        space.wait_phase("disk", "Succeeded")
        assert_whole(space, machine, images.raw)
        # What was there before a kill was not fetched again, but for what was under way.
        assert server.served < 3 * len(body)


def test_what_was_acknowledged_is_there_after_a_kill(machine):
    with machine.namespace() as space:
        space.apply(data_volume("blank", BLANK))
        machine.kill()
        machine.start()
        space.wait_phase("blank", "Succeeded")


def test_a_stop_is_orderly_and_work_continues(machine, server, images):
    blob = httpd.Blob(images.raw.read_bytes(), twist=httpd.changed(rate=RATE))
    url = server.put("/disk", blob)
    with machine.namespace() as space:
        with space.watch("dv", PHASES) as watch:
            space.apply(data_volume("disk", http(url)))
            reached(server, len(blob.body) // 2, watch)
        assert machine.stop() == 0
        assert machine.workers() == []
        sent = server.served
        blob.twist = None
        machine.start()
        space.wait_phase("disk", "Succeeded")
        assert_whole(space, machine, images.raw)
        assert server.served - sent < len(blob.body)


def test_two_machines_run_side_by_side(cluster, machine):
    with cluster.namespace() as one, machine.namespace() as other:
        for space in (one, other):
            space.apply(data_volume("blank", BLANK))
        for space in (one, other):
            space.wait_phase("blank", "Succeeded")


def test_one_directory_has_one_machine(machine):
    second = Machine.over(machine.directory)
    with pytest.raises(AssertionError, match="is in use by process"):
        second.start()


def test_starting_prints_where_the_kubeconfig_is_and_then_ready(tmp_path):
    found = Machine.over(tmp_path / "data")
    assert found.start() == [f"kubeconfig: {found.kubeconfig}", "ready"]
    assert found.kubeconfig.stat().st_mode & 0o077 == 0
    assert found.stop() == 0
