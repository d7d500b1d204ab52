"""A processor that is down for an hour: ten thousand payments fail at once, and each is followed up once."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from tests.reliability.installation import Installation

CUSTOMERS = 10_000
PATIENCE = 1800.0  # seconds a night may take on a machine that does other things
BOOK = """\
price_book: "1"
effective_from: 2025-01-01
currency: USD
plans:
  team:
    interval: month
    charges:
      base: {type: recurring, timing: advance, model: flat, amount: "99.00"}
"""
LADDER = """\
invoicing: {due_days: 0}
dunning:
  retry_days: [1, 3]
  limits: [{network: visa, max: 15, days: 30}]
  steps: [{after_days: 2, actions: [remind]}]
"""


@pytest.mark.slow
def test_ten_thousand_payments_that_fail_at_once_are_each_followed_up_once(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    installation.add_tenant("alpha", BOOK, "currency: USD\ntimezone: UTC\n" + LADDER)
    names = [f"c{number:05}" for number in range(CUSTOMERS)]
    installation.land(
        "alpha",
        customers=[{"customer_id": name, "effective_at": "2026-01-01T00:00:00Z"} for name in names],
        subscription_events=[
            {
                "event_id": f"{name}-created",
                "subscription_id": f"s-{name}",
                "customer_id": name,
                "type": "created",
                "effective_at": "2026-01-01T00:00:00Z",
                "data": {"plan": "team"},
            }
            for name in names
        ],
        payments=[
            {
                "payment_id": f"p-{name}",
                "customer_id": name,
                "amount": "99.00",
                "currency": "USD",
                "status": "failed",
                "failure_class": "technical",
                "method": "visa",
                "provider": "stripe",
                "attempted_at": "2026-01-01T12:00:00Z",
                "recorded_at": "2026-01-01T12:00:00Z",
                "invoice_number": f"INV-2026-{number:06}",
            }
            for number, name in enumerate(names, start=1)
        ],
    )
    for day in ("2026-01-01", "2026-01-05"):
        night = installation.start("run", "--date", day, "--known-at-the-time", "--no-pdf")
        _, err = night.communicate(timeout=PATIENCE)
        assert night.returncode == 0, err
    with duckdb.connect(str(installation.settings.serving_path), read_only=True) as serving:
        serving.execute("set TimeZone = 'UTC'")
        actions = serving.execute(
            "select action, cast(due_at as varchar), count(*), count(distinct invoice_id), count(distinct idempotency_key)"
            " from marts.dunning_actions group by all order by 2"
        ).fetchall()
        (overdue,) = serving.execute("select sum(open_amount) from marts.receivables").fetchall()
    each = (CUSTOMERS,) * 3
    assert actions == [
        ("retry", "2026-01-02 00:00:00+00", *each),
        ("remind", "2026-01-03 00:00:00+00", *each),
        ("retry", "2026-01-04 00:00:00+00", *each),
    ]
    assert overdue == (CUSTOMERS * 99,)
