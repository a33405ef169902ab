"""What may work later is tried again, says when, and succeeds once the server is well."""

import re
import threading

import pytest

from support import disks, httpd
from support.cluster import Machine
from support.manifests import data_volume, http

pytestmark = pytest.mark.e2e

PHASES = ["Pending", "PVCBound", "ImportScheduled", "ImportInProgress", "Succeeded"]
MESSAGE = '{.status.conditions[?(@.type=="Running")].message}'
NEXT = re.compile(r"next attempt at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class Gate:
    """Spoils replies until it is opened."""

    def __init__(self, twist: httpd.Twist) -> None:
        self.open = threading.Event()
        self._twist = twist

    def __call__(self, request: httpd.Request, reply: httpd.Reply) -> httpd.Reply:
        return reply if self.open.is_set() else self._twist(request, reply)


@pytest.mark.parametrize(
    ("twist", "said"),
    [
        pytest.param(httpd.status(503), "503", id="503"),
        pytest.param(httpd.changed(before_headers="reset"), "", id="reset"),
    ],
)
def test_a_server_that_is_not_well_is_asked_again(space, server, images, twist, said):
    gate = Gate(twist)
    blob = images.blob("qcow2")
    blob.twist = gate
    url = server.put("/disk", blob)
    with space.watch("dv", MESSAGE) as watch:
        space.apply(data_volume("disk", http(url)))
        lines = watch.until(lambda lines: any(map(NEXT.search, lines)))
        assert any(said in line for line in lines)
        gate.open.set()
        status = space.wait_phase("disk", "Succeeded")["status"]
    assert status["restartCount"] >= 1
    disk = space.claim_disk("disk")
    assert disk is None or disks.differs(disk, images.raw) == ""


def test_a_refused_connection_is_tried_again(cluster, space, images):
    with httpd.Server(host=cluster.host, bind=cluster.bind) as former:
        port = former.port
    with space.watch("dv", MESSAGE) as watch:
        space.apply(data_volume("disk", http(f"http://{cluster.host}:{port}/disk")))
        watch.until(lambda lines: any(map(NEXT.search, lines)))
        with httpd.Server(host=cluster.host, port=port, bind=cluster.bind) as server:
            server.put("/disk", images.blob("qcow2"))
            space.wait_phase("disk", "Succeeded")


@pytest.fixture(scope="module")
def hasty(tmp_path_factory):
    """A machine that takes a second of silence for a stall."""
    folder = tmp_path_factory.mktemp("hasty") / "data"
    with Machine.over(folder, "--stall-timeout=1").running() as found:
        yield found


def test_a_server_that_stays_silent_is_asked_again(hasty, images):
    gate = Gate(httpd.changed(before_headers="stall"))
    blob = images.blob("raw")
    blob.twist = gate
    with (
        httpd.Server() as server,
        hasty.namespace() as space,
        space.watch("dv", MESSAGE) as told,
        space.watch("dv", "{.status.phase}") as phases,
    ):
        space.apply(data_volume("disk", http(server.put("/disk", blob))))
        lines = told.until(lambda lines: any(map(NEXT.search, lines)))
        assert any("no byte arrived for 1 s" in line for line in lines)
        gate.open.set()
        status = space.wait_phase("disk", "Succeeded")["status"]
        seen = [line for line in phases.until(lambda lines: "Succeeded" in lines) if line]
        assert disks.differs(space.claim_disk("disk"), images.raw) == ""
    assert status["restartCount"] >= 1
    assert [PHASES.index(phase) for phase in seen] == sorted(map(PHASES.index, seen))


def test_a_stall_midway_costs_no_new_attempt(hasty, images):
    blob = images.blob("raw")
    blob.twist = httpd.after(1, httpd.first(8, httpd.changed(stall_after=64 << 10)))
    with httpd.Server() as server, hasty.namespace() as space:
        space.apply(data_volume("disk", http(server.put("/disk", blob))))
        status = space.wait_phase("disk", "Succeeded")["status"]
        assert disks.differs(space.claim_disk("disk"), images.raw) == ""
    assert status.get("restartCount", 0) == 0
