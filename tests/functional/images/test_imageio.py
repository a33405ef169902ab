"""oVirt disks from a real imageio daemon, through an engine that sometimes misbehaves."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cdi.images import errors
from cdi.images.http.options import HttpOptions
from cdi.images.sources.imageio import catalog, lease, prepare
from cdi.images.sources.imageio.patience import Patience
from cdi.images.sources.spec import open_nothing
from cdi.images.transfer import transfer
from cdi.images.transfer.meter import Meter
from cdi.images.transfer.request import TransferRequest
from cdi.images.transfer.result import Result
from support import disks, httpd, importing, ovirt, stages

MIB = 1 << 20
SIZE = 24 * MIB
DATA = 8 * MIB
OVERHEAD = 1.05  # bytes on the wire, heads included, against those that are needed
QUICK = Patience(
    locked=20, locked_first=1, locked_most=4, beginning=5, look=1, keep=0.05, ending_pause=0.01
)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ovirt.Host]:
    with ovirt.Host(tmp_path_factory.mktemp("host")) as host:
        yield host


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disk whose data is in runs of a MiB, with holes in between."""
    return disks.text_disk(tmp_path_factory.mktemp("disks") / "disk.raw", SIZE, DATA)


@pytest.fixture
def engine(host: ovirt.Host, raw: Path) -> Iterator[ovirt.Engine]:
    with ovirt.Engine(host) as engine:
        engine.disks["disk-1"] = ovirt.Disk(raw)
        yield engine


class Waits(list[float]):
    """Stands in for sleeping between questions to the engine."""

    def __call__(self, seconds: float) -> bool:
        self.append(seconds)
        return False


class Run:
    """One import, as a worker does it."""

    def __init__(self, engine: ovirt.Engine, target: Path, **wanted: str) -> None:
        self.waits = Waits()
        self.cancel = threading.Event()
        self.options = HttpOptions(user=ovirt.USER, password=ovirt.PASSWORD)
        self.patience = QUICK
        self._url, self._target = engine.url, target
        self._wanted = catalog.WantedDisk(**({"disk": "disk-1"} | wanted))

    def __call__(self, **wishes: object) -> Result:
        wanted = self._wanted
        with lease.leased(
            self._url, wanted, self.options, self.cancel, self.patience, self.waits
        ) as leased:
            spec = prepare.spec_of(leased)
            order = TransferRequest(source=open_nothing, target=self._target, **wishes)
            return transfer.run(order.of(spec), Meter(), self.cancel)


def test_only_the_data_of_a_disk_is_fetched(engine, raw, tmp_path):
    result = Run(engine, tmp_path / "disk.img")()
    assert disks.differs(raw, tmp_path / "disk.img") == ""
    assert result.fetched == DATA
    assert engine.relay.passed <= OVERHEAD * DATA + 128 * 1024  # and what opening looks at
    assert (tmp_path / "disk.img").stat().st_blocks * 512 <= OVERHEAD * DATA
    assert engine.ended() == ["transfer-0 finalize"]
    assert engine.only().wish == {
        "disk": "", "direction": "download", "format": "raw", "inactivity_timeout": "60"
    }  # fmt: skip


def test_a_disk_that_is_smaller_than_any_request_arrives(engine, tmp_path):
    small = tmp_path / "small"
    small.write_bytes(b"\x55" * 5 * 512)
    engine.disks["disk-1"] = ovirt.Disk(small)
    Run(engine, tmp_path / "disk.img")()
    assert (tmp_path / "disk.img").read_bytes() == small.read_bytes()


def test_a_proxy_serves_where_the_host_cannot_be_reached(engine, raw, tmp_path):
    engine.direct = False
    Run(engine, tmp_path / "disk.img")()
    assert disks.differs(raw, tmp_path / "disk.img") == ""


def test_an_engine_without_single_sign_on_takes_the_password(engine, raw, tmp_path):
    engine.sso = False
    Run(engine, tmp_path / "disk.img")()
    assert disks.differs(raw, tmp_path / "disk.img") == ""


def test_an_expired_token_is_replaced(engine, tmp_path):
    engine.stale = 1
    Run(engine, tmp_path / "disk.img")()
    assert engine.ended() == ["transfer-0 finalize"]


class OtherDaemon:
    """A server of disks that knows no more than a web server does."""

    def __init__(self, content: bytes, ranges: bool, options: httpd.Reply) -> None:
        self._blob = httpd.Blob(content, etag=None, modified=None, ranges=ranges)
        self._options = options

    def __call__(self, request: httpd.Request) -> httpd.Reply:
        return self._options if request.method == "OPTIONS" else self._blob(request)


NONE = httpd.Reply(405)
LISTS = httpd.Reply(200, b'{"features": ["extents"], "max_readers": 8}')
OTHERS = [
    pytest.param(True, NONE, id="ranges"),
    pytest.param(False, NONE, id="neither"),
    pytest.param(True, LISTS, id="announced-and-missing"),
    pytest.param(True, httpd.Reply(200, b"what?"), id="abilities-that-make-no-sense"),
]


@pytest.mark.parametrize(("ranges", "options"), OTHERS)
def test_a_daemon_without_extents_sends_all_of_the_disk(ranges, options, engine, raw, tmp_path):
    with httpd.Server() as server:
        other = OtherDaemon(raw.read_bytes(), ranges, options)
        engine.served["disk-1"] = server.put("/images/ticket", other)
        assert Run(engine, tmp_path / "disk.img")().fetched == SIZE
    assert disks.differs(raw, tmp_path / "disk.img") == ""


SENSELESS = [
    pytest.param(b"[", id="torn"),
    pytest.param(b'[{"start": 0, "length": 5}, {"start": 4, "length": 5}]', id="overlap"),
    pytest.param(b'[{"start": 0, "length": 5}, {"start": 6, "length": 5}]', id="gap"),
    pytest.param(b'[{"start": 0, "length": -5}]', id="negative"),
    pytest.param(b'[{"start": 0, "length": 1125899906842625}]', id="absurd"),
    pytest.param(b'[{"start": 0, "length": 30000000}]', id="longer-than-what-is-served"),
    pytest.param(b'[{"start": 0, "length": "5"}]', id="no-number"),
    pytest.param(b'[{"else": ' + b"[" * 100_000 + b"]" * 100_000 + b"}]", id="nested-without-end"),
]


@pytest.mark.parametrize("body", SENSELESS)
def test_extents_that_make_no_sense_are_refused(body, engine, raw, tmp_path):
    with httpd.Server() as server:
        engine.served["disk-1"] = server.put(
            "/images/ticket", OtherDaemon(raw.read_bytes(), True, LISTS)
        )
        server.put("/images/ticket/extents", lambda _: httpd.Reply(200, body))
        with pytest.raises(errors.SourceRefused, match="list of extents"):
            Run(engine, tmp_path / "disk.img")()
    assert engine.ended() == ["transfer-0 cancel"]


def test_a_person_names_a_disk_by_its_address(engine, raw, tmp_path):
    (tmp_path / "password").write_text(ovirt.PASSWORD)
    access = ("--user", ovirt.USER, "--password-file", str(tmp_path / "password"))
    url = f"imageio+{engine.url}/disks/disk-1"
    seen = importing.run(url, tmp_path / "disk.img", *access)
    assert seen.status == 0, seen.output + seen.errors
    assert disks.differs(raw, tmp_path / "disk.img") == ""
    assert engine.ended() == ["transfer-0 finalize"]


@pytest.mark.parametrize("place", ["disks/", "vms/1", "disks/1/nics"])
def test_an_address_that_is_no_disk_is_refused(place):
    options, halt = HttpOptions(user="u", password="p"), threading.Event()
    with pytest.raises(errors.InvalidRequest, match="is written"):
        prepare.named(f"imageio+https://engine/ovirt-engine/api/{place}", options, halt)


# Snapshots and changes.


@pytest.fixture
def chain(raw: Path, tmp_path: Path) -> tuple[ovirt.Disk, Path]:
    return stages.chain(raw, tmp_path / "chain")


def test_stages_end_in_the_same_disk(engine, chain, tmp_path):
    engine.disks["disk-1"], end = chain
    for stage in stages.STAGES:
        Run(engine, tmp_path / "disk.img", **stage)()
    assert disks.differs(end, tmp_path / "disk.img") == ""
    assert [each.target for each in engine.transfers.values()] == ["s1", "s2", "disk-1"]
    assert [each.format for each in engine.transfers.values()] == ["raw", "cow", "cow"]


def test_one_stage_alone_is_a_whole_disk(engine, chain, tmp_path):
    engine.disks["disk-1"], _ = chain
    Run(engine, tmp_path / "disk.img", current="s2")()
    stages.run("qemu-img", "convert", "-O", "raw", tmp_path / "chain" / "s2", tmp_path / "want")
    assert disks.differs(tmp_path / "want", tmp_path / "disk.img") == ""


WRONG = [
    pytest.param({"disk": "other"}, errors.NotFound, "has no disk other", id="no-disk"),
    pytest.param({"current": "s9"}, errors.NotFound, "no snapshot s9", id="no-snapshot"),
    pytest.param(
        {"current": "s1", "previous": "s0"}, errors.SourceRefused, "is raw", id="raw-changes"
    ),
    pytest.param(
        {"current": "s3", "previous": "s1"}, errors.CorruptImage, "build on", id="a-stage-left-out"
    ),
]


@pytest.mark.parametrize(("wanted", "error", "words"), WRONG)
def test_what_cannot_be_is_said(wanted, error, words, engine, chain, tmp_path):
    engine.disks["disk-1"], _ = chain
    (tmp_path / "disk.img").write_bytes(b"before")
    with pytest.raises(error, match=words):
        Run(engine, tmp_path / "disk.img", **wanted)()
    assert (tmp_path / "disk.img").read_bytes() == b"before"
    assert all("finalize" not in each for each in engine.ended())


def test_what_nobody_could_look_up_is_not_asked_for(engine, tmp_path):
    nobody = Run(engine, tmp_path / "disk.img")
    nobody.options = HttpOptions(user=ovirt.USER)
    with pytest.raises(errors.InvalidRequest, match="accessKeyId and secretKey"):
        nobody()
    for wanted, words in ({"disk": ""}, "diskId"), ({"previous": "s1"}, "no current one"):
        with pytest.raises(errors.InvalidRequest, match=words):
            Run(engine, tmp_path / "disk.img", **wanted)
    assert engine.requests == []


def test_an_engine_that_flattens_changes_is_refused(engine, chain, tmp_path):
    engine.disks["disk-1"], _ = chain
    engine.format = "raw"
    with pytest.raises(errors.SourceRefused, match="transfers it as raw"):
        Run(engine, tmp_path / "disk.img", **stages.STAGES[1])()
    assert engine.ended() == ["transfer-0 cancel"]


def test_a_wrong_password_is_permanent(engine, tmp_path):
    engine.password = "another"
    with pytest.raises(errors.AccessDenied, match="log this user in") as seen:
        Run(engine, tmp_path / "disk.img")()
    assert ovirt.PASSWORD not in str(seen.value)


def test_a_wrong_password_without_single_sign_on_too(engine, tmp_path):
    engine.password, engine.sso = "another", False
    with pytest.raises(errors.AccessDenied, match="user and password"):
        Run(engine, tmp_path / "disk.img")()


# An engine that takes its time, or gives up.


def test_a_locked_disk_is_waited_for(engine, raw, tmp_path):
    engine.locked = 3
    importing = Run(engine, tmp_path / "disk.img")
    importing()
    assert importing.waits[:3] == [1, 1.5, 2.25]
    assert disks.differs(raw, tmp_path / "disk.img") == ""


def test_a_disk_that_stays_locked_is_tried_again_later(engine, tmp_path):
    engine.locked = 1000
    importing = Run(engine, tmp_path / "disk.img")
    with pytest.raises(errors.SourceUnavailable, match="locked") as seen:
        importing()
    assert seen.value.reason == "SourceLocked"
    assert sum(importing.waits) <= QUICK.locked + QUICK.locked_most


def test_a_transfer_that_initializes_is_the_only_one(engine, tmp_path):
    engine.initializing = 3
    Run(engine, tmp_path / "disk.img")()
    assert engine.only().polls >= 3


def test_a_transfer_that_never_begins_is_given_up(engine, tmp_path):
    engine.initializing = 1000
    with pytest.raises(errors.SourceUnavailable, match="still initializing"):
        Run(engine, tmp_path / "disk.img")()
    assert engine.ended() == ["transfer-0 cancel"]


@pytest.mark.parametrize("phase", ["cancelled_system", "finished_failure", "finalizing_failure"])
def test_a_transfer_that_the_engine_ends_is_an_error(phase, engine, tmp_path):
    engine.phases[0] = phase
    with pytest.raises(errors.SourceUnavailable, match=phase):
        Run(engine, tmp_path / "disk.img")()
    assert engine.ended() == []


def test_a_paused_transfer_is_resumed_once(engine, raw, tmp_path):
    engine.phases[0] = "paused_system"
    Run(engine, tmp_path / "disk.img")()
    assert "transfer-0 resume" in engine.actions
    assert disks.differs(raw, tmp_path / "disk.img") == ""


FINALIZING = [
    pytest.param([], [], ["finalize"], id="well"),
    pytest.param([500], [], ["finalize", "cancel"], id="fails-then-cancelled"),
    pytest.param([409], [503, 409], ["finalize", *["cancel"] * 3], id="refused-several-times"),
    pytest.param([409], [409] * 20, ["finalize", *["cancel"] * 9], id="never"),
]


@pytest.mark.parametrize(("finalize", "cancel", "want"), FINALIZING)
def test_how_a_transfer_ends(finalize, cancel, want, engine, raw, tmp_path):
    engine.failing = {"finalize": finalize, "cancel": cancel}
    Run(engine, tmp_path / "disk.img")()
    assert [each.split()[1] for each in engine.ended()] == want
    assert disks.differs(raw, tmp_path / "disk.img") == ""


# Lines that break, tickets that expire.


def test_connections_that_break_cost_little(engine, raw, tmp_path):
    engine.relay.cut_every = 700_000
    Run(engine, tmp_path / "disk.img")()
    assert disks.differs(raw, tmp_path / "disk.img") == ""
    assert engine.relay.passed <= OVERHEAD * DATA + 256 * 1024


def halfway(
    engine: ovirt.Engine, act: Callable[[], object], *, requests: bool = False
) -> threading.Thread:
    """Do something while an import has come to its middle, and no answer or request gets on."""
    engine.relay.hold_after(DATA // 2, requests=requests)

    def meddle() -> None:
        assert engine.relay.held.wait(60)
        act()
        engine.relay.release()

    thread = threading.Thread(target=meddle, daemon=True)
    thread.start()
    return thread


def test_an_expired_ticket_is_extended(engine, raw, tmp_path):
    importing = Run(engine, tmp_path / "disk.img")
    importing.patience = replace(QUICK, keep=60)
    thread = halfway(engine, lambda: engine.host.expire(engine.only().ticket), requests=True)
    importing()
    thread.join()
    assert disks.differs(raw, tmp_path / "disk.img") == ""
    assert "transfer-0 extend" in engine.actions
    assert engine.ended() == ["transfer-0 finalize"]


def test_a_lost_transfer_of_a_snapshot_is_replaced(engine, raw, tmp_path):
    engine.disks["disk-1"].snapshots["s1"] = ovirt.Image(raw, "raw")
    importing = Run(engine, tmp_path / "disk.img", current="s1")
    thread = halfway(engine, lambda: engine.forget(engine.only(), "cancelled_system"))
    result = importing()
    thread.join()
    assert disks.differs(raw, tmp_path / "disk.img") == ""
    assert result.fetched <= OVERHEAD * DATA
    assert engine.ended() == ["transfer-1 finalize"]


def test_a_lost_transfer_of_a_disk_in_use_is_begun_anew(engine, raw, tmp_path):
    importing = Run(engine, tmp_path / "disk.img")
    thread = halfway(engine, lambda: engine.forget(engine.only(), "cancelled_system"))
    importing()
    thread.join()
    assert disks.differs(raw, tmp_path / "disk.img") == ""
    assert engine.relay.passed > DATA * 1.3
    assert engine.ended() == ["transfer-1 finalize"]


def test_what_is_slow_to_be_written_keeps_its_ticket(engine, raw, tmp_path):
    importing = Run(engine, tmp_path / "disk.img")
    extended = threading.Event()

    def await_signs() -> None:
        while engine.actions.count("transfer-0 extend") < 3:
            extended.wait(0.02)

    thread = halfway(engine, await_signs)
    importing()
    thread.join()
    assert engine.actions.count("transfer-0 extend") >= 3


def test_a_cancelled_import_cancels_its_transfer(engine, tmp_path):
    importing = Run(engine, tmp_path / "disk.img")
    thread = halfway(engine, importing.cancel.set)
    with pytest.raises(errors.Cancelled):
        importing()
    thread.join()
    assert engine.ended() == ["transfer-0 cancel"]


def test_no_secret_is_logged(engine, raw, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    engine.direct, engine.locked, engine.stale = False, 1, 1
    importing = Run(engine, tmp_path / "disk.img")
    thread = halfway(engine, lambda: engine.host.expire(engine.only().ticket), requests=True)
    importing()
    thread.join()
    said = " ".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    assert "image transfer begins" in said
    for secret in (ovirt.PASSWORD, ovirt.TOKEN, engine.only().ticket):
        assert secret not in said
