"""
`spec.customizeComponents`: patches and arguments of users, laid over what is wanted. Pure.

Patches are applied in the order in which they are given, arguments last. One that cannot be
applied is left out and reported; it holds up nothing else.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import jsonpatch

from cdi.api import annotations as known
from cdi.kube import mergepatch, objects, strategicmerge
from cdi.kube.objects import Object, Objects
from cdi.operator.inventory import deployments

_PATCHABLE: Final = frozenset(
    {
        "Deployment",
        "Service",
        "ValidatingWebhookConfiguration",
        "MutatingWebhookConfiguration",
        "APIService",
    }
)
_FLAGS: Final = {
    "api": deployments.API_SERVER,
    "controller": deployments.CONTROLLER,
    "uploadProxy": deployments.UPLOAD_PROXY,
}
_ALL: Final = "*"


def _list_of(key: str, **properties: Object) -> Object:
    """A list whose items are told apart by `key`, as schemas of Kubernetes say it."""
    return {
        "x-kubernetes-patch-strategy": "merge",
        "x-kubernetes-patch-merge-key": key,
        "items": {"properties": properties},
    }


def _object(**properties: Object) -> Object:
    return {"properties": properties}


_CONTAINERS: Final = _list_of(
    "name",
    env=_list_of("name"),
    ports=_list_of("containerPort"),
    volumeMounts=_list_of("mountPath"),
    volumeDevices=_list_of("devicePath"),
)
_POD: Final = _object(
    containers=_CONTAINERS,
    initContainers=_CONTAINERS,
    ephemeralContainers=_CONTAINERS,
    volumes=_list_of("name"),
    imagePullSecrets=_list_of("name"),
    hostAliases=_list_of("ip"),
    topologySpreadConstraints=_list_of("topologyKey"),
)
_METADATA: Final = _object(ownerReferences=_list_of("uid"))
_WEBHOOKS: Final = _object(metadata=_METADATA, webhooks=_list_of("name"))
_SCHEMAS: Final[Mapping[str, Object]] = {
    "Deployment": _object(
        metadata=_METADATA, spec=_object(template=_object(metadata=_METADATA, spec=_POD))
    ),
    "Service": _object(metadata=_METADATA, spec=_object(ports=_list_of("port"))),
    "ValidatingWebhookConfiguration": _WEBHOOKS,
    "MutatingWebhookConfiguration": _WEBHOOKS,
    "APIService": _object(metadata=_METADATA),
}


class BadPatch(ValueError):
    """A patch that cannot be applied; says why."""


@dataclass(frozen=True, slots=True)
class Customized:
    """What is wanted after all, and what could not be done."""

    objects: Objects
    problems: tuple[str, ...] = ()


def customized(wanted: Objects, cdi: Object) -> Customized:
    """`wanted` with everything that the CDI object asks for laid over it."""
    asked: Object = objects.get(cdi, "spec", "customizeComponents", default={})
    patches: Objects = asked.get("patches") or []
    flags: Object = asked.get("flags") or {}
    if not patches and not flags:
        return Customized(wanted)
    mark = _hash_of(asked)
    problems: list[str] = []
    made = [
        _laid_over(each, patches, flags, mark, problems) if each["kind"] in _PATCHABLE else each
        for each in wanted
    ]
    problems += _unknown_types(patches)
    return Customized(made, tuple(dict.fromkeys(problems)))


def arguments_of(flags: Mapping[str, str]) -> list[str]:
    """Flags as a command line, in an order that does not change."""
    found: list[str] = []
    for flag in sorted(flags):
        found.append(f"-{flag.lower()}")
        if flags[flag]:
            found.append(flags[flag])
    return found


def _laid_over(
    wanted: Object, patches: Objects, flags: Object, mark: str, problems: list[str]
) -> Object:
    now, touched = wanted, False
    for number, patch in enumerate(patches):
        if not _matches(patch, wanted):
            continue
        try:
            now = _patched(now, patch)
            touched = True
        except BadPatch as error:
            where = f"spec.customizeComponents.patches[{number}]"
            problems.append(f"{where}: {wanted['kind']} {objects.name(wanted)}: {error}")
    for which, name in _FLAGS.items():
        given = flags.get(which)
        if given and wanted["kind"] == "Deployment" and objects.name(wanted) == name:
            now = _with_arguments(now, arguments_of(given))
            touched = True
    return _marked(now, mark) if touched else wanted


def _matches(patch: Object, obj: Object) -> bool:
    kind, name = str(patch.get("resourceType")), str(patch.get("resourceName"))
    return kind.lower() in (_ALL, obj["kind"].lower()) and name.lower() in (
        _ALL,
        objects.name(obj).lower(),
    )


def _patched(obj: Object, patch: Object) -> Object:
    """Raises BadPatch."""
    apply = _WAYS.get(str(patch.get("type")))
    if apply is None:
        return obj  # said once, not for each object
    try:
        content = json.loads(patch.get("patch") or "")
    except ValueError as error:
        raise BadPatch(f"the patch is not JSON: {error}") from error
    made = apply(obj, content)
    if not isinstance(made, dict):
        raise BadPatch("the patch leaves no object")
    for path in (("apiVersion",), ("kind",), ("metadata", "name"), ("metadata", "namespace")):
        if objects.get(made, *path) != objects.get(obj, *path):
            raise BadPatch(f"the patch changes {'.'.join(path)}")
    return made


def _by_json(obj: Object, content: Any) -> Any:
    """Like RFC 6902, but what is gone may be removed, and parents are made for what is added."""
    if not isinstance(content, list):
        raise BadPatch("a JSON patch is a list of operations")
    now: Any = copy.deepcopy(obj)
    for operation in content:
        try:
            now = _operated(now, operation)
        except (
            jsonpatch.JsonPatchException,
            jsonpatch.JsonPointerException,
            TypeError,
            KeyError,
            AttributeError,
        ) as error:
            raise BadPatch(f"{json.dumps(operation)} cannot be applied: {error}") from error
    return now


def _operated(now: Any, operation: Object) -> Any:
    pointer = jsonpatch.JsonPointer(operation["path"])
    if operation.get("op") == "remove" and pointer.resolve(now, _MISSING) is _MISSING:
        return now
    if operation.get("op") == "add":
        _make_parents(now, pointer.parts[:-1])
    return jsonpatch.apply_patch(now, [operation])


_MISSING: Final = object()


def _make_parents(now: Any, parts: list[str]) -> None:
    at = now
    for part in parts:
        if isinstance(at, dict):
            at = at.setdefault(part, {})
        elif isinstance(at, list) and part.isdigit() and int(part) < len(at):
            at = at[int(part)]
        else:
            return


def _by_merge(obj: Object, content: Any) -> Any:
    if not isinstance(content, dict):
        raise BadPatch("a merge patch is an object")
    return mergepatch.merged(obj, content)


def _by_strategy(obj: Object, content: Any) -> Any:
    try:
        return strategicmerge.merge(_SCHEMAS[obj["kind"]], obj, content)
    except strategicmerge.InvalidPatch as error:
        raise BadPatch(str(error)) from error


_WAYS: Final[Mapping[str, Callable[[Object, Any], Any]]] = {
    "json": _by_json,
    "merge": _by_merge,
    "strategic": _by_strategy,
}


def _unknown_types(patches: Objects) -> list[str]:
    return [
        f"spec.customizeComponents.patches[{number}]: type {patch.get('type')!r} is none of "
        f"{', '.join(_WAYS)}"
        for number, patch in enumerate(patches)
        if patch.get("type") not in _WAYS
    ]


def _with_arguments(deployment: Object, arguments: list[str]) -> Object:
    made = copy.deepcopy(deployment)
    for container in objects.get(made, "spec", "template", "spec", "containers", default=[]):
        if container.get("name") == objects.name(made):
            container["args"] = arguments
    return made


def _marked(obj: Object, mark: str) -> Object:
    made = copy.deepcopy(obj)
    metadata = made["metadata"]
    metadata["annotations"] = {
        **(metadata.get("annotations") or {}),
        known.CUSTOMIZER_IDENTIFIER: mark,
    }
    return made


def _hash_of(asked: Object) -> str:
    text = json.dumps(asked, separators=(",", ":"), sort_keys=True)
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
