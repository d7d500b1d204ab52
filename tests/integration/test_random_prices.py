"""Random price books over random usage through the real models, against the grammar computed a second time (`tests/grammar.py`).

Each story is a tenant of its own with a few meters, some charges on each, and one or two months; one warehouse rates them all.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ratehouse import scenario
from ratehouse.settings import Settings
from tests.grammar import ZERO, aggregated, limited, percentage_fees, priced, rounded, written

STORIES = 160
DIGITS = {"USD": 2, "EUR": 2, "JPY": 0, "KWD": 3}
ZONES = ["UTC", "America/New_York", "Asia/Tokyo", "Europe/Paris", "Pacific/Auckland", "America/Bogota"]
REGIONS = ["eu", "us", "ap", None]
# What a percentage may say besides: from, to, decimal places.
PERCENTAGE_FIELDS = (
    ("fixed_fee", 0, 2, 2),
    ("free_events", 1, 4, 0),
    ("free_amount", 10, 400, 0),
    ("event_minimum", 0, 5, 2),
    ("event_maximum", 6, 20, 2),
)


@dataclass(frozen=True)
class Event:
    """One usage event; `value` is None where it is missing and text where it is no number."""

    at: datetime
    event_id: str
    value: Any
    status: str
    region: str | None


@dataclass
class Draw:
    """Random numbers of the grammar."""

    random: random.Random

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def of(self, *choices: Any) -> Any:
        return self.random.choice(choices)

    def number(self, low: int, high: int, *places: int) -> Fraction:
        digits = self.of(*places)
        return Fraction(self.random.randint(low * 10**digits, high * 10**digits), 10**digits)

    def price(self) -> Fraction:
        return self.number(0, 5, 0, 1, 2, 3, 5)

    def tiers(self, model: str) -> list[dict[str, Any]]:
        bounds = sorted({self.number(1, 400, 0, 0, 1) for _ in range(self.random.randint(0, 3))})
        tiers = []
        for bound in (*bounds, None):
            tier: dict[str, Any] = {"up_to": bound}
            if model == "stairstep":
                tier["amount"] = self.number(0, 100, 2)
            elif model == "graduated_percentage":
                tier["percent"] = self.number(0, 10, 2)
            else:
                tier["unit_price"] = self.price()
                if self.chance(0.2):
                    tier["package_size"] = Fraction(self.of(1, 5, 10, 50))
            if model != "stairstep" and self.chance(0.4):
                tier["flat_fee"] = self.number(0, 20, 2)
            tiers.append(tier)
        return tiers

    def charge(self) -> dict[str, Any]:
        model = self.of("per_unit", "graduated", "volume", "stairstep", "package", "graduated_percentage")
        charge: dict[str, Any] = {"type": "usage", "model": model}
        if model == "per_unit":
            charge["unit_price"] = self.price()
        elif model == "package":
            charge |= {
                "package_size": self.of(Fraction(1), Fraction(10), Fraction(5, 2)),
                "package_price": self.price(),
            }
        else:
            charge["tiers"] = self.tiers(model)
        if self.chance(0.2):
            charge["discount"] = {"percent": Fraction(self.of(10, 25, 50))}
        if self.chance(0.2):
            charge["minimum"] = self.number(1, 40, 0)
        if self.chance(0.2):
            charge["maximum"] = self.number(41, 120, 0)
        return charge

    def meter(self) -> dict[str, Any]:
        kind = self.of("sum", "sum", "sum", "count", "max", "min", "latest", "average", "unique_count")
        meter: dict[str, Any] = {"aggregation": kind, "dimensions": ["region"]}
        if kind != "count":
            meter["property"] = "value"
        if kind not in ("count", "unique_count"):
            if self.chance(0.25):
                meter["multiply_by"] = self.of(Fraction(2), Fraction(1, 1000), Fraction(-1), Fraction(3, 2))
            if self.chance(0.2):
                meter["round_each"] = {"mode": self.of("up", "down", "half_up"), "digits": self.of(0, 1, -1)}
        if self.chance(0.3):
            meter["round_quantity"] = {
                "mode": self.of("up", "down", "half_up"),
                "digits": self.of(0, 1, -1, -2),
            }
        if self.chance(0.2):
            meter["where"] = {"status": ["ok", "retry"]}
        elif self.chance(0.15):
            meter["where_not"] = [{"status": ["failed"]}, {"status": ["ok"], "region": ["eu"]}]
        return meter

    def events(self, name: str, start: datetime, end: datetime, value: Callable[[], Any]) -> list[Event]:
        """Some at the very edges of the period; in the order that everything keeps."""
        seconds = int((end - start).total_seconds())
        drawn = []
        for number in range(self.of(0, 1, 3, 8, 15)):
            after = self.of(0, seconds - 1, *[self.random.randrange(seconds) for _ in range(8)])
            at = start + timedelta(seconds=after)
            drawn.append(
                Event(
                    at, f"{name}-{number:02d}", value(), self.of("ok", "retry", "failed"), self.of(*REGIONS)
                )
            )
        return sorted(drawn, key=lambda event: (event.at, event.event_id))


@dataclass
class Story:
    """A scenario under construction: one plan on the calendar month, in one zone and currency."""

    name: str
    draw: Draw
    currency: str
    mode: str
    zone: ZoneInfo
    # First days of what is rated: of the (perhaps short) first month, and of those after it.
    days: list[date]
    meters: dict[str, Any]
    charges: dict[str, Any]
    events: list[dict[str, Any]]
    expected: list[dict[str, Any]]

    @classmethod
    def of(cls, number: int, months: int) -> Story:
        draw = Draw(random.Random(number))
        first = date(2026, draw.of(1, 2, 3, 4, 10), 1)
        boundaries = [date(2026, first.month + offset, 1) for offset in range(1, months + 1)]
        start = first if draw.chance(0.6) else first + timedelta(days=draw.random.randint(1, 26))
        mode = draw.of("half_up", "half_up", "half_even", "up", "down")
        zone = ZoneInfo(draw.of(*ZONES))
        return cls(
            f"prices-{months}-{number}",
            draw,
            draw.of(*DIGITS),
            mode,
            zone,
            [start, *boundaries],
            {},
            {},
            [],
            [],
        )

    def instant(self, day: date) -> datetime:
        return datetime(day.year, day.month, day.day, tzinfo=self.zone).astimezone(UTC)

    @property
    def share(self) -> Fraction:
        """Of the first month, what is served."""
        first, end = self.days[0].replace(day=1), self.days[1]
        return Fraction((end - self.days[0]).days, (end - first).days)

    def meter(self, name: str, meter: dict[str, Any], events: list[Event]) -> None:
        self.meters[name] = written(meter)
        for event in events:
            properties = {"value": event.value, "status": event.status, "region": event.region}
            self.events.append(
                {
                    "event_id": event.event_id,
                    "event_type": name,
                    "occurred_at": event.at.isoformat(),
                    "properties": {
                        key: written(value) for key, value in properties.items() if value is not None
                    },
                }
            )

    def expect(self, charge: str, day: date, quantity: Fraction, amount: Fraction, **more: Any) -> None:
        row = {
            "charge": charge,
            "service_start": day,
            "quantity": written(quantity),
            "amount": written(rounded(amount, DIGITS[self.currency], self.mode)),
        }
        self.expected.append({**row, **more})

    def as_scenario(self) -> dict[str, Any]:
        return {
            "scenario": self.name,
            "source": "tests/grammar.py",
            "tenant": {"timezone": self.zone.key, "currency": self.currency, "rounding": {"mode": self.mode}},
            "price_books": [
                {
                    "price_book": "1",
                    "effective_from": "2000-01-01",
                    "currency": self.currency,
                    "meters": self.meters,
                    "plans": {"p": {"anchor": "calendar", "charges": self.charges}},
                }
            ],
            "subscription_events": [
                {
                    "subscription_id": "s1",
                    "type": "created",
                    "effective_at": self.days[0],
                    "data": {"plan": "p"},
                }
            ],
            "usage_events": self.events,
            "clock": self.days[1:],
            "expect": {"rated_charges": self.expected},
        }


def counts(meter: dict[str, Any], event: Event) -> bool:
    if "where" in meter and event.status == "failed":
        return False
    return not (
        "where_not" in meter and (event.status == "failed" or (event.status == "ok" and event.region == "eu"))
    )


def of_one_month(number: int) -> dict[str, Any]:
    """Every aggregation and every tier model, whole, by groups of a dimension, and by local days."""
    story = Story.of(number, months=1)
    draw, day = story.draw, story.days[0]
    for meter_name in ("m0", "m1"):
        meter = draw.meter()

        def value(kind: str = meter["aggregation"]) -> Any:
            if draw.chance(0.1):
                return None
            if kind == "unique_count":
                return draw.of("x", "y", "z", "10")
            return "n/a" if draw.chance(0.1) else draw.number(-20, 200, 0, 1, 2, 4)

        events = draw.events(meter_name, story.instant(day), story.instant(story.days[1]), value)
        story.meter(meter_name, meter, events)
        counted = [event for event in events if counts(meter, event)]
        for position in range(2):
            name, charge = f"{meter_name}-{position}", draw.charge() | {"meter": meter_name}
            shape = draw.of("whole", "whole", "groups", "days")
            if draw.chance(0.3):
                charge["included"] = draw.number(1, 60, 0, 1)
            elif shape == "whole":
                charge |= {
                    "negative": draw.of("credit", "zero", "mirror"),
                    "charge_at_zero": draw.of(True, False),
                }
            if shape == "days":
                charge["window"] = "day"
            of_eu = {"model": "per_unit", "unit_price": draw.price()}
            if shape == "groups":
                charge["prices"] = [{"when": {"region": "eu"}, **of_eu}]
            story.charges[name] = written(charge)
            if shape == "days":
                _expect_days(story, name, meter, charge, counted)
            elif shape == "groups" and counted:
                _expect_groups(story, name, meter, charge, counted, of_eu)
            else:
                quantity = aggregated(meter, [event.value for event in counted])
                amount, included = priced(charge, quantity)
                limits = limited(charge, amount, story.share)
                story.expect(name, day, quantity, limits, included_quantity=written(included), dimensions="")
    return story.as_scenario()


def _expect_days(
    story: Story, name: str, meter: dict[str, Any], charge: dict[str, Any], events: list[Event]
) -> None:
    days: dict[date, list[Any]] = {}
    for event in events:
        days.setdefault(event.at.astimezone(story.zone).date(), []).append(event.value)
    quantities = [aggregated(meter, values) for values in days.values()]
    amounts = [limited(charge, priced(charge, quantity)[0]) for quantity in quantities]
    story.expect(name, story.days[0], sum(quantities, ZERO), sum(amounts, ZERO))


def _expect_groups(
    story: Story,
    name: str,
    meter: dict[str, Any],
    charge: dict[str, Any],
    events: list[Event],
    of_eu: dict[str, Any],
) -> None:
    """Groups in the order of their text: they share what is included, and the last bears discount, minimum and maximum."""
    groups: dict[str, list[Event]] = {}
    for event in events:
        groups.setdefault(json.dumps({"region": event.region}, separators=(",", ":")), []).append(event)
    left, rows = charge.get("included", ZERO), []
    for text in sorted(groups):
        quantity = aggregated(meter, [event.value for event in groups[text]])
        price = (of_eu if groups[text][0].region == "eu" else charge) | {"included": left}
        amount, included = priced(price, quantity)
        left -= included
        rows.append((text, quantity, included, amount))
    total = sum((amount for *_, amount in rows), ZERO)
    for text, quantity, included, amount in rows:
        borne = limited(charge, total, story.share) - total if text == rows[-1][0] else ZERO
        more = {"included_quantity": written(included), "dimensions": text}
        story.expect(name, story.days[0], quantity, amount + borne, **more)


def of_two_months(number: int) -> dict[str, Any]:
    """What is priced event by event, levels that carry over, time-weighted levels, and windows of meters."""
    story = Story.of(number, months=2)
    draw = story.draw
    for position in range(3):
        name = f"m{position}"
        kind = draw.of("percentage", "level", "weighted", "weighted", "windows", "members")
        start, end = story.instant(story.days[0]), story.instant(story.days[-1])
        low = 0 if kind == "percentage" else -5
        events = draw.events(name, start, end, lambda low=low: draw.number(low, 300, 0, 2))
        meter: dict[str, Any] = {"aggregation": "sum", "property": "value"}
        charge: dict[str, Any] = {
            "type": "usage",
            "meter": name,
            "model": "per_unit",
            "unit_price": draw.price(),
        }
        if kind == "percentage":
            charge = {"type": "usage", "meter": name, "model": "percentage", "percent": draw.number(0, 10, 2)}
            for field, low, high, places in PERCENTAGE_FIELDS:
                if draw.chance(0.5):
                    charge[field] = draw.number(low, high, places)
        elif kind == "level":
            meter |= {"aggregation": draw.of("sum", "latest"), "persistent": True}
        elif kind == "weighted":
            meter |= {"aggregation": "time_weighted", "reading": draw.of("delta", "level")}
            meter |= {"per": draw.of("period", "hour", "day", "second"), "persistent": draw.chance(0.6)}
            charge["unit_price"] = draw.number(0, 1, 2, 4)
        elif kind == "windows":
            meter |= {"aggregation": draw.of("sum", "max"), "window": draw.of("hour", "day")}
            meter["over_windows"] = draw.of("sum", "average")
        else:
            meter |= {"aggregation": "unique_count", "operation_property": "status", "persistent": True}
            events = [
                Event(event.at, event.event_id, draw.of("a", "b", "c"), draw.of("add", "add", "remove"), None)
                for event in events
            ]
        story.meter(name, meter, events)
        story.charges[name] = written(charge)
        for first, until in zip(story.days, story.days[1:], strict=False):
            inside = [event for event in events if story.instant(first) <= event.at < story.instant(until)]
            before = [event for event in events if event.at < story.instant(first)]
            if kind == "percentage":
                amounts = [event.value for event in inside]
                story.expect(name, first, sum(amounts, ZERO), percentage_fees(charge, amounts))
                continue
            quantity = _QUANTITIES[kind](story, meter, before, inside, first, until)
            story.expect(name, first, quantity, quantity * charge["unit_price"])
    return story.as_scenario()


def _level(
    story: Story, meter: dict[str, Any], before: list[Event], inside: list[Event], *_: date
) -> Fraction:
    return aggregated({"aggregation": meter["aggregation"]}, [event.value for event in (*before, *inside)])


def _members(
    story: Story, meter: dict[str, Any], before: list[Event], inside: list[Event], *_: date
) -> Fraction:
    members: set[str] = set()
    for event in (*before, *inside):
        members = members | {event.value} if event.status == "add" else members - {event.value}
    return Fraction(len(members))


def _weighted(
    story: Story, meter: dict[str, Any], before: list[Event], inside: list[Event], *period: date
) -> Fraction:
    start, end = (story.instant(day) for day in period)

    def after(level: Fraction, event: Event) -> Fraction:
        return event.value if meter["reading"] == "level" else level + event.value

    level, since, total = ZERO, start, ZERO
    for event in before if meter["persistent"] else []:
        level = after(level, event)
    for event in inside:
        total += level * int((event.at - since).total_seconds())
        level, since = after(level, event), event.at
    total += level * int((end - since).total_seconds())
    seconds = int((end - start).total_seconds())
    return rounded(total / {"period": seconds, "hour": 3600, "day": 86400, "second": 1}[meter["per"]], 10)


def _windows(
    story: Story, meter: dict[str, Any], before: list[Event], inside: list[Event], *period: date
) -> Fraction:
    """Hours are those of the clock on the wall; the zones here are whole hours apart, so they are also those of UTC."""
    windows: dict[Any, list[Any]] = {}
    for event in inside:
        hour = int(event.at.timestamp()) // 3600
        window = hour if meter["window"] == "hour" else event.at.astimezone(story.zone).date()
        windows.setdefault(window, []).append(event.value)
    quantities = [aggregated({"aggregation": meter["aggregation"]}, values) for values in windows.values()]
    total = sum(quantities, ZERO)
    if meter["over_windows"] == "sum":
        return total
    first, until = period
    hours = int((story.instant(until) - story.instant(first)).total_seconds()) // 3600
    return rounded(total / (hours if meter["window"] == "hour" else (until - first).days), 10)


_QUANTITIES: dict[str, Callable[..., Fraction]] = {
    "level": _level,
    "members": _members,
    "weighted": _weighted,
    "windows": _windows,
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> list[scenario.Outcome]:
    folder = tmp_path_factory.mktemp("prices")
    stories = [story(number) for number in range(STORIES // 2) for story in (of_one_month, of_two_months)]
    (folder / "prices.json").write_text(json.dumps(stories, default=str), encoding="utf-8")
    return scenario.run(scenario.load([folder / "prices.json"]), Settings.load(folder / "home", environ={}))


def test_random_prices_come_out_as_the_grammar_says(outcomes: list[scenario.Outcome]) -> None:
    failed = [outcome.as_json() for outcome in outcomes if not outcome.passed]
    assert len(outcomes) == STORIES
    assert not failed, json.dumps(failed[:3], indent=2, default=str)
