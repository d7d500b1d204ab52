"""Numbers that fit no amount: in every kind of price they make one line wait, and harm no other line or tenant."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from ratehouse import billing
from tests.reliability.installation import START, Installation

# One warehouse serves all of them.
pytestmark = pytest.mark.xdist_group("absurd")

WIDE = "9" * 18  # the widest quantity that is accepted
AMOUNT = "9" * 16  # the widest amount of money
SUM = "{event_type: api, aggregation: sum}"
ONE_EACH = '{type: usage, meter: api, model: per_unit, unit_price: "1"}'


def meter(**keys: str) -> str:
    return "{" + ", ".join(f"{name}: {value}" for name, value in {"event_type": "api", **keys}.items()) + "}"


def usage(**keys: str) -> str:
    return "{" + ", ".join(f"{k}: {v}" for k, v in {"type": "usage", "meter": "api", **keys}.items()) + "}"


def priced(model: str, tiers: str) -> str:
    return usage(model=model, tiers=f"[{tiers}]")


# name: (meter, charge, quantities of the events); the property `amount` of every event is AMOUNT
CASES: dict[str, tuple[str, str, list[str]]] = {
    "per-unit": (SUM, usage(model="per_unit", unit_price='"999999"'), [WIDE]),
    "correction": (SUM, usage(model="per_unit", unit_price='"999999"'), [f"-{WIDE}"]),
    "per-thousand": (SUM, usage(model="per_unit", unit_price='"999999"', per='"1000"'), [WIDE]),
    "many-events": (SUM, usage(model="per_unit", unit_price='"0.000001"'), [WIDE] * 30),
    "one-cent-more": (SUM, ONE_EACH, [AMOUNT]),
    "discount": (SUM, usage(model="per_unit", unit_price='"1"', discount='{percent: "50"}'), [AMOUNT]),
    "graduated": (
        SUM,
        priced(
            "graduated", '{up_to: "9", unit_price: "1"}, {up_to: null, unit_price: "999999", flat_fee: "5"}'
        ),
        [WIDE],
    ),
    "volume": (SUM, priced("volume", '{up_to: null, unit_price: "999999", flat_fee: "5"}'), [WIDE]),
    "stairstep": (
        SUM,
        priced("stairstep", f'{{up_to: "5", amount: "1"}}, {{up_to: null, amount: "{AMOUNT}"}}'),
        [WIDE],
    ),
    "packages": (SUM, usage(model="package", package_size='"0.0001"', package_price='"999999"'), [WIDE]),
    "percentage": (SUM, usage(model="percentage", percent='"99"', fixed_fee='"999999999999999"'), [WIDE] * 3),
    "event-minimum": (
        SUM,
        usage(model="percentage", percent='"99"', fixed_fee='"1"', event_minimum='"2"'),
        [WIDE] * 3,
    ),
    "percentage-tiers": (SUM, priced("graduated_percentage", '{up_to: null, percent: "100"}'), [WIDE]),
    "dynamic": (SUM, usage(model="dynamic", amount_property="amount"), ["1"] * 3),
    "property": (meter(aggregation="sum", property="amount"), ONE_EACH, ["1"] * 3),
    "rounded": (meter(aggregation="sum", round_quantity="{mode: up, digits: -3}"), ONE_EACH, [WIDE]),
    "average": (meter(aggregation="average"), ONE_EACH, [WIDE] * 20),
    "unit-seconds": (meter(aggregation="time_weighted", per="second"), ONE_EACH, [WIDE] * 2),
    "daily-level": (
        meter(aggregation="sum", persistent="true"),
        usage(model="per_unit", unit_price='"1"', prorate="day"),
        [WIDE] * 20,
    ),
    "daily-windows": (meter(aggregation="sum", window="day", over_windows="sum"), ONE_EACH, [WIDE] * 20),
    "priced-windows": (SUM, usage(model="per_unit", unit_price='"1"', window="day"), [AMOUNT] * 3),
    "groups": (
        meter(aggregation="sum", dimensions="[side]"),
        usage(
            model="per_unit",
            unit_price='"1"',
            minimum='"3"',
            prices='[{when: {side: left}, unit_price: "1"}, {when: {side: right}, unit_price: "1"}]',
        ),
        [AMOUNT] * 2,
    ),
    "fee": (
        SUM,
        '{type: recurring, timing: advance, quantity: seats, model: per_unit, unit_price: "999999"}',
        [],
    ),
}


@pytest.fixture(scope="session")
def serving(tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    installation = Installation(tmp_path_factory.mktemp("absurd"))
    for name, (of_meter, charge, quantities) in CASES.items():
        installation.add_tenant(name, book(of_meter, charge))
        installation.land(
            name,
            customers=[{"customer_id": "c1", "effective_at": START}],
            subscription_events=[
                {
                    "event_id": "created",
                    "subscription_id": "s1",
                    "customer_id": "c1",
                    "type": "created",
                    "effective_at": START,
                    "data": {"plan": "all", "quantities": {"seats": WIDE}},
                }
            ],
            usage_events=[event(number, quantity) for number, quantity in enumerate(["3", *quantities])],
        )
    billing.run(installation.settings, date(2026, 2, 1), known_at_the_time=True)
    return duckdb.connect(str(installation.settings.serving_path), read_only=True)


def book(of_meter: str, charge: str) -> str:
    return f"""\
price_book: "1"
effective_from: 2025-01-01
currency: USD
meters:
  api: {of_meter}
  calls: {{event_type: call, aggregation: sum}}
plans:
  all:
    charges:
      absurd: {charge}
      calls: {{type: usage, meter: calls, model: per_unit, unit_price: "1"}}
"""


def event(number: int, quantity: str) -> dict[str, Any]:
    """The first event is a sane one of the other charge."""
    return {
        "event_id": f"e{number}",
        "customer_id": "c1",
        "event_type": "api" if number else "call",
        "occurred_at": START + timedelta(hours=number),
        "quantity": quantity,
        "properties": {"amount": AMOUNT, "side": ("left", "right")[number % 2]},
    }


@pytest.mark.parametrize("name", CASES)
def test_the_absurd_line_waits_and_no_other(serving: duckdb.DuckDBPyConnection, name: str) -> None:
    issued = serving.execute(
        "select charge, amount from marts.invoice_lines where tenant_id = ?", [name]
    ).fetchall()
    assert issued == [("calls", Decimal("3.00"))]
    waiting = serving.execute(
        "select distinct area, status, reference from marts.reconciliation_items where tenant_id = ?", [name]
    ).fetchall()
    assert waiting == [("usage", "amount_overflow", "s1/absurd")]
