"""A preview of a change says what the run would bill if the change were told: the same figures, and nothing is left behind."""

from __future__ import annotations

import hashlib
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from ratehouse import scenario, warehouse
from ratehouse.preview import PreviewRefused, PreviewUnavailable, preview_change
from ratehouse.settings import Settings

BOOK = {
    "price_book": "1",
    "effective_from": "2000-01-01",
    "currency": "USD",
    "meters": {"api": {"aggregation": "sum"}},
    "plans": {
        "a": {
            "charges": {
                "base": {"type": "recurring", "timing": "advance", "model": "flat", "amount": "31.00"},
                "seats": {
                    "type": "recurring",
                    "timing": "advance",
                    "quantity": "seats",
                    "model": "per_unit",
                    "unit_price": "3.10",
                },
                "api": {"type": "usage", "meter": "api", "model": "per_unit", "unit_price": "0.50"},
            }
        },
        "b": {
            "charges": {
                "base": {"type": "recurring", "timing": "advance", "model": "flat", "amount": "62.00"}
            }
        },
    },
}
EVENTS = [
    {
        "subscription_id": "s1",
        "customer_id": "c1",
        "type": "created",
        "effective_at": date(2026, 1, 1),
        "data": {"plan": "a", "quantities": {"seats": "2"}},
    },
    {
        "subscription_id": "s2",
        "customer_id": "c2",
        "type": "created",
        "effective_at": date(2026, 1, 1),
        "data": {"plan": "a"},
    },
]
USAGE = [
    {
        "event_id": f"u{day}",
        "customer_id": "c1",
        "event_type": "api",
        "occurred_at": f"2026-01-{day:02d}T10:00:00Z",
        "quantity": "10",
    }
    for day in (3, 9, 12)
]


def story(name: str, told: list[dict[str, object]]) -> scenario.Scenario:
    content = {
        "scenario": name,
        "tenant": {"proration": {"credit": "next_invoice"}},
        "price_books": [BOOK],
        "customers": [{"customer_id": "c1"}, {"customer_id": "c2"}],
        "subscription_events": [*EVENTS, *told],
        "usage_events": USAGE,
        "expect_after": {},
    }
    clock = [
        scenario._instant(day, scenario.ZoneInfo("UTC")) for day in (date(2026, 1, 1), date(2026, 1, 16))
    ]
    return scenario.Scenario(
        name, "here", content, name, scenario.ZoneInfo("UTC"), [(at, at) for at in clock], ["1", "2"]
    )


CHANGES = {
    "upgrade": ("plan_changed", {"plan": "b"}),
    "seats": ("quantity_changed", {"quantities": {"seats": "5"}}),
    "leave": ("cancelled", {}),
    "rest": ("paused", {"mode": "stop"}),
}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """One tenant to preview on, and one for each change, where it was really told before the second run."""
    settings = Settings.load(tmp_path_factory.mktemp("previews"), environ={})
    told = [
        story(
            name, [{"subscription_id": "s1", "type": kind, "effective_at": date(2026, 1, 16), "data": data}]
        )
        for name, (kind, data) in CHANGES.items()
    ]
    outcomes = scenario.run([story("quiet", []), *told], settings)
    assert not [outcome.error for outcome in outcomes if outcome.error]
    warehouse.publish(settings)
    return settings


@pytest.mark.parametrize("change", CHANGES)
def test_a_preview_is_what_the_run_bills(published: Settings, change: str) -> None:
    kind, data = CHANGES[change]
    previewed = preview_change(published, "quiet", "s1", kind, data, on=date(2026, 1, 16))
    with warehouse.connect(published, read_only=True) as connection:
        billed = connection.execute(
            "select charge, line_type, service_start, service_end, amount from ledger.invoice_lines"
            " where tenant_id = $tenant and subscription_id = 's1' and billing_as_of = timestamptz '2026-01-16 00:00:00+00'"
            " order by all",
            {"tenant": change},
        ).fetchall()
    lines = sorted(
        (line["charge"], line["line_type"], line["service_start"], line["service_end"], line["amount"])
        for line in previewed.lines
    )
    assert lines == billed
    assert previewed.due.get("USD", Decimal(0)) == sum((line[-1] for line in billed), Decimal(0))


def test_a_preview_leaves_nothing_behind(published: Settings) -> None:
    def trace() -> list[tuple[str, str]]:
        return [
            (str(path), hashlib.sha256(path.read_bytes()).hexdigest())
            for path in sorted(Path(published.home).rglob("*"))
            if path.is_file()
        ]

    before = trace()
    preview_change(published, "quiet", "s1", "plan_changed", {"plan": "b"})
    assert trace() == before


def test_a_change_at_the_period_end_bills_nothing_now(published: Settings) -> None:
    previewed = preview_change(
        published, "quiet", "s1", "plan_changed", {"plan": "b", "when": "period_end"}, on=date(2026, 1, 16)
    )
    assert previewed.lines == []
    assert (previewed.state["next_plan"], previewed.state["changes_on"]) == ("b", date(2026, 2, 1))


@pytest.mark.parametrize(
    ("change", "data", "code"),
    [
        ("plan_changed", {"plan": "nowhere"}, "unknown_plan"),
        ("quantity_changed", {"quantities": {"seats": "-1"}}, "bad_number"),
        ("resumed", {}, "forbidden_transition"),
    ],
)
def test_what_would_be_refused_is_refused(
    published: Settings, change: str, data: dict[str, object], code: str
) -> None:
    with pytest.raises(PreviewRefused) as refused:
        preview_change(published, "quiet", "s1", change, data)
    assert refused.value.reason_code == code


def test_a_customer_previews_no_subscription_but_their_own(published: Settings) -> None:
    assert preview_change(published, "quiet", "s2", "cancelled", customer_id="c2")
    for tenant, customer in (("quiet", "c1"), ("nobody", "c2")):
        with pytest.raises(PreviewRefused):
            preview_change(published, tenant, "s2", "cancelled", customer_id=customer)


def test_without_a_published_file_there_is_no_preview(tmp_path: Path) -> None:
    with pytest.raises(PreviewUnavailable):
        preview_change(Settings.load(tmp_path, environ={}), "quiet", "s1", "cancelled")
