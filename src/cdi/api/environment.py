"""
Environment variables as fields of frozen dataclasses: one declaration, both directions.

    @dataclass(frozen=True, kw_only=True)
    class WorkOrder(Environment):
        size: Annotated[Quantity | None, Variable("IMAGE_SIZE", SIZE)] = None

An absent variable and an empty one mean the same: the default. Raises InvalidVariable with the
name and the value of a variable that cannot be read. Values of secrets are never shown.
"""

from __future__ import annotations

import dataclasses
import decimal
import math
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self, TypeGuard

from cdi.api import quantity

PodVariable = dict[str, Any]  # an entry of a container's `env`


class InvalidVariable(ValueError):
    """An environment variable does not hold what it should."""

    def __init__(self, name: str, value: str, why: str) -> None:
        super().__init__(f"{name}={value!r}: {why}")
        self.name = name
        self.value = value


@dataclass(frozen=True, slots=True)
class Codec:
    """How a value is read from text and written as text. `read` raises ValueError."""

    read: Callable[[str], Any]
    write: Callable[[Any], str]


def _read_flag(text: str) -> bool:
    """Read a truth value by Go's rules."""
    if text in {"1", "t", "T", "true", "TRUE", "True"}:
        return True
    if text in {"0", "f", "F", "false", "FALSE", "False"}:
        return False
    raise ValueError("want true or false")


def _read_share(text: str) -> decimal.Decimal:
    try:
        share = decimal.Decimal(text)
    except decimal.InvalidOperation:
        share = decimal.Decimal("NaN")
    if not (share.is_finite() and 0 <= share <= 1):
        raise ValueError("want a number from 0 to 1")
    return share


def _read_moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("want a time with its zone, as in RFC 3339")
    return moment


def _read_port(text: str) -> int:
    port = int(text) if text.isascii() and text.isdigit() else -1
    if not 0 <= port <= 65535:
        raise ValueError("want a port from 0 to 65535")
    return port


def _read_seconds(text: str) -> float:
    seconds = float(text)
    if not (math.isfinite(seconds) and seconds > 0):
        raise ValueError("want a number of seconds above 0")
    return seconds


def choice(*allowed: str) -> Codec:
    """Return the codec of a word that is one of `allowed`."""

    def read(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"want one of {', '.join(allowed)}")
        return text

    return Codec(read, str)


TEXT = Codec(str, str)
FLAG = Codec(_read_flag, lambda flag: "true" if flag else "false")
SIZE = Codec(quantity.parse, str)  # a Quantity
SHARE = Codec(_read_share, str)  # a Decimal from 0 to 1
MOMENT = Codec(_read_moment, lambda moment: moment.isoformat().replace("+00:00", "Z"))
PORT = Codec(_read_port, str)
SECONDS = Codec(_read_seconds, "{:g}".format)
WORDS = Codec(lambda text: tuple(filter(None, text.split(","))), ",".join)


@dataclass(frozen=True, slots=True)
class Variable:
    """The environment variable that a field lives in.

    One that is not `always` there is left out while its field has the default. Those with a
    `key` are secret.
    """

    name: str
    codec: Codec = TEXT
    always: bool = True
    key: str = ""  # for what is secret: the key under which a Secret holds it
    optional: bool = False  # the Secret may do without the key


@dataclass(frozen=True, kw_only=True)
class Environment:
    """Base of values that live in environment variables."""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read the value from `env`, which usually is os.environ. Raises InvalidVariable."""
        found: dict[str, Any] = {}
        for field, declared in _variables(cls).items():
            if text := env.get(declared.name, ""):
                found[field] = _read(declared, text)
        return cls(**found)

    @classmethod
    def knows(cls, name: str) -> bool:
        """Whether a variable of this name means anything to `from_env`."""
        return name in names_of(cls)

    def to_env(self) -> dict[str, str]:
        """Return the variables, all of them in clear. The inverse of `from_env`."""
        return dict(self._written())

    def _written(self) -> Iterator[tuple[str, str]]:
        for field, declared in _variables(type(self)).items():
            value = getattr(self, field)
            if declared.always or value != _default_of(type(self), field):
                yield declared.name, "" if value is None else declared.codec.write(value)

    def to_pod_env(self, secret: str = "") -> list[PodVariable]:
        """Return the `env` of a container; what is secret comes from the Secret of that name."""
        secrets = [declared for declared in _variables(type(self)).values() if declared.key]
        names = {declared.name for declared in secrets}
        entries = [_entry(name, text) for name, text in self._written() if name not in names]
        if secret:
            entries += [_secret_entry(declared, secret) for declared in secrets]
        return entries


def names_of(kind: type[Environment]) -> tuple[str, ...]:
    """Return the names of all variables of a value."""
    return tuple(declared.name for declared in _variables(kind).values())


# Kept, as looking through the declarations takes milliseconds and every pod asks for them.
_known: dict[type, dict[str, Variable]] = {}


def _variables(kind: type[Environment]) -> dict[str, Variable]:
    """Return the variable of each field that has one, in order of declaration."""
    if kind not in _known:
        _known[kind] = _declared(kind)
    return _known[kind]


def _declared(kind: type[Environment]) -> dict[str, Variable]:
    hints = typing.get_type_hints(kind, include_extras=True)
    found = {
        field.name: [part for part in typing.get_args(hints[field.name]) if _is_variable(part)]
        for field in dataclasses.fields(kind)
    }
    return {name: variables[0] for name, variables in found.items() if variables}


def _is_variable(part: object) -> TypeGuard[Variable]:
    return isinstance(part, Variable)


def _default_of(kind: type[Environment], name: str) -> Any:
    return next(field.default for field in dataclasses.fields(kind) if field.name == name)


def _read(declared: Variable, text: str) -> Any:
    try:
        return declared.codec.read(text)
    except ValueError as error:
        shown = "(secret)" if declared.key else text
        raise InvalidVariable(declared.name, shown, str(error)) from error


def _entry(name: str, text: str) -> PodVariable:
    # The kubelet replaces $(NAME) by another variable's value, and $$ by $.
    escaped = text.replace("$", "$$") if "$(" in text or "$$" in text else text
    return {"name": name, "value": escaped}


def _secret_entry(declared: Variable, secret: str) -> PodVariable:
    reference: dict[str, Any] = {"name": secret, "key": declared.key}
    if declared.optional:
        reference["optional"] = True
    return {"name": declared.name, "valueFrom": {"secretKeyRef": reference}}
