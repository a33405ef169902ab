"""
Label and field selectors: from the query string to a test on an object.

Here: the fields that each resource can be selected by. Elsewhere: both grammars
(`kube.selectors`), and which objects are asked. Raises ApiError (400) for selectors that cannot
be parsed or are not supported.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cdi.kube import labelsyntax, selectors
from cdi.kube.selectors import FieldRequirement
from cdi.standalone.apiserver import status
from cdi.standalone.schema.registry import KindInfo

Document = dict[str, Any]

# Fields beyond metadata.name and metadata.namespace, by resource.
_FIELDS: Mapping[str, frozenset[str]] = {
    "pods": frozenset(
        {
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        }
    ),
    "events": frozenset(
        {
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        }
    ),
    "events.events.k8s.io": frozenset(
        {
            "regarding.kind",
            "regarding.namespace",
            "regarding.name",
            "regarding.uid",
            "regarding.apiVersion",
            "regarding.resourceVersion",
            "regarding.fieldPath",
            "reason",
            "reportingController",
            "type",
        }
    ),
    "secrets": frozenset({"type"}),
    "namespaces": frozenset({"status.phase"}),
    "nodes": frozenset({"spec.unschedulable"}),
    "services": frozenset({"spec.clusterIP", "spec.type"}),
    "jobs.batch": frozenset({"status.successful"}),
}
_NAME = ("metadata", "name")
_ALWAYS = frozenset({"metadata.name", "metadata.namespace"})


@dataclass(frozen=True, slots=True)
class Selector:
    """A label selector and a field selector together. The empty one matches everything."""

    labels: selectors.Selector = field(default_factory=selectors.Selector)
    fields: tuple[FieldRequirement, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.labels.requirements or self.fields)

    def matches(self, document: Document) -> bool:
        """Whether the object is selected."""
        return self.labels.selects(document) and all(
            (_field(document, ".".join(term.path)) == term.value) is term.equal
            for term in self.fields
        )

    def name(self) -> str:
        """The one name that can match, or empty when there may be several."""
        for term in self.fields:
            if term.path == _NAME and term.equal:
                return term.value
        return ""


def parse_selector(kind: KindInfo, labels: str, fields: str) -> Selector:
    """The selector that both query parameters describe, for objects of `kind`."""
    return Selector(_parse_labels(labels), _parse_fields(kind, fields))


def _parse_labels(text: str) -> selectors.Selector:
    try:
        return selectors.parse_selector(text)
    except labelsyntax.Malformed as error:
        raise status.bad_request(error.problem) from error


def _parse_fields(kind: KindInfo, text: str) -> tuple[FieldRequirement, ...]:
    own = _FIELDS.get(kind.resource, frozenset())
    supported = _ALWAYS | own | frozenset(kind.selectable)
    try:
        terms = selectors.parse_fields(text)
    except ValueError as error:
        raise status.bad_request(str(error)) from error
    for term in terms:
        if (path := ".".join(term.path)) in supported:
            continue
        if own or kind.custom:
            raise status.bad_request(f"field label not supported: {path}")
        known = 'only "metadata.name", "metadata.namespace"'
        raise status.bad_request(f'"{path}" is not a known field selector: {known}')
    return terms


def _field(document: Document, path: str) -> str:
    if path == "source":
        return str((document.get("source") or {}).get("component", ""))
    value: Any = document
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "false" if path in ("spec.unschedulable", "spec.hostNetwork") else ""
    return str(value)
