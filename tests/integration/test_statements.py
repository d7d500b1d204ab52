"""Statements of account from a company that was billed and paid: their figures, languages and pages."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO
from pathlib import Path

import pytest
from pypdf import PdfReader
from typer.testing import CliRunner

from deliver.documents.formats import catalogue
from deliver.documents.model import DocumentError, connect_serving
from deliver.documents.render import render_statement
from deliver.documents.statement import Statement, build_statement_view, load_statements
from ratehouse import billing
from ratehouse.cli import app
from tests.reliability.installation import Installation

pytestmark = pytest.mark.slow

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
SETTINGS = """
currency: EUR
timezone: Europe/Paris
legal_entity: {name: Acme SA, country: FR, tax_id: FR12345678901, iban: FR1420041010050500013M02606}
invoicing: {due_days: 14}
proration: {credit: credit_note}
tax: {rates: [{code: vat, country: FR, percent: "20"}]}
"""


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """One customer, billed 120.00 a month from January to March 2026, who paid once and got a credit note."""
    installation = Installation(tmp_path_factory.mktemp("statements"))
    installation.add_tenant("acme", BOOK, SETTINGS)
    at = datetime(2025, 12, 31, 23, tzinfo=UTC)
    created = {"event_id": "s1", "subscription_id": "s1", "customer_id": "c1", "type": "created"}
    line = {"invoice_number": "INV-2026-000001", "charge": "base", "reason_code": "goodwill"}
    installation.land(
        "acme",
        customers=[{"customer_id": "c1", "name": "<b>Café & Söhne</b>", "country": "FR", "effective_at": at}],
        subscription_events=[{**created, "effective_at": at, "data": {"plan": "basic"}}],
        adjustments=[
            {
                **{
                    "adjustment_id": "a1",
                    **line,
                    "amount": "-10.00",
                    "requested_by": "ann",
                    "approved_by": "bob",
                },
                "effective_at": datetime(2026, 2, 20, tzinfo=UTC),
            }
        ],
        payments=[
            {
                **{"payment_id": "p1", "customer_id": "c1", "amount": "150.00", "currency": "EUR"},
                **{"status": "succeeded", "settled_at": datetime(2026, 2, 10, tzinfo=UTC)},
                "recorded_at": datetime(2026, 2, 10, tzinfo=UTC),
            }
        ],
    )
    billing.bill_days(installation.settings, [date(2026, month, 1) for month in (1, 2, 3)])
    return installation


def statement(acme: Installation, first: date, last: date) -> Statement:
    with connect_serving(acme.settings.serving_path) as connection:
        (one,) = load_statements(connection, "acme", "c1", first, last)
    return one


def test_a_statement_rolls_from_its_first_day_to_its_last(acme: Installation) -> None:
    one = statement(acme, date(2026, 2, 1), date(2026, 3, 1))
    assert (one.opening, one.closing) == (Decimal("120.00"), Decimal("198.00"))
    assert [(row.kind, row.amount, row.balance) for row in one.movements] == [
        ("invoice", Decimal("120.00"), Decimal("240.00")),
        ("payment", Decimal("-150.00"), Decimal("90.00")),
        ("invoice", Decimal("120.00"), Decimal("210.00")),
        ("credit_note", Decimal("-12.00"), Decimal("198.00")),
    ]
    assert one.opening + sum(amount for _, amount in one.sums) == one.closing
    assert dict(one.sums) == {
        "invoiced": Decimal("240.00"),
        "credited": Decimal("-12.00"),
        "paid": Decimal("-150.00"),
        "other": Decimal("0"),
    }
    assert [(row.number, row.days_overdue, row.bucket, row.amount) for row in one.open_invoices] == [
        ("INV-2026-000002", 14, "1-30", Decimal("78.00")),
        ("INV-2026-000003", 0, "not_due", Decimal("120.00")),
    ]
    assert one.open_total == one.closing and one.not_applied == 0


def test_an_earlier_statement_is_what_it_was_then(acme: Installation) -> None:
    one = statement(acme, date(2026, 1, 1), date(2026, 2, 5))
    assert (one.opening, one.closing) == (Decimal(0), Decimal("240.00"))
    assert dict(one.ageing) == {
        "not_due": Decimal("120.00"),
        "1-30": Decimal("120.00"),
        "31-60": Decimal(0),
        "61-90": Decimal(0),
        "90+": Decimal(0),
    }


@pytest.mark.parametrize(
    ("language", "title", "amount"),
    [
        ("en", "Statement of account", "€198.00"),
        ("de", "Kontoauszug", "198,00 €"),
        ("fr", "Relevé de compte", "198,00 €"),
        ("es", "Estado de cuenta", "198,00 €"),
        ("ja", "取引明細書", "€198.00"),
    ],
)
def test_a_statement_speaks_the_language_of_the_customer(
    acme: Installation, language: str, title: str, amount: str
) -> None:
    one = statement(acme, date(2026, 2, 1), date(2026, 3, 1))
    view = build_statement_view(one, catalogue()[language], language)
    assert view.title == title
    assert re.sub(r"\s", " ", view.hero[1]).replace("\uffe5", "") == amount
    assert len(view.sections[0]) == 4 and len(view.ageing) == 6
    assert "{" not in " ".join(
        [
            *view.hero,
            *view.opening,
            *(cell for pair in (*view.totals, *view.ageing) for cell in pair),
            view.remark,
        ]
    )


def test_the_page_says_everything_and_is_the_same_each_time(acme: Installation) -> None:
    one = statement(acme, date(2026, 2, 1), date(2026, 3, 1))
    pdf = render_statement(one)
    assert pdf == render_statement(one)
    (page,) = PdfReader(BytesIO(pdf)).pages
    text = re.sub(r"\s+", " ", page.extract_text())
    for words in (
        "Acme SA",
        "VAT ID FR12345678901",
        "<b>Café & Söhne</b>",
        "Balance on 1 Feb 2026",
        "Invoice INV-2026-000003",
        "Payment p1",
        "Credit note CN-2026-000001",
        "1–30 days overdue",
        "€198.00",
        "IBAN",
    ):
        assert words in text, text


def test_the_command_writes_a_file_or_says_why_not(
    acme: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RATEHOUSE_HOME", str(acme.home))
    runner = CliRunner()
    arguments = ["invoice", "statement", "c1", "--tenant", "acme", "--out", str(tmp_path)]
    done = runner.invoke(app, [*arguments, "--from", "2026-02-01"])
    assert done.exit_code == 0, done.output
    assert Path(done.output.strip()).name == "c1-2026-02-01-2026-03-01-EUR.pdf"
    assert (tmp_path / "c1-2026-02-01-2026-03-01-EUR.pdf").read_bytes().startswith(b"%PDF")
    for wrong, words in (
        (["--from", "2026-03-02", "--to", "2026-03-01"], "no day in it"),
        (["--from", "2024-01-01", "--to", "2025-12-31"], "Nothing was on the account"),
    ):
        refused = runner.invoke(app, [*arguments, *wrong])
        assert isinstance(refused.exception, DocumentError) and words in str(refused.exception)
