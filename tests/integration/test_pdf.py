"""Documents as PDF files: stable bytes, right text, real pages, safe from what customers type, kept once."""

from __future__ import annotations

import datetime as dt
import io
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import fsspec
import pypdf
import pytest
from typer.testing import CliRunner

from deliver.documents.model import InvoiceDocument, load_document
from deliver.documents.render import render
from deliver.documents.store import document_path, read_pdf, render_many
from ratehouse.commands.invoice import app
from ratehouse.settings import Settings
from tests.unit.deliver.documents_marts import Marts, month, tier

# A PNG of two pixels.
LOGO = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAIAAAB7QOjdAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLv"
    "AAAAAElFTkSuQmCC"
)


@pytest.fixture
def marts() -> Marts:
    marts = Marts()
    marts.tenant(branding={"accent_color": "#0f766e", "footer": "Acme Inc. & Sons · Registered in Ohio"})
    return marts


def document_of(marts: Marts, lines: list[dict[str, Any]], **columns: Any) -> InvoiceDocument:
    return load_document(marts.connection, "acme", marts.invoice("INV-1", lines, **columns))


def text_of(pdf: bytes) -> list[str]:
    """The text of each page, blanks of any kind as one."""
    return [re.sub(r"\s+", " ", page.extract_text()) for page in pypdf.PdfReader(io.BytesIO(pdf)).pages]


def fonts_of(pdf: bytes) -> set[str]:
    names = set()
    for page in pypdf.PdfReader(io.BytesIO(pdf)).pages:
        fonts: Any = page["/Resources"]
        for reference in fonts["/Font"].values():
            font = reference.get_object()
            names.add(font["/BaseFont"].split("+")[1])
            descriptor = font["/DescendantFonts"][0].get_object()["/FontDescriptor"].get_object()
            assert descriptor.keys() & {"/FontFile2", "/FontFile3"}
    return names


def test_text_fonts_and_metadata(marts: Marts) -> None:
    steps = [tier("0", "1000", "1000", "0.005", "5"), tier("1000", None, "500", "0.000000125", "0.0000625")]
    pdf = render(
        document_of(
            marts,
            [
                month("recurring", "base", "99.00", description="Grundgebühr", quantity="1", unit_price="99"),
                month("usage", "api", "5.00", description="API-Aufrufe", quantity="1500", tiers=steps),
            ],
            language="de",
            bill_to_name="Müller & Söhne",
            po_number="PO-77",
        )
    )
    (text,) = text_of(pdf)
    for expected in (
        "Rechnung", "INV-1", "Müller & Söhne", "PO-77", "Grundgebühr", "1.–31. Jan. 2026", "1.500",
        "0,000000125",
        "104,00 €", "Acme Inc. & Sons · Registered in Ohio", "Seite 1 von 1",
    ):  # fmt: skip
        assert expected in text, expected
    assert fonts_of(pdf) <= {"Noto-Sans", "Noto-Sans-Bold"}
    reader = pypdf.PdfReader(io.BytesIO(pdf))
    assert reader.metadata is not None
    assert reader.metadata.title == "Rechnung INV-1"
    assert reader.metadata.creation_date == dt.datetime(2026, 2, 1, tzinfo=dt.UTC)


def test_japanese_and_arabic_use_embedded_fonts_of_their_script(marts: Marts) -> None:
    pdf = render(
        document_of(
            marts,
            [month("recurring", "base", "50000", description="基本料金 (الخليج)")],
            language="ja",
            currency="JPY",
            bill_to_name="山田太郎商店",
        )
    )
    (text,) = text_of(pdf)
    assert "請求書" in text and "山田太郎商店" in text and "50,000" in text
    names = fonts_of(pdf)
    assert {"Noto-Sans", "Noto-Sans-CJK-JP", "Noto-Sans-Arabic"} <= names, names


def test_three_decimals(marts: Marts) -> None:
    (text,) = text_of(render(document_of(marts, [month("usage", "gb", "12.625")], currency="KWD")))
    assert "KWD 12.625" in text


def test_bytes_are_the_same_in_every_process(tmp_path: Path) -> None:
    script = tmp_path / "render.py"
    script.write_text(
        "import hashlib\n"
        "from deliver.documents.model import load_document\n"
        "from deliver.documents.render import render\n"
        "from tests.unit.deliver.documents_marts import Marts, month\n"
        "marts = Marts()\n"
        f"marts.tenant(branding={{'logo': {LOGO!r}}})\n"
        "marts.invoice('INV-1', [month('usage', 'api', '5.00', description='Ein Ding 山田')])\n"
        "document = load_document(marts.connection, 'acme', 'id-INV-1')\n"
        "first = render(document)\n"
        "assert first == render(document)\n"
        "print(hashlib.sha256(first).hexdigest())\n"
    )
    root = Path(__file__).parents[2]
    digests = set()
    for seed, timezone in (("1", "UTC"), ("2", "Asia/Tokyo")):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": timezone, "PYTHONPATH": str(root)}
        environment.pop("SOURCE_DATE_EPOCH", None)
        run = subprocess.run(
            [sys.executable, str(script)],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        digests.add(run.stdout.strip())
    assert len(digests) == 1


def test_what_a_customer_typed_is_text(marts: Marts) -> None:
    pdf = render(
        document_of(
            marts,
            [month("usage", "api", "5.00", description="<img src='file:///etc/passwd'> {{ 7 * 7 }}")],
            bill_to_name='<script>alert("1")</script>\x00\x07 & Co',
            bill_to_address=["</td></table><h1>Owned</h1>", "a\ufffeb"],
            po_number="<b>\ue000",
        )
    )
    (text,) = text_of(pdf)
    for expected in (
        '<script>alert("1")</script> & Co', "</td></table><h1>Owned</h1>", "<img src='file:///etc/passwd'>",
        "{{ 7 * 7 }}", "<b>",
    ):  # fmt: skip
        assert expected in text.replace("< ", "<"), expected
    assert not pypdf.PdfReader(io.BytesIO(pdf)).pages[0].images


def test_an_invoice_and_its_credit_note_show_what_article_226_asks_for(marts: Marts) -> None:
    """Directive 2006/112/EC, articles 219, 226 (1) to (11a) and 230."""
    seller = {
        "name": "Acme GmbH",
        "address": ["Hauptstr. 1", "10115 Berlin"],
        "country": "DE",
        "tax_id": "DE123456789",
    }
    buyer = {
        "bill_to_name": "Müller SARL",
        "bill_to_address": ["2 rue de la Paix", "75002 Paris"],
        "bill_to_country": "FR",
        "bill_to_tax_id": "FR12345678901",
    }
    lines = [
        month(
            "recurring", "base", "100.00", description="Platform fee", quantity="4", unit_price="25.00",
            tax_percent="19", tax_code="vat",
        ),
        month("discount", "base", "-10.00", description="Welcome", tax_percent="19", tax_code="vat"),
        month("usage", "book", "10.00", description="Handbook", quantity="2", unit_price="5.00", tax_percent="7", tax_code="vat"),
        {"line_type": "tax", "charge": "t", "amount": "17.10", "tax_percent": "19", "tax_code": "vat"},
        {"line_type": "tax", "charge": "t", "amount": "0.70", "tax_percent": "7", "tax_code": "vat"},
    ]  # fmt: skip
    (text,) = text_of(render(document_of(marts, lines, seller=seller, **buyer)))
    for article, expected in {
        "1 date of issue": "Issue date 1 Feb 2026",
        "2 sequential number": "INV-1",
        "3 VAT number of the supplier": "VAT ID DE123456789",
        "4 VAT number of the customer": "VAT ID FR12345678901",
        "5 name and address of the supplier": "Acme GmbH Hauptstr. 1 10115 Berlin Germany",
        "5 name and address of the customer": "Müller SARL 2 rue de la Paix 75002 Paris France",
        "6 nature": "Platform fee",
        "7 date of the supply": "1–31 Jan 2026",
        "6 quantity, 8 unit price, 9 rate": "4 25.00 19% 100.00",
        "8 discounts": "Welcome -€10.00",
        "8 taxable amount, 9 rate, 10 VAT, first rate": "VAT 19% on €90.00 €17.10",
        "8 taxable amount, 9 rate, 10 VAT, second rate": "VAT 7% on €10.00 €0.70",
        "total": "€117.80",
    }.items():
        assert expected in text, (article, text)

    marts.invoice("INV-2", [month("usage", "api", "5.00")], seller=seller, notes=["reverse_charge"], **buyer)
    (text,) = text_of(render(load_document(marts.connection, "acme", "id-INV-2")))
    assert "Reverse charge: VAT is to be accounted for by the recipient." in text  # 11a

    exempt = {"tax_treatment": "exempt", "certificate_number": "FR-77 <b>"}
    for language, words in {
        "en": "Exempt from tax under certificate FR-77 <b>.",
        "de": "Steuerfreie Leistung, Bescheinigung FR-77 <b>.",
        "ja": "非課税（証明書 FR-77 <b>）。",
    }.items():
        free = marts.invoice(
            f"INV-{language}",
            [month("usage", "api", "5.00", **exempt)],
            notes=["tax_exempt"],
            language=language,
            seller=seller,
            **buyer,
        )
        (text,) = text_of(render(load_document(marts.connection, "acme", free)))
        assert words in text  # 11

    rate = {"fx_base": "EUR", "fx_quote": "USD", "fx_rate": "1.25", "fx_rate_on": dt.date(2026, 1, 30)}
    tax = [lines[0], lines[3]]
    dollars = {"currency": "USD", "fx_source": "ecb", "functional_currency": "EUR", "functional_tax": "13.68"}
    marts.invoice("INV-3", tax, seller=seller, **rate, **dollars, **buyer)
    (text,) = text_of(render(load_document(marts.connection, "acme", "id-INV-3")))
    assert "1 EUR = 1.25 USD (ECB, 30 Jan 2026). VAT in all: €13.68." in text  # article 230

    note = marts.invoice(
        "CN-1",
        [month("credit", "base", "-25.00")],
        kind="credit_note",
        corrects_invoice_id="id-INV-1",
        seller=seller,
    )
    (text,) = text_of(render(load_document(marts.connection, "acme", note)))
    assert "Corrects invoice INV-1 of 1 Feb 2026" in text  # article 219

    untaxed = marts.invoice(
        "CN-2",
        [
            month("adjustment", "base", "-25.00", quantity="1", tax_percent="19", tax_code="vat"),
            month(
                "adjustment",
                "base",
                "25.00",
                quantity="1",
                tax_percent="0",
                replaces_line_id="id-INV-1-0",
                **exempt,
            ),
            {"line_type": "tax", "charge": "t", "amount": "-4.75", "tax_percent": "19", "tax_code": "vat"},
        ],
        kind="credit_note",
        corrects_invoice_id="id-INV-1",
        seller=seller,
        notes=["tax_exempt"],
    )
    (text,) = text_of(render(load_document(marts.connection, "acme", untaxed)))
    assert "charged again without tax" in text and "VAT 19% on -€25.00 -€4.75" in text


def test_an_address_of_two_hundred_lines_and_a_formula_for_a_name_are_printed(marts: Marts) -> None:
    document = document_of(
        marts,
        [month("usage", "api", "5.00", description="=HYPERLINK(A1)")],
        bill_to_name='=cmd|" /C calc"!A0',
        bill_to_address=[f"Building {n:03d}" for n in range(200)],
    )
    pages = text_of(render(document))
    text = " ".join(pages)
    assert '=cmd|" /C calc"!A0' in text and "=HYPERLINK(A1)" in text
    assert all(f"Building {n:03d}" in text for n in range(200))
    assert 3 <= len(pages) <= 5 and "Building 000" in pages[0] and "€5.00" in pages[-1]


def test_an_invoice_of_two_thousand_lines_is_whole(marts: Marts) -> None:
    """Twenty thousand, which take minutes, are part of `make bench`."""
    lines = [month("usage", "api", "1.00", description=f"Device {n:04d}") for n in range(2_000)]
    reader = pypdf.PdfReader(io.BytesIO(render(document_of(marts, lines))))
    count = len(reader.pages)
    assert 50 < count < 120
    last = re.sub(r"\s+", " ", reader.pages[-1].extract_text())
    assert f"Page {count} of {count}" in last and "€2,000.00" in last and "Device 1999" in last


def test_long_invoices_repeat_the_head_count_pages_and_keep_the_total_with_lines(marts: Marts) -> None:
    for count in range(9, 21):
        lines = [month("usage", "api", "1.00", description=f"Device {i:03d}") for i in range(count)]
        number = f"INV-{count}"
        document = load_document(marts.connection, "acme", marts.invoice(number, lines))
        pages = text_of(render(document))
        for position, text in enumerate(pages, start=1):
            assert f"Page {position} of {len(pages)}" in text
            assert "Unit price" in text or "Device" not in text
        assert "Subtotal" in pages[-1] and f"€{count}.00" in pages[-1]
        assert f"Device {count - 1:03d}" in pages[-1], f"{count} lines: the total stands alone"
        assert all(f"Acme Inc. · Invoice {number}" in text for text in pages[1:])


def test_a_heading_never_ends_a_page(marts: Marts) -> None:
    lines = [
        month("usage", "api", "1.00", description=f"Device {i:03d}", subscription_id=f"sub-{i // 3}")
        for i in range(90)
    ]
    for text in text_of(render(document_of(marts, lines))):
        body = text.split("Acme Inc. & Sons")[0].rstrip()
        assert not re.search(r"Subscription sub-\d+$", body), body[-80:]


def test_very_long_words_stay_inside_the_page(marts: Marts) -> None:
    pdf = render(document_of(marts, [month("usage", "api", "1.00", description="x" * 400)]))
    (text,) = text_of(pdf)
    assert text.replace(" ", "").count("x") >= 400


def test_branding_logo_and_template_of_a_tenant(tmp_path: Path) -> None:
    marts = Marts()
    marts.tenant(branding={"logo": LOGO, "accent_color": "red; } body { display: none"})
    document = load_document(
        marts.connection, "acme", marts.invoice("INV-1", [month("usage", "api", "5.00")])
    )
    plain = render(document)
    assert len(pypdf.PdfReader(io.BytesIO(plain)).pages[0].images) == 1
    assert "Amount due" in text_of(plain)[0]
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "invoice.html.j2").write_text(
        '{% extends "ratehouse/invoice.html.j2" %}'
        "{% block notes %}<p>Thank you, {{ view.buyer_name }}.</p>{% endblock %}"
    )
    assert "Thank you, Customer One." in text_of(render(document, tmp_path))[0]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A home with a serving file of five invoices of two years and a draft."""
    serving = tmp_path / "data" / "serving"
    serving.mkdir(parents=True)
    (tmp_path / "tenants" / "acme").mkdir(parents=True)
    marts = Marts(serving / "current.duckdb")
    marts.tenant(branding={"logo": "logo.svg"})
    (tmp_path / "tenants" / "acme" / "logo.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="10"><rect width="40" height="10"/></svg>'
    )
    marts.run("run-1", dt.datetime(2026, 2, 1, tzinfo=dt.UTC))
    for n in range(1, 5):
        marts.invoice(f"INV/{n}", [month("usage", "api", f"{n}.00")], invoice_id=f"i{n}")
    marts.invoice("INV/0", [month("usage", "api", "9.00")], invoice_id="i0", issued_on=dt.date(2025, 12, 31))
    marts.invoice(None, [month("usage", "api", "9.00")], invoice_id="draft", status="draft")
    marts.connection.close()
    monkeypatch.setenv("RATEHOUSE_HOME", str(tmp_path))
    return Settings.load()


KEYS = [("acme", f"i{n}") for n in range(5)]


@pytest.mark.parametrize("processes", [1, 2])
def test_files_are_written_once(home: Settings, processes: int) -> None:
    first = list(render_many(home, KEYS, processes=processes))
    assert {result.outcome for result in first} == {"written"}, first
    documents = Path(home.documents_url)
    files = sorted(path.relative_to(documents).as_posix() for path in documents.rglob("*.pdf"))
    assert files == ["acme/2025/INV~2F0.pdf", *(f"acme/2026/INV~2F{n}.pdf" for n in range(1, 5))]
    assert not list(documents.rglob("*.tmp"))
    before = {path: path.stat().st_mtime_ns for path in documents.rglob("*.pdf")}
    content = {path: path.read_bytes() for path in before}

    again = list(render_many(home, iter(KEYS), processes=processes))
    assert {result.outcome for result in again} == {"unchanged"}
    assert before == {path: path.stat().st_mtime_ns for path in documents.rglob("*.pdf")}

    lost = Path(document_path(home, "acme", "INV/3", 2026))
    lost.unlink()
    outcomes = {result.number: result.outcome for result in render_many(home, KEYS, processes=1)}
    assert outcomes.pop("INV/3") == "written" and set(outcomes.values()) == {"unchanged"}
    assert lost.read_bytes() == content[lost] == read_pdf(home, "acme", "INV/3", 2026)


def test_a_new_logo_renders_again(home: Settings) -> None:
    list(render_many(home, KEYS[:1], processes=1))
    logo = home.tenants_dir / "acme" / "logo.svg"
    logo.write_text(logo.read_text().replace('height="10"', 'height="12"'))
    assert [result.outcome for result in render_many(home, KEYS[:1], processes=1)] == ["written"]


def test_one_bad_document_stops_no_other(home: Settings) -> None:
    keys = [("acme", "draft"), ("acme", "nope"), KEYS[1]]
    results = {result.invoice_id: result for result in render_many(home, keys, processes=1)}
    assert results["draft"].error == "a draft has no document yet"
    assert results["nope"].error == "there is no such invoice"
    assert results["i1"].outcome == "written"
    (home.tenants_dir / "acme" / "logo.svg").unlink()
    (failed,) = render_many(home, [KEYS[2]], processes=1)
    assert failed.outcome == "failed" and "logo.svg" in (failed.error or "")


def test_documents_on_an_object_store(home: Settings) -> None:
    remote = home.model_copy(update={"documents_url": "memory://documents"})
    assert [r.outcome for r in render_many(remote, KEYS[:1], processes=1)] == ["written"]
    assert [r.outcome for r in render_many(remote, KEYS[:1], processes=1)] == ["unchanged"]
    assert fsspec.filesystem("memory").cat_file("/documents/acme/2025/INV~2F0.pdf")[:5] == b"%PDF-"


def test_command_line(home: Settings, tmp_path: Path) -> None:
    runner = CliRunner()
    shown = runner.invoke(app, ["show", "INV/2", "--tenant", "acme"], terminal_width=120)
    assert shown.exit_code == 0, shown.output
    assert "Invoice INV/2" in shown.output and "€2.00" in shown.output
    out = tmp_path / "out"
    written = runner.invoke(app, ["pdf", "INV/2", "--tenant", "acme", "--out", str(out), "--processes", "1"])
    assert written.exit_code == 0, written.output
    assert [path.name for path in out.iterdir()] == ["INV~2F2.pdf"]
    every = runner.invoke(app, ["pdf", "--all-since", "run-1", "--processes", "1"])
    assert every.exit_code == 0 and "5 written, 0 up to date, 0 failed" in every.output
    assert runner.invoke(app, ["pdf"]).exit_code == 2
    assert runner.invoke(app, ["pdf", "INV/2"]).exit_code == 2
