"""A small company that was really billed: landed, rated, issued and published by the pipeline itself.

`shop` sells in dollars: an API with tiers and groups, hits, a peak meter. January is billed on 1 February; late events of
January are an adjustment on 1 March. `annex` is another tenant, with a customer of the same id; its January is closed, and a
delivery of January is learned on 10 February. `till` has two customers who pay late, by transfers that do not say for what,
and by a processor whose payouts reach the bank.
"""

from __future__ import annotations

import tempfile
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from ratehouse import billing
from ratehouse.lake import Lake
from ratehouse.settings import Settings
from ratehouse.streams import land

_TENANT = """
tenant: {name}
name: {title}
currency: {currency}
timezone: {zone}
invoicing: {{number_format: "{prefix}-{{year}}-{{seq:04d}}", due_days: 14}}
"""

_SHOP_BOOK = """
price_book: "2026"
effective_from: 2026-01-01
currency: USD
meters:
  calls: {event_type: call, aggregation: sum, dimensions: [tier]}
  hits: {event_type: hit, aggregation: count}
  peak: {event_type: gauge, aggregation: max, property: level}
plans:
  pro:
    name: Pro
    interval: month
    anchor: calendar
    charges:
      base: {type: recurring, timing: advance, model: flat, amount: "20.00", description: Platform fee}
      calls:
        type: usage
        meter: calls
        model: graduated
        description: API calls
        included: "10"
        tiers: [{up_to: "50", unit_price: "0.10"}, {up_to: null, unit_price: "0.05"}]
        prices: [{when: {tier: gold}, model: per_unit, unit_price: "0.30"}]
      hits: {type: usage, meter: hits, model: per_unit, unit_price: "0.015", description: Page hits}
      peak: {type: usage, meter: peak, model: per_unit, unit_price: "1", description: Peak level}
"""

_ANNEX_BOOK = """
price_book: "1"
effective_from: 2026-01-01
currency: JPY
plans:
  p: {name: Plan, interval: month, anchor: calendar,
      charges: {base: {type: recurring, timing: advance, model: flat, amount: "1500", description: Base fee}}}
"""

_TILL_BOOK = """
price_book: "1"
effective_from: 2026-01-01
currency: EUR
plans:
  p: {name: Plan, interval: month, anchor: calendar,
      charges: {base: {type: recurring, timing: advance, model: flat, amount: "100.00", description: Base fee}}}
"""
_TILL_SETTINGS = """\
dunning: {retry_days: [3, 60], steps: [{after_days: 5, actions: [remind]}, {after_days: 40, actions: [remind, suspend]}]}
affiliates: [{entity: Till UK Ltd, number_prefix: UK-}]
"""


_keep: list[tempfile.TemporaryDirectory[str]] = []


@cache
def published_home() -> Settings:
    """The settings of the home; its folder goes with the process."""
    # Gone with the process, which keeps the reference.
    _keep.append(tempfile.TemporaryDirectory(prefix="ratehouse-pages-"))
    return build(Path(_keep[0].name))


def build(home: Path) -> Settings:
    """Land, bill and publish both tenants below `home`."""
    for name, title, currency, zone, prefix, book in (
        ("shop", "Shop & Sons", "USD", "America/New_York", "SHP", _SHOP_BOOK),
        ("annex", "別館", "JPY", "Asia/Tokyo", "ANX", _ANNEX_BOOK),
        ("till", "Till", "EUR", "Europe/Paris", "TIL", _TILL_BOOK),
    ):
        folder = home / "tenants" / name
        (folder / "price_books").mkdir(parents=True)
        text = _TENANT.format(name=name, title=title, currency=currency, zone=zone, prefix=prefix)
        if name == "till":
            text += _TILL_SETTINGS
        (folder / "tenant.yaml").write_text(text, encoding="utf-8")
        (folder / "price_books" / "1.yaml").write_text(book, encoding="utf-8")
    settings = Settings.load(home, environ={})
    _land(Lake(settings.lake_url))
    _close_annex(Lake(settings.lake_url))
    _land_till(Lake(settings.lake_url))
    billing.bill_days(settings, [date(2026, 2, 1), date(2026, 3, 1)])
    return settings


def _close_annex(lake: Lake) -> None:
    """January is closed as soon as it is billed, and a contract of January comes after that."""
    over = datetime(2026, 1, 31, 15, tzinfo=UTC)
    close = {"period": "2026-01", "closed_at": over, "recorded_at": over}
    contract = {
        "contract_id": "k1",
        "customer_id": "c1",
        "currency": "JPY",
        "signed_on": date(2026, 1, 15),
        "recorded_at": datetime(2026, 2, 10, tzinfo=UTC),
        "consideration": "400",
        "obligations": [
            {"obligation_id": "training", "recognise": "point_in_time", "satisfied_on": "2026-01-20"}
        ],
    }
    for stream, row in (("period_closes", close), ("contracts", contract)):
        land(lake, stream, [row], tenant_id="annex", source="test", batch_id="annex-close")


def _land(lake: Lake) -> None:
    start = datetime(2026, 1, 1, 5, tzinfo=UTC)
    for tenant, zone, plan in (("shop", "America/New_York", "pro"), ("annex", "Asia/Tokyo", "p")):
        customer = {
            "customer_id": "c1",
            "name": f"Customer of {tenant}",
            "timezone": zone,
            "effective_at": start,
        }
        land(
            lake,
            "customers",
            [customer],
            tenant_id=tenant,
            source="test",
            batch_id=f"{tenant}-1",
            received_at=start,
        )
        created = {
            "event_id": "s1-created",
            "subscription_id": "s1",
            "customer_id": "c1",
            "type": "created",
            "effective_at": start,
            "data": {"plan": plan},
        }
        land(
            lake,
            "subscription_events",
            [created],
            tenant_id=tenant,
            source="test",
            batch_id=f"{tenant}-1",
            received_at=start,
        )
    events = [
        _event(f"call-{number:03d}", "call", start + timedelta(hours=5 * number), 1 + number % 4, tier=tier)
        for number in range(120)
        for tier in ["gold" if number % 3 == 0 else "basic"]
    ]
    events += [
        _event(f"hit-{number:03d}", "hit", start + timedelta(hours=7 * number), 1) for number in range(80)
    ]
    events += [
        _event(f"gauge-{day:02d}", "gauge", start + timedelta(days=day), 1, level=str(day * 7 % 19))
        for day in range(30)
    ]
    events.append({**events[3], "recorded_at": events[3]["recorded_at"] + timedelta(days=1)})
    events.append(
        {**events[4], "quantity": "99", "recorded_at": events[4]["recorded_at"] + timedelta(days=1)}
    )
    for number in range(3):
        late = _event(
            f"late-{number}", "call", datetime(2026, 1, 20, 12 + number, tzinfo=UTC), 7, tier="basic"
        )
        events.append({**late, "recorded_at": datetime(2026, 2, 3, number, tzinfo=UTC)})
    events.append(_event("stray", "unheard", start + timedelta(days=2), 1))
    bad = {**_event("bad", "call", start + timedelta(days=3), 1), "quantity": "many"}
    received = datetime(2026, 2, 20, tzinfo=UTC)
    land(
        lake,
        "usage_events",
        [*events, bad],
        tenant_id="shop",
        source="test",
        batch_id="usage-1",
        received_at=received,
    )


def _land_till(lake: Lake) -> None:
    start = datetime(2026, 1, 1, 5, tzinfo=UTC)
    paid = datetime(2026, 2, 10, 9, tzinfo=UTC)
    money = {"currency": "EUR", "recorded_at": paid}
    facts: dict[str, list[dict[str, Any]]] = {
        "customers": [
            {"customer_id": name, "name": title, "timezone": "Europe/Paris", "effective_at": start}
            for name, title in (("c1", "Early & Co"), ("c2", "Late Ltd"))
        ],
        "subscription_events": [
            {
                "event_id": f"{name}-created",
                "subscription_id": f"s-{name}",
                "customer_id": name,
                "type": "created",
                "effective_at": start,
                "data": {"plan": "p"},
            }
            for name in ("c1", "c2")
        ],
        "payments": [
            {
                **money,
                "payment_id": "pay-1",
                "customer_id": "c1",
                "reference": "ORDER 4711",
                "amount": "200.00",
                "status": "succeeded",
                "settled_at": paid,
            },
            {
                **money,
                "payment_id": "pay-2",
                "customer_id": "c2",
                "invoice_number": "TIL-2026-0002",
                "amount": "200.00",
                "status": "failed",
                "failure_class": "soft",
                "attempted_at": paid,
            },
            {
                **money,
                "payment_id": "pay-3",
                "customer_id": "c2",
                "invoice_number": "UK-77",
                "amount": "15.00",
                "status": "succeeded",
                "settled_at": paid,
            },
        ],
        "payouts": [
            {
                **money,
                "payout_id": "po-1",
                "amount": "58.00",
                "arrival_on": date(2026, 2, 11),
                "status": "paid",
                "automatic": False,
            }
        ],
        "bank_lines": [
            {
                **money,
                "bank_line_id": "line-1",
                "amount": "57.00",
                "value_on": date(2026, 2, 12),
                "reference": "COLLECTIVE",
                "counterparty": "Processor",
            }
        ],
    }
    for stream, rows in facts.items():
        known = start if stream in ("customers", "subscription_events") else paid
        land(lake, stream, rows, tenant_id="till", source="test", batch_id="till-1", received_at=known)


def _event(event_id: str, kind: str, at: datetime, quantity: int, **properties: str) -> dict[str, Any]:
    return {
        "event_id": event_id,
        "customer_id": "c1",
        "event_type": kind,
        "occurred_at": at,
        "quantity": str(quantity),
        "properties": properties,
        "recorded_at": at + timedelta(minutes=1),
    }
