"""Whose midnight has passed, and which nights a tick of the schedule starts: pure functions.

A night is the start of one local day for the tenants whose midnight was picked by one tick. Ticks are hourly,
ten minutes past: late enough for what was sent just before midnight to land, early enough for invoices to be
there in the morning. Zones with half or quarter hours are picked by the first tick after their midnight;
where clocks are turned, the local day starts where `ratehouse.periods.start_of_day` says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from ratehouse.periods import local_day, start_of_day

TICK_MINUTE = 10
CRON = f"{TICK_MINUTE} * * * *"  # UTC


@dataclass(frozen=True, order=True)
class Night:
    """One night of one group of tenants.

    Attributes:
        tick: the scheduled instant (UTC) that picks it; also up to when its facts count.
        bill_day: the local day that begins.
        tenants: whose day it is, by name.
    """

    tick: datetime
    bill_day: date
    tenants: tuple[str, ...]

    @property
    def key(self) -> str:
        """The identity of the night, the same whoever asks."""
        return f"{self.bill_day}@{self.tick:%Y-%m-%dT%H:%MZ}"


def tick_of(instant: datetime) -> datetime:
    """The first tick at or after an instant (UTC)."""
    tick = instant.astimezone(UTC).replace(minute=TICK_MINUTE, second=0, microsecond=0)
    return tick if tick >= instant else tick + timedelta(hours=1)


def nights_between(zones: Mapping[str, str], after: datetime, until: datetime) -> list[Night]:
    """The nights that ticks after `after` and up to `until` pick, in the order in which they must run.

    Args:
        zones: IANA time zone by tenant.
        after: the last tick that was served (UTC), exclusive.
        until: the current tick (UTC), inclusive.
    """
    groups: dict[tuple[datetime, date], list[str]] = {}
    for tenant, zone in sorted(zones.items()):
        day, last = local_day(after, zone), local_day(until, zone)
        while day <= last:
            tick = tick_of(start_of_day(day, zone))
            if after < tick <= until:
                groups.setdefault((tick, day), []).append(tenant)
            day += timedelta(days=1)
    return [Night(tick, day, tuple(tenants)) for (tick, day), tenants in sorted(groups.items())]
