"""
What one source of bytes may say: rules for each member of a source union.

Fields are named as the wire API of CDI names them in its errors (`source.HTTP.url`,
`source.Registry.importMethod`). `root` is the path of the spec that holds the source.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from cdi.api.kinds import datavolume, sources
from cdi.web.admission import addresses, checksums
from cdi.web.admission.decision import Cause

IMPORT_MEMBERS: Final = ("http", "s3", "gcs", "registry", "blank", "imageio", "vddk")
MEMBERS: Final = (*IMPORT_MEMBERS, "pvc", "snapshot", "upload")

_PULL_METHODS: Final = (None, "pod", "node")


def members_of(source: sources.ImportSource) -> list[str]:
    """Return the names of the members that are present."""
    return [name for name in MEMBERS if getattr(source, name, None) is not None]


def one_member(source: sources.ImportSource | None, root: str) -> list[Cause]:
    """A source has exactly one member."""
    members = members_of(source) if source is not None else []
    if not members:
        return [Cause("Missing Data volume source", f"{root}.source")]
    if len(members) > 1:
        message = f"Multiple Data volume sources: {', '.join(members)}; give one"
        return [Cause(message, f"{root}.source")]
    return []


def content_type_known(content_type: str | None, root: str) -> list[Cause]:
    """A content type is absent or one of two."""
    if not content_type or content_type in datavolume.CONTENT_TYPES:
        return []
    known = ", ".join(datavolume.CONTENT_TYPES)
    return [Cause(f"ContentType not one of: {known}", f"{root}.contentType")]


def causes_of(source: sources.ImportSource, content_type: str | None, root: str) -> list[Cause]:
    """Return what is wrong with the one member of a source."""
    (member,) = members_of(source)
    check = _CHECKS.get(member)
    return [] if check is None else list(check(getattr(source, member), content_type or "", root))


def _url(url: str | None, schemes: tuple[str, ...], root: str, field: str) -> Iterator[Cause]:
    if problem := addresses.problem_with(url or "", schemes):
        yield Cause(f"{root}.source Invalid source URL: {problem}", f"{root}.source.{field}")


def _http(http: sources.HTTPSource, _content: str, root: str) -> Iterator[Cause]:
    yield from _url(http.url, addresses.HTTP, root, "HTTP.url")
    if problem := checksums.problem_with(http.checksum or ""):
        yield Cause(f"Invalid checksum: {problem}", f"{root}.source.HTTP.checksum")


def _s3(s3: sources.S3Source, _content: str, root: str) -> Iterator[Cause]:
    yield from _url(s3.url, addresses.HTTP, root, "S3.url")


def _gcs(gcs: sources.GCSSource, _content: str, root: str) -> Iterator[Cause]:
    yield from _url(gcs.url, addresses.GCS, root, "GCS.url")


def _blank(_blank: object, content: str, root: str) -> Iterator[Cause]:
    if content == "archive":
        message = "SourceType cannot be blank and the contentType be archive"
        yield Cause(message, f"{root}.contentType")


def _registry(registry: sources.RegistrySource, content: str, root: str) -> Iterator[Cause]:
    field = f"{root}.source.Registry"
    if content == "archive":
        message = "ContentType must be kubevirt when Source is Registry"
        yield Cause(message, f"{root}.contentType")
    elif (registry.url is None) == (registry.image_stream is None):
        yield Cause("Source registry should have either a URL or an image stream", field)
    elif registry.url is not None and (
        problem := addresses.problem_with(registry.url, addresses.REGISTRY)
    ):
        yield Cause(f"Illegal registry source URL: {problem}", f"{field}.URL")
    elif registry.pull_method not in _PULL_METHODS:
        message = f"ImportMethod {registry.pull_method!r} is neither pod nor node"
        yield Cause(message, f"{field}.importMethod")
    elif registry.image_stream == "":
        yield Cause("Source registry ImageStream is empty", f"{field}.importMethod")
    elif registry.image_stream is not None and registry.pull_method != "node":
        message = "Source registry ImageStream is supported only with node pull import method"
        yield Cause(message, f"{field}.importMethod")


def _imageio(imageio: sources.ImageIOSource, _content: str, root: str) -> Iterator[Cause]:
    field = f"{root}.source.Imageio"
    if missing := _missing({"secretRef": imageio.secret_ref, "diskId": imageio.disk_id}):
        yield Cause(f"Source imageio lacks {missing}", field)
    elif not imageio.cert_config_map and not imageio.insecure_skip_verify:
        message = "Source imageio needs certConfigMap, or insecureSkipVerify set to true"
        yield Cause(message, field)
    else:
        yield from _url(imageio.url, addresses.HTTP, root, "ImageIO.url")


def _vddk(vddk: sources.VDDKSource, _content: str, root: str) -> Iterator[Cause]:
    wanted = {
        "secretRef": vddk.secret_ref,
        "uuid": vddk.uuid,
        "backingFile": vddk.backing_file,
        "thumbprint": vddk.thumbprint,
    }
    if missing := _missing(wanted):
        yield Cause(f"Source VDDK lacks {missing}", f"{root}.source.VDDK")
    else:
        yield from _url(vddk.url, addresses.HTTP, root, "VDDK.url")


def _pvc(pvc: sources.PVCSource, _content: str, root: str) -> Iterator[Cause]:
    if missing := _missing({"namespace": pvc.namespace, "name": pvc.name}):
        yield Cause(f"Source PVC lacks {missing}", f"{root}.source.PVC")


def _snapshot(snapshot: sources.SnapshotSource, _content: str, root: str) -> Iterator[Cause]:
    if missing := _missing({"namespace": snapshot.namespace, "name": snapshot.name}):
        yield Cause(f"Source snapshot lacks {missing}", f"{root}.source.Snapshot")


def _missing(wanted: Mapping[str, str | None]) -> str:
    return ", ".join(name for name, value in wanted.items() if not value)


# `upload` has nothing to get wrong. The members are of different types, hence the ellipsis.
_CHECKS: Final[Mapping[str, Callable[..., Iterator[Cause]]]] = {
    "http": _http,
    "s3": _s3,
    "gcs": _gcs,
    "blank": _blank,
    "registry": _registry,
    "imageio": _imageio,
    "vddk": _vddk,
    "pvc": _pvc,
    "snapshot": _snapshot,
}
