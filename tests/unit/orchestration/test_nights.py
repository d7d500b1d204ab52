"""Which nights a tick starts, over clock changes, half-hour zones and missed ticks."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from orchestration.lib.nights import nights_between, tick_of


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def picked(zone: str, tick: str) -> list[date]:
    now = at(tick)
    return [night.bill_day for night in nights_between({"t": zone}, now - timedelta(hours=1), now)]


@pytest.mark.parametrize(
    ("zone", "tick", "day"),
    [
        ("UTC", "2026-03-01T00:10", date(2026, 3, 1)),
        ("Europe/Berlin", "2026-03-29T23:10", None),  # the day after the clocks went forward begins at 22:00Z
        ("Europe/Berlin", "2026-03-29T22:10", date(2026, 3, 30)),
        ("Europe/Berlin", "2026-03-28T23:10", date(2026, 3, 29)),
        ("Europe/Berlin", "2026-10-25T23:10", date(2026, 10, 26)),
        ("America/New_York", "2026-11-02T05:10", date(2026, 11, 2)),
        ("America/New_York", "2026-11-02T04:10", None),
        ("Asia/Kolkata", "2026-03-01T18:10", None),  # midnight is 18:30Z
        ("Asia/Kolkata", "2026-03-01T19:10", date(2026, 3, 2)),
        ("Asia/Kathmandu", "2026-03-01T18:10", None),  # 18:15Z
        ("Asia/Kathmandu", "2026-03-01T19:10", date(2026, 3, 2)),
        ("Australia/Lord_Howe", "2026-04-05T13:10", None),  # the clocks go back by half an hour: 13:30Z
        ("Australia/Lord_Howe", "2026-04-05T14:10", date(2026, 4, 6)),
        (
            "Asia/Beirut",
            "2026-03-28T22:10",
            date(2026, 3, 29),
        ),  # there is no midnight: the day begins at 01:00
        ("Pacific/Kiritimati", "2026-03-01T10:10", date(2026, 3, 2)),
    ],
)
def test_a_tick_picks_the_days_that_began_in_the_hour_before(zone: str, tick: str, day: date | None) -> None:
    assert picked(zone, tick) == ([] if day is None else [day])


@pytest.mark.parametrize(
    "zone",
    [
        "Europe/Berlin",
        "America/New_York",
        "Asia/Kolkata",
        "Australia/Lord_Howe",
        "Africa/Cairo",
        "America/Havana",
    ],
)
def test_every_day_of_a_year_is_picked_once_and_in_order(zone: str) -> None:
    tick, days = at("2026-01-01T00:10"), []
    while tick < at("2027-01-02T00:10"):
        days += [night.bill_day for night in nights_between({"t": zone}, tick - timedelta(hours=1), tick)]
        tick += timedelta(hours=1)
    assert days == [days[0] + timedelta(days=n) for n in range(len(days))]
    assert len(days) >= 365


def test_tenants_with_one_midnight_are_one_night_and_others_are_not() -> None:
    zones = {
        "oslo": "Europe/Oslo",
        "berlin": "Europe/Berlin",
        "delhi": "Asia/Kolkata",
        "karachi": "Asia/Karachi",
    }
    nights = nights_between(zones, at("2026-06-01T18:10"), at("2026-06-01T22:10"))
    assert [(night.key, night.tenants) for night in nights] == [
        ("2026-06-02@2026-06-01T19:10Z", ("delhi", "karachi")),
        ("2026-06-02@2026-06-01T22:10Z", ("berlin", "oslo")),
    ]


def test_one_instant_may_begin_two_days() -> None:
    nights = nights_between(
        {"east": "Pacific/Kiritimati", "west": "Pacific/Honolulu"},
        at("2026-06-01T09:10"),
        at("2026-06-01T10:10"),
    )
    assert [(night.bill_day, night.tenants) for night in nights] == [
        (date(2026, 6, 1), ("west",)),
        (date(2026, 6, 2), ("east",)),
    ]
    assert len({night.key for night in nights}) == 2


def test_missed_ticks_give_the_same_nights_in_order() -> None:
    zones = {"berlin": "Europe/Berlin", "delhi": "Asia/Kolkata"}
    last, now = at("2026-10-24T22:10"), at("2026-10-27T12:10")
    caught_up = nights_between(zones, last, now)
    one_by_one, tick = [], last
    while tick < now:
        one_by_one += nights_between(zones, tick, tick + timedelta(hours=1))
        tick += timedelta(hours=1)
    assert caught_up == one_by_one == sorted(caught_up)
    assert [night.bill_day.day for night in caught_up] == [26, 26, 27, 27]


def test_nothing_is_due_when_nothing_was_missed() -> None:
    assert nights_between({"t": "UTC"}, at("2026-06-01T00:10"), at("2026-06-01T00:10")) == []


def test_a_tick_is_never_before_the_instant() -> None:
    assert tick_of(at("2026-06-01T10:10")) == at("2026-06-01T10:10")
    assert tick_of(at("2026-06-01T10:10") + timedelta(seconds=1)) == at("2026-06-01T11:10")
