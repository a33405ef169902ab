"""
Quantities exactly as Kubernetes parses, compares and prints them: `10Gi`, `750m`, `1e3`.

A quantity is an exact decimal number and the family of suffixes it was written in. The number
is rounded up to nano when it is parsed; a binary quantity is capped at 2**63-1. Two quantities
are equal when their numbers are, whatever their text. Printing is canonical (`1024Ki` prints
`1Mi`), with the one exception that Kubernetes itself makes: text that its fast path takes for
canonical is kept as it was written (`1.500` stays `1.500`).

Here: parsing, comparing, adding, printing, whole values. Elsewhere: how much overhead a file
system needs and how a size is rounded to what storage gives (`cdi.storage`). `value()` is in
whole units: bytes for storage, cores for CPU. Raises InvalidQuantity, a ValueError.
"""

from __future__ import annotations

import decimal
import functools
import re
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Final


class Format(StrEnum):
    """The family of suffixes that a quantity was written in, and is printed in."""

    DECIMAL_SI = "DecimalSI"  # n u m k M G T P E
    BINARY_SI = "BinarySI"  # Ki Mi Gi Ti Pi Ei
    DECIMAL_EXPONENT = "DecimalExponent"  # e3, E-6


class InvalidQuantity(ValueError):
    """The text is not a quantity."""

    def __init__(self, text: str, why: str) -> None:
        super().__init__(f"{text!r} is not a quantity: {why}")
        self.text = text


class TooLarge(InvalidQuantity, OverflowError):
    """A quantity that nobody can calculate with."""

    def __init__(self, why: str) -> None:
        ValueError.__init__(self, why)
        self.text = why


# The pattern that Kubernetes publishes in the schema of every quantity. Its parser takes a few
# texts more (`.`, `+`, a lone sign); the API server never lets those through.
PATTERN: Final = (
    r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
    r"(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$"
)

_SHAPE = re.compile(r"([+-]?)0*([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*[+-]?[0-9]*)")
_EXPONENT = re.compile(r"[eE]([+-]?[0-9]+)")

_DECIMAL_SUFFIXES: Final = {
    "n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18,
}  # fmt: skip
_BINARY_SUFFIXES: Final = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL_NAMES: Final = {exponent: suffix for suffix, exponent in _DECIMAL_SUFFIXES.items()}
_BINARY_NAMES: Final = {exponent: suffix for suffix, exponent in _BINARY_SUFFIXES.items()}

_NANO: Final = -9
_LARGEST_BINARY: Final = Decimal(2**63 - 1)
_LARGEST_EXPONENT: Final = 2**31 - 1
_FAST_DIGITS: Final = 18  # so many decimal digits always fit 64 bits

# Python integers have no end, and memory has. Nothing that is stored or scheduled comes near.
_LONGEST_TEXT: Final = 1024
_LARGEST_MAGNITUDE: Final = 10_000

# Every operation here is exact: digits are bounded by the bounds above.
_EXACT: Final = decimal.Context(
    prec=4 * _LARGEST_MAGNITUDE, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN, traps=[]
)


@functools.total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class Quantity:
    """An exact number and the family of suffixes it is printed in. Immutable."""

    number: Decimal
    format: Format = Format.DECIMAL_SI
    text: str = field(default="", repr=False)  # as written, where Kubernetes keeps that

    def __str__(self) -> str:
        return self.text or _canonical(self.number, self.format)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Quantity):
            return NotImplemented
        return self.number == other.number

    def __lt__(self, other: Quantity) -> bool:
        return self.number < other.number

    def __hash__(self) -> int:
        return hash(self.number)

    def __bool__(self) -> bool:
        return bool(self.number)

    def __add__(self, other: Quantity) -> Quantity:
        """Return the sum, in the format of the first operand that is not zero."""
        _expect_ordinary(self.number, other.number)
        chosen = self.format if self.number else other.format
        return Quantity(_EXACT.add(self.number, other.number), chosen)

    def __sub__(self, other: Quantity) -> Quantity:
        """Return the difference, in the format of the first operand that is not zero."""
        return self + -other

    def __neg__(self) -> Quantity:
        return Quantity(self.number.copy_negate() if self.number else self.number, self.format)

    def value(self) -> int:
        """Return the number in whole units, rounded away from zero."""
        return self.scaled_value(0)

    def milli_value(self) -> int:
        """Return the number in thousandths, rounded away from zero."""
        return self.scaled_value(-3)

    def scaled_value(self, scale: int) -> int:
        """Return the number in units of 10**scale, rounded away from zero."""
        _expect_ordinary(self.number)
        scaled = self.number.scaleb(-scale, _EXACT)
        return int(scaled.to_integral_value(decimal.ROUND_UP, _EXACT))


def parse(text: str | float) -> Quantity:
    """Return the quantity written in `text`; JSON numbers are taken too.

    Raises InvalidQuantity.
    """
    text = text if isinstance(text, str) else _text_of_number(text)
    if not text:
        raise InvalidQuantity(text, "it is empty")
    if len(text) > _LONGEST_TEXT:
        raise InvalidQuantity(text[:40] + "...", f"it is longer than {_LONGEST_TEXT} characters")
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        raise InvalidQuantity(text, "want digits, an optional fraction and an optional suffix")
    sign, whole, fraction, suffix = (part or "" for part in shape.groups())
    exponent, form = _suffix_of(text, suffix)
    whole = whole or "0"
    digits = Decimal(f"{sign}{whole}{fraction}")
    if form is Format.BINARY_SI:
        number = _EXACT.multiply(digits, Decimal(2**exponent)).scaleb(-len(fraction), _EXACT)
    else:
        number = digits.scaleb(exponent - len(fraction), _EXACT)
    if _kept_as_written(whole, fraction, exponent, form):
        return Quantity(number, form, text)
    return _bounded(number, form)


def of_bytes(count: int) -> Quantity:
    """Return `count` bytes as a binary quantity: 2**30 prints `1Gi`."""
    return Quantity(Decimal(count), Format.BINARY_SI)


def of_number(count: int, form: Format = Format.DECIMAL_SI) -> Quantity:
    """Return a whole number as a quantity of the given format."""
    return Quantity(Decimal(count), form)


def _text_of_number(number: float) -> str:
    if isinstance(number, bool):
        raise InvalidQuantity(str(number), "it is a truth value")
    return str(number)


def _suffix_of(text: str, suffix: str) -> tuple[int, Format]:
    """Return the exponent that a suffix stands for, and its family."""
    if suffix in _DECIMAL_SUFFIXES:
        return _DECIMAL_SUFFIXES[suffix], Format.DECIMAL_SI
    if suffix in _BINARY_SUFFIXES:
        return _BINARY_SUFFIXES[suffix], Format.BINARY_SI
    written = _EXPONENT.fullmatch(suffix)
    if written is None:
        raise InvalidQuantity(text, f"unknown suffix {suffix!r}")
    exponent = int(written[1])
    if abs(exponent) > _LARGEST_EXPONENT:
        raise InvalidQuantity(text, "its exponent does not fit 32 bits")
    return exponent, Format.DECIMAL_EXPONENT


def _kept_as_written(whole: str, fraction: str, exponent: int, form: Format) -> bool:
    """Tell whether Kubernetes' fast path would take this text for canonical and keep it.

    The rule is Kubernetes' own and only approximates "canonical"; what it lets through is
    visible to clients, so it is followed to the letter.
    """
    if form is Format.BINARY_SI:
        room = 15 - len(whole) - exponent * 3 // 10 - 1
        return not fraction and room >= 0 and int(whole) & 7 != 0
    scale = exponent - len(fraction)
    shifted = whole + fraction
    if len(shifted) > _FAST_DIGITS or scale < _NANO:
        return False
    return scale % 3 == 0 and not shifted.endswith("000") and shifted[0] != "0"


def _bounded(number: Decimal, form: Format) -> Quantity:
    """Round up to nano, cap, and print small binary numbers as decimal ones."""
    if number and number.adjusted() + 1 - len(number.as_tuple().digits) < _NANO:
        number = number.quantize(Decimal(1).scaleb(_NANO), decimal.ROUND_UP, _EXACT)
    if form is Format.BINARY_SI:
        if number.copy_abs() > _LARGEST_BINARY:
            number = _LARGEST_BINARY.copy_sign(number)
        if 0 < number.copy_abs() < 1:
            form = Format.DECIMAL_SI
    return Quantity(number or Decimal(0), form)


def _expect_ordinary(*numbers: Decimal) -> None:
    if any(number and number.adjusted() > _LARGEST_MAGNITUDE for number in numbers):
        raise TooLarge("the quantity is too large to calculate with")


def _canonical(number: Decimal, form: Format) -> str:
    """Return the one text for a number: no fraction, the largest suffix that stays exact."""
    if not number:
        return "0"
    if (
        form is Format.BINARY_SI
        and number.copy_abs() >= 1024
        and number == number.to_integral_value()
    ):
        return _canonical_binary(int(number))
    sign, digits, _ = number.as_tuple()
    kept = "".join(map(str, digits)).rstrip("0")
    exponent = number.adjusted() + 1 - len(kept)
    kept += "0" * (exponent % 3)
    exponent -= exponent % 3
    exponential = form is Format.DECIMAL_EXPONENT or exponent not in _DECIMAL_NAMES
    suffix = (f"e{exponent}" if exponent else "") if exponential else _DECIMAL_NAMES[exponent]
    return ("-" if sign else "") + kept + suffix


def _canonical_binary(number: int) -> str:
    exponent = 0
    while exponent < max(_BINARY_NAMES) and number % 1024 == 0:
        number //= 1024
        exponent += 10
    return f"{number}{_BINARY_NAMES.get(exponent, '')}"
