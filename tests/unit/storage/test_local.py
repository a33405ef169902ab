"""The classes of one machine, and which of them leave filling to populators."""

import pytest

from cdi.storage import classes, local

BY_NAME = {each["metadata"]["name"]: each for each in local.storage_classes()}


@pytest.mark.parametrize(
    ("storage_class", "wanted"),
    [
        pytest.param(BY_NAME[local.CLASS_WAITING], True, id="waiting"),
        pytest.param(BY_NAME[local.CLASS], False, id="immediate"),
        pytest.param(
            {**BY_NAME[local.CLASS_WAITING], "provisioner": "disk.example"}, False, id="another"
        ),
        pytest.param({}, False, id="nothing"),
    ],
)
def test_a_volume_that_waits_is_filled_before_its_claim_has_it(storage_class, wanted):
    assert local.uses_populators(storage_class) is wanted


def test_there_is_one_default():
    assert classes.default(list(BY_NAME.values())) == BY_NAME[local.CLASS]
