"""What one look at a DataImportCron collects, and a few facts that follow from it directly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Final

from cdi.api import names
from cdi.controllers.settings import Settings
from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.storage import capabilities, classes

RETENTION_NONE: Final = "None"


@dataclass(frozen=True, slots=True)
class Product:
    """What there is of one import; all have its name."""

    name: str
    volume: Object | None = None  # the DataVolume
    claim: Object | None = None
    snapshot: Object | None = None

    @property
    def there(self) -> tuple[Object, ...]:
        return tuple(each for each in (self.volume, self.claim, self.snapshot) if each is not None)


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found by looking at a source here, or why nothing was."""

    version: str = ""
    reference: str = ""  # of an ImageStream: where the image can be pulled
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Beside:
    """What concerns a poller beside its cron."""

    lacks: tuple[str, ...] = ()  # what it needs and does not exist, as `Kind name`
    warning: str = ""  # said of it last, where it cannot be seen whether anything is missing
    authorities: Object | None = None  # ConfigMap of the import proxy, of the installation
    copied: bool = False  # whether they are beside the cron


@dataclass(frozen=True)
class Seen:
    """A DataImportCron and what concerns it, at one moment."""

    cron: Object
    settings: Settings
    now: datetime  # UTC
    data_source: Object | None = None  # the one that it manages, whosever it is
    rival: str = ""  # another cron that manages the DataSource, and had it first
    points_at_something: bool = False  # what the DataSource names exists
    products: Mapping[str, Product] = field(default_factory=dict)  # of the cron, and wanted names
    classes: tuple[Object, ...] = ()
    profiles: Mapping[str, Object] = field(default_factory=dict)
    snapshot_classes: tuple[Object, ...] = ()
    config: Object | None = None  # the CDIConfig
    installation: Object | None = None  # the CDI object
    cron_job: Object | None = None
    first_job: Object | None = None
    pollers: tuple[Object, ...] = ()  # pods
    pulling: Object | None = None  # the pod beside the cron, which pulls the image or asks for it
    polled_beside: bool = False  # what its source names is not in the installation's namespace
    beside: Beside = Beside()  # what concerns a poller that is beside the cron
    looked: Looked | None = None  # what looking here has found, if it was due
    authorized: bool = True  # whether its service account may clone the source

    @property
    def spec(self) -> Object:
        return dict(self.cron["spec"])

    @property
    def name(self) -> str:
        return objects.name(self.cron)

    @property
    def namespace(self) -> str:
        return objects.namespace(self.cron)

    @property
    def managed(self) -> str:
        """The name of the DataSource."""
        return str(self.spec["managedDataSource"])

    @property
    def current(self) -> Object | None:
        """The import under way, or the last one, as the status has it."""
        found: list[Object] = objects.get(self.cron, "status", "currentImports", default=[])
        return found[0] if found else None

    @property
    def cleanup(self) -> bool:
        """Whether what was made goes with the cron."""
        return bool(self.spec.get("retentionPolicy") == RETENTION_NONE)

    def product(self, name: str) -> Product:
        return self.products.get(name, Product(name))

    @cached_property
    def storage_class(self) -> Object | None:
        """The class that imports should be on; None while there is none."""
        return storage_class_for(self.cron, self.classes)

    @property
    def class_name(self) -> str:
        return "" if self.storage_class is None else objects.name(self.storage_class)

    @property
    def profile(self) -> Object | None:
        return self.profiles.get(self.class_name)

    @property
    def format(self) -> str:
        """How imports are to be kept."""
        said = objects.get(self.profile, "status", "dataImportCronSourceFormat")
        return str(said or capabilities.PVC_FORMAT)

    @property
    def wants_snapshots(self) -> bool:
        return self.format == capabilities.SNAPSHOT_FORMAT


def storage_class_for(cron: Object, there: Sequence[Object]) -> Object | None:
    """The class that imports of a cron should be on; None while there is none.

    A claim spec that names none gets Kubernetes' own default, whatever is best for machines.
    """
    template = objects.get(cron, "spec", "template", "spec", default={})
    if template.get("pvc") is not None:
        return classes.choose_as_kubernetes(there, template["pvc"].get("storageClassName"))
    name = objects.get(template, "storage", "storageClassName")
    return classes.choose(there, name, template.get("contentType") or "")


def name_in(cron: Object) -> str:
    """The name of the import under way, or of the last one; empty if there is none."""
    return str(objects.get(cron, "status", "currentImports", 0, "DataVolumeName", default=""))


def name_for(cron: Object, digest: str) -> str:
    """The name of the import of a digest; empty for what is no digest."""
    try:
        return names.boot_image_for(str(cron["spec"]["managedDataSource"]), digest)
    except ValueError:
        return ""
