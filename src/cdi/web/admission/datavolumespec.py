"""
What the spec of a DataVolume may say. The rules are tried in order; the first one that is broken
answers. Also used for the template of a DataImportCron, with another `root`.
"""

from collections.abc import Callable, Iterator
from typing import Final

from cdi.api.kinds.datavolume import DataVolumeSpec
from cdi.web.admission import checkpoints, claimspec, importsource
from cdi.web.admission.decision import Cause

Rule = Callable[[DataVolumeSpec, str], list[Cause]]

DATA_SOURCE: Final = "DataSource"


def causes_of(spec: DataVolumeSpec, root: str = "spec") -> list[Cause]:
    """Return what the first broken rule has to say; nothing if all are kept."""
    for rule in _rules_for(spec):
        if causes := rule(spec, root):
            return causes
    return []


def _rules_for(spec: DataVolumeSpec) -> Iterator[Rule]:
    yield claimspec.one_given
    yield claimspec.size_large_enough
    yield claimspec.class_name_short_enough
    yield claimspec.access_modes_known
    if claimspec.is_populated_externally(spec):
        yield claimspec.external_population
        yield _content_type
        return
    yield _one_source
    if spec.source_ref is not None:
        yield _source_ref
        yield _content_type
        return
    yield _one_member
    yield _content_type
    yield _member
    yield _stages


def _one_source(spec: DataVolumeSpec, root: str) -> list[Cause]:
    if (spec.source is None) == (spec.source_ref is None):
        message = "Data volume should have either Source or SourceRef"
        return [Cause(message, f"{root}.source")]
    return []


def _source_ref(spec: DataVolumeSpec, root: str) -> list[Cause]:
    reference = spec.source_ref
    if reference is None:
        return []
    if not reference.kind:
        return [Cause("Missing sourceRef kind", f"{root}.sourceRef.Kind")]
    if reference.kind != DATA_SOURCE:
        message = f"Unsupported sourceRef kind {reference.kind}, currently only {DATA_SOURCE} is"
        return [Cause(message, f"{root}.sourceRef.Kind")]
    if not reference.name:
        return [Cause("Missing sourceRef name", f"{root}.sourceRef.Name")]
    return []


def _one_member(spec: DataVolumeSpec, root: str) -> list[Cause]:
    return importsource.one_member(spec.source, root)


def _content_type(spec: DataVolumeSpec, root: str) -> list[Cause]:
    return importsource.content_type_known(spec.content_type, root)


def _member(spec: DataVolumeSpec, root: str) -> list[Cause]:
    if spec.source is None:
        return []
    return importsource.causes_of(spec.source, spec.content_type, root)


def _stages(spec: DataVolumeSpec, root: str) -> list[Cause]:
    if not checkpoints.is_multi_stage(spec.source, spec.checkpoints):
        return []
    return checkpoints.causes_of(spec.checkpoints, root)
