"""Partitions: the days on which usage was received, and the days that are billed. They are different days.

Usage is received on a UTC day, whatever day it is about. A tenant's bill day is a day of its own time zone.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from dagster import DailyPartitionsDefinition

from ratehouse.lake import Lake

# Facts received before this day are in the lake and are billed, but are no partition of their own.
FIRST_DAY = "2025-01-01"

# One more than the finished days: the running day is built every night and again until it is over.
RECEIVED_DAYS = DailyPartitionsDefinition(start_date=FIRST_DAY, end_offset=1)

# Two more than the finished UTC days: where clocks are ahead of UTC, tomorrow has begun already.
BILL_DAYS = DailyPartitionsDefinition(start_date=FIRST_DAY, end_offset=2)


def first_received_day(lake: Lake, *, default: date) -> date:
    """The first UTC day with usage, not before the first partition; `default` if there is none yet."""
    days = [day for file in lake.files("raw/usage_events") if (day := received_day(file)) is not None]
    return max(min(days, default=default), date.fromisoformat(FIRST_DAY))


def received_day(file: str) -> date | None:
    """The day in the path of a file of usage events, `…/received_on=2026-11-01/…`."""
    _, found, rest = file.partition("/received_on=")
    return date.fromisoformat(rest[:10]) if found else None


def days_of(keys: Iterable[str]) -> list[date]:
    """Partition keys as days, in order."""
    return sorted(date.fromisoformat(key) for key in keys)
