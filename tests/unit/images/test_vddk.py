"""Which disk, which snapshot, which changes, and what nbdkit's words mean: decided from values."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cdi.images import errors
from cdi.images.confined import nbdkit
from cdi.images.layout import Extent
from cdi.images.sources.vddk import access, areas, choosing, command
from cdi.images.sources.vddk.values import Answer, Disk, Machine, Snapshot

MIB = 1 << 20
ID = "52 de c0 d9 b9 43 9d 10-61 d5 4c 1b e9 7b 65 63/81"


def disk(file: str, object_id: str = "a", change_id: str = "", *parents: str) -> Disk:
    return Disk(2000, object_id, file, 64 * MIB, parents, change_id)


# Snapshots one <- two <- three, and beside two another one of the same name.
THREE = Snapshot("snapshot-3", "three", (disk("a-2", "a", "id/3"),))
TWO = Snapshot("snapshot-2", "two", (disk("a-1", "a", "id/2"), disk("b", "b")), (THREE,))
TWIN = Snapshot("snapshot-4", "two", (disk("a-3", "a"),))
ONE = Snapshot("snapshot-1", "one", (disk("a", "a", "id/1", "base"),), (TWO, TWIN))
MACHINE = Machine("vm-1", (disk("a-4", "a", "", "a-2", "a-1"), disk("b-1", "b")), (ONE,))


@pytest.mark.parametrize(
    ("backing", "current", "previous", "file", "snapshot", "change_id"),
    [
        pytest.param("a-4", "", "", "a-4", None, None, id="as-it-is"),
        pytest.param("a", "", "", "a", None, None, id="named-as-in-a-snapshot"),
        pytest.param("base", "", "", "base", None, None, id="named-as-a-parent"),
        pytest.param("a-4", "one", "", "a", "snapshot-1", None, id="a-snapshot-by-name"),
        pytest.param("a-4", "snapshot-3", "", "a-2", "snapshot-3", None, id="a-snapshot-by-id"),
        pytest.param("a", "snapshot-2", "one", "a-1", "snapshot-2", "id/1", id="since-a-snapshot"),
        pytest.param(
            "a", "three", "snapshot-2", "a-2", "snapshot-3", "id/2", id="since-a-snapshots-id"
        ),
        pytest.param("a", "three", ID, "a-2", "snapshot-3", ID, id="since-a-change-id"),
        pytest.param("b-1", "one", "", "b-1", "snapshot-1", None, id="disk-newer-than-snapshot"),
    ],
)
def test_what_is_read(
    backing: str, current: str, previous: str, file: str, snapshot: str | None,
    change_id: str | None,
) -> None:  # fmt: skip
    choice = choosing.choose(MACHINE, backing, current, previous)
    assert choice.file == file
    assert (choice.snapshot.id if choice.snapshot else None) == snapshot
    assert choice.change_id == change_id


@pytest.mark.parametrize(
    ("backing", "current", "previous", "error", "words"),
    [
        pytest.param("a", "", "one", errors.InvalidRequest, "current", id="no-current"),
        pytest.param("x", "", "", errors.NotFound, "'a-4', 'b-1'", id="no-such-disk"),
        pytest.param("a", "x", "", errors.NotFound, "removed", id="no-such-snapshot"),
        pytest.param("a", "three", "x", errors.NotFound, "removed", id="no-such-previous"),
        pytest.param("a", "two", "", errors.InvalidRequest, "snapshot-4", id="two-of-one-name"),
        pytest.param("b-1", "one", ID, errors.NotFound, "with it", id="disk-is-newer"),
        pytest.param("b-1", "snapshot-2", "one", errors.NotFound, "not known", id="was-newer"),
        pytest.param("a", "three", "snapshot-4", errors.InvalidRequest, "CBT", id="no-tracking"),
    ],
)
def test_what_cannot_be_read_says_why(
    backing: str, current: str, previous: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        choosing.choose(MACHINE, backing, current, previous)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [(ID, True), ("52de-61d5/3", True), ("snapshot-12", False), ("de-ad", False), ("*", False),
     ("52 de c0-61/x", False), ("one", False), (f"{ID} ", False)],
)  # fmt: skip
def test_change_ids_and_names_are_told_apart(text: str, is_one: bool) -> None:
    assert choosing.is_change_id(text) is is_one


# Areas.


class Tracker:
    """Answers as vSphere does: so many areas at a time, and which part that is."""

    def __init__(self, found: list[tuple[int, int]], capacity: int, most: int) -> None:
        self._found, self._capacity, self._most = found, capacity, most
        self.asked: list[int] = []

    def __call__(self, start: int) -> Answer:
        self.asked.append(start)
        later = [area for area in self._found if area[0] >= start]
        told = later[: self._most]
        end = sum(told[-1]) if len(later) > len(told) else self._capacity
        return Answer(start, end - start, tuple(told))


def test_every_area_is_asked_for_however_many_there_are() -> None:
    found = [(at * 10, 5) for at in range(7000)]
    tracker = Tracker(found, 100_000, 2000)
    changed = list(areas.changed(tracker, 100_000))
    assert changed == [(at, at + length) for at, length in found]
    assert tracker.asked == [0, 19_995, 39_995, 59_995]


def test_nothing_changed_is_one_question() -> None:
    tracker = Tracker([], 100, 2000)
    assert list(areas.changed(tracker, 100)) == []
    assert tracker.asked == [0]


def test_an_answer_without_areas_does_not_end_the_questions() -> None:
    answers = {0: Answer(0, 50, ()), 50: Answer(50, 50, ((60, 10),))}
    assert list(areas.changed(answers.__getitem__, 100)) == [(60, 70)]


def test_an_answer_about_nothing_ends_them() -> None:
    assert list(areas.changed(lambda start: Answer(start, 0, ()), 100)) == []


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(0, 100, ((90, 20),)), id="beyond-the-end"),
        pytest.param(Answer(0, 100, ((50, 10), (40, 5))), id="out-of-order"),
        pytest.param(Answer(0, 100, ((50, 10), (55, 10))), id="overlapping"),
        pytest.param(Answer(0, 100, ((50, 0),)), id="empty"),
        pytest.param(Answer(0, 100, ((-5, 10),)), id="negative"),
        pytest.param(Answer(0, 0, ((5, 10),)), id="no-progress"),
    ],
)
def test_an_answer_that_cannot_be_right_is_refused(answer: Answer) -> None:
    with pytest.raises(errors.SourceRefused):
        list(areas.changed(lambda _: answer, 100))


def test_large_changes_are_split_into_data_and_zeros_and_small_ones_read() -> None:
    asked: list[tuple[int, int]] = []

    def parts(start: int, end: int) -> Iterator[Extent]:
        asked.append((start, end))
        yield Extent(start, start + 4096, zero=True)
        yield Extent(start + 4096, end)

    changed = [(0, 4096), (8192, MIB), (MIB, 2 * MIB), (3 * MIB, 3 * MIB + 512)]
    assert list(areas.extents(changed, parts)) == [
        Extent(0, 4096),
        Extent(8192, 12288, zero=True),
        Extent(12288, 2 * MIB),
        Extent(3 * MIB, 3 * MIB + 512),
    ]
    assert asked == [(8192, 2 * MIB)]


# Words.


def test_the_log_is_bounded_and_keeps_no_password() -> None:
    heard: list[str] = []
    log = nbdkit.Log("hunter2", heard.append)
    log.take(b"nbdkit: debug: config key=password, value=-3\n")
    log.take(b"nbdkit: debug: user is hunter2\nnbdkit: vddk[1]: err")
    log.take(b"or: VixDiskLib_Open: a\nx" + b"y" * 10_000)
    log.take(b"\n" + b"line\n" * 2000)
    assert len(log.lines()) == nbdkit.LINES
    assert log.complaint() == "VixDiskLib_Open: a"
    assert not any("hunter2" in line or "value=-3" in line for line in heard)
    assert max(map(len, heard)) <= 4096


def test_version_and_host_are_found_in_the_log() -> None:
    watcher = command.Watcher()
    assert watcher.facts() is None
    watcher("nbdkit: debug: VMware VixDiskLib (7.0.3) Release build-18705163")
    watcher(
        "nbdkit: vddk[1]: debug: DISKLIB-LINK  : Opened "
        "'vpxa-nfcssl://[store] vm/disk.vmdk@esx7.example:902' (0x1e): custom, 41 sectors"
    )
    assert watcher.facts() == ("7.0.3", "esx7.example")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("VixDiskLib_ConnectEx: Cannot complete login due to an incorrect user name or password.",
         errors.AccessDenied),
        ("VixDiskLib_Open: You do not have access rights to this file", errors.AccessDenied),
        ("VixDiskLib_Open: A file was not found", errors.NotFound),
        ("VixDiskLib_ConnectEx: The object or item referred to could not be found",
         errors.NotFound),
        ("libvixDiskLib.so.8: cannot open shared object file: No such file or directory",
         errors.InvalidRequest),
        ("VixDiskLib_ConnectEx: SSL certificate thumbprint mismatch", errors.CertificateInvalid),
        ("VixDiskLib_ConnectEx: Cannot connect to host", errors.SourceUnavailable),
    ],
)  # fmt: skip
def test_what_nbdkit_said_last_decides_about_the_error(
    words: str, error: type[errors.TransferError]
) -> None:
    found = command.meaning(words, errors.ConnectionLost("broke"))
    assert type(found) is error
    assert words in str(found)


def test_without_words_the_error_stays() -> None:
    error = errors.ConnectionLost("broke")
    assert command.meaning("", error) is error


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://vcenter", access.Address("vcenter", 443)),
        ("https://vcenter/sdk", access.Address("vcenter", 443)),
        ("https://vcenter:8443/", access.Address("vcenter", 8443)),
        ("https://[::1]:8443/a/sdk/", access.Address("::1", 8443, "/a/sdk")),
    ],
)
def test_an_address_of_vsphere(url: str, address: access.Address) -> None:
    assert access.parse_address(url) == address


@pytest.mark.parametrize("url", ["", "vcenter", "http://vcenter", "https://", "https://a:b"])
def test_what_is_no_address_of_vsphere(url: str) -> None:
    with pytest.raises(errors.InvalidRequest):
        access.parse_address(url)
