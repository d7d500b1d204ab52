from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ratehouse import parsing

INSTANTS = st.datetimes(datetime(1970, 1, 1), datetime(2999, 1, 1))
ZONES = st.sampled_from(["", "Z", "+02:00", "-0930", "+05", "+14:00"])
WRITTEN = st.builds(
    lambda instant, zone, sep, nines: instant.isoformat(sep) + (nines if instant.microsecond else "") + zone,
    INSTANTS,
    ZONES,
    st.sampled_from(["T", " "]),
    st.sampled_from(["", "9", "999"]),
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.one_of(WRITTEN, st.sampled_from(["", "soon", "2026-02-30T00:00:00Z", "2026-01-01T24:00:00Z"])),
        max_size=8,
    )
)
def test_instants_in_bulk_are_read_like_one(texts: list[str]) -> None:
    column = parsing.instants(pl.Series(texts, dtype=pl.String))
    assert column.dtype == pl.Datetime("us", "UTC")
    assert column.to_list() == [parsing.parse_instant(text) for text in texts]


NUMBERS = st.one_of(
    st.decimals(-(10**19), 10**19, allow_nan=True, places=11).map(str),
    st.decimals(-100, 100, places=2).map(str),
    st.sampled_from(["1e3", "+1", ".5", "5.", "1_000", "\uff10", "0x1", "1e99999", "-0.0", "007", "1,5", ""]),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(NUMBERS, max_size=8))
def test_decimals_in_bulk_are_exact(texts: list[str]) -> None:
    column = parsing.decimals(pl.Series(texts, dtype=pl.String), "quantity")
    for text, value in zip(texts, column, strict=True):
        plain = parsing.decimal_text(text, 18, 10)
        assert value == (None if plain is None else Decimal(plain))
        assert value is None or value == Decimal(text)


@pytest.mark.parametrize(
    ("text", "day"),
    [("2026-01-05", date(2026, 1, 5)), ("2026-01-05T23:00:00-05:00", date(2026, 1, 5)), ("2026-02-30", None)],
)
def test_dates(text: str, day: date | None) -> None:
    assert parsing.dates(pl.Series([text]))[0] == day


def test_instants_outside_the_calendar_are_none() -> None:
    assert parsing.instants(pl.Series(["9999-12-31T23:59:59-10:00"])).to_list() == [None]


def test_naive_and_other_units_of_time_are_utc() -> None:
    naive = pl.Series([datetime(2026, 1, 1)], dtype=pl.Datetime("ns"))
    assert parsing.instants(naive)[0] == datetime(2026, 1, 1, tzinfo=UTC)
    paris = naive.dt.replace_time_zone("Europe/Paris")
    assert parsing.instants(paris)[0] == datetime(2025, 12, 31, 23, tzinfo=UTC)


def test_whole_numbers_and_flags() -> None:
    assert parsing.wholes(pl.Series(["1", "1.0", "1.5", "x"])).to_list() == [1, 1, None, None]
    assert parsing.flags(pl.Series(["true", "FALSE", "yes"])).to_list() == [True, False, None]
