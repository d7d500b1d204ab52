"""Random lives of one subscription each: what a fee costs for each span of service, computed a second time in exact fractions.

Plans of all intervals and anchors, in advance and in arrears, by day, by 30E/360 and by the second, in zones with and without
daylight saving; changes of plan and seats, pauses and an end. One run at the end bills it all.
"""

from __future__ import annotations

import calendar
import json
import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ratehouse import scenario
from ratehouse.settings import Settings
from tests.grammar import ZERO, rounded, written

LIVES = 120
DIGITS = {"USD": 2, "JPY": 0, "KWD": 3}
ZONES = ["UTC", "America/New_York", "Europe/Paris", "Asia/Tokyo", "Pacific/Auckland"]
INTERVALS = {1: "month", 3: "quarter", 6: "half_year", 12: "year"}
CHARGES = ("base", "seats", "support")


@dataclass
class Life:
    """A subscription under construction; every instant is that of its zone."""

    random: random.Random
    zone: ZoneInfo
    currency: str
    mode: str
    method: str
    months: int
    start: date
    last: date
    anchor_day: int | None
    is_calendar: bool
    prices: dict[str, dict[str, Fraction]]
    # From when what holds: plan and seats, or None while it is paused.
    terms: list[tuple[datetime, tuple[str, int] | None]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    ends_at: datetime | None = None

    def instant(self, day: date, hour: int = 0) -> datetime:
        return datetime(day.year, day.month, day.day, hour, tzinfo=self.zone)

    def boundaries(self) -> list[date]:
        """From the last boundary on or before the start, each computed from the anchor; a short month uses its last day."""
        year, month = self.start.year, self.start.month
        day = 1 if self.is_calendar else self.anchor_day or self.start.day
        if self.is_calendar:
            month = (month - 1) // self.months * self.months + 1
        elif _day_of(year, month, day) > self.start:
            month -= self.months
        return [_day_of(year, month + self.months * number, day) for number in range(60 // self.months + 2)]

    def live(self) -> None:
        """Draw changes, one on a day, and note from when they hold."""
        plan, seats, is_active, day = "a", self.random.randint(0, 9), True, self.start
        self.terms.append((self.instant(day), (plan, seats)))
        self.events.append(
            self._event("created", self.instant(day), {"plan": plan, "quantities": {"seats": str(seats)}})
        )
        if self.anchor_day:
            self.events[0]["data"]["anchor_day"] = self.anchor_day
        for _ in range(self.random.randint(0, 5)):
            day += timedelta(days=self.random.randint(1, 40))
            if day >= self.last:
                return
            at = self.instant(day, self.random.randint(1, 22))
            holds_from = at if self.method == "second" else self.instant(day)
            kind = self.random.choice(
                ["plan_changed", "quantity_changed", "quantity_changed", "paused", "cancelled"]
                if is_active
                else ["resumed", "resumed", "quantity_changed"]
            )
            data: dict[str, Any] = {}
            if kind == "plan_changed":
                plan = self.random.choice(sorted({*self.prices} - {plan}))
                data = {"plan": plan}
            elif kind == "quantity_changed":
                seats = self.random.randint(0, 9)
                data = {"quantities": {"seats": str(seats)}}
            elif kind in ("paused", "resumed"):
                is_active = kind == "resumed"
                data = {} if is_active else {"mode": "stop"}
            self.events.append(self._event(kind, at, data))
            if kind == "cancelled":
                self.ends_at = holds_from
                return
            self.terms.append((holds_from, (plan, seats) if is_active else None))

    @staticmethod
    def _event(kind: str, at: datetime, data: dict[str, Any]) -> dict[str, Any]:
        return {
            "subscription_id": "s1",
            "type": kind,
            "effective_at": at.astimezone(UTC).isoformat(),
            "data": data,
        }

    def islands(self, charge: str) -> list[tuple[datetime, datetime | None, str, int]]:
        """While the charge's own terms stay as they are, it is not split: from, to, plan, quantity."""
        ends = [start for start, _ in self.terms[1:]] + [self.ends_at]
        islands: list[tuple[datetime, datetime | None, str, int]] = []
        for (start, terms), end in zip(self.terms, ends, strict=True):
            if terms is None:
                continue
            plan, quantity = terms[0], terms[1] if charge == "seats" else 1
            if islands and islands[-1][1:] == (start, plan, quantity):
                start = islands.pop()[0]
            islands.append((start, end, plan, quantity))
        return islands

    def share(self, service: tuple[datetime, datetime], cycle: tuple[date, date]) -> Fraction:
        """Of the full cycle, what was served; a stub's divisor is the cycle that it belongs to."""
        start, end = (instant.astimezone(self.zone).date() for instant in service)
        if self.method == "second":
            of_cycle = [self.instant(day).timestamp() for day in cycle]
            return Fraction(
                int(service[1].timestamp() - service[0].timestamp()), int(of_cycle[1] - of_cycle[0])
            )
        if (start, end) == cycle:
            return Fraction(1)
        if self.method == "day":
            return Fraction((end - start).days, (cycle[1] - cycle[0]).days)
        months = 12 * (end.year - start.year) + end.month - start.month
        return Fraction(30 * months + min(end.day, 30) - min(start.day, 30), 30 * self.months)

    def owed(self) -> tuple[list[dict[str, Any]], Fraction]:
        """Rated rows of what has begun, and the sum of what is due by the last day."""
        rows, total, until = [], ZERO, self.instant(self.last)
        for charge in CHARGES:
            for island_start, island_end, plan, quantity in self.islands(charge):
                for cycle in pairwise(self.boundaries()):
                    cycle_end = self.instant(cycle[1])
                    start = max(island_start, self.instant(cycle[0]))
                    end = min(cycle_end, island_end or cycle_end)
                    if start >= min(end, until):
                        continue
                    exact = self.prices[plan][charge] * quantity * self.share((start, end), cycle)
                    amount = rounded(exact, DIGITS[self.currency], self.mode)
                    is_due = charge != "support" or min(cycle_end, self.ends_at or cycle_end) <= until
                    if is_due:
                        day = start.astimezone(self.zone).date()
                        rows.append(
                            {"plan": plan, "charge": charge, "service_start": day, "amount": written(amount)}
                        )
                        total += amount
        return rows, total

    def as_scenario(self, name: str) -> dict[str, Any]:
        rows, total = self.owed()
        recurring = {"type": "recurring", "timing": "advance"}
        plans = {
            plan: {
                "interval": INTERVALS[self.months],
                "anchor": "calendar" if self.is_calendar else "subscription",
                "charges": {
                    "base": {**recurring, "model": "flat", "amount": written(price["base"])},
                    "seats": {
                        **recurring,
                        "quantity": "seats",
                        "model": "per_unit",
                        "unit_price": written(price["seats"]),
                    },
                    "support": {
                        **recurring,
                        "timing": "arrears",
                        "model": "flat",
                        "amount": written(price["support"]),
                    },
                },
            }
            for plan, price in self.prices.items()
        }
        book = {"price_book": "1", "effective_from": "2000-01-01", "currency": self.currency, "plans": plans}
        return {
            "scenario": name,
            "source": "computed in fractions by the test",
            "tenant": {
                "timezone": self.zone.key,
                "currency": self.currency,
                "rounding": {"mode": self.mode},
                "proration": {"method": self.method},
            },
            "price_books": [book],
            "subscription_events": self.events,
            "clock": [self.last],
            "expect": {
                "rated_charges": rows,
                "invoices": [{"kind": "invoice", "total": written(total)}] if total else [],
            },
        }


def _day_of(year: int, month: int, day: int) -> date:
    year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
    return date(year, month, min(day, calendar.monthrange(year, month)[1]))


def _life(number: int) -> dict[str, Any]:
    draw = random.Random(number)

    def price(most: int) -> Fraction:
        return Fraction(draw.randint(100, most * 100), 100)

    is_calendar = draw.random() < 0.15
    life = Life(
        random=draw,
        zone=ZoneInfo(draw.choice(ZONES)),
        currency=draw.choice(sorted(DIGITS)),
        mode=draw.choice(["half_up", "half_even", "up", "down"]),
        method=draw.choice(["day", "day", "fixed_30", "second"]),
        months=draw.choice([1, 1, 1, 3, 6, 12]),
        start=date(2027, draw.choice([10, 11, 12]), 1) + timedelta(days=draw.randint(0, 30)),
        last=date(2028, draw.choice([3, 4, 5]), draw.randint(1, 28)),
        anchor_day=None if is_calendar else draw.choice([None, None, 29, 31, draw.randint(1, 31)]),
        is_calendar=is_calendar,
        prices={plan: {"base": price(100), "seats": price(20), "support": price(30)} for plan in "abc"},
    )
    life.live()
    return life.as_scenario(f"fees-{number}")


def test_random_fees_come_out_as_computed_in_fractions(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("fees")
    (folder / "fees.json").write_text(
        json.dumps([_life(number) for number in range(LIVES)], default=str), encoding="utf-8"
    )
    outcomes = scenario.run(scenario.load([folder / "fees.json"]), Settings.load(folder / "home", environ={}))
    failed = [outcome.as_json() for outcome in outcomes if not outcome.passed]
    assert len(outcomes) == LIVES
    assert not failed, json.dumps(failed[:3], indent=2, default=str)
