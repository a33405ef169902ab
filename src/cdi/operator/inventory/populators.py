"""VolumePopulators: they tell Kubernetes' validator which data sources somebody looks after."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cdi.api import resources
from cdi.kube.objects import Objects
from cdi.operator.inventory import marks

API_VERSION: Final = "populator.storage.k8s.io/v1beta1"

_SOURCES: Final = (
    ("volumeimportsource", "VolumeImportSource"),
    ("volumeclonesource", "VolumeCloneSource"),
    ("volumeuploadsource", "VolumeUploadSource"),
    ("openstackvolumepopulator", "OpenstackVolumePopulator"),
    ("ovirtvolumepopulator", "OvirtVolumePopulator"),
)


def populators(given: Mapping[str, str]) -> Objects:
    """One for each kind that a claim may name."""
    return [
        marks.named(
            API_VERSION,
            "VolumePopulator",
            name,
            given,
            sourceKind={"group": resources.find(kind).group, "kind": kind},
        )
        for name, kind in _SOURCES
    ]
