"""What may work later is tried again, says when, and succeeds once the server is well."""

import re
import threading

import pytest

from support import disks, httpd
from support.manifests import data_volume, http

pytestmark = pytest.mark.e2e

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


def test_an_import_survives_a_stall(space, server, images):
    """Slow: silence counts as a stall after a minute."""
    gate = Gate(httpd.changed(stall_after=64 << 10))
    blob = images.blob("raw")
    blob.twist = gate
    url = server.put("/disk", blob)
    space.apply(data_volume("disk", http(url)))
    server.wait_served(64 << 10)
    gate.open.set()
    space.wait("dv/disk", "jsonpath={.status.phase}=Succeeded", 85)
    disk = space.claim_disk("disk")
    assert disk is None or disks.differs(disk, images.raw) == ""
