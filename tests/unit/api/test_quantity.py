"""Quantities are read, compared and printed as Kubernetes does."""

import re
from decimal import Context, Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cdi.api import quantity
from cdi.api.quantity import Format, InvalidQuantity, parse

WIDE = Context(prec=200)  # more digits than any of these sums have
SI, BINARY, EXPONENT = Format.DECIMAL_SI, Format.BINARY_SI, Format.DECIMAL_EXPONENT
MAX = 2**63 - 1


@pytest.mark.parametrize(
    ("text", "number", "form", "printed"),
    [
        pytest.param("0", "0", SI, "0", id="zero"),
        pytest.param("-0", "0", SI, "0", id="minus-zero"),
        pytest.param("000", "0", SI, "0", id="zeros"),
        pytest.param("0Gi", "0", BINARY, "0", id="zero-gibi"),
        pytest.param("0e5", "0", EXPONENT, "0", id="zero-with-exponent"),
        pytest.param("0.0", "0", SI, "0", id="zero-point-zero"),
        pytest.param("1", "1", SI, "1", id="one"),
        pytest.param("10Gi", "10737418240", BINARY, "10Gi", id="ten-gibi"),
        pytest.param("1024Ki", "1048576", BINARY, "1Mi", id="kibi-to-mebi"),
        pytest.param("1000Ki", "1024000", BINARY, "1000Ki", id="thousand-kibi"),
        pytest.param("1025Ki", "1049600", BINARY, "1025Ki", id="odd-kibi"),
        pytest.param("1048576Ki", "1073741824", BINARY, "1Gi", id="many-kibi"),
        pytest.param("1.5Gi", "1610612736", BINARY, "1536Mi", id="one-and-a-half-gibi"),
        pytest.param(".5Mi", "524288", BINARY, "512Ki", id="half-a-mebi"),
        pytest.param("0.5Ki", "512", BINARY, "512", id="half-a-kibi-has-no-suffix"),
        pytest.param("1.1Ki", "1126.4", BINARY, "1126400m", id="fraction-of-a-byte-prints-decimal"),
        pytest.param("0.0001Ki", "0.1024", SI, "102400u", id="less-than-a-byte-becomes-decimal"),
        pytest.param("7Ei", str(7 * 2**60), BINARY, "7Ei", id="exbi"),
        pytest.param("8Ei", str(MAX), BINARY, str(MAX), id="binary-is-capped"),
        pytest.param("100Ei", str(MAX), BINARY, str(MAX), id="binary-is-capped-far-out"),
        pytest.param("-9Ei", str(-MAX), BINARY, str(-MAX), id="binary-is-capped-below-zero"),
        pytest.param("1k", "1000", SI, "1k", id="kilo"),
        pytest.param("1000", "1000", SI, "1k", id="a-thousand-prints-kilo"),
        pytest.param("1234", "1234", SI, "1234", id="no-suffix-fits"),
        pytest.param("12000000000", "12000000000", SI, "12G", id="giga"),
        pytest.param("100M", "100000000", SI, "100M", id="mega"),
        pytest.param("600M", "600000000", SI, "600M", id="worker-memory-limit"),
        pytest.param("750m", "0.75", SI, "750m", id="milli"),
        pytest.param("1000m", "1", SI, "1", id="a-thousand-milli"),
        pytest.param("1500m", "1.5", SI, "1500m", id="one-and-a-half"),
        pytest.param("0.1", "0.1", SI, "100m", id="tenth"),
        pytest.param("1.5", "1.5", SI, "1500m", id="decimal-point"),
        pytest.param("1.1E", "1100000000000000000", SI, "1100P", id="exa-with-point"),
        pytest.param("1E", "1000000000000000000", SI, "1E", id="exa-not-exponent"),
        pytest.param("1000E", "1000000000000000000000", SI, "1e21", id="beyond-exa"),
        pytest.param("9223372036854775808", str(MAX + 1), SI, str(MAX + 1), id="no-decimal-cap"),
        pytest.param("1n", "0.000000001", SI, "1n", id="nano"),
        pytest.param("1u", "0.000001", SI, "1u", id="micro"),
        pytest.param("0.1n", "0.000000001", SI, "1n", id="less-than-nano-is-rounded-up"),
        pytest.param("1.1n", "0.000000002", SI, "2n", id="nano-is-rounded-up"),
        pytest.param("-0.1n", "-0.000000001", SI, "-1n", id="nano-is-rounded-away-from-zero"),
        pytest.param("0.0000000000001Ei", "115292.150460685", BINARY, "115292150460685n",
                     id="binary-fraction-is-rounded-up"),
        pytest.param("1e3", "1000", EXPONENT, "1e3", id="exponent"),
        pytest.param("1E3", "1000", EXPONENT, "1E3", id="capital-exponent-is-kept"),
        pytest.param("10E3", "10000", EXPONENT, "10E3", id="capital-exponent-with-ten-is-kept"),
        pytest.param("1e4", "10000", EXPONENT, "10e3", id="exponent-becomes-a-multiple-of-three"),
        pytest.param("1E4", "10000", EXPONENT, "10e3", id="capital-exponent-is-not-always-kept"),
        pytest.param("12e6", "12000000", EXPONENT, "12e6", id="exponent-six"),
        pytest.param("100e-2", "1", EXPONENT, "1", id="exponent-zero-is-silent"),
        pytest.param("1e-3", "0.001", EXPONENT, "1e-3", id="negative-exponent"),
        pytest.param("1e+3", "1000", EXPONENT, "1e+3", id="plus-in-exponent-is-kept"),
        pytest.param("1.5e3", "1500", EXPONENT, "1500", id="fraction-with-exponent"),
        pytest.param("1e-20", "0.000000001", EXPONENT, "1e-9", id="tiny-exponent"),
        pytest.param("-1", "-1", SI, "-1", id="negative"),
        pytest.param("-1.5Gi", "-1610612736", BINARY, "-1536Mi", id="negative-binary"),
        pytest.param("-1.1", "-1.1", SI, "-1100m", id="negative-fraction"),
        # What Kubernetes' fast path takes for canonical, it keeps.
        pytest.param("+5", "5", SI, "+5", id="plus-is-kept"),
        pytest.param("01Gi", "1073741824", BINARY, "01Gi", id="leading-zero-is-kept"),
        pytest.param("08Gi", "8589934592", BINARY, "8Gi", id="leading-zero-before-eight-is-not"),
        pytest.param("1.", "1", SI, "1.", id="point-at-the-end-is-kept"),
        pytest.param("1.500", "1.5", SI, "1.500", id="three-decimals-are-kept"),
        pytest.param("1.50", "1.5", SI, "1500m", id="two-decimals-are-not"),
        pytest.param("0.001", "0.001", SI, "1m", id="zero-in-front-is-not-kept"),
        pytest.param("1.000", "1", SI, "1", id="three-zeros-are-not-kept"),
        # What no schema lets through, and the parser takes nevertheless.
        pytest.param("+", "0", SI, "0", id="lone-sign"),
        pytest.param(".", "0", SI, "0", id="lone-point"),
        pytest.param(".Mi", "0", BINARY, "0", id="point-and-suffix"),
    ],
)  # fmt: skip
def test_a_quantity_is_read_and_printed_as_kubernetes_does(text, number, form, printed):
    got = parse(text)
    assert (got.number, got.format, str(got)) == (Decimal(number), form, printed)


@pytest.mark.parametrize(
    "text",
    ["", " ", " 1", "1 ", "1\n", "x", "1x", "1i", "1ki", "1K", "1mi", "1Bi", "1e", "1e+", "1.1.1",
     "1Gi1", "--1", "+-1", "1-", "1-3", "1e1.5", "1kM", "1KiB", "0x10", "1,5", "1_000", "\u0661",
     "Infinity", "nan", "1e99999999999", "1e-99999999999", "9" * 2000],
)  # fmt: skip
def test_nonsense_is_refused_and_named(text):
    with pytest.raises(InvalidQuantity, match="is not a quantity"):
        parse(text)


def test_a_refusal_is_a_value_error():
    assert issubclass(InvalidQuantity, ValueError)


@pytest.mark.parametrize(
    ("number", "printed"),
    [
        pytest.param(5, "5", id="integer"),
        pytest.param(1000, "1k", id="thousand"),
        pytest.param(0.5, "500m", id="float"),
    ],
)
def test_a_json_number_is_taken_too(number, printed):
    assert str(parse(number)) == printed


def test_a_truth_value_is_no_quantity():
    with pytest.raises(InvalidQuantity):
        parse(True)


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        pytest.param("1Gi", 2**30, id="whole"),
        pytest.param("100m", 1, id="rounded-up"),
        pytest.param("1001m", 2, id="rounded-up-past-one"),
        pytest.param("-100m", -1, id="rounded-away-from-zero"),
        pytest.param("1n", 1, id="nano-is-one"),
        pytest.param("0", 0, id="zero"),
        pytest.param("1000E", 10**21, id="beyond-64-bits"),
    ],
)
def test_the_value_is_rounded_away_from_zero(text, whole):
    assert parse(text).value() == whole


def test_the_milli_value_is_in_thousandths():
    assert parse("750m").milli_value() == 750
    assert parse("1.0001").milli_value() == 1001
    assert parse("2").scaled_value(3) == 1


@pytest.mark.parametrize(
    ("small", "large"),
    [("1G", "1Gi"), ("999m", "1"), ("-1", "0"), ("1", "1e1"), ("1", "1e2000000000"),
     ("1e-2000000000", "2n"), ("1Ki", "1025")],
)  # fmt: skip
def test_quantities_compare_by_number(small, large):
    assert parse(small) < parse(large)
    assert parse(large) > parse(small)
    assert parse(small) != parse(large)


@pytest.mark.parametrize(
    ("left", "right"), [("1Gi", "1024Mi"), ("1", "1000m"), ("0", "0Gi"), ("1e3", "1k")]
)
def test_quantities_are_equal_whatever_their_text(left, right):
    assert parse(left) == parse(right)
    assert hash(parse(left)) == hash(parse(right))


def test_a_quantity_is_not_equal_to_something_else():
    assert parse("1") != 1


@pytest.mark.parametrize(
    ("left", "right", "total"),
    [
        pytest.param("1Gi", "512Mi", "1536Mi", id="binary"),
        pytest.param("0", "1Gi", "1Gi", id="zero-takes-the-other-format"),
        pytest.param("1Gi", "1G", "2073741824", id="first-format-wins"),
        pytest.param("1", "1Gi", "1073741825", id="decimal-first"),
        pytest.param("8Ei", "8Ei", str(2 * MAX), id="sums-are-not-capped"),
        pytest.param("500m", "500m", "1", id="fractions"),
        pytest.param("1e3", "1e3", "2e3", id="exponents"),
    ],
)
def test_a_sum_has_the_format_of_its_first_operand(left, right, total):
    assert str(parse(left) + parse(right)) == total


def test_a_difference_is_exact():
    assert str(parse("1Gi") - parse("1")) == str(2**30 - 1)
    assert str(parse("1Gi") - parse("1Gi")) == "0"


def test_bytes_print_with_the_largest_suffix_that_stays_exact():
    assert str(quantity.of_bytes(2**30)) == "1Gi"
    assert str(quantity.of_bytes(2**30 + 1)) == "1073741825"
    assert str(quantity.of_bytes(2**70)) == "1024Ei"
    assert str(quantity.of_number(1500)) == "1500"


def test_a_quantity_too_large_to_calculate_with_says_so():
    with pytest.raises(OverflowError):
        parse("1e2000000000").value()
    with pytest.raises(OverflowError):
        parse("1e2000000000") + parse("1")


def test_only_zero_is_false():
    assert not parse("0Gi")
    assert parse("1n")


SUFFIXES = ["", *"numkMGTPE", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "e3", "E-6", "e+2"]
texts = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "-", "+"]),
    st.integers(0, 10**20),
    st.sampled_from(["", ".", ".0", ".5", ".125", ".000000001", ".1234567890123"]),
    st.sampled_from(SUFFIXES),
)


@given(texts)
def test_what_is_printed_reads_back_the_same(text):
    first = parse(text)
    again = parse(str(first))
    assert again == first
    assert str(again) == str(first)
    assert re.fullmatch(quantity.PATTERN, str(first))


@given(texts)
def test_a_number_is_at_most_a_nano_above_what_was_written(text):
    written = parse(text)
    sign, digits, fraction, suffix = re.fullmatch(
        r"([+-]?)([0-9]+)(?:\.([0-9]*))?(.*)", text
    ).groups()
    exact = WIDE.multiply(Decimal(f"{digits}.{fraction or 0}"), scale_of(suffix))
    assume(exact <= MAX)
    assert 0 <= WIDE.subtract(written.number.copy_abs(), exact) < Decimal("1e-9")
    assert written.number.is_signed() == (sign == "-" and bool(exact))


def scale_of(suffix):
    binary = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
    decimal = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
    if suffix in binary:
        return Decimal(2 ** binary[suffix])
    return Decimal(10) ** (decimal[suffix] if suffix in decimal else int(suffix[1:]))


@given(st.integers(-(2**62), 2**62))
def test_bytes_read_back(count):
    assert parse(str(quantity.of_bytes(count))).value() == count


@given(texts, texts)
def test_addition_and_order_agree_with_numbers(left, right):
    a, b = parse(left), parse(right)
    assert (a + b).number == WIDE.add(a.number, b.number)
    assert (a < b) == (a.number < b.number)
    assert (a + b) - b == a


@given(st.text(max_size=12))
def test_any_text_is_read_or_refused(text):
    try:
        read = parse(text)
    except InvalidQuantity:
        return
    assert parse(str(read)) == read
