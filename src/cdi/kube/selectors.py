"""
Label and field selectors: read, written and matched the way the API server does.

Here: equality and set based label selectors as text (`app=x,tier in (a,b),!old`) and as objects
(`matchLabels`, `matchExpressions`), and field selectors (`status.phase!=Running`). Elsewhere: the
grammar of the text (`kube.labelsyntax`). No I/O. Text that is not a selector raises ValueError.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from cdi.kube import labelsyntax, objects


class Operator(StrEnum):
    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"
    GREATER = "Gt"
    LESS = "Lt"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on one label. A missing label satisfies NotIn and DoesNotExist only."""

    key: str
    operator: Operator
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        match self.operator:
            case Operator.EXISTS:
                return value is not None
            case Operator.DOES_NOT_EXIST:
                return value is None
            case Operator.IN:
                return value in self.values
            case Operator.NOT_IN:
                return value not in self.values
            case Operator.GREATER | Operator.LESS:
                return value is not None and self._compares(value)

    def _compares(self, value: str) -> bool:
        (bound,) = self.values
        try:
            have, limit = int(value), int(bound)
        except ValueError:
            return False
        return have > limit if self.operator is Operator.GREATER else have < limit

    def __str__(self) -> str:
        match self.operator:
            case Operator.EXISTS:
                return self.key
            case Operator.DOES_NOT_EXIST:
                return f"!{self.key}"
            case Operator.GREATER | Operator.LESS:
                sign = ">" if self.operator is Operator.GREATER else "<"
                return f"{self.key}{sign}{''.join(self.values)}"
        listed = ",".join(sorted(self.values))
        negated = self.operator is Operator.NOT_IN
        if len(self.values) == 1:
            return f"{self.key}{'!=' if negated else '='}{listed}"
        return f"{self.key} {'notin' if negated else 'in'} ({listed})"


@dataclass(frozen=True, slots=True)
class Selector:
    """All requirements together; none means everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(requirement.matches(labels) for requirement in self.requirements)

    def selects(self, obj: Mapping[str, Any]) -> bool:
        return self.matches(objects.labels(obj))

    def __str__(self) -> str:
        return ",".join(str(requirement) for requirement in self.requirements)


_OPERATORS = {
    "in": Operator.IN,
    "notin": Operator.NOT_IN,
    "=": Operator.IN,
    "==": Operator.IN,
    "!=": Operator.NOT_IN,
    ">": Operator.GREATER,
    "<": Operator.LESS,
    "!": Operator.DOES_NOT_EXIST,
    "": Operator.EXISTS,
}


def parse_selector(text: str) -> Selector:
    """Read a label selector as kubectl and the `labelSelector` parameter write it.

    Raises labelsyntax.Malformed, a ValueError.
    """
    return Selector(
        tuple(
            Requirement(term.key, _OPERATORS[term.operator], term.values)
            for term in labelsyntax.parse(text)
        )
    )


def selector_for(spec: Mapping[str, Any] | None) -> Selector:
    """The selector that a LabelSelector object means. Empty selects everything; so does None here,
    where some fields mean "nothing" by it: whoever reads such a field asks before calling."""
    spec = spec or {}
    equal = spec.get("matchLabels") or {}
    requirements = [
        Requirement(key, Operator.IN, frozenset({str(equal[key])})) for key in sorted(equal)
    ]
    for expression in spec.get("matchExpressions") or []:
        operator = Operator(expression["operator"])
        values = frozenset(expression.get("values") or [])
        requirements.append(_checked(Requirement(expression["key"], operator, values)))
    return Selector(tuple(requirements))


def selector_of_labels(labels: Mapping[str, str]) -> Selector:
    """The selector that asks for exactly these labels."""
    return selector_for({"matchLabels": labels})


def _checked(requirement: Requirement) -> Requirement:
    count, operator = len(requirement.values), requirement.operator
    if operator in (Operator.IN, Operator.NOT_IN):
        good = count > 0
    elif operator in (Operator.GREATER, Operator.LESS):
        good = count == 1
    else:
        good = count == 0
    if not good:
        raise ValueError(f"label selector: {operator} on {requirement.key!r} with {count} values")
    return requirement


@dataclass(frozen=True, slots=True)
class FieldRequirement:
    """One condition on one field; a missing field counts as empty."""

    path: tuple[str, ...]
    value: str
    equal: bool = True

    def matches(self, obj: Mapping[str, Any]) -> bool:
        return (_field_text(obj, self.path) == self.value) is self.equal


def parse_fields(text: str) -> tuple[FieldRequirement, ...]:
    """Read a field selector such as `metadata.name=a,status.phase!=Running`.

    A backslash stands before a comma, an equal sign or a backslash that belongs to a value.
    """
    return tuple(_parse_field(part, text) for part in _UNESCAPED_COMMA.split(text) if part)


def fields_match(requirements: Iterable[FieldRequirement], obj: Mapping[str, Any]) -> bool:
    return all(requirement.matches(obj) for requirement in requirements)


_UNESCAPED_COMMA = re.compile(r"(?<!\\),")
_ESCAPED = re.compile(r"\\([\\,=])")
_MISPLACED = re.compile(r"[\\=]")
_FIELD = re.compile(r"\s*([A-Za-z][\w.\-]*)\s*(==|=|!=)\s*(.*)")


def _parse_field(part: str, text: str) -> FieldRequirement:
    found = _FIELD.fullmatch(part)
    if not found:
        raise ValueError(f"invalid selector: '{text}'; can't understand '{part}'")
    path, sign, value = found.groups()
    if wrong := _MISPLACED.search(_ESCAPED.sub("", value)):
        # Otherwise `a!==b` would mean everything but "=b", which is everything.
        raise ValueError(f"invalid field selector: {_unescaped(value, wrong[0])}")
    value = _ESCAPED.sub(r"\1", value)
    return FieldRequirement(tuple(path.split(".")), value, equal=sign != "!=")


def _unescaped(value: str, sign: str) -> str:
    if sign == "=":
        return f"unescaped character in value: {ord(sign)}"
    left = _ESCAPED.sub("", value)
    return f"invalid escape sequence: {left[left.index(sign) :][:2]}"


def _field_text(obj: Mapping[str, Any], path: tuple[str, ...]) -> str:
    value = objects.get(obj, *path, default="")
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
