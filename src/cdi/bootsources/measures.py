"""
What of a HyperConverged somebody may have to be called for. Pure.

Elsewhere: how Prometheus is told (`metrics`), and when somebody is called (`alerts`).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from cdi.api import annotations, reasons
from cdi.bootsources.nodes import Architectures
from cdi.bootsources.settings import settings_of
from cdi.kube import objects
from cdi.kube.objects import Object

PATCHES: Final = (annotations.CDI_JSON_PATCH, annotations.SSP_JSON_PATCH)


@dataclass(frozen=True, slots=True)
class Image:
    """A template in effect, where there is a cron for every architecture."""

    cron: str
    source: str  # the DataSource
    annotated: bool  # whether it says which architectures its image has
    supported: bool  # whether the cluster has any of these


@dataclass(frozen=True, slots=True)
class Measures:
    """All of it; nothing of an object that is not there."""

    patches: Mapping[str, int] = field(default_factory=dict)  # operations, by annotation
    multi_arch: bool | None = None  # whether it is on; None where it makes no difference
    images: tuple[Image, ...] = ()


NOTHING: Final = Measures()


def measures_of(
    hyperconverged: Object, status: Object | None, architectures: Architectures
) -> Measures:
    """Of a HyperConverged; `status` as it is going to be."""
    if objects.is_deleting(hyperconverged):
        return NOTHING
    multi_arch = settings_of(hyperconverged).multi_arch
    differ = len(architectures.workloads) > 1
    entries = (status or {}).get("dataImportCronTemplates") or ()
    return Measures(
        patches={each: _operations(hyperconverged, each) for each in PATCHES},
        multi_arch=multi_arch if multi_arch or differ else None,
        images=tuple(_image_of(each) for each in entries) if multi_arch else (),
    )


def _operations(hyperconverged: Object, annotation: str) -> int:
    """How many a patch has; a text that is none changes nothing."""
    try:
        found = json.loads(objects.annotations(hyperconverged).get(annotation) or "[]")
    except ValueError:
        return 0
    return len(found) if isinstance(found, list) else 0


def _image_of(entry: Object) -> Image:
    status = entry.get("status") or {}
    refused = (reasons.Condition.DEPLOYED.value, reasons.Status.FALSE.value)
    said = [(each.get("type"), each.get("status")) for each in status.get("conditions") or ()]
    return Image(
        cron=objects.name(entry),
        source=str(objects.get(entry, "spec", "managedDataSource", default="")),
        annotated="originalSupportedArchitectures" in status,
        supported=refused not in said,
    )
