"""
A command's parameters, said once and read in two ways.

A command line that is written out and sane is read here: loading typer takes as long as fetching
a small disk. Everything else (help, mistakes, short forms run together) is typer's, which is given
the same parameters by `for_typer` and has the last word on what is right.

A parameter is annotated like typer's, with `Option` and `Argument` of this module.
"""

from __future__ import annotations

import functools
import os
import types
from collections.abc import Callable, Sequence
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any, Final, Union, get_args, get_origin, get_type_hints


class Option:
    """An option; see `typer.Option`."""

    def __init__(self, *names: str, **about: Any) -> None:
        """Without `names` it is called like the parameter, with two dashes before."""
        self.names, self.about = names, about


class Argument(Option):
    """A word that stands by itself; see `typer.Argument`."""


_MISSING: Final = Parameter.empty
# What is understood of a parameter here; one with more is left to typer.
_UNDERSTOOD: Final = {"help", "metavar", "min", "max", "envvar", "show_default"}


class _NotPlainError(Exception):
    """Typer should look at it."""


def plain(command: Callable[..., None], words: Sequence[str]) -> dict[str, Any] | None:
    """Return the values of `command`'s parameters that `words` give, or None: ask typer."""
    try:
        return _Reader(command).read(words)
    except _NotPlainError:
        return None


def for_typer(command: Callable[..., None]) -> Callable[..., None]:
    """Return a function that does what `command` does, with parameters that typer understands."""
    import typer  # noqa: PLC0415 - for those only who need it

    @functools.wraps(command)
    def shown(*words: Any, **values: Any) -> None:
        command(*words, **values)

    hints = get_type_hints(command, include_extras=True)
    for name, hint in hints.items():
        if get_origin(hint) is Annotated and isinstance(about := hint.__metadata__[0], Option):
            kind = typer.Argument if isinstance(about, Argument) else typer.Option
            hints[name] = Annotated[hint.__origin__, kind(*about.names, **about.about)]
    given = signature(command)
    shown.__annotations__ = hints
    shown.__signature__ = given.replace(  # type: ignore[attr-defined]
        parameters=[one.replace(annotation=hints[one.name]) for one in given.parameters.values()]
    )
    return shown


class _Parameter:
    """One parameter of a command."""

    def __init__(self, name: str, hint: Any, default: object) -> None:
        if get_origin(hint) is not Annotated or not isinstance(hint.__metadata__[0], Option):
            raise _NotPlainError
        self.name, self.default = name, default
        self.about: Option = hint.__metadata__[0]
        if not _UNDERSTOOD.issuperset(self.about.about):
            raise _NotPlainError
        kind = _without_none(hint.__origin__)
        self.many = get_origin(kind) is list
        self.kind = get_args(kind)[0] if self.many else kind
        self.names = self.about.names or (f"--{name.replace('_', '-')}",)

    def value(self, word: str) -> Any:
        """Return what `word` means."""
        if self.kind in (str, Path):
            return self.kind(word)
        if self.kind not in (int, float):
            raise _NotPlainError
        try:
            number = self.kind(word)
        except ValueError:
            raise _NotPlainError from None
        least, most = self.about.about.get("min"), self.about.about.get("max")
        if (least is not None and number < least) or (most is not None and number > most):
            raise _NotPlainError
        return number


class _Reader:
    """Reads the words for one command."""

    def __init__(self, command: Callable[..., None]) -> None:
        hints = get_type_hints(command, include_extras=True)
        parameters = [
            _Parameter(name, hints[name], one.default)
            for name, one in signature(command).parameters.items()
        ]
        self._arguments = [one for one in parameters if isinstance(one.about, Argument)]
        self._options = [one for one in parameters if one not in self._arguments]
        self._by_name = {name: one for one in self._options for name in one.names}
        self._values: dict[str, Any] = {}

    def read(self, words: Sequence[str]) -> dict[str, Any]:
        left, alone = list(words), list[str]()
        while left:
            word = left.pop(0)
            if word == "-" or not word.startswith("-"):
                alone.append(word)
            else:
                self._option(word, left)
        if len(alone) != len(self._arguments):
            raise _NotPlainError
        for one, word in zip(self._arguments, alone, strict=True):
            self._values[one.name] = one.value(word)
        for one in self._options:
            self._unnamed(one)
        return self._values

    def _option(self, word: str, left: list[str]) -> None:
        name, equals, value = word.partition("=")
        one = self._by_name.get(name)
        if one is None or (equals and not name.startswith("--")):
            raise _NotPlainError
        if one.kind is bool:
            if equals:
                raise _NotPlainError
            self._values[one.name] = True
            return
        if not equals:
            if not left or (left[0].startswith("-") and left[0] != "-"):
                raise _NotPlainError
            value = left.pop(0)
        if one.many:
            self._values.setdefault(one.name, []).append(one.value(value))
        else:
            self._values[one.name] = one.value(value)

    def _unnamed(self, one: _Parameter) -> None:
        """See to an option that no word names."""
        if one.name in self._values:
            return
        variable = one.about.about.get("envvar")
        if variable and (word := os.environ.get(variable)):
            self._values[one.name] = one.value(word)
        elif one.default is _MISSING:
            raise _NotPlainError
        else:
            self._values[one.name] = one.default


def _without_none(hint: Any) -> Any:
    if get_origin(hint) not in (Union, types.UnionType):
        return hint
    kinds = [kind for kind in get_args(hint) if kind is not type(None)]
    if len(kinds) != 1:
        raise _NotPlainError
    return kinds[0]
