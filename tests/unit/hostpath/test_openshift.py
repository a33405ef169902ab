"""What OpenShift gets of the provisioner's is complete."""

from __future__ import annotations

import pytest

from cdi.hostpath.operator.inventory import openshift
from cdi.hostpath.operator.settings import Settings
from support.openshift import CONSTRAINTS_SAY

SETTINGS = Settings(namespace="disks", version="1", driver_image="x", provisioner_image="y")


@pytest.mark.parametrize("made", [openshift.driver_constraints, openshift.legacy_constraints])
def test_constraints_say_what_openshift_wants_to_be_said(made) -> None:
    assert made(SETTINGS).keys() >= CONSTRAINTS_SAY
