"""Importing the short camelCase form."""

import pytest
import yaml
from typer.testing import CliRunner

from ratehouse.commands.price_book import app
from ratehouse.price_book import PriceBookError, load_price_book
from ratehouse.price_book_import import import_price_book

SHORT = """\
version: "2.1"
effectiveDate: "2024-06-01T00:00:00Z"
meteringWindow: "monthly"
roundingRule: "ceil"
tiers:
  - id: starter
    name: Starter
    basePrice: 29
    currency: USD
    includedUsage: {api_calls: 10000, seats: 3}
    overageRates: {api_calls: 0.005, storage_gb: 2.0}
    features: [email_support, api_access]
  - id: enterprise
    basePrice: 0
    currency: USD
    includedUsage: {}
    overageRates: {}
    features: ["*"]
    customContract: true
tax:
  provider: stripe_tax
  defaultRate: 0.0
  exemptRegions: [US-DE, NO]
"""


@pytest.fixture
def short(tmp_path):
    def write(text):
        path = tmp_path / "config.yaml"
        path.write_text(text)
        return path

    return write


def test_the_whole_form(short):
    imported = import_price_book(short(SHORT))
    data = imported.data
    assert (data["price_book"], str(data["effective_from"]), data["currency"]) == ("2.1", "2024-06-01", "USD")
    rounding = {"mode": "up", "digits": 0}
    meter = {"aggregation": "sum", "round_quantity": rounding}
    assert data["meters"] == {"api_calls": meter, "seats": meter, "storage_gb": meter}
    starter = data["plans"]["starter"]
    assert starter["features"] == {"email_support": True, "api_access": True}
    usage = {"type": "usage", "model": "per_unit"}
    assert starter["charges"] == {
        "base": {"type": "recurring", "timing": "advance", "model": "flat", "amount": "29"},
        "api_calls": {**usage, "meter": "api_calls", "included": "10000", "unit_price": "0.005"},
        "seats": {**usage, "meter": "seats", "included": "3", "unit_price": "0"},
        "storage_gb": {**usage, "meter": "storage_gb", "included": "0", "unit_price": "2"},
    }
    assert data["plans"]["enterprise"]["charges"] == {}
    assert imported.tenant == {
        "tax": {
            "provider": "stripe_tax",
            "rates": [
                {"code": "exempt_us_de", "country": "US", "region": "DE", "percent": "0"},
                {"code": "exempt_no", "country": "NO", "percent": "0"},
            ],
        }
    }
    assert [note for note in imported.notes if "no overage rate" in note or "custom contract" in note] == [
        "Plan starter: seats has no overage rate, so usage above 3 is free.",
        "Plan enterprise is a custom contract: its prices are overrides of each subscription.",
    ]


def test_numbers_never_pass_through_a_float(short):
    path = short(
        SHORT.replace("0.005", "0.123456789012").replace("basePrice: 29", "basePrice: 9007199254740993")
    )
    charges = import_price_book(path).data["plans"]["starter"]["charges"]
    assert charges["api_calls"]["unit_price"] == "0.123456789012"
    assert charges["base"]["amount"] == "9007199254740993"
    charges = import_price_book(short(SHORT.replace("0.005", "5.0e-3"))).data["plans"]["starter"]["charges"]
    assert charges["api_calls"]["unit_price"] == "0.005"


def test_a_second_currency_and_a_meter_named_base(short):
    text = SHORT.replace("basePrice: 0\n    currency: USD", "basePrice: 7\n    currency: EUR").replace(
        "seats", "base"
    )
    imported = import_price_book(short(text))
    assert imported.data["plans"]["enterprise"]["charges"]["base"]["prices_in"] == {"EUR": {"amount": "7"}}
    assert list(imported.data["plans"]["starter"]["charges"]) == [
        "base",
        "api_calls",
        "base_usage",
        "storage_gb",
    ]


@pytest.mark.parametrize(
    ("old", "new", "code", "line", "key"),
    [
        ("basePrice: 29", "basePrise: 29", "unknown_key", 8, "tiers.0.basePrise"),
        ("basePrice: 29", "basePrice: .nan", "bad_number", 8, "tiers.0.basePrice"),
        ("ceil", "bankers", "bad_value", 4, "roundingRule"),
        ("2024-06-01T00", "2024-06-31T00", "bad_time", 2, "effectiveDate"),
        ("id: enterprise", "id: starter", "duplicate_key", 13, "tiers.1.id"),
        ("monthly", "hourly", "bad_value", 3, "meteringWindow"),
    ],
)
def test_what_is_refused(short, old, new, code, line, key):
    with pytest.raises(PriceBookError) as error:
        import_price_book(short(SHORT.replace(old, new)))
    assert (error.value.reason_code, error.value.line, error.value.key) == (code, line, key)


def test_the_command_writes_a_version_once(short, tmp_path):
    path, out = short(SHORT), tmp_path / "price_books"
    result = CliRunner().invoke(app, ["import", str(path), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "For tenant.yaml:" in result.output
    assert load_price_book(out / "2.1.yaml").document() == import_price_book(path).book.document()
    assert CliRunner().invoke(app, ["import", str(path), "--out", str(out)]).exit_code == 0
    result = CliRunner().invoke(app, ["import", str(short(SHORT.replace("29", "30"))), "--out", str(out)])
    assert result.exit_code == 1
    assert "A version never changes" in result.output


def test_a_price_book_goes_through_as_it_is(short):
    text = import_price_book(short(SHORT)).yaml()
    imported = import_price_book(short(text))
    assert yaml.safe_load(imported.yaml()) == yaml.safe_load(text)
    assert imported.notes == []
