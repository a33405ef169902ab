"""
What a request's object must agree with before anything is done with it.

Here: kind and version, name and namespace of the address, uid and revision of the live object, and
the namespace that a new one is to live in.
Elsewhere: the object's own fields (`schema.admit`). Functions raise ApiError; those that fill in
what a client may leave out say so.
"""

from dataclasses import replace
from typing import Any

from cdi.kube import objects
from cdi.standalone.apiserver import patching, status
from cdi.standalone.apiserver.options import DeleteOptions, WriteOptions
from cdi.standalone.apiserver.reference import ObjectRef
from cdi.standalone.schema import admit, causes
from cdi.standalone.schema.registry import KindInfo

Document = dict[str, Any]

# Built-in kinds whose updates must name the revision they were made from; custom ones all must.
_CONDITIONAL_ONLY = frozenset({("apiextensions.k8s.io", "CustomResourceDefinition")})


def check_type(kind: KindInfo, document: Document) -> None:
    """The object is of the kind that the address names; fills in both where they are missing."""
    api_version = document.setdefault("apiVersion", kind.api_version)
    if api_version != kind.api_version:
        if kind.custom:
            raise status.bad_request(
                f"the API version in the data ({api_version}) does not match the expected API "
                f"version ({kind.api_version})"
            )
        raise _unregistered(kind, document.get("kind") or kind.kind, str(api_version))
    if kind.custom:
        _check_custom_kind(kind, document)
    if document.setdefault("kind", kind.kind) != kind.kind:
        raise _unregistered(kind, document["kind"], kind.api_version)
    if problem := admit.metadata_problem(kind, document):
        raise status.unreadable(kind, problem)
    document["metadata"] = document.get("metadata") or {}


def _unregistered(kind: KindInfo, given: str, api_version: str) -> status.ApiError:
    """The body is of a kind that is not that of the address."""
    version = api_version.rpartition("/")[2]
    return status.bad_request(
        f'{given} in version "{version}" cannot be handled as a {kind.kind}: no kind "{given}" is '
        f'registered for version "{api_version}" here'
    )


def _check_custom_kind(kind: KindInfo, document: Document) -> None:
    """Of users' kinds Kubernetes reads any of the right version, and then finds it wrong."""
    given = document.get("kind", kind.kind)
    if given != kind.kind:
        wrong = causes.invalid("kind", given, f"must be {kind.kind}")
        name = objects.get(document, "metadata", "name", default="")
        raise status.invalid(replace(kind, kind=str(given)), name, [wrong])


def check_name(ref: ObjectRef, given: Document) -> None:
    """The metadata names the object of the address, or nothing."""
    if (given.get("name") or ref.name) != ref.name:
        raise status.bad_request(
            f"the name of the object ({given['name']}) does not match the name on the URL "
            f"({ref.name})"
        )


def check_namespace(ref: ObjectRef, given: Document) -> None:
    """The metadata names the namespace of the address; fills it in."""
    if not ref.kind.namespaced:
        given.pop("namespace", None)
        return
    if (given.get("namespace") or ref.namespace) != ref.namespace:
        raise status.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    given["namespace"] = ref.namespace


def check_names_revision(ref: ObjectRef, given: Document) -> None:
    """A replacement of a custom resource says which state it replaces."""
    kind = ref.kind
    must = kind.custom or (kind.group, kind.kind) in _CONDITIONAL_ONLY
    if must and not given.get("resourceVersion"):
        wrong = causes.invalid("metadata.resourceVersion", 0, "must be specified for an update")
        raise status.invalid(kind, ref.name, [wrong])


def check_identity(ref: ObjectRef, live: Document, wanted: Document) -> None:
    """The object is meant for the live one: same name, uid and revision, where given."""
    wanted["metadata"] = given = wanted.get("metadata") or {}
    check_name(ref, given)
    check_namespace(ref, given)
    old = live["metadata"]
    uid = given.get("uid")
    if uid and uid != old["uid"]:
        raise status.conflict(ref.kind, ref.name, _precondition("UID", uid, old["uid"]))
    revision = given.get("resourceVersion")
    if revision and revision != old["resourceVersion"]:
        raise status.conflict(ref.kind, ref.name)


def check_preconditions(ref: ObjectRef, live: Document, options: DeleteOptions) -> None:
    """The live object is the one that the deletion means."""
    found = live["metadata"]
    for what, want, have in (
        ("UID", options.uid, found["uid"]),
        ("ResourceVersion", options.revision, found["resourceVersion"]),
    ):
        if want and want != have:
            raise _unlike(ref, what, want, have)


def check_readable(kind: KindInfo, document: Document) -> None:
    """The fields of a built-in kind have the types they are declared with."""
    if problem := admit.decode_problem(kind, document):
        raise status.unreadable(kind, problem)


def unknown_fields(kind: KindInfo, document: Document, options: WriteOptions) -> list[str]:
    """Warnings about fields that the kind does not have, or an error when asked to be strict."""
    if options.validation == "Ignore":
        return []
    found = [f'unknown field "{path}"' for path in admit.unknown_fields(kind, document)]
    found += options.duplicates
    if found and options.validation == "Strict":
        problem = f"strict decoding error: {', '.join(found)}"
        if options.patches:
            raise status.invalid_patch(patching.shown(document), problem)
        raise status.unreadable(kind, problem)
    return found


def _unlike(ref: ObjectRef, what: str, want: str, have: str) -> status.ApiError:
    fate = {"UID": "deleted and then recreated", "ResourceVersion": "modified"}[what]
    message = (
        f'Operation cannot be fulfilled on {ref.kind.kind} "{ref.name}": the {what} in the '
        f"precondition ({want}) does not match the {what} in record ({have}). The object might "
        f"have been {fate}"
    )
    details = {"name": ref.name, "group": ref.kind.group, "kind": ref.kind.kind}
    return status.ApiError(409, "Conflict", message, {k: v for k, v in details.items() if v})


def _precondition(what: str, want: str, have: str) -> str:
    return f"Precondition failed: {what} in precondition: {want}, {what} in object meta: {have}"


def check_home(ref: ObjectRef, home: Document | None) -> None:
    """New objects need a namespace that exists and stays."""
    if not ref.kind.namespaced:
        return
    if home is None:
        raise status.ApiError(
            404,
            "NotFound",
            f'namespaces "{ref.namespace}" not found',
            {"name": ref.namespace, "kind": "namespaces"},
        )
    if "deletionTimestamp" in home["metadata"]:
        why = (
            f"unable to create new content in namespace {ref.namespace} because it is "
            "being terminated"
        )
        cause = {
            "reason": "NamespaceTerminating",
            "message": f"namespace {ref.namespace} is being terminated",
            "field": "metadata.namespace",
        }
        raise status.forbidden(ref.kind, ref.name, why, [cause])


def normal(kind: KindInfo, document: Document) -> Document:
    """Return a document without unknown fields, with defaults, typed."""
    document = {**document, "apiVersion": kind.api_version, "kind": kind.kind}
    check_readable(kind, document)
    admit.prune(kind, document)
    admit.default(kind, document)
    return document
