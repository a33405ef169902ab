"""
DataImportCrons and DataSources of boot images, and who manages which DataSource. Pure.

A DataSource that machines expect follows its cron, unless somebody has put a claim of its name
beside it: then that claim is what it names, and no cron is made, until the cron's label is put
back or the claim goes.
"""

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cdi.api import annotations, labels
from cdi.bootsources import common, kinds
from cdi.bootsources.templates import InEffect
from cdi.kube import objects
from cdi.kube.objects import Key, Object

ARCHITECTURE: Final = "template.kubevirt.io/architecture"
DATA_SOURCE_NAME: Final = "cdi.kubevirt.io/storage.import.datasource-name"
OWNER: Final = "operator-sdk/primary-resource"
OWNER_TYPE: Final = "operator-sdk/primary-resource-type"
_OWNER_KIND: Final = "SSP.ssp.kubevirt.io"
OWN_LABELS: Final = {
    "app.kubernetes.io/name": "data-sources",
    "app.kubernetes.io/component": "templating",
    "app.kubernetes.io/managed-by": "ssp-operator",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is, and what is wanted."""

    owner: Key  # the SSP object
    namespace: str  # of boot images
    templates: Sequence[InEffect] = ()
    architectures: Sequence[str] = ()  # of the cluster, the default one first
    multi_arch: bool = False
    crons: Sequence[Object] = ()
    data_sources: Sequence[Object] = ()
    claims: frozenset[Key] = frozenset()


@dataclass(frozen=True, slots=True)
class Wanted:
    """Objects that should be as they stand here, that should be made anew, and that should go."""

    ensure: tuple[Object, ...] = ()
    remove: tuple[Object, ...] = ()


@dataclass(slots=True)
class _Draft:
    ensure: list[Object] = field(default_factory=list)
    remove: list[Object] = field(default_factory=list)


def decide(seen: Seen) -> Wanted:
    """Choose which crons and DataSources there should be."""
    draft = _Draft()
    crons = {objects.key(each): each for each in _crons(seen)}
    managing = {
        Key(key.namespace, str(cron["spec"]["managedDataSource"])): key.name
        for key, cron in crons.items()
    }
    for source in _expected(seen):
        key = objects.key(source)
        if objects.get(source, "spec", "source", "dataSource"):
            draft.ensure.append(source)
        elif key in managing and _is_automatic(seen, key):
            _follow(seen, draft, source, managing[key])
        else:
            _hold(seen, draft, source)
            if key in managing:
                del crons[Key(key.namespace, managing[key])]
    _keep_crons(seen, draft, crons)
    _drop_sources(seen, draft)
    return Wanted(tuple(draft.ensure), tuple(draft.remove))


def is_owned(obj: Object, owner: Key) -> bool:
    """Whether an object was made for this SSP."""
    given = objects.annotations(obj)
    return given.get(OWNER) == _owner(owner) and given.get(OWNER_TYPE) == _OWNER_KIND


def owned(obj: Object, owner: Key) -> Object:
    """A copy that says for whom it was made; owners of another namespace cannot be referred to."""
    meta = obj["metadata"]
    marks = {OWNER: _owner(owner), OWNER_TYPE: _OWNER_KIND}
    return {
        **obj,
        "metadata": {
            **meta,
            "labels": {**(meta.get("labels") or {}), **OWN_LABELS},
            "annotations": {**(meta.get("annotations") or {}), **marks},
        },
    }


def _owner(owner: Key) -> str:
    return f"{owner.namespace}/{owner.name}"


# Crons.


def _crons(seen: Seen) -> Iterable[Object]:
    for each in seen.templates:
        if seen.multi_arch and each.architectures:
            for architecture in _fitting(seen, each):
                yield owned(_for_architecture(_cron(seen, each), architecture), seen.owner)
        else:
            yield owned(_for_default(seen, _cron(seen, each)), seen.owner)


def _fitting(seen: Seen, each: InEffect) -> list[str]:
    """The architectures of an image that the cluster has."""
    return [found for found in each.architectures if found in seen.architectures]


def _cron(seen: Seen, each: InEffect) -> Object:
    meta = each.template["metadata"]
    given = {
        key: value
        for key, value in (meta.get("annotations") or {}).items()
        if key != annotations.CRON_TEMPLATE_ARCHITECTURES
    }
    return {
        "apiVersion": kinds.CRONS.api_version,
        "kind": kinds.CRONS.kind,
        "metadata": {
            "name": each.name,
            "namespace": meta.get("namespace") or seen.namespace,
            "labels": dict(meta.get("labels") or {}),
            "annotations": given,
        },
        "spec": copy.deepcopy(each.template["spec"]),
    }


def _for_architecture(cron: Object, architecture: str) -> Object:
    made = copy.deepcopy(cron)
    source = str(made["spec"]["managedDataSource"])
    made["metadata"]["name"] = f"{objects.name(cron)}-{architecture}"
    made["metadata"]["labels"] |= {ARCHITECTURE: architecture, DATA_SOURCE_NAME: source}
    made["spec"]["managedDataSource"] = f"{source}-{architecture}"
    registry = objects.get(made, "spec", "template", "spec", "source", "registry")
    if registry is not None:
        registry["platform"] = {**(registry.get("platform") or {}), "architecture": architecture}
    return made


def _for_default(seen: Seen, cron: Object) -> Object:
    """Where there are several architectures, the plain name of a DataSource is a reference."""
    source = str(cron["spec"]["managedDataSource"])
    if not seen.multi_arch or source not in _names(seen):
        return cron
    made = copy.deepcopy(cron)
    made["spec"]["managedDataSource"] = f"{source}-{seen.architectures[0]}"
    return made


def _keep_crons(seen: Seen, draft: _Draft, crons: Mapping[Key, Object]) -> None:
    there = {objects.key(each): each for each in seen.crons}
    for key, wanted in crons.items():
        found = there.get(key)
        if found is not None and not is_owned(found, seen.owner):
            continue  # somebody else's
        if found is not None and objects.is_deleting(found):
            continue  # made again once it is gone
        if found is not None and not _same_spec(found["spec"], wanted["spec"]):
            draft.remove.append(found)  # a cron cannot change
            continue
        draft.ensure.append(wanted)
    for key, found in there.items():
        if key not in crons and is_owned(found, seen.owner) and not objects.is_deleting(found):
            draft.remove.append(found)


def _same_spec(found: Any, wanted: Any) -> bool:
    """Whether two specs say the same; what is empty says nothing."""
    if isinstance(found, Mapping) and isinstance(wanted, Mapping):
        return all(_same_spec(found.get(key), wanted.get(key)) for key in {*found, *wanted})
    return bool(found == wanted) or (found in (None, "", {}, []) and wanted in (None, "", {}, []))


# DataSources.


def _names(seen: Seen) -> set[str]:
    """The names of DataSources that machines of this cluster expect."""
    wanted = seen.architectures if seen.multi_arch else seen.architectures[:1]
    return {name for each in wanted for name in common.EXPECTED.get(each, ())}


def _expected(seen: Seen) -> list[Object]:
    if not seen.multi_arch:
        return [_holding(seen, name) for name in sorted(_names(seen))]
    found = []
    for name in sorted(_names(seen) | _custom_names(seen)):
        having = [each for each in seen.architectures if _has(seen, name, each)]
        for each in having:
            source = _holding(seen, f"{name}-{each}", claim=_claim_for(seen, name, each))
            source["metadata"]["labels"] = {
                **source["metadata"]["labels"],
                ARCHITECTURE: each,
            }
            found.append(source)
        if having:
            found.append(_referring(seen, name, f"{name}-{having[0]}"))
    return found


def _has(seen: Seen, name: str, architecture: str) -> bool:
    if name in common.EXPECTED.get(architecture, ()):
        return True
    return any(
        each.template["spec"].get("managedDataSource") == name
        and architecture in each.architectures
        for each in seen.templates
    )


def _custom_names(seen: Seen) -> set[str]:
    """DataSources of a cluster's own templates that are there for several architectures."""
    return {
        str(each.template["spec"].get("managedDataSource"))
        for each in seen.templates
        if each.architectures
    }


def _claim_for(seen: Seen, name: str, architecture: str) -> str:
    """A claim of the plain name goes on to serve the default architecture."""
    default = architecture == seen.architectures[0]
    return name if default and Key(seen.namespace, name) in seen.claims else ""


def _holding(seen: Seen, name: str, *, claim: str = "") -> Object:
    """A DataSource that names a claim: of its own name, unless another is given."""
    source = {"pvc": {"namespace": seen.namespace, "name": claim or name}}
    return owned(_data_source(seen, name, source), seen.owner)


def _referring(seen: Seen, name: str, to: str) -> Object:
    source = {"dataSource": {"namespace": seen.namespace, "name": to}}
    return owned(_data_source(seen, name, source), seen.owner)


def _data_source(seen: Seen, name: str, source: Object) -> Object:
    return {
        "apiVersion": kinds.DATA_SOURCES.api_version,
        "kind": kinds.DATA_SOURCES.kind,
        "metadata": {"name": name, "namespace": seen.namespace},
        "spec": {"source": {"pvc": None, "snapshot": None, "dataSource": None, **source}},
    }


def _is_automatic(seen: Seen, key: Key) -> bool:
    """Whether a DataSource follows its cron."""
    found = _source(seen, key)
    if found is not None and labels.DATA_IMPORT_CRON in objects.labels(found):
        return True
    named = _claim_named(seen, key)
    return named not in seen.claims


def _claim_named(seen: Seen, key: Key) -> Key:
    """The claim that would opt a DataSource out of following."""
    default = f"-{seen.architectures[0]}" if seen.multi_arch else ""
    plain = key.name.removesuffix(default)
    return Key(key.namespace, plain if Key(key.namespace, plain) in seen.claims else key.name)


def _source(seen: Seen, key: Key) -> Object | None:
    return next((each for each in seen.data_sources if objects.key(each) == key), None)


def _follow(seen: Seen, draft: _Draft, wanted: Object, cron: str) -> None:
    """What a DataSource names is CDI's affair; it has to be there, and to be the cron's."""
    found = _source(seen, objects.key(wanted))
    made = _as_seen(found, wanted)
    made["metadata"]["labels"][labels.DATA_IMPORT_CRON] = cron
    if found is not None:
        del made["spec"]
        # Whoever has it in hand has labelled it: two controllers need not disagree for ever.
        made["metadata"]["labels"] = {
            labels.DATA_IMPORT_CRON: cron,
            **{k: v for k, v in OWN_LABELS.items() if k not in objects.labels(found)},
        }
    draft.ensure.append(made)


def _hold(seen: Seen, draft: _Draft, wanted: Object) -> None:
    made = _as_seen(_source(seen, objects.key(wanted)), wanted)
    made["metadata"]["labels"][labels.DATA_IMPORT_CRON] = None
    draft.ensure.append(made)


def _as_seen(found: Object | None, wanted: Object) -> Object:
    """A copy that holds only while a DataSource is as it was found: people change its label."""
    made = copy.deepcopy(wanted)
    if version := objects.resource_version(found or {}):
        made["metadata"]["resourceVersion"] = version
    return made


def _drop_sources(seen: Seen, draft: _Draft) -> None:
    wanted = {objects.key(each) for each in draft.ensure if each["kind"] == kinds.DATA_SOURCES.kind}
    for found in seen.data_sources:
        mine = is_owned(found, seen.owner) and not objects.is_deleting(found)
        if mine and objects.key(found) not in wanted:
            draft.remove.append(found)
