"""Money: the edge vectors of exact arithmetic, and properties against fractions."""

from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratehouse.errors import RatehouseError
from ratehouse.money import (
    CURRENCIES,
    divide,
    minor_units,
    round_money,
    round_to,
    split_by_weight,
    split_over_time,
)

NUMBERS = st.decimals(Decimal("-1e18"), Decimal("1e18"), places=10, allow_nan=False, allow_infinity=False)


def test_minor_units():
    assert [minor_units(code) for code in ("USD", "JPY", "KWD", "CLF", "UYI", "MGA", "COP")] == [
        2,
        0,
        3,
        4,
        0,
        2,
        2,
    ]
    assert len(CURRENCIES) > 160
    with pytest.raises(RatehouseError) as error:
        minor_units("usd")
    assert error.value.reason_code == "bad_currency"


@pytest.mark.parametrize(
    ("amount", "mode", "result"),
    [
        ("1.005", "half_up", "1.01"),
        ("-1.005", "half_up", "-1.01"),
        ("1.005", "half_even", "1.00"),
        ("1.015", "half_even", "1.02"),
        ("1.001", "up", "1.01"),
        ("-1.001", "up", "-1.01"),
        ("1.009", "down", "1.00"),
        ("-1.009", "down", "-1.00"),
        ("0.004", "half_up", "0.00"),
        ("9999999999999999.995", "half_up", "10000000000000000.00"),
    ],
)
def test_round_money(amount, mode, result):
    assert str(round_money(Decimal(amount), "USD", mode)) == result


def test_round_money_knows_the_currency():
    assert round_money(Decimal("150.5"), "JPY") == 151
    assert round_money(Decimal("0.0005"), "KWD") == Decimal("0.001")
    assert round_to(Decimal("1234567"), -3, "up") == 1235000
    assert round_to(Decimal("-1"), -3, "half_up") == 0
    with pytest.raises(ValueError, match="mode"):
        round_to(Decimal(1), 0, "ceiling")  # type: ignore[arg-type]


def test_divide():
    assert str(divide(Decimal(2), Decimal(3))) == "0.666666666667"
    assert divide(Decimal(-1), Decimal(8), 2) == Decimal("-0.13")
    with pytest.raises(ZeroDivisionError):
        divide(Decimal(1), Decimal(0))


@pytest.mark.parametrize(
    ("total", "weights", "parts"),
    [
        (10000, {"a": 1, "b": 1, "z": 1}, [3334, 3333, 3333]),
        (-10000, {"a": 1, "b": 1, "c": 1}, [-3334, -3333, -3333]),
        (-1, {"b": 1, "a": 1}, [0, -1]),
        (8000, {"x": 20, "y": 30, "z": 40}, [1778, 2667, 3555]),
        (1, {"a": 1, "b": 1, "c": 1}, [1, 0, 0]),
        (5, {"a": Decimal("0.1"), "b": 0}, [5, 0]),
        (0, {"a": 0, "b": 0}, [0, 0]),
        (2**60 + 1, {"a": 1, "b": 1}, [2**59 + 1, 2**59]),
    ],
)
def test_split_by_weight(total, weights, parts):
    assert list(split_by_weight(total, weights).values()) == parts


def test_splits_refuse_what_has_no_answer():
    with pytest.raises(ValueError, match="all zero"):
        split_by_weight(1, {"a": 0})
    with pytest.raises(ValueError, match="negative"):
        split_by_weight(1, {"a": -1, "b": 2})
    with pytest.raises(ValueError, match="no days"):
        split_over_time(1, [0])
    with pytest.raises(ValueError, match="negative"):
        split_over_time(1, [-1, 2])


def test_split_over_time():
    assert split_over_time(10000, [22, 28, 15]) == [3385, 4307, 2308]
    assert split_over_time(-10000, [22, 28, 15]) == [-3385, -4307, -2308]
    one_cent = split_over_time(1, [1] * 365)
    assert one_cent.index(1) == 182
    assert sum(one_cent) == 1
    assert split_over_time(0, []) == []


@given(NUMBERS, st.integers(-6, 9))
def test_round_to_agrees_with_decimal(value, digits):
    with localcontext(prec=60):
        quantum = Decimal(1).scaleb(-digits)
        assert round_to(value, digits, "half_up") == value.quantize(quantum, ROUND_HALF_UP)
        assert round_to(value, digits, "half_even") == value.quantize(quantum, ROUND_HALF_EVEN)


@given(NUMBERS, NUMBERS.filter(bool), st.integers(0, 15))
def test_divide_is_within_half_a_digit(numerator, denominator, scale):
    exact = Fraction(numerator) / Fraction(denominator)
    assert abs(Fraction(divide(numerator, denominator, scale)) - exact) * 2 <= Fraction(1, 10**scale)


WEIGHTS = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=3),
    st.decimals(Decimal(0), Decimal(10**6), places=4),
    min_size=1,
    max_size=8,
).filter(lambda weights: any(weights.values()))


@given(st.integers(-(10**15), 10**15), WEIGHTS)
def test_siblings_add_up_and_are_each_within_one(total, weights):
    parts = split_by_weight(total, weights)
    whole = sum(map(Fraction, weights.values()))
    assert sum(parts.values()) == total
    assert all(abs(parts[key] - total * Fraction(weights[key]) / whole) < 1 for key in weights)
    assert all(parts[key] == 0 for key in weights if not weights[key])
    assert split_by_weight(total, dict(reversed(weights.items()))) == parts
    assert split_by_weight(-total, weights) == {key: -part for key, part in parts.items()}


@given(
    st.integers(-(10**15), 10**15),
    st.lists(st.integers(0, 400), min_size=1, max_size=24).filter(any),
    st.integers(0, 24),
)
def test_time_adds_up_and_slicing_does_not_matter(total, days, cut):
    parts = split_over_time(total, days)
    assert sum(parts) == total
    assert all(part * total >= 0 for part in parts)
    coarse = split_over_time(total, [sum(days[:cut]), sum(days[cut:])])
    assert coarse == [sum(parts[:cut]), sum(parts[cut:])]
