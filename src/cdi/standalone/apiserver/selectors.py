"""
Label and field selectors: from the query string to a test on an object.

Here: both grammars, and the fields that each resource can be selected by. Elsewhere: which
objects are asked. Raises ApiError (400) for selectors that cannot be parsed or are not supported.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cdi.standalone.apiserver import status

Document = dict[str, Any]

_SET = re.compile(r"^(?P<key>\S+?)\s+(?P<operator>in|notin)\s*\((?P<values>[^)]*)\)$")
_COMPARE = re.compile(r"^(?P<key>[^\s=!<>]+)\s*(?P<operator>==|=|!=|>|<)\s*(?P<value>\S*)$")
_EXISTS = re.compile(r"^(?P<absent>!?)\s*(?P<key>[A-Za-z0-9][A-Za-z0-9_./-]*)$")

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
    "secrets": frozenset({"type"}),
    "namespaces": frozenset({"status.phase"}),
    "nodes": frozenset({"spec.unschedulable"}),
    "services": frozenset({"spec.clusterIP", "spec.type"}),
    "jobs.batch": frozenset({"status.successful"}),
}
_ALWAYS = frozenset({"metadata.name", "metadata.namespace"})


@dataclass(frozen=True, slots=True)
class Requirement:
    """One term of a label selector."""

    key: str
    operator: str  # in, notin, exists, absent, gt, lt
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether `labels` satisfy the term."""
        value = labels.get(self.key)
        match self.operator:
            case "in":
                return value is not None and value in self.values
            case "notin":
                return value is None or value not in self.values
            case "exists":
                return value is not None
            case "absent":
                return value is None
            case _:
                return value is not None and _compared(value, self.operator, self.values[0])


@dataclass(frozen=True, slots=True)
class Selector:
    """A label selector and a field selector together. The empty one matches everything."""

    labels: tuple[Requirement, ...] = ()
    fields: tuple[tuple[str, str, bool], ...] = ()  # path, value, equal?

    def __bool__(self) -> bool:
        return bool(self.labels or self.fields)

    def matches(self, document: Document) -> bool:
        """Whether the object is selected."""
        labels = document.get("metadata", {}).get("labels") or {}
        return all(term.matches(labels) for term in self.labels) and all(
            (_field(document, path) == value) is equal for path, value, equal in self.fields
        )

    def name(self) -> str:
        """The one name that can match, or empty when there may be several."""
        for path, value, equal in self.fields:
            if path == "metadata.name" and equal:
                return value
        return ""


def parse_selector(resource: str, labels: str, fields: str) -> Selector:
    """The selector that both query parameters describe, for objects of `resource`."""
    return Selector(parse_labels(labels), _parse_fields(resource, fields))


def parse_labels(text: str) -> tuple[Requirement, ...]:
    """The terms of a label selector."""
    return tuple(_requirement(term) for term in _split_terms(text) if term)


def _requirement(term: str) -> Requirement:
    if found := _SET.match(term):
        values = tuple(value.strip() for value in found["values"].split(","))
        return Requirement(found["key"], found["operator"], values)
    if found := _COMPARE.match(term):
        operators: dict[str, str] = {"!=": "notin", ">": "gt", "<": "lt"}
        return Requirement(found["key"], operators.get(found["operator"], "in"), (found["value"],))
    if found := _EXISTS.match(term):
        return Requirement(found["key"], "absent" if found["absent"] else "exists")
    raise status.bad_request(
        f"unable to parse requirement: found '{term}', expected: a label selector such as "
        "'key=value', 'key in (a,b)' or '!key'"
    )


def _split_terms(text: str) -> list[str]:
    """Split at commas that are not inside parentheses."""
    terms = re.split(r",(?![^()]*\))", text)
    return [term.strip() for term in terms]


def _compared(value: str, operator: str, limit: str) -> bool:
    try:
        return int(value) > int(limit) if operator == "gt" else int(value) < int(limit)
    except ValueError:
        return False


def _parse_fields(resource: str, text: str) -> tuple[tuple[str, str, bool], ...]:
    supported: Callable[[str], bool] = (_ALWAYS | _FIELDS.get(resource, frozenset())).__contains__
    terms = []
    for term in re.split(r"(?<!\\),", text):
        if not term:
            continue
        found = re.match(r"^(?P<path>[^=!]+)(?P<operator>==|=|!=)(?P<value>.*)$", term)
        if not found:
            raise status.bad_request(f"invalid field selector: '{text}'; can't understand '{term}'")
        if not supported(found["path"]):
            raise status.bad_request(f"field label not supported: {found['path']}")
        value = re.sub(r"\\([\\,=])", r"\1", found["value"])
        terms.append((found["path"], value, found["operator"] != "!="))
    return tuple(terms)


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
