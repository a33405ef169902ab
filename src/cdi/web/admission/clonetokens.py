"""
A DataVolume is created or changed: the mutating rule.

A new DataVolume that clones gets a token which says that its creator may do so; controllers,
which may do everything, insist on it. A token is never taken from the user: whatever stands in
the annotations of a new DataVolume goes, and the token of an existing one stays as it was.

The token names its target, so a DataVolume that has no name yet but only the beginning of one
gets its name here.

Only creating is authorized. The spec cannot change afterwards, and whoever may label a
DataVolume need not be allowed to clone what it was made from.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cdi.api import annotations, view
from cdi.api.kinds.datavolume import DataVolume
from cdi.kube import objects
from cdi.web.admission import (
    authorization,
    datavolume,
    datavolumespec,
    decision,
    resources,
)
from cdi.web.admission.authorization import CloneSource
from cdi.web.admission.decision import Cause, Decision
from cdi.web.admission.inquiry import Get, Seen
from cdi.web.admission.request import CREATE, UPDATE, AdmissionRequest, Object
from cdi.web.tokens.payload import CLAIM, SNAPSHOT, ClonePayload

Signer = Callable[[ClonePayload], str]
Namer = Callable[[str], str]  # completes the beginning of a name

_TOKENS: Final = (annotations.CLONE_TOKEN, annotations.EXTENDED_CLONE_TOKEN)
# The claim is filled by somebody else: nothing will be cloned, so no permission is needed.
_WAIVERS: Final = (annotations.PREPOPULATED, annotations.CHECK_STATIC_VOLUME)
_MEMBERS: Final = {"pvc": CLAIM, "snapshot": SNAPSHOT}


class _Missing(Exception):
    """Something that the clone starts from does not exist."""


@dataclass(frozen=True, slots=True)
class CloneTokens:
    """The rule; it holds what signs tokens and what completes names."""

    sign: Signer
    name_for: Namer

    def decide(self, request: AdmissionRequest, seen: Seen) -> Decision:
        """Judge one write. Looks up a DataSource, a namespace, and what the user may do."""
        if request.resource != datavolume.RESOURCE or request.version != "v1beta1":
            return decision.error(f"expect resource to be {datavolume.RESOURCE} v1beta1")
        volume = request.object
        if volume is None or not _is_readable(volume) or objects.is_deleting(volume):
            return decision.allow()
        if request.operation == UPDATE:
            return decision.allow_as(_with_token_of(request.old, volume), volume)
        if request.operation != CREATE:
            return decision.allow()
        return self._decide_new(request, volume, seen)

    def _decide_new(self, request: AdmissionRequest, volume: Object, seen: Seen) -> Decision:
        clean = _without_annotations(volume, _TOKENS)
        waived = any(key in objects.annotations(volume) for key in _WAIVERS)
        namespace = objects.namespace(volume) or request.namespace
        try:
            source = _source_of(volume, namespace, seen)
            allowed = source is None or _is_allowed(request, source, namespace, seen)
        except _Missing as missing:
            return decision.allow_as(clean, volume) if waived else decision.error(str(missing))
        if source is None or (waived and not allowed):
            return decision.allow_as(clean, volume)
        if not allowed:
            message = f"User {request.user.name} has {authorization.DENIED_TEXT} {source.namespace}"
            return decision.reject([Cause(message, "spec.source.PVC.namespace")])
        return decision.allow_as(self._with_token(clean, request, source, namespace), volume)

    def _with_token(
        self, volume: Object, request: AdmissionRequest, source: CloneSource, namespace: str
    ) -> Object:
        beginning = objects.get(volume, "metadata", "generateName", default="")
        name = objects.name(volume) or request.name
        if not name and beginning:
            name = self.name_for(beginning)
            volume = {**volume, "metadata": {**objects.metadata(volume), "name": name}}
        payload = ClonePayload(source.resource, source.namespace, source.name, namespace, name)
        return _with_annotation(volume, annotations.CLONE_TOKEN, self.sign(payload))


def _is_readable(volume: Object) -> bool:
    """Tell whether this is a DataVolume at all.

    The schema is looked at after the mutating rules, and says better than we could what is wrong.
    """
    try:
        view.read(DataVolume, volume)
    except view.InvalidObject:
        return False
    return True


def _source_of(volume: Object, namespace: str, seen: Seen) -> CloneSource | None:
    """Return what the DataVolume clones, or None. Raises _Missing."""
    source = objects.get(volume, "spec", "source")
    reference = objects.get(volume, "spec", "sourceRef")
    if objects.get(reference, "kind") == datavolumespec.DATA_SOURCE:
        where = objects.get(reference, "namespace") or namespace
        name = str(objects.get(reference, "name", default=""))
        found = seen.one(Get(resources.DATA_SOURCES, name, where))
        if found is None:
            raise _Missing(f'{resources.DATA_SOURCES} "{name}" not found')
        source = _followed(found)
        namespace = where
    return _member_of(source, namespace)


def _followed(data_source: Object) -> Any:
    """Return what a DataSource stands for; one that points to another says so in its status."""
    source = objects.get(data_source, "spec", "source")
    if objects.get(source, "dataSource") is not None:
        return objects.get(data_source, "status", "source")
    return source


def _member_of(source: Any, namespace: str) -> CloneSource | None:
    for member, resource in _MEMBERS.items():
        chosen = objects.get(source, member)
        if isinstance(chosen, Mapping):
            where = chosen.get("namespace") or namespace
            return CloneSource(resource, str(where), str(chosen.get("name") or ""))
    return None


def _is_allowed(request: AdmissionRequest, source: CloneSource, namespace: str, seen: Seen) -> bool:
    if seen.one(Get(resources.NAMESPACES, source.namespace)) is None:
        raise _Missing(f'{resources.NAMESPACES} "{source.namespace}" not found')
    return authorization.may_clone(request.user, source, namespace, seen)


def _with_token_of(old: Object | None, volume: Object) -> Object:
    """Return the DataVolume with the short token that it had, or none if it had none."""
    key = annotations.CLONE_TOKEN
    had = objects.annotations(old or {}).get(key)
    if objects.annotations(volume).get(key) == had:
        return volume
    if had is None:
        return _without_annotations(volume, (key,))
    return _with_annotation(volume, key, had)


def _with_annotation(volume: Object, key: str, value: str) -> Object:
    changed = {**objects.annotations(volume), key: value}
    return {**volume, "metadata": {**objects.metadata(volume), "annotations": changed}}


def _without_annotations(volume: Object, keys: tuple[str, ...]) -> Object:
    given = objects.annotations(volume)
    kept = {key: value for key, value in given.items() if key not in keys}
    if kept == given:
        return volume
    return {**volume, "metadata": {**objects.metadata(volume), "annotations": kept}}
