"""Credit notes, taxes and the outbox on a company that was billed, credited and wrote to its customers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from dashboards.finance import shell
from deliver.mail import outbox
from ratehouse import billing
from ratehouse.lake import Lake
from ratehouse.settings import Settings
from ratehouse.streams import land
from tests.unit.dashboards.test_pages import page, words

pytestmark = pytest.mark.slow

TENANT = """
tenant: shop
name: Shop
currency: EUR
legal_entity: {name: Shop SA, country: FR, email: billing@shop.example}
proration: {credit: credit_note}
tax: {reverse_charge: eu, rates: [{code: vat, country: FR, percent: "20"}]}
mail: {since: 2026-01-01}
"""
BOOK = """
price_book: "1"
effective_from: 2026-01-01
currency: EUR
plans:
  basic:
    anchor: calendar
    charges:
      base: {type: recurring, timing: advance, model: flat, amount: "100.00", description: Platform}
"""


def adjustment(adjustment_id: str, amount: str, **said: str) -> dict[str, object]:
    at = datetime(2026, 1, 20, tzinfo=UTC)
    line = {"invoice_number": "INV-2026-000001", "charge": "base"}
    return {
        **{"adjustment_id": adjustment_id, **line, "amount": amount, "reason_code": "goodwill"},
        **{"requested_by": "ann", "effective_at": at, "recorded_at": at, **said},
    }


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Two customers, billed on 1 January and 1 February 2026; one credit is issued, one waits, one is too large."""
    home = tmp_path_factory.mktemp("corrected")
    folder = home / "tenants" / "shop"
    (folder / "price_books").mkdir(parents=True)
    (folder / "tenant.yaml").write_text(TENANT, encoding="utf-8")
    (folder / "price_books" / "1.yaml").write_text(BOOK, encoding="utf-8")
    settings = Settings.load(home, environ={})
    lake, at = Lake(settings.lake_url), datetime(2026, 1, 1, tzinfo=UTC)
    customers = [
        {"customer_id": "c1", "name": "=Café", "country": "FR", "emails": ["c1@customer.example"]},
        {
            "customer_id": "c2",
            "country": "DE",
            "tax_id": "DE1",
            "tax_id_status": "valid",
            "emails": ["c2@customer.example"],
        },
    ]
    created = [
        {
            **{"event_id": f"s{n}", "subscription_id": f"s{n}", "customer_id": f"c{n}", "type": "created"},
            **{"effective_at": at, "recorded_at": at, "data": {"plan": "basic"}},
        }
        for n in (1, 2)
    ]
    asked = [
        adjustment("together", "-10.00", approved_by="bob", reason="slow answers"),
        adjustment("alone", "-5.00", reason="friendly"),
        adjustment("too-much", "-95.00", approved_by="bob"),
    ]
    certificate = {
        **{"certificate_id": "x1", "customer_id": "c1", "number": "=FR-77", "country": "FR", "region": "IDF"},
        **{"reason": "charity", "valid_from": "2025-06-01", "recorded_at": at},
    }
    streams = {
        "exemption_certificates": [
            {**certificate, "valid_until": "2026-03-01"},
            {
                **certificate,
                "certificate_id": "x2",
                "number": "FR-78",
                "tax_codes": ["books", "food"],
                "revoked_on": "2026-01-15",
            },
        ],
        "customers": [{**row, "effective_at": at, "recorded_at": at} for row in customers],
        "subscription_events": created,
        "adjustments": asked,
    }
    for stream, rows in streams.items():
        assert not land(
            lake, stream, rows, tenant_id="shop", source="test", batch_id="1", received_at=at
        ).rejected
    billing.bill_days(settings, [date(2026, 1, 1), date(2026, 2, 1)])
    outbox.queue(settings, lake, now=datetime(2026, 2, 1, 6, tzinfo=UTC))
    bounced, failed, *_ = outbox.read_outbox(lake)
    then = datetime(2026, 2, 1, 7, tzinfo=UTC)
    outbox.claim(lake, bounced, at=then)
    outbox.record(lake, bounced, "sent", 1, at=then, code="250", detail="queued")
    outbox.record(lake, bounced, "bounced", 1, at=then.replace(hour=8), code="5.1.1", detail="no such user")
    outbox.record(lake, failed, "failed", 1, at=then, code="550", detail="refused")
    return settings


@pytest.fixture
def home(company: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("RATEHOUSE_HOME", str(company.home))
    yield company.home


def test_the_register_shows_why_and_who(home: Path) -> None:
    test = page("credit_notes", tenant="shop")
    assert {metric.label: metric.value for metric in test.metric} == {
        "Credited in February": "12.00 EUR",
        "Credit notes": "1",
        "Left for later invoices": "0.00 EUR",
    }
    waiting, nowhere, register = (table.value.to_dict("records") for table in test.dataframe)
    assert [(row["amount"], row["left_amount"], row["reason"]) for row in waiting] == [
        ("-5.00 EUR", "90.00 EUR", "friendly")
    ]
    assert [(row["adjustment_id"], row["standing"]) for row in nowhere] == [
        ("too-much", "Takes off more than is left of the line")
    ]
    assert [
        (row["corrects"], row["why"], row["requested_by"], row["decided_by"], row["total"])
        for row in register
    ] == [("INV-2026-000001", "Goodwill", "ann", "bob", "-12.00")]


def test_a_second_person_approves_on_the_page(home: Path, company: Settings) -> None:
    test = page("credit_notes", tenant="shop")
    test.text_input("decide_by").input("ann")
    test.button[0].click().run()
    assert "ann asked for alone" in test.error[0].value
    assert Lake(company.lake_url).read("raw/adjustment_approvals") is None
    test.text_input("decide_by").input("bob")
    test.text_input("decide_reason").input("agreed")
    test.button[0].click().run()
    assert not test.exception
    assert "is approved; the next run carries it out" in test.success[0].value
    assert "Nothing waits" in words(test)
    facts = Lake(company.lake_url).read("raw/adjustment_approvals")
    assert facts is not None
    (fact,) = facts.select(["adjustment_id", "decision", "decided_by", "reason"]).to_pylist()
    assert list(fact.values()) == ["alone", "approve", "bob", "agreed"]


def test_taxes_add_up_by_place_and_rate(home: Path) -> None:
    test = page("taxes", tenant="shop")
    assert {metric.label: metric.value for metric in test.metric} == {
        "Tax": "18.00 EUR",
        "Taxed at a rate": "90.00 EUR",
        "Without tax": "100.00 EUR",
    }
    rows = test.dataframe[0].value.set_index("place").to_dict("index")
    assert (rows["DE"]["treatment"], rows["DE"]["taxable"], rows["DE"]["tax"]) == (
        "Reverse charge",
        "100.00",
        "",
    )
    french = rows["FR"]
    names = ("rate", "invoiced", "credited", "tax_invoiced", "tax_credited", "tax")
    assert tuple(french[name] for name in names) == ("20 %", "100.00", "-10.00", "20.00", "-2.00", "18.00")
    test.selectbox("tax_period").select("2026-01").run()
    assert test.metric[0].value == "20.00 EUR"


def test_certificates_that_expire_soon_come_first(home: Path) -> None:
    test = page("taxes", tenant="shop")
    table = test.dataframe[-1].value.to_dict("records")
    assert [
        (
            row["customer"],
            row["number"],
            row["place"],
            row["codes"],
            row["reason"],
            row["status"],
            row["days_left"],
        )
        for row in table
    ] == [
        ("=Café", "=FR-77", "FR IDF", "all", "Charity", "Expires soon", 28),
        ("=Café", "FR-78", "FR IDF", "books, food", "Charity", "Revoked", -17),
    ]
    (warning,) = test.warning
    assert warning.value.startswith("1 certificate within 60 days of the end")


def test_the_outbox_counts_states_and_sends_once_more(home: Path, company: Settings) -> None:
    test = page("outbox", tenant="shop")
    counts = {metric.label: metric.value for metric in test.metric}
    assert counts == {"Waiting": "3", "Sent": "0", "Unknown": "0", "Failed": "1", "Bounced": "1"}
    problems = test.dataframe[0].value
    assert set(zip(problems["state"], problems["answer"], strict=True)) == {
        ("Bounced", "5.1.1 no such user"),
        ("Failed", "550 refused"),
    }
    test.button[0].click().run()
    assert "Say who you are" in test.error[0].value
    test.text_input("retry_by").input("ann")
    test.button[0].click().run()
    assert not test.exception
    assert "goes out with the next send" in test.success[0].value
    counts = {metric.label: metric.value for metric in test.metric}
    assert (counts["Waiting"], int(counts["Failed"]) + int(counts["Bounced"])) == ("4", 1)
    facts = Lake(company.lake_url).read("raw/deliveries")
    assert facts is not None
    assert [fact["actor"] for fact in facts.to_pylist() if fact["event"] == "retried"] == ["ann"]


def test_a_file_for_spreadsheets_holds_no_formula() -> None:
    told = shell.csv_of([{"customer": "=1+1", "total": -5, "none": None}])
    assert told == b"customer,total,none\n'=1+1,-5,\n"
