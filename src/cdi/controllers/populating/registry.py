"""Which populator fills a claim, by the kind of source object that it names."""

from __future__ import annotations

from typing import Final

from cdi.controllers.populating.forklift import OpenstackPopulator, OvirtPopulator
from cdi.controllers.populating.imports import ImportPopulator
from cdi.controllers.populating.populator import Populator
from cdi.controllers.populating.uploads import UploadPopulator
from cdi.kube.objects import Object

POPULATORS: Final[tuple[Populator, ...]] = (
    ImportPopulator(),
    UploadPopulator(),
    OvirtPopulator(),
    OpenstackPopulator(),
)


def populator_of(target: Object, prime: Object | None) -> Populator | None:
    """The populator of a target. A prime is filled to its end by whoever began it."""
    begun = next((each for each in POPULATORS if prime is not None and each.owns(prime)), None)
    return begun or next((each for each in POPULATORS if each.is_target(target)), None)
