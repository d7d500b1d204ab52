"""Periods: worked calendars, and properties that hold for every anchor."""

import datetime as dt
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ratehouse.periods import (
    Cycle,
    boundary,
    cycle_of,
    days_30e_360,
    local_day,
    period_at,
    periods,
    start_of_day,
)

D = dt.date
INTERVALS = st.sampled_from(["day", "week", "month", "quarter", "half_year", "year"])
DATES = st.dates(D(1990, 1, 1), D(2090, 12, 31))


def cycles() -> st.SearchStrategy[tuple[Cycle, dt.date]]:
    def build(start, interval, count, anchor, day):
        return cycle_of(start, interval, count, anchor=anchor, anchor_day=day), start

    return st.builds(
        build,
        DATES,
        INTERVALS,
        st.integers(1, 13),
        st.sampled_from(["subscription", "calendar"]),
        st.none() | st.integers(1, 31),
    )


def spans(cycle, start, horizon, end=None):
    return [(p.period_start, p.period_end) for p in periods(cycle, start, horizon, end)]


def test_the_31st_comes_back_after_short_months():
    ends = [boundary(D(2026, 1, 31), "month", 1, k) for k in range(5)]
    assert ends == [D(2026, 1, 31), D(2026, 2, 28), D(2026, 3, 31), D(2026, 4, 30), D(2026, 5, 31)]
    assert boundary(D(2024, 2, 29), "year", 1, 1) == D(2025, 2, 28)
    assert boundary(D(2024, 2, 29), "year", 1, 4) == D(2028, 2, 29)
    assert boundary(D(2026, 1, 31), "month", 1, -2) == D(2025, 11, 30)


def test_anchor_day_makes_a_stub_of_a_full_cycle():
    cycle = cycle_of(D(2026, 1, 20), "month", anchor_day=31)
    first, second = list(periods(cycle, D(2026, 1, 20), D(2026, 2, 1)))
    assert (first.period_start, first.period_end, first.is_stub) == (D(2026, 1, 20), D(2026, 1, 31), True)
    assert (first.cycle_start, first.cycle_end, first.days, first.cycle_days) == (
        D(2025, 12, 31),
        D(2026, 1, 31),
        11,
        31,
    )
    assert (second.period_start, second.period_end, second.is_stub) == (D(2026, 1, 31), D(2026, 2, 28), False)


def test_the_anchor_month_of_quarters_and_years_is_that_of_the_first_billed_day():
    assert spans(cycle_of(D(2026, 2, 20), "quarter", anchor_day=15), D(2026, 2, 20), D(2026, 6, 1)) == [
        (D(2026, 2, 20), D(2026, 5, 15)),
        (D(2026, 5, 15), D(2026, 8, 15)),
    ]


@pytest.mark.parametrize(
    ("interval", "end"),
    [
        ("day", D(2026, 5, 21)),
        ("week", D(2026, 5, 25)),
        ("month", D(2026, 6, 1)),
        ("quarter", D(2026, 7, 1)),
        ("half_year", D(2026, 7, 1)),
        ("year", D(2027, 1, 1)),
    ],
)
def test_calendar_cycles(interval, end):
    cycle = cycle_of(D(2026, 5, 20), interval, anchor="calendar")
    period = period_at(cycle, D(2026, 5, 20), D(2026, 5, 20))
    assert period.period_end == end
    assert period.is_stub is (interval != "day")


def test_an_end_cuts_the_last_period_and_later_periods_do_not_exist():
    cycle = cycle_of(D(2026, 1, 1), "month")
    assert spans(cycle, D(2026, 1, 1), D(2026, 12, 1), D(2026, 2, 10)) == [
        (D(2026, 1, 1), D(2026, 2, 1)),
        (D(2026, 2, 1), D(2026, 2, 10)),
    ]
    assert spans(cycle, D(2026, 1, 1), D(2026, 12, 1), D(2026, 1, 1)) == []
    with pytest.raises(ValueError, match="outside"):
        period_at(cycle, D(2026, 1, 1), D(2026, 2, 10), D(2026, 2, 10))


@pytest.mark.parametrize(
    ("start", "end", "days"),
    [
        (D(2026, 1, 31), D(2026, 2, 28), 28),
        (D(2026, 1, 1), D(2026, 1, 31), 29),
        (D(2026, 1, 1), D(2026, 2, 1), 30),
        (D(2026, 2, 28), D(2026, 3, 31), 32),
    ],
)
def test_30e_360(start, end, days):
    assert days_30e_360(start, end) == days


@pytest.mark.parametrize(
    ("day", "zone", "instant"),
    [
        (D(2026, 3, 29), "Europe/Paris", "2026-03-28T23:00:00+00:00"),
        (D(2018, 11, 4), "America/Sao_Paulo", "2018-11-04T03:00:00+00:00"),  # clocks go from 0:00 to 1:00
        (D(1919, 3, 31), "America/Toronto", "1919-03-31T04:30:00+00:00"),  # from 23:30 to 0:30
        (D(2011, 12, 30), "Pacific/Apia", "2011-12-30T10:00:00+00:00"),  # a day that never was
        (D(2026, 11, 1), "America/Havana", "2026-11-01T04:00:00+00:00"),  # midnight comes twice
        (D(2026, 1, 1), "Asia/Kathmandu", "2025-12-31T18:15:00+00:00"),
    ],
)
def test_start_of_day(day, zone, instant):
    assert start_of_day(day, zone) == dt.datetime.fromisoformat(instant)


def test_local_day_needs_an_offset():
    assert local_day(dt.datetime(2026, 1, 1, 3, tzinfo=dt.UTC), "America/New_York") == D(2025, 12, 31)
    with pytest.raises(ValueError, match="offset"):
        local_day(dt.datetime(2026, 1, 1), "UTC")


@settings(deadline=None)
@given(cycles(), st.integers(-40, 40))
def test_boundaries_ascend_and_index_finds_them(made, k):
    cycle, _ = made
    here, following = cycle.boundary(k), cycle.boundary(k + 1)
    assert here < following
    assert cycle.index(here) == k
    assert cycle.index(following - dt.timedelta(days=1)) == k


@settings(deadline=None)
@given(cycles(), st.integers(0, 800), st.none() | st.integers(0, 800))
def test_periods_tile_the_subscription(made, horizon_days, life):
    cycle, start = made
    horizon = start + dt.timedelta(days=horizon_days)
    end = None if life is None else start + dt.timedelta(days=life)
    found = list(periods(cycle, start, horizon, end))
    if life == 0:
        assert found == []
        return
    assert found[0].period_start == start
    assert all(a.period_end == b.period_start for a, b in itertools.pairwise(found))
    assert found[-1].period_start <= horizon
    assert found[-1].period_end > horizon or found[-1].period_end == end
    assert all(not p.is_stub for p in found[1:-1])
    assert all(p.cycle_start <= p.period_start < p.period_end <= p.cycle_end for p in found)


@settings(deadline=None)
@given(
    st.dates(D(1970, 1, 2), D(2037, 12, 31)),
    st.sampled_from(
        [
            "UTC",
            "Europe/Paris",
            "America/New_York",
            "America/Sao_Paulo",
            "Africa/Cairo",
            "Asia/Beirut",
            "Pacific/Apia",
        ]
    ),
)
def test_the_first_instant_of_a_day_is_its_first(day, zone):
    instant = start_of_day(day, zone)
    assert local_day(instant, zone) >= day
    assert local_day(instant - dt.timedelta(seconds=1), zone) < day
