"""
What a controller of another build makes of a worker's end: never success, unless it is one.

To it, a container with an exit code above 0 is started again, and of one with 0 only a few words
say that its volume is not filled (`support.returning`).
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cdi.api import reasons
from cdi.api.termination import Termination
from cdi.images import errors
from cdi.workers import ending
from support.returning import AGAIN, FAILED, FILLED, SCRATCH, imported, uploaded

Reads = Callable[[int, str], str]


def read(reads: Reads, ended: Termination) -> str:
    return reads(ended.exit_code, ended.to_message())


def family(of: type[errors.TransferError]) -> list[type[errors.TransferError]]:
    children = [each for each in of.__subclasses__() if each.__module__ == errors.__name__]
    return [of, *(each for child in children for each in family(child))]


def instance(kind: type[errors.TransferError]) -> errors.TransferError:
    """Whatever it is made of; texts and numbers fit all of them."""
    for arguments in (("x",), (2, 1), ("md5", "0", "1")):
        try:
            return kind(*arguments)
        except TypeError:
            continue
    raise AssertionError(f"nobody knows how to make {kind.__name__}")


ALL = [pytest.param(instance(each), id=each.__name__) for each in family(errors.TransferError)]
DEFECT = pytest.param(RuntimeError("x"), id="defect")


@pytest.mark.parametrize("error", [*ALL, DEFECT])
@pytest.mark.parametrize("connecting", [False, True])
def test_no_failure_of_an_importer_is_taken_for_success(error: Exception, connecting: bool) -> None:
    ended = ending.recognised(ending.failed(error, "http", connecting=connecting))
    wanted = {errors.ChecksumMismatch: FAILED, errors.NeedsScratch: SCRATCH}
    assert read(imported, ended) == wanted.get(type(error), AGAIN)


@pytest.mark.parametrize("error", [*ALL, DEFECT])
def test_no_failure_of_any_other_worker_is_taken_for_success(error: Exception) -> None:
    assert read(uploaded, ending.failed(error, "", connecting=False)) == AGAIN


@pytest.mark.parametrize("reads", [imported, uploaded])
def test_a_filled_volume_is(reads: Reads) -> None:
    assert read(reads, ending.complete(None, preallocated=True)) == FILLED
    assert read(reads, Termination(message=reasons.CLONE_COMPLETE_MESSAGE)) == FILLED


def test_an_upload_server_whose_time_is_over_is_none() -> None:
    assert read(uploaded, Termination(message="Deadline Passed", deadline_passed=True)) == AGAIN
