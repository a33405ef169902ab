"""
Every kind that is served: its group, versions, names, scope and columns.

Here is how a kind is served; what its objects hold is in `cdi.api.kinds`, and the
CustomResourceDefinition made from both in `cdi.api.crds`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cdi.api.kinds import (
    cdi,
    config,
    dataimportcron,
    datasource,
    datavolume,
    hostpath,
    hyperconverged,
    objecttransfer,
    populators,
    ssp,
    storageprofile,
    uploadtoken,
)
from cdi.api.kinds.root import Root
from cdi.api.view import Object, fields_of

CDI_GROUP: Final = "cdi.kubevirt.io"
UPLOAD_GROUP: Final = "upload.cdi.kubevirt.io"
FORKLIFT_GROUP: Final = "forklift.cdi.kubevirt.io"
HYPERCONVERGED_GROUP: Final = "hco.kubevirt.io"
SSP_GROUP: Final = "ssp.kubevirt.io"
HOST_PATH_GROUP: Final = "hostpathprovisioner.kubevirt.io"


@dataclass(frozen=True, slots=True)
class Version:
    """A version under which a kind is served."""

    name: str
    storage: bool = False
    deprecation: str = ""  # warning that clients get


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `kubectl get`."""

    name: str
    type: str
    path: str


@dataclass(frozen=True, slots=True)
class Resource:
    """How one kind is served."""

    kind: str
    view: type[Root]
    plural: str
    namespaced: bool
    group: str = CDI_GROUP
    versions: tuple[Version, ...] = (Version("v1beta1", storage=True),)
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    status_subresource: bool = False
    stored: bool = True  # False: answered by an API server of ours, has no definition

    @property
    def singular(self) -> str:
        return self.kind.lower()

    @property
    def list_kind(self) -> str:
        return f"{self.kind}List"

    @property
    def name(self) -> str:
        """The name of its definition: plural and group."""
        return f"{self.plural}.{self.group}"

    @property
    def storage_version(self) -> str:
        return next(version.name for version in self.versions if version.storage)

    @property
    def api_version(self) -> str:
        """Group and version in which new objects are written."""
        return f"{self.group}/{self.storage_version}"

    def answers_to(self, word: str) -> bool:
        """Tell whether a person may mean this kind: kind, plural, singular, short or full name."""
        names = (self.kind, self.plural, self.name, *self.short_names)
        return word.lower() in {name.lower() for name in names}


_AGE = Column("Age", "date", ".metadata.creationTimestamp")
_PHASE = Column("Phase", "string", ".status.phase")
_TRANSFER_DEPRECATED = (
    "cdi.kubevirt.io/v1beta1 ObjectTransfer is deprecated and will be removed in a later release"
)

ALL: Final = (
    Resource(
        kind="CDI",
        view=cdi.CDI,
        plural="cdis",
        namespaced=False,
        versions=(Version("v1beta1", storage=True), Version("v1alpha1")),
        short_names=("cdi", "cdis"),
        columns=(_AGE, _PHASE),
    ),
    Resource(kind="CDIConfig", view=config.CDIConfig, plural="cdiconfigs", namespaced=False),
    Resource(
        kind="StorageProfile",
        view=storageprofile.StorageProfile,
        plural="storageprofiles",
        namespaced=False,
        status_subresource=True,
    ),
    Resource(
        kind="ObjectTransfer",
        view=objecttransfer.ObjectTransfer,
        plural="objecttransfers",
        namespaced=False,
        versions=(Version("v1beta1", storage=True, deprecation=_TRANSFER_DEPRECATED),),
        short_names=("ot", "ots"),
        columns=(_AGE, _PHASE),
        status_subresource=True,
    ),
    Resource(
        kind="DataVolume",
        view=datavolume.DataVolume,
        plural="datavolumes",
        namespaced=True,
        short_names=("dv", "dvs"),
        categories=("all",),
        columns=(
            _PHASE,
            Column("Progress", "string", ".status.progress"),
            Column("Restarts", "integer", ".status.restartCount"),
            _AGE,
        ),
        status_subresource=True,
    ),
    Resource(
        kind="DataSource",
        view=datasource.DataSource,
        plural="datasources",
        namespaced=True,
        short_names=("das",),
        categories=("all",),
    ),
    Resource(
        kind="DataImportCron",
        view=dataimportcron.DataImportCron,
        plural="dataimportcrons",
        namespaced=True,
        short_names=("dic", "dics"),
        categories=("all",),
        columns=(Column("Format", "string", ".status.sourceFormat"),),
    ),
    Resource(
        kind="VolumeImportSource",
        view=populators.VolumeImportSource,
        plural="volumeimportsources",
        namespaced=True,
    ),
    Resource(
        kind="VolumeUploadSource",
        view=populators.VolumeUploadSource,
        plural="volumeuploadsources",
        namespaced=True,
    ),
    Resource(
        kind="VolumeCloneSource",
        view=populators.VolumeCloneSource,
        plural="volumeclonesources",
        namespaced=True,
    ),
    Resource(
        kind="OvirtVolumePopulator",
        view=populators.OvirtVolumePopulator,
        plural="ovirtvolumepopulators",
        namespaced=True,
        group=FORKLIFT_GROUP,
        short_names=("ovvp", "ovvps"),
    ),
    Resource(
        kind="OpenstackVolumePopulator",
        view=populators.OpenstackVolumePopulator,
        plural="openstackvolumepopulators",
        namespaced=True,
        group=FORKLIFT_GROUP,
        short_names=("osvp", "osvps"),
    ),
    Resource(
        kind="UploadTokenRequest",
        view=uploadtoken.UploadTokenRequest,
        plural="uploadtokenrequests",
        namespaced=True,
        group=UPLOAD_GROUP,
        short_names=("utr", "utrs"),
        stored=False,
    ),
    Resource(
        kind="HyperConverged",
        view=hyperconverged.HyperConverged,
        plural="hyperconvergeds",
        namespaced=True,
        group=HYPERCONVERGED_GROUP,
        versions=(Version("v1", storage=True), Version("v1beta1")),
        short_names=("hco", "hcos"),
        columns=(_AGE,),
        status_subresource=True,
    ),
    Resource(
        kind="SSP",
        view=ssp.SSP,
        plural="ssps",
        namespaced=True,
        group=SSP_GROUP,
        versions=(Version("v1beta3", storage=True), Version("v1beta2")),
        columns=(_AGE, _PHASE),
        status_subresource=True,
    ),
    Resource(
        kind="HostPathProvisioner",
        view=hostpath.HostPathProvisioner,
        plural="hostpathprovisioners",
        namespaced=False,
        group=HOST_PATH_GROUP,
        versions=(Version("v1beta1", storage=True), Version("v1alpha1")),
    ),
)

_BY_VIEW: Final = {resource.view: resource for resource in ALL}


class UnknownKind(KeyError):
    """Nobody here serves such a kind."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word

    def __str__(self) -> str:
        known = ", ".join(sorted(resource.kind for resource in ALL))
        return f"no kind is called {self.word!r}; known are {known}"


def find(word: str) -> Resource:
    """Return the kind that a person means by `word`, whatever its case. Raises UnknownKind."""
    for resource in ALL:
        if resource.answers_to(word):
            return resource
    raise UnknownKind(word)


def resource_of(view: type[Root]) -> Resource:
    """Return how objects of a view are served."""
    return _BY_VIEW[view]


def build(view: Root) -> Object:
    """Return a new object from its view, with apiVersion and kind filled in."""
    resource = resource_of(type(view))
    return {"apiVersion": resource.api_version, "kind": resource.kind} | fields_of(view)
