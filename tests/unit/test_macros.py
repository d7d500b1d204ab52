"""The SQL macros of money and periods against their Python twins, each set of vectors in one query."""

from __future__ import annotations

import datetime as dt
import random
from decimal import Decimal
from fractions import Fraction
from typing import Any

import duckdb
import jinja2
import pyarrow as pa
import pytest

from ratehouse import money, periods
from tests.conftest import ROOT

MACROS = ROOT / "dbt_project" / "macros"
MODES = ("half_up", "half_even", "up", "down")
VECTORS = 300


def macros(name: str) -> Any:
    """The macros of a file as Python functions that give SQL."""
    return (
        jinja2.Environment(autoescape=False).from_string((MACROS / name).read_text(encoding="utf-8")).module
    )


MONEY, PERIODS = macros("money.sql"), macros("periods.sql")


def evaluate(expression: str, columns: dict[str, str], rows: list[tuple[Any, ...]]) -> list[Any]:
    """The expression for every row, in order."""
    texts = {name: [str(row[place]) for row in rows] for place, name in enumerate(columns)}
    given = pa.table({**texts, "position": range(len(rows))})  # noqa: F841 - DuckDB finds it by its name
    typed = ", ".join(f"cast({name} as {kind}) as {name}" for name, kind in columns.items())
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        found = connection.execute(
            f"select {expression} from (select position, {typed} from given) order by position"
        ).fetchall()
    return [value for (value,) in found]


def amounts(seed: int, digits: int, whole: int) -> list[Decimal]:
    """Halves, neighbours of halves, zero, both signs, and random amounts with `digits` decimals."""
    rng = random.Random(seed)
    edges = "0 0.5 1.5 2.5 0.05 0.15 0.25 0.005 0.015 0.025 2.675 0.0005 0.00005 0.00015 9.995 999999.995 0.1"
    edges += " 5 50 500 1500 2500"
    smallest = Decimal(1).scaleb(-digits)
    found = [
        value
        for text in edges.split()
        for value in (Decimal(text), Decimal(text) - smallest, Decimal(text) + smallest)
    ]
    found += [
        Decimal(rng.randrange(10 ** rng.randrange(1, whole + digits))).scaleb(-digits) for _ in range(VECTORS)
    ]
    return [sign * value for value in found for sign in (1, -1)]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("digits", [0, 2, 3, 4])
def test_money_is_rounded_alike(mode: str, digits: int) -> None:
    given = amounts(seed=digits, digits=22, whole=15)
    found = evaluate(
        MONEY.round_money("amount", "digits", "mode"),
        {"amount": "decimal(38, 22)", "digits": "integer", "mode": "varchar"},
        [(f"{value:f}", digits, mode) for value in given],
    )
    assert found == [money.round_to(value, digits, mode) for value in given]  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("digits", [-3, -1, 0, 2, 5, 10])
def test_quantities_are_rounded_alike(mode: str, digits: int) -> None:
    given = amounts(seed=digits, digits=10, whole=14)
    found = evaluate(
        MONEY.round_quantity("quantity", "digits", "mode"),
        {"quantity": "decimal(28, 10)", "digits": "integer", "mode": "varchar"},
        [(f"{value:f}", digits, mode) for value in given],
    )
    assert found == [money.round_to(value, digits, mode) for value in given]  # type: ignore[arg-type]


def test_shares_are_divided_alike() -> None:
    rng = random.Random(7)
    month = 31 * 86_400_000_000
    rows = []
    for value in amounts(seed=7, digits=12, whole=10):
        denominator = rng.choice([1, 2, 3, 7, 28, 29, 30, 31, 90, 92, 365, 366, month])
        rows.append((value, rng.choice([0, 1, denominator, rng.randrange(denominator + 1)]), denominator))
    found = evaluate(
        MONEY.prorate("amount", "part", "whole"),
        {"amount": "decimal(38, 12)", "part": "bigint", "whole": "bigint"},
        [(f"{value:f}", part, whole) for value, part, whole in rows],
    )
    expected = [
        money.divide(Decimal(Fraction(value * part).numerator), Decimal(1)) for value, part, _ in rows[:0]
    ]
    expected += [share(value, part, whole) for value, part, whole in rows]
    assert found == expected


def share(value: Decimal, part: int, whole: int) -> Decimal:
    """Value · part ÷ whole at twelve decimals; the product in integers: a decimal context would round it."""
    return money.divide(Decimal(int(value.scaleb(12)) * part), Decimal(whole), 0).scaleb(-12)


def test_integers_are_divided_alike() -> None:
    rng = random.Random(11)
    rows = [(rng.randrange(-(10**20), 10**20), rng.randrange(1, 10**9)) for _ in range(VECTORS)]
    rows += [
        (sign * n, d) for n, d in ((0, 3), (1, 2), (3, 2), (5, 2), (1, 3), (2, 3), (7, 7)) for sign in (1, -1)
    ]
    found = evaluate(MONEY.divide_half_up("n", "d"), {"n": "hugeint", "d": "hugeint"}, rows)
    assert found == [int(money.divide(Decimal(n), Decimal(d), 0)) for n, d in rows]


@pytest.mark.parametrize("digits", [0, 2, 3, 4])
def test_minor_units_are_the_same_in_64_and_in_128_bits(digits: int) -> None:
    given = amounts(seed=digits, digits=4, whole=16)
    given += [
        Decimal(text)
        for text in ("999999999.9999", "1000000000", "-1000000000.0050", "9999999999999999.9999")
    ]
    rows = [(f"{value:f}", digits) for value in given]
    columns = {"amount": "decimal(20, 4)", "digits": "integer"}
    expected = [int(money.round_to(value, digits, "half_up").scaleb(digits)) for value in given]
    assert evaluate(MONEY.to_minor("amount", "digits"), columns, rows) == expected
    assert evaluate(MONEY.money_to_minor("amount", "digits"), columns, rows) == expected


@pytest.mark.parametrize("digits", [0, 2, 3, 4])
def test_money_comes_back_from_minor_units(digits: int) -> None:
    given = [sign * value for value in (0, 1, 99, 12_345, 10**15 - 1, 10**16 - 1) for sign in (1, -1)]
    found = evaluate(
        MONEY.from_minor("minor", "digits"),
        {"minor": "hugeint", "digits": "integer"},
        [(value, digits) for value in given],
    )
    assert found == [Decimal(value).scaleb(-digits) for value in given]


def test_shares_of_minor_units_are_the_same_in_64_and_in_128_bits() -> None:
    rng = random.Random(11)
    given = [(sign * 5, 1, 10) for sign in (1, -1)] + [
        (0, 3, 7),
        (10**18, 1, 1),
        (10**18 - 1, 1, 1),
        (10**20, 7, 9),
    ]
    for _ in range(VECTORS):
        denominator = rng.randrange(1, 10 ** rng.randrange(1, 9))
        amount = rng.choice((1, -1)) * rng.randrange(10 ** rng.randrange(1, 20))
        given.append((amount, rng.randrange(denominator + 1), denominator))
    found = evaluate(
        MONEY.share_of_minor("amount", "numerator", "denominator"),
        {"amount": "hugeint", "numerator": "bigint", "denominator": "bigint"},
        given,
    )
    assert found == [int(money.divide(Decimal(amount * n), Decimal(d), 0)) for amount, n, d in given]


def test_averages_are_divided_alike() -> None:
    rng = random.Random(13)
    rows = [(value, rng.randrange(1, 10**6)) for value in amounts(seed=13, digits=10, whole=14)]
    found = evaluate(
        MONEY.divide_by_integer("value", "n"),
        {"value": "decimal(38, 10)", "n": "bigint"},
        [(f"{value:f}", n) for value, n in rows],
    )
    assert found == [money.divide(value, Decimal(n), 10) for value, n in rows]


def test_products_lose_nothing_and_overflow_is_null() -> None:
    rng = random.Random(17)
    rows = [
        (
            Decimal(rng.randrange(10 ** rng.randrange(1, 17))).scaleb(-10),
            Decimal(rng.randrange(10 ** rng.randrange(1, 21))).scaleb(-12),
        )
        for _ in range(VECTORS)
    ]
    rows.append((Decimal(10) ** 15, Decimal(10) ** 15))
    found = evaluate(
        MONEY.multiply_exact("quantity", "price"),
        {"quantity": "decimal(28, 10)", "price": "decimal(28, 12)"},
        [(f"{quantity:f}", f"{price:f}") for quantity, price in rows],
    )
    assert [Fraction(value) for value in found[:-1]] == [Fraction(q) * Fraction(p) for q, p in rows[:-1]]
    assert found[-1] is None


def test_periods_begin_on_the_same_days() -> None:
    rng = random.Random(19)
    rows, expected = [], []
    for _ in range(4 * VECTORS):
        anchor = dt.date(2023, 1, 1) + dt.timedelta(days=rng.randrange(5 * 366))
        interval = rng.choice(["day", "week", "month", "quarter", "half_year", "year"])
        count, k = rng.choice([1, 1, 2, 3, 5]), rng.randrange(-24, 48)
        anchor_day = (
            anchor.day if interval in periods.DAYS else rng.choice([1, 15, 28, 29, 30, 31, anchor.day])
        )
        rows.append((anchor, anchor_day, interval, count, k))
        expected.append(periods.boundary(anchor, interval, count, k, anchor_day=anchor_day))  # type: ignore[arg-type]
    found = evaluate(
        PERIODS.period_boundary(
            "anchor_on",
            "anchor_day",
            f"({PERIODS.interval_months('unit')} * units)",
            f"({PERIODS.interval_days('unit')} * units)",
            "k",
        ),
        {"anchor_on": "date", "anchor_day": "integer", "unit": "varchar", "units": "integer", "k": "integer"},
        rows,
    )
    assert found == expected


ZONES = (
    "UTC",
    "Europe/Paris",
    "America/New_York",
    "America/Bogota",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Asia/Tokyo",
)
# Midnight is skipped.
ODD_MIDNIGHTS = (
    ("America/Sao_Paulo", dt.date(2018, 11, 4)),
    ("America/Santiago", dt.date(2026, 9, 6)),
    ("Africa/Cairo", dt.date(2026, 4, 24)),
    ("Asia/Beirut", dt.date(2026, 3, 29)),
)


def test_days_begin_at_the_same_instants() -> None:
    rng = random.Random(23)
    rows = [
        (dt.date(2024, 1, 1) + dt.timedelta(days=rng.randrange(1200)), zone)
        for zone in ZONES
        for _ in range(60)
    ]
    rows += [(day + dt.timedelta(days=offset), zone) for zone, day in ODD_MIDNIGHTS for offset in (-1, 0, 1)]
    found = evaluate(PERIODS.start_of_day("day", "zone"), {"day": "date", "zone": "varchar"}, rows)
    wrong = [
        (zone, day, start.astimezone(dt.UTC).isoformat(), periods.start_of_day(day, zone).isoformat())
        for (day, zone), start in zip(rows, found, strict=True)
        if start != periods.start_of_day(day, zone)
    ]
    assert not wrong


def test_a_day_begins_at_the_first_of_two_midnights() -> None:
    day, zone = dt.date(2026, 11, 1), "America/Havana"
    found = evaluate(PERIODS.start_of_day("day", "zone"), {"day": "date", "zone": "varchar"}, [(day, zone)])
    assert found == [periods.start_of_day(day, zone)]


def test_instants_fall_on_the_same_days() -> None:
    rng = random.Random(29)
    rows = []
    for zone in (*ZONES, *(zone for zone, _ in ODD_MIDNIGHTS)):
        for _ in range(60):
            instant = dt.datetime(2024, 1, 1, tzinfo=dt.UTC) + dt.timedelta(
                seconds=rng.randrange(3 * 365 * 86400)
            )
            rows.append((instant.isoformat(), zone))
    found = evaluate(
        PERIODS.local_date("instant", "zone"),
        {"instant": "timestamp with time zone", "zone": "varchar"},
        rows,
    )
    assert found == [periods.local_day(dt.datetime.fromisoformat(instant), zone) for instant, zone in rows]
