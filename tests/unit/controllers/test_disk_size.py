"""What is noted of the disk in a claim, so that its clones need not measure it."""

from typing import Any

import pytest

from cdi.api.termination import Termination
from cdi.controllers.datavolume.sizing import known_size
from cdi.controllers.working import disksize
from cdi.kube.objects import Object

DONE = Termination(message="Import Complete", disk_size=1 << 20)


def claim(mode: str = "Filesystem", content: str = "kubevirt", capacity: str = "64Mi") -> Object:
    status = {"capacity": {"storage": capacity}} if capacity else {}
    given = {"cdi.kubevirt.io/storage.contentType": content} if content else {}
    return {"metadata": {"annotations": given}, "spec": {"volumeMode": mode}, "status": status}


def test_a_clone_finds_what_was_noted() -> None:
    full = claim()
    noted = disksize.noted(full, DONE)
    assert noted == {"cdi.Kubervirt.io/virtualSize": "1048576",
                     "cdi.Kubervirt.io/sourceCapacity": "64Mi"}  # fmt: skip
    full["metadata"]["annotations"] |= noted
    assert known_size(full) == 1 << 20
    full["status"]["capacity"]["storage"] = "128Mi"
    assert known_size(full) is None


@pytest.mark.parametrize(
    ("of", "ended"),
    [
        pytest.param({"mode": "Block"}, DONE, id="a-device-is-as-large-as-its-claim"),
        pytest.param({"content": "archive"}, DONE, id="files"),
        pytest.param({"content": ""}, DONE, id="content-unknown"),
        pytest.param({"capacity": ""}, DONE, id="capacity-unknown"),
        pytest.param({}, None, id="no-message"),
        pytest.param({}, Termination(message="Import Complete"), id="size-unknown"),
        pytest.param({}, Termination(disk_size=7, exit_code=1), id="failed"),
        pytest.param({}, Termination(disk_size=7, scratch_space_required=True), id="unfinished"),
    ],
)
def test_nothing_is_noted_in_doubt(of: dict[str, Any], ended: Termination | None) -> None:
    assert disksize.noted(claim(**of), ended) == {}
