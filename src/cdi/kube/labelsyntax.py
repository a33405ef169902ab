"""
The text of label selectors: `app=x,tier in (a,b),!old`, read as the API server reads it.

Here: words and signs, and what may follow what. Elsewhere: what a requirement matches
(`kube.selectors`). Whatever the API server refuses is refused, in its words: a selector that was
made of empty variables must never mean "everything". No I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple


class Malformed(ValueError):
    """Text that is no label selector; `problem` is what the API server says of it."""

    def __init__(self, text: str, problem: str) -> None:
        super().__init__(f"label selector {text!r}: {problem}")
        self.problem = problem


class Term(NamedTuple):
    """One condition: a key, its sign or word (empty: the key alone), and values."""

    key: str
    operator: str  # "", "!", "=", "==", "!=", ">", "<", "in" or "notin"
    values: frozenset[str] = frozenset()


_END: Final = ""
_TOKENS: Final = re.compile(r"\s*(==|!=|[=!<>,()]|[^\s=!<>,()]+)")
_SIGNS: Final = frozenset(("==", "!=", *"=!<>,()"))
_WITH_SET: Final = ("in", "notin")
_WITH_VALUE: Final = ("=", "==", "!=", ">", "<")
_ORDER: Final = (">", "<")

# A qualified name: a DNS name in front of a slash, and a name of letters, digits, `-`, `_`, `.`.
_NAME: Final = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_LABEL: Final = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_PREFIX: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_LONGEST: Final = 63
_LONGEST_PREFIX: Final = 253

_LETTERS: Final = (
    "consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. "
)
_NAME_PART: Final = (
    f"must {_LETTERS}'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_PREFIX_PART: Final = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
    "for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_VALUE: Final = (
    f"{_LETTERS}'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)


def parse(text: str) -> tuple[Term, ...]:
    """Read a label selector. Raises Malformed."""
    try:
        return tuple(_Parser(text).terms())
    except _Unexpected as error:
        raise Malformed(text, str(error)) from None


class _Unexpected(Exception):
    """Something that may not stand where it does."""


class _Parser:
    def __init__(self, text: str) -> None:
        # An end follows the last token, and whoever looks behind it finds it again.
        self._tokens: list[str] = [*_TOKENS.findall(text), _END]
        self._at = 0

    def terms(self) -> Iterator[Term]:
        if self._next == _END:
            return
        if self._next in _SIGNS - {"!"}:
            raise self._expected("!, identifier, or 'end of string'")
        while True:
            yield self._requirement()
            if self._next == _END:
                return
            if self._take() != ",":
                self._at -= 1
                raise self._expected("',' or 'end of string'")
            if self._next == _END or self._next in _SIGNS - {"!"}:
                raise self._expected("identifier after ','")

    def _requirement(self) -> Term:
        try:
            return self._term()
        except _Unexpected as error:
            raise _Unexpected(f"unable to parse requirement: {error}") from None

    def _term(self) -> Term:
        absent = self._next == "!"
        if absent:
            self._take()
        key = _checked_key(self._word("identifier"))
        if absent:
            return Term(key, "!")
        if self._next in (_END, ","):
            return Term(key, "")
        operator = self._take()
        if operator in _WITH_SET:
            values = self._set()
        elif operator in _WITH_VALUE:
            values = frozenset({self._value()})
        else:
            self._at -= 1
            raise self._expected("in, notin, =, ==, !=, gt, lt")
        return _checked(Term(key, operator, values))

    def _set(self) -> frozenset[str]:
        """What stands in brackets; an empty place among commas is the empty value."""
        if self._next != "(":
            raise self._expected("'('")
        self._take()
        if self._next == ")":
            self._take()
            return frozenset({""})
        found = {self._place()}
        while self._next == ",":
            self._take()
            found.add(self._place())
        if self._next != ")":
            raise self._expected("',' or ')'")
        self._take()
        return frozenset(found)

    def _place(self) -> str:
        return "" if self._next in (",", ")") else self._word("',', ')' or identifier")

    def _value(self) -> str:
        return "" if self._next in (_END, ",") else self._word("identifier")

    def _word(self, wanted: str) -> str:
        if self._next == _END or self._next in _SIGNS:
            raise self._expected(wanted)
        return self._take()

    @property
    def _next(self) -> str:
        return self._tokens[self._at]

    def _take(self) -> str:
        token = self._next
        self._at += token != _END
        return token

    def _expected(self, wanted: str) -> _Unexpected:
        return _Unexpected(f"found '{self._next}', expected: {wanted}")


def _checked_key(key: str) -> str:
    prefix, slash, name = key.rpartition("/")
    problem = ""
    if len(name) > _LONGEST:
        problem = f"name part must be no more than {_LONGEST} characters"
    elif not _NAME.fullmatch(name):
        problem = f"name part {_NAME_PART}"
    elif slash and (len(prefix) > _LONGEST_PREFIX or not _PREFIX.fullmatch(prefix)):
        problem = f"prefix part {_PREFIX_PART}"
    if problem:
        raise _Unexpected(f'key: Invalid value: "{key}": {problem}')
    return key


def _checked(term: Term) -> Term:
    for value in term.values:
        if len(value) > _LONGEST:
            problem = f"must be no more than {_LONGEST} characters"
            raise _Unexpected(f'values[0][{term.key}]: Invalid value: "{value}": {problem}')
        if value and not _NAME.fullmatch(value):
            raise _Unexpected(
                f'values[0][{term.key}]: Invalid value: "{value}": a valid label must be an empty '
                f"string or {_VALUE}"
            )
        if term.operator in _ORDER and not re.fullmatch(r"[+-]?\d+", value, re.ASCII):
            problem = "for 'Gt', 'Lt' operators, the value must be an integer"
            raise _Unexpected(f'values[0]: Invalid value: "{value}": {problem}')
    return term
