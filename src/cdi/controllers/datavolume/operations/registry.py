"""
Which operation a DataVolume asks for, by the kind of its source.

At most one: a kind of source belongs to one operation. A DataVolume for which there is none is
nobody's, and has no status.
"""

from __future__ import annotations

from typing import Final

from cdi.controllers.datavolume import source
from cdi.controllers.datavolume.operations.clones import Clone
from cdi.controllers.datavolume.operations.external import ExternalPopulation
from cdi.controllers.datavolume.operations.imports import Import
from cdi.controllers.datavolume.operations.operation import Operation
from cdi.controllers.datavolume.operations.uploads import Upload
from cdi.kube.objects import Object

OPERATIONS: Final[tuple[Operation, ...]] = (Import(), Upload(), Clone(), ExternalPopulation())

_BY_KIND: Final = {kind: each for each in OPERATIONS for kind in each.sources}


def operation_of(volume: Object) -> Operation | None:
    return _BY_KIND.get(source.kind_of(volume))
