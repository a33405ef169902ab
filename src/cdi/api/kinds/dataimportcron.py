"""
DataImportCron: keeps a DataSource pointing at the newest version of an image.

The metadata of its template may hold labels and annotations, which go to the DataVolumes made
from it. Where a schema declares no fields there, the API server drops them without a word.
"""

from typing import Annotated

import msgspec

from cdi.api.core.metadata import Condition, TemplateMeta
from cdi.api.kinds.datavolume import DataVolumeSpec, DataVolumeStatus
from cdi.api.kinds.root import Root
from cdi.api.kinds.sources import PVCSource
from cdi.api.view import Int32, Time, View, doc


class DataVolumeTemplate(View):
    """The DataVolumes that are made, one for each new digest."""

    spec: Annotated[DataVolumeSpec, doc("What is wanted; the source is registry, http or pvc.")]
    api_version: Annotated[str | None, doc("Group and version of a DataVolume.")] = None
    kind: Annotated[str | None, doc("Kind of what is made: DataVolume.")] = None
    metadata: Annotated[TemplateMeta | None, doc("Labels and annotations of the DataVolumes.")] = (
        None
    )
    status: Annotated[DataVolumeStatus | None, doc("Accepted, and not used in a template.")] = None


class DataImportCronSpec(View):
    """What is wanted. May not change."""

    template: Annotated[DataVolumeTemplate, doc("The DataVolumes that are made.")]
    schedule: Annotated[
        str,
        doc("When to look for a new digest: five cron fields or @daily. Empty means never."),
    ]
    managed_data_source: Annotated[
        str, doc("DataSource in the same namespace that points at the newest import.")
    ]
    garbage_collect: Annotated[
        str | None, doc("Outdated, the default: old imports go. Never: they stay.")
    ] = None
    imports_to_keep: Annotated[
        Int32 | None, doc("How many imports are kept, the newest ones; 3 by default.")
    ] = None
    retention_policy: Annotated[
        str | None,
        doc("What happens to imports when the cron goes. All, the default: they stay. None."),
    ] = None
    service_account_name: Annotated[
        str | None,
        doc(
            "Service account that must be allowed to clone a pvc source; `default` by default.",
            minLength=1,
        ),
    ] = None


class ImportStatus(View):
    """An import under way."""

    data_volume_name: Annotated[str, doc("Name of the DataVolume that imports.")] = msgspec.field(
        name="DataVolumeName"
    )
    digest: Annotated[str, doc("Digest of the version that it imports.")] = msgspec.field(
        name="Digest"
    )


class DataImportCronStatus(View):
    """How far it has come."""

    current_imports: Annotated[
        list[ImportStatus] | None, doc("The import under way, or the last one.")
    ] = None
    last_imported_pvc: Annotated[
        PVCSource | None, doc("The newest finished import, a claim or a snapshot.")
    ] = msgspec.field(default=None, name="lastImportedPVC")
    last_execution_timestamp: Annotated[
        Time | None, doc("When the source was last asked for its digest.")
    ] = None
    last_import_timestamp: Annotated[Time | None, doc("When an import was last finished.")] = None
    source_format: Annotated[str | None, doc("How imports are kept: snapshot or pvc.")] = None
    conditions: Annotated[
        list[Condition] | None, doc("Progressing and UpToDate, with reasons.")
    ] = None


class DataImportCron(Root, kw_only=True):
    """Imports an image whenever there is a new version, and lets a DataSource point at it."""

    spec: Annotated[DataImportCronSpec, doc("What is wanted.")]
    status: Annotated[
        DataImportCronStatus | None, doc("What was imported last, and how up to date that is.")
    ] = None
