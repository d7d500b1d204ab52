"""Billing days and billing periods. The SQL twins are in `dbt_project/macros/periods.sql`.

Belongs here: calendar arithmetic with one right answer. All dates are local days of a customer's zone, all
periods half-open `[start, end)`, every boundary computed from the anchor and never from the boundary before
it, so the 31st comes back after February. Does not belong here: which period is due, and what it costs
(SQL).
"""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from zoneinfo import ZoneInfo

Interval = Literal["day", "week", "month", "quarter", "half_year", "year"]
AnchorKind = Literal["subscription", "calendar"]

MONTHS: dict[str, int] = {"month": 1, "quarter": 3, "half_year": 6, "year": 12}
DAYS: dict[str, int] = {"day": 1, "week": 7}


@dataclass(frozen=True)
class Cycle:
    """An endless row of boundaries.

    Attributes:
        anchor_on: boundary 0 for days and weeks; for longer intervals a day of its month.
        anchor_day: day of the month of every boundary, 1 to 31; a short month gives its last day. Unused for
            days and weeks.
        interval: unit of the cycle.
        interval_count: units from one boundary to the next.
    """

    anchor_on: dt.date
    anchor_day: int
    interval: Interval
    interval_count: int = 1

    def boundary(self, k: int) -> dt.date:
        """Boundary number k, any integer."""
        return boundary(self.anchor_on, self.interval, self.interval_count, k, anchor_day=self.anchor_day)

    def index(self, day: dt.date) -> int:
        """The k with boundary(k) <= day < boundary(k + 1)."""
        if self.interval in DAYS:
            return (day - self.anchor_on).days // (DAYS[self.interval] * self.interval_count)
        months = (day.year - self.anchor_on.year) * 12 + day.month - self.anchor_on.month
        k = months // (MONTHS[self.interval] * self.interval_count)
        return k if self.boundary(k) <= day else k - 1


@dataclass(frozen=True)
class Period:
    """One billing period of a subscription and the full cycle it is part of, the same unless it is a stub."""

    period_start: dt.date
    period_end: dt.date
    cycle_start: dt.date
    cycle_end: dt.date

    @property
    def is_stub(self) -> bool:
        """Whether it is shorter than its cycle."""
        return (self.period_start, self.period_end) != (self.cycle_start, self.cycle_end)

    @property
    def days(self) -> int:
        """Days of the period."""
        return (self.period_end - self.period_start).days

    @property
    def cycle_days(self) -> int:
        """Days of the full cycle, the divisor of a stub."""
        return (self.cycle_end - self.cycle_start).days


def boundary(
    anchor_on: dt.date, interval: Interval, interval_count: int, k: int, *, anchor_day: int | None = None
) -> dt.date:
    """Boundary number k (any integer) of the cycle anchored at a date.

    Args:
        anchor_on: boundary 0, or with `anchor_day` any day in its month.
        interval: unit.
        interval_count: units per cycle.
        k: which boundary.
        anchor_day: day of the month, 1 to 31; default that of anchor_on. Days and weeks have none.
    """
    if interval in DAYS:
        return anchor_on + dt.timedelta(days=k * DAYS[interval] * interval_count)
    month = anchor_on.year * 12 + anchor_on.month - 1 + k * MONTHS[interval] * interval_count
    return day_of_month(month // 12, month % 12 + 1, anchor_day or anchor_on.day)


def day_of_month(year: int, month: int, day: int) -> dt.date:
    """That day of a month, or its last day if the month is shorter."""
    return dt.date(year, month, min(day, calendar.monthrange(year, month)[1]))


def cycle_of(
    first_billed_on: dt.date,
    interval: Interval,
    interval_count: int = 1,
    *,
    anchor: AnchorKind = "subscription",
    anchor_day: int | None = None,
) -> Cycle:
    """The cycle of a subscription (rule 15).

    Args:
        first_billed_on: its first billed day (the trial's end), or the day of an anchor change.
        interval: unit.
        interval_count: units per cycle.
        anchor: `calendar` puts boundaries on Mondays, firsts of months, of quarters (January, April, …),
            half-years and years; several units of a calendar count from the one that holds first_billed_on.
        anchor_day: 1 to 31, only with `subscription` and months or longer; the anchor month is that of
            first_billed_on.
    """
    if anchor == "subscription":
        day = first_billed_on.day if anchor_day is None or interval in DAYS else anchor_day
        return Cycle(first_billed_on, day, interval, interval_count)
    if interval == "day":
        return Cycle(first_billed_on, first_billed_on.day, interval, interval_count)
    if interval == "week":
        monday = first_billed_on - dt.timedelta(days=first_billed_on.weekday())
        return Cycle(monday, monday.day, interval, interval_count)
    months = MONTHS[interval]
    first = first_billed_on.replace(month=(first_billed_on.month - 1) // months * months + 1, day=1)
    return Cycle(first, 1, interval, interval_count)


def period_at(cycle: Cycle, start: dt.date, day: dt.date, end: dt.date | None = None) -> Period:
    """The period that holds a day of a subscription billed from `start` until `end` (exclusive, None: open).

    Raises:
        ValueError: the day is outside [start, end).
    """
    if day < start or (end is not None and day >= end):
        raise ValueError(f"{day} is outside [{start}, {end})")
    k = cycle.index(day)
    cycle_start, cycle_end = cycle.boundary(k), cycle.boundary(k + 1)
    return Period(
        max(cycle_start, start), cycle_end if end is None else min(cycle_end, end), cycle_start, cycle_end
    )


def periods(cycle: Cycle, start: dt.date, horizon: dt.date, end: dt.date | None = None) -> Iterator[Period]:
    """The periods begun on or before `horizon` (rule 23), stubs included, in order and without gaps.

    Args:
        cycle: the boundaries.
        start: first billed day.
        horizon: last day on which a period may begin.
        end: the subscription's end, exclusive.
    """
    day = start
    while day <= horizon and (end is None or day < end):
        period = period_at(cycle, start, day, end)
        yield period
        day = period.period_end


def days_30e_360(start: dt.date, end: dt.date) -> int:
    """Days of [start, end) with 30 to a month: 30E/360, the 31st counting as the 30th (rule 16)."""
    months = (end.year - start.year) * 12 + end.month - start.month
    return months * 30 + min(end.day, 30) - min(start.day, 30)


def start_of_day(day: dt.date, zone: str) -> dt.datetime:
    """The first instant, in UTC, at which clocks in a zone show a day or a later one.

    That is midnight, the end of the gap where midnight is skipped, the earlier midnight where it comes twice.
    """
    tz = ZoneInfo(zone)
    instant = dt.datetime(day.year, day.month, day.day, tzinfo=tz).astimezone(dt.UTC)
    local = instant.astimezone(tz)
    if local.date() == day and local.time() == dt.time.min:
        return instant
    # Midnight was skipped: look for the second in which the local date passed it.
    before, after = instant - dt.timedelta(hours=26), instant + dt.timedelta(hours=26)
    low, high = 0, int((after - before).total_seconds())
    while high - low > 1:
        middle = (low + high) // 2
        if (before + dt.timedelta(seconds=middle)).astimezone(tz).date() >= day:
            high = middle
        else:
            low = middle
    return before + dt.timedelta(seconds=high)


def local_day(instant: dt.datetime, zone: str) -> dt.date:
    """The local calendar day of an instant that carries its offset.

    Raises:
        ValueError: the instant has no offset.
    """
    if instant.tzinfo is None:
        raise ValueError("an instant needs an offset")
    return instant.astimezone(ZoneInfo(zone)).date()
