"""How large a disk becomes, and what a file system has room for."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path

import pytest

from cdi.api.termination import Termination
from cdi.images import errors
from cdi.workers import ending, metrics, room
from cdi.workers.room import Room

MIB, GIB = 1 << 20, 1 << 30


@pytest.mark.parametrize(
    ("size", "free", "requested", "overhead", "found"),
    [
        pytest.param(20 * GIB, 10 * GIB, GIB, "0", Room(GIB, GIB), id="enough"),
        pytest.param(20 * GIB, 10 * GIB, GIB, "0.06", Room(966 * MIB, GIB), id="with-overhead"),
        pytest.param(
            600 * MIB, 512 * MIB, GIB, "0", Room(512 * MIB, 512 * MIB), id="smaller-volume"
        ),
        pytest.param(20 * GIB, 512 * MIB, GIB, "0", Room(GIB, GIB), id="shared-and-nearly-full"),
        pytest.param(GIB, GIB, 10**9, "0", Room(953 * MIB, 10**9), id="whole-mebibytes"),
        pytest.param(GIB, GIB, None, "0.06", Room(None, None), id="nobody-asked"),
    ],
)
def test_the_disk_fits_its_volume(
    size: int, free: int, requested: int | None, overhead: str, found: Room
) -> None:
    assert room.room_for(room.FileSystem(size, free), requested, Decimal(overhead)) == found


@pytest.mark.parametrize(
    ("most", "overhead", "told"),
    [
        pytest.param(GIB, "0", False, id="all-of-it"),
        pytest.param(973 * MIB, "0.06", False, id="as-much-as-overhead-explains"),
        pytest.param(965 * MIB, "0.06", True, id="less"),
        pytest.param(1023 * MIB, "0", True, id="less-where-none-is-expected"),
    ],
)
def test_less_room_than_overhead_explains_is_told(most: int, overhead: str, told: bool) -> None:
    assert bool(room.shortfall(Room(most, most), GIB, Decimal(overhead))) is told


def test_what_an_earlier_attempt_left_counts_as_free(tmp_path: Path) -> None:
    disk = tmp_path / "disk.img"
    (tmp_path / "disk.img.cdi-partial").write_bytes(os.urandom(8 * MIB))
    os.sync()

    without = room.file_system_of(tmp_path).free

    assert room.file_system_of(tmp_path, room.leftovers(disk)).free >= without + 7 * MIB


def test_a_directory_in_the_disks_place_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / "disk.img").mkdir()

    with pytest.raises(errors.InvalidRequest, match="is a directory"):
        room.clear(tmp_path / "disk.img")


def test_a_volume_that_is_not_there_is_a_failure_of_the_target(tmp_path: Path) -> None:
    with pytest.raises(errors.TargetFailed):
        room.file_system_of(tmp_path / "none")


@pytest.mark.parametrize(
    ("error", "code", "permanent", "scratch"),
    [
        pytest.param(errors.NotFound("x"), 1, True, False, id="permanent"),
        pytest.param(errors.ConnectionLost("x"), 1, False, False, id="transient"),
        pytest.param(errors.ChecksumMismatch("md5", "0", "1"), 1, True, False, id="checksum"),
        pytest.param(errors.NeedsScratch("x"), 1, False, True, id="scratch"),
        pytest.param(errors.Cancelled("x"), 143, False, False, id="stopped"),
        pytest.param(RuntimeError("x"), 1, False, False, id="defect"),
    ],
)
def test_an_end_has_its_exit_code(
    error: Exception, code: int, permanent: bool, scratch: bool
) -> None:
    ended = ending.failed(error, "http", connecting=False)

    assert (ended.exit_code, ended.permanent) == (code, permanent)
    assert ended.scratch_space_required is scratch
    assert not ended.done


@pytest.mark.parametrize(
    ("error", "mendable"),
    [
        pytest.param(errors.NotFound("x"), True, id="not-found"),
        pytest.param(errors.AccessDenied("x"), True, id="denied"),
        pytest.param(errors.CertificateInvalid("x"), True, id="certificate"),
        pytest.param(errors.ImagePullFailed("x"), True, id="image"),
        pytest.param(errors.ImagePullFailed("x", mendable=False), False, id="image-refused"),
        pytest.param(errors.SourceUnavailable("x"), False, id="passes-by-itself"),
        pytest.param(errors.SourceRefused("x"), False, id="refused"),
        pytest.param(errors.NotADisk("x"), False, id="no-disk"),
        pytest.param(errors.TooSmall(2, 1), False, id="too-small"),
        pytest.param(errors.ChecksumMismatch("md5", "0", "1"), False, id="checksum"),
    ],
)
def test_an_end_says_whether_somebody_may_mend_it_elsewhere(
    error: Exception, mendable: bool
) -> None:
    ended = ending.failed(error, "http", connecting=True)
    assert ended.mendable is mendable
    assert Termination.from_message(ended.to_message()).mendable is mendable


class Meter:
    fetched = position = 0
    total: int | None = None


def test_progress_only_grows_and_the_rate_is_of_the_last_second() -> None:
    meter, now = Meter(), [0.0]
    gauges = metrics.Gauges(meter, "u", lambda: now[0])  # type: ignore[arg-type]
    assert metrics.PROGRESS not in gauges.text()
    meter.total, meter.position, meter.fetched, now[0] = 200, 50, 100, 2.0
    assert f'{metrics.PROGRESS}{{ownerUID="u"}} 25.00\n' in gauges.text()
    assert f'{metrics.RATE}{{ownerUID="u"}} 50\n' in gauges.text()
    meter.position = 10
    assert f'{metrics.PROGRESS}{{ownerUID="u"}} 25.00\n' in gauges.text()
