"""DataSource: a name for whatever a boot disk is to be cloned from now."""

from itertools import combinations
from typing import Annotated, Final

from cdi.api.core.metadata import Condition
from cdi.api.kinds.root import Root
from cdi.api.kinds.sources import PVCSource, SnapshotSource
from cdi.api.view import View, doc


class DataSourceReference(View):
    """Another DataSource, which has to name a claim or a snapshot itself."""

    namespace: Annotated[str, doc("Namespace of the DataSource; empty means the same.")]
    name: Annotated[str, doc("Name of the DataSource.")]


class DataSourceSource(View):
    """What to clone from: at most one member."""

    pvc: Annotated[PVCSource | None, doc("A claim in any namespace to clone from.")] = None
    snapshot: Annotated[
        SnapshotSource | None, doc("A VolumeSnapshot in any namespace to clone from.")
    ] = None
    data_source: Annotated[
        DataSourceReference | None, doc("Another DataSource in the same namespace.")
    ] = None


_MEMBERS: Final = ("pvc", "snapshot", "dataSource")
_AT_MOST_ONE: Final = {
    "rule": " && ".join(
        f"!(has(self.{one}) && has(self.{other}))" for one, other in combinations(_MEMBERS, 2)
    ),
    "message": f"a DataSource has one source: want at most one of {', '.join(_MEMBERS)}",
}


class DataSourceSpec(View):
    """What is wanted."""

    source: Annotated[
        DataSourceSource,
        doc("What to clone from; may be empty.", x_kubernetes_validations=[_AT_MOST_ONE]),
    ]


class DataSourceStatus(View):
    """What it means now."""

    source: Annotated[
        DataSourceSource | None, doc("What is cloned from, with references resolved.")
    ] = None
    conditions: Annotated[list[Condition] | None, doc("Ready: whether it can be cloned from.")] = (
        None
    )


class DataSource(Root, kw_only=True):
    """A name for whatever a boot disk is to be cloned from now."""

    spec: Annotated[DataSourceSpec, doc("What is wanted.")]
    status: Annotated[
        DataSourceStatus | None, doc("What is cloned from at present, and whether it can be.")
    ] = None
