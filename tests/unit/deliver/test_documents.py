"""Reading and wording documents: what is on the page, before it is a page."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
import yaml

from deliver.documents.formats import CATALOGUE, catalogue, clean, formats, pick_language
from deliver.documents.model import (
    DocumentError,
    InvoiceDocument,
    find_invoices,
    load_document,
    load_documents,
)
from deliver.documents.store import file_name
from deliver.documents.view import View, build_view
from tests.unit.deliver.documents_marts import Marts, month, tier

UTC = dt.UTC


def view_of(document: InvoiceDocument) -> View:
    words = catalogue()
    language = pick_language(document.language, words)
    return build_view(document, words[language.split("-")[0]], language)


def rows_of(document: InvoiceDocument) -> list[tuple[str, str, str, str, str]]:
    return [(row.kind, row.text, row.quantity, row.unit_price, row.amount) for row in view_of(document).rows]


@pytest.fixture
def marts() -> Marts:
    marts = Marts()
    marts.tenant()
    return marts


def test_lines_are_grouped_by_subscription_and_totals_are_those_of_the_ledger(marts: Marts) -> None:
    marts.invoice(
        "INV-1",
        [
            month("recurring", "base", "99.00", quantity="1", unit_price="99", plan="growth"),
            month("recurring", "base", "10.00", subscription_id="s2", plan="mini"),
            month("usage", "api", "5.00", quantity="10", unit_price="0.5", plan="growth"),
            month("discount", "base", "-9.90", description="LAUNCH"),
            {"line_type": "tax", "charge": "tax", "amount": "20.82", "tax_percent": "20", "tax_code": "vat"},
        ],
        credits_applied="5",
    )
    document = load_document(marts.connection, "acme", "id-INV-1")
    assert [(group.subscription_id, group.plan, group.total) for group in document.groups] == [
        ("s1", "Growth", Decimal(104)),
        ("s2", "Mini", Decimal(10)),
    ]
    assert (document.subtotal, document.discount, document.total) == (
        Decimal(114),
        Decimal("9.9"),
        Decimal("124.92"),
    )
    view = view_of(document)
    assert view.totals == (
        ("Subtotal", "€114.00"),
        ("LAUNCH", "-€9.90"),
        ("VAT 20%", "€20.82"),
        ("Total", "€124.92"),
        ("Credits applied", "-€5.00"),
    )
    assert view.hero == ("Amount due", "€119.92", "due 3 Mar 2026")


def test_tiers_show_range_units_price_and_what_was_included(marts: Marts) -> None:
    steps = [
        tier("0", "1000", "1000", "0.005", "5"),
        tier("1000", "2000", "1000", "0.000000125", "10.000125", flat_fee="10"),
        tier("2000", None, "500", "2.5", "0.00125", per="1000000"),
    ]
    marts.invoice("INV-1", [month("usage", "api", "15.00", quantity="2600", included="100", tiers=steps)])
    assert rows_of(load_document(marts.connection, "acme", "id-INV-1")) == [
        ("group", "Growth", "", "", ""),
        ("line", "Api", "2,600", "", "15.00"),
        ("tier", "Included", "100", "", "0.00"),
        ("tier", "1 – 1,000", "1,000", "0.005", "5.00"),
        ("tier", "1,001 – 2,000 · flat fee 10.00", "1,000", "0.000000125", "10.000125"),
        ("tier", "Over 2,000", "500", "2.50 per 1,000,000", "0.00125"),
    ]


def test_fractional_tier_bounds_say_over(marts: Marts) -> None:
    steps = [tier("0", "0.5", "0.5", "2", "1"), tier("0.5", "1.5", "0.25", "4", "1")]
    marts.invoice("INV-1", [month("usage", "gb", "2.00", quantity="0.75", tiers=steps)])
    texts = [row[1] for row in rows_of(load_document(marts.connection, "acme", "id-INV-1"))]
    assert texts[2:] == ["0 – 0.5", "Over 0.5 to 1.5"]


def test_one_plain_price_needs_no_tier_rows(marts: Marts) -> None:
    marts.invoice(
        "INV-1", [month("usage", "api", "5.00", quantity="10", tiers=[tier("0", None, "10", "0.5", "5")])]
    )
    assert rows_of(load_document(marts.connection, "acme", "id-INV-1"))[1:] == [
        ("line", "Api", "10", "0.50", "5.00")
    ]


def test_a_minimum_shows_as_the_difference_to_the_tiers(marts: Marts) -> None:
    steps = [tier("0", None, "10", "0.5", "5")]
    marts.invoice("INV-1", [month("usage", "api", "20.00", quantity="10", tiers=steps, amount_exact="20")])
    rows = rows_of(load_document(marts.connection, "acme", "id-INV-1"))
    assert rows[-1] == ("tier", "Minimum charge", "", "", "15.00")


def test_tiers_that_no_longer_explain_the_issued_line_are_left_out(marts: Marts) -> None:
    steps = [tier("0", "10", "10", "0.5", "5"), tier("10", None, "2", "0.5", "1")]
    marts.invoice("INV-1", [month("usage", "api", "5.00", quantity="10", tiers=steps, rated_amount="6.00")])
    rows = rows_of(load_document(marts.connection, "acme", "id-INV-1"))
    assert [row[0] for row in rows] == ["group", "line"]


def test_a_correction_names_its_period_and_the_document_it_corrects(marts: Marts) -> None:
    marts.invoice("INV-1", [month("usage", "api", "5.00")], issued_on=dt.date(2026, 2, 1))
    marts.invoice("INV-2", [month("adjustment", "api", "-2.00", corrects_line_id="id-INV-1-0")])
    view = view_of(load_document(marts.connection, "acme", "id-INV-2"))
    assert view.rows[1].note == "Adjustment for 1–31 Jan 2026 · corrects INV-1"
    assert view.rows[1].amount == "-2.00"
    assert view.notes == ("Corrects invoice INV-1 of 1 Feb 2026",)
    assert view.hero == ("Amount due", "-€2.00", "Nothing to pay")


def test_a_credit_note_keeps_the_sign_of_the_ledger(marts: Marts) -> None:
    marts.invoice("INV-1", [month("usage", "api", "5.00")])
    marts.invoice(
        "CN-1", [month("credit", "api", "-5.00")], kind="credit_note", corrects_invoice_id="id-INV-1"
    )
    view = view_of(load_document(marts.connection, "acme", "id-CN-1"))
    assert (view.title, view.grand_total) == ("Credit note", ("Total credit", "-€5.00"))
    assert view.notes == ("Corrects invoice INV-1 of 1 Feb 2026",)
    assert "Due date" not in dict(view.facts)
    assert view.rows[1].note == "Credit for 1–31 Jan 2026"


def test_tax_names_rate_and_net_amount_per_rate(marts: Marts) -> None:
    marts.invoice(
        "INV-1",
        [
            month("recurring", "base", "100.00", tax_percent="19", tax_code="vat_de"),
            month("discount", "base", "-10.00", tax_percent="19", tax_code="vat_de"),
            month("usage", "book", "10.00", tax_percent="7", tax_code="vat_low"),
            {"line_type": "tax", "charge": "t", "amount": "17.10", "tax_percent": "19", "tax_code": "vat_de"},
            {"line_type": "tax", "charge": "t", "amount": "0.70", "tax_percent": "7", "tax_code": "vat_low"},
        ],
        language="de",
    )
    view = view_of(load_document(marts.connection, "acme", "id-INV-1"))
    assert [label for label, _ in view.totals if label.startswith("USt")] == [
        "USt. 19 % auf 90,00 €".replace("19 %", "19\xa0%").replace("00 €", "00\xa0€"),
        "USt. 7 % auf 10,00 €".replace("7 %", "7\xa0%").replace("00 €", "00\xa0€"),
    ]


def test_reverse_charge_note_by_language(marts: Marts) -> None:
    marts.invoice(
        "INV-1", [month("usage", "api", "5.00")], language="fr", notes=["reverse_charge", "Merci !"]
    )
    view = view_of(load_document(marts.connection, "acme", "id-INV-1"))
    assert view.notes == ("Autoliquidation : la TVA est due par le preneur.", "Merci !")
    assert ("TVA 0\xa0%", "0,00\xa0€") in view.totals


@pytest.mark.parametrize(
    ("currency", "language", "expected"),
    [
        ("JPY", "ja", ("1,234", "￥1,234", "8")),
        ("JPY", "en", ("1,234", "¥1,234", "8")),
        ("KWD", "en", ("1,234.000", "KWD\xa01,234.000", "8.000")),
        ("CLF", "en", ("1,234.0000", "CLF\xa01,234.0000", "8.0000")),
        ("EUR", "de", ("1.234,00", "1.234,00\xa0€", "8,00")),
        ("EUR", "fr", ("1\u202f234,00", "1\u202f234,00\xa0€", "8,00")),
        ("USD", "en", ("1,234.00", "$1,234.00", "8.00")),
        ("CHF", "de-CH", ("1’234.00", "CHF\xa01’234.00", "8.00")),
    ],
)
def test_amounts_have_the_decimals_of_iso_4217(
    currency: str, language: str, expected: tuple[str, ...]
) -> None:
    fmt = formats(language, currency)
    value = Decimal("1234.0000")
    assert (fmt.amount(value), fmt.currency(value), fmt.price(Decimal("8.000000000000"))) == expected


def test_unit_prices_show_every_digit_and_no_trailing_zero() -> None:
    fmt = formats("en", "USD")
    prices = ("0.000000000001", "0.005000000000", "1.230000000000", "1234567.100000000000", "29")
    assert [fmt.price(Decimal(price)) for price in prices] == [
        "0.000000000001",
        "0.005",
        "1.23",
        "1,234,567.10",
        "29.00",
    ]
    assert fmt.quantity(Decimal("12.5000000000")) == "12.5"
    assert fmt.quantity(Decimal("10000.0000000000")) == "10,000"


@pytest.mark.parametrize(
    ("language", "start", "end", "expected"),
    [
        ("en", "2026-01-01", "2026-02-01", "1–31 Jan 2026"),
        ("en", "2026-01-15", "2026-02-15", "15 Jan – 14 Feb 2026"),
        ("en", "2025-12-15", "2026-01-15", "15 Dec 2025 – 14 Jan 2026"),
        ("en", "2026-01-05", "2026-01-06", "5 Jan 2026"),
        ("en-US", "2026-01-01", "2026-02-01", "Jan 1 – 31, 2026"),
        ("de", "2026-01-01", "2026-02-01", "1.–31. Jan. 2026"),
        ("fr", "2026-01-01", "2026-02-01", "1–31 janv. 2026"),
        ("es", "2026-01-01", "2026-02-01", "1–31 ene 2026"),
        ("ja", "2026-01-01", "2026-02-01", "2026年1月1日～31日"),
    ],
)
def test_periods_are_inclusive_for_people(language: str, start: str, end: str, expected: str) -> None:
    period = formats(language, "EUR").period(dt.date.fromisoformat(start), dt.date.fromisoformat(end))
    assert period == expected


def test_every_language_has_every_word() -> None:
    words = yaml.safe_load(CATALOGUE.read_text(encoding="utf-8"))
    assert set(words) == {"en", "de", "fr", "es", "ja"}
    for language, texts in words.items():
        assert set(texts) == set(words["en"]), language
        assert all(isinstance(text, str) and text for text in texts.values())


def test_unknown_language_is_english_in_words_and_formats(marts: Marts) -> None:
    marts.invoice("INV-1", [month("usage", "api", "1234.50")], language="tlh")
    view = view_of(load_document(marts.connection, "acme", "id-INV-1"))
    assert (view.title, view.hero[1]) == ("Invoice", "€1,234.50")


def test_tenant_words_replace_single_words(tmp_path: Path) -> None:
    (tmp_path / "translations.yaml").write_text("en: {invoice: Tax invoice}\nit: {invoice: Fattura}\n")
    words = catalogue(tmp_path)
    assert (words["en"]["invoice"], words["en"]["total"]) == ("Tax invoice", "Total")
    assert (words["it"]["invoice"], words["it"]["total"]) == ("Fattura", "Total")


def test_hostile_text_becomes_one_plain_line() -> None:
    assert clean("A\x00cme\r\n<b>\u202etxt\u202c \ud800\ufffe") == "Acme <b>txt \N{REPLACEMENT CHARACTER}" + (
        "\N{REPLACEMENT CHARACTER}"
    )


def test_documents_come_in_the_order_asked_for_and_missing_ones_are_named(marts: Marts) -> None:
    for number in ("INV-1", "INV-2", "INV-3"):
        marts.invoice(number, [month("usage", "api", "1.00")])
    keys = [("acme", f"id-INV-{n}") for n in (3, 1, 2)]
    assert [document.number for document in load_documents(marts.connection, keys)] == [
        "INV-3",
        "INV-1",
        "INV-2",
    ]
    with pytest.raises(DocumentError, match="no invoice with id 'id-INV-9'"):
        load_document(marts.connection, "acme", "id-INV-9")
    with pytest.raises(DocumentError, match="no invoice with id"):
        load_document(marts.connection, "other", "id-INV-1")


def test_a_tenant_never_reads_another_tenants_rows(marts: Marts) -> None:
    marts.tenant("other", "Other")
    for tenant in ("acme", "other"):
        marts.invoice("INV-1", [month("usage", "api", "1.00", description=tenant)], tenant_id=tenant)
    for tenant in ("acme", "other"):
        document = load_document(marts.connection, tenant, "id-INV-1")
        assert [line.title for line in document.lines] == [tenant]


def test_an_old_serving_file_is_refused_in_words() -> None:
    with pytest.raises(DocumentError, match="build it again"):
        load_document(duckdb.connect(), "acme", "id")


def test_columns_that_a_serving_file_may_lack(marts: Marts) -> None:
    marts.invoice("INV-1", [month("usage", "api_calls", "5.00", description="gone")])
    marts.connection.execute("alter table marts.invoices drop column notes")
    for column in ("description", "unit_name"):
        marts.connection.execute(f"alter table marts.invoice_lines drop column {column}")
    document = load_document(marts.connection, "acme", "id-INV-1")
    assert [line.title for line in document.lines] == ["Api calls"]


def test_find_by_number_and_by_run(marts: Marts) -> None:
    marts.run("run-1", dt.datetime(2026, 2, 1, tzinfo=UTC))
    marts.run("run-2", dt.datetime(2026, 3, 1, tzinfo=UTC))
    marts.invoice("INV-1", [month("usage", "api", "1.00")], run_key="run-1")
    marts.invoice("INV-2", [month("usage", "api", "1.00")], run_key="run-2")
    marts.invoice(None, [month("usage", "api", "1.00")], run_key="run-2", status="draft")
    assert find_invoices(marts.connection, "acme", numbers=["INV-2"]) == [("acme", "id-INV-2")]
    assert len(find_invoices(marts.connection, "acme", since_run="run-1")) == 2
    assert find_invoices(marts.connection, None, since_run="run-2") == [("acme", "id-INV-2")]
    with pytest.raises(DocumentError, match="no invoice INV-9"):
        find_invoices(marts.connection, "acme", numbers=["INV-1", "INV-9"])
    with pytest.raises(DocumentError, match="no run 'nope'"):
        find_invoices(marts.connection, "acme", since_run="nope")


def test_seller_details_and_addresses_of_any_shape(marts: Marts) -> None:
    bank = {"bank": "Hausbank", "iban": "DE02 1205", "bic": "BYLADEM1001"}
    seller = {"name": "Nord GmbH", "address": ["Am Kai 1"], "country": "DE", "tax_id": "DE123", "bank": bank}
    marts.invoice("INV-1", [month("usage", "api", "1.00")], seller=seller, bill_to_address="Line 1\nLine 2")
    view = view_of(load_document(marts.connection, "acme", "id-INV-1"))
    assert view.seller == ("Am Kai 1", "Germany", "VAT ID DE123")
    assert view.buyer == ("Line 1", "Line 2")
    assert view.payment == (
        ("", "Hausbank"),
        ("IBAN", "DE02 1205"),
        ("BIC", "BYLADEM1001"),
        ("Reference", "INV-1"),
    )


def test_file_names_are_safe_and_distinct() -> None:
    numbers = [
        "INV-1",
        "INV/1",
        "INV~2F1",
        "../../etc/passwd",
        "..",
        ".",
        "",
        "№ 7",
        "a" * 300,
        "a" * 299 + "b",
    ]
    names = [file_name(number) for number in numbers]
    assert names[0] == "INV-1"
    assert len(set(names)) == len(names)
    assert all(name and not name.startswith(".") and "/" not in name and len(name) <= 130 for name in names)
