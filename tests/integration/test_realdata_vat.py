"""Standard rates of VAT of the EU and Britain by date, as others published them, on the months that each of them taxes."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from ratehouse import billing
from ratehouse.lake import Lake
from ratehouse.settings import Settings
from ratehouse.streams import land

FOLDER = Path(__file__).parents[3] / "shared" / "realdata" / "fx_tax" / "vat"
# From, until (the first day without) and percent of each rate, by country.
Rates = dict[str, list[tuple[date, date, Decimal]]]
FIRST, BILL_DAY = date(2008, 1, 1), date(2026, 10, 1)
BOOK = """\
price_book: "1"
effective_from: 2000-01-01
currency: EUR
plans:
  std: {anchor: calendar, charges: {base: {type: recurring, timing: advance, model: flat, amount: "100.00"}}}
"""

pytestmark = pytest.mark.skipif(not FOLDER.exists(), reason="needs ../shared/realdata/fx_tax/vat")


@pytest.fixture(scope="module")
def agreed() -> dict[str, Decimal]:
    """The rate of today in each country on which three tables agree."""
    content = json.loads((FOLDER / "cross_check_standard_rates.json").read_text(), parse_float=Decimal)
    assert content["disagree"] in (0, [], {})
    found = {}
    for country, tables in content["standard_rate_percent"].items():
        (found[country],) = set(tables.values())
    return found


@pytest.fixture(scope="module")
def published(agreed: dict[str, Decimal]) -> Rates:
    """Every rate of these countries as published, oldest first."""
    rates: Rates = {country: [] for country in agreed}
    with (FOLDER / "kdeldycke_vat_rates.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            since = date.fromisoformat(row["start_date"])
            until = date.fromisoformat(row["stop_date"]) if row["stop_date"] else date.max
            for country in set(row["territory_codes"].split("\n")) & rates.keys():
                rates[country].append((since, until, Decimal(row["rate"]) * 100))
    return {country: sorted(spans) for country, spans in rates.items()}


@pytest.fixture(scope="module")
def mended(published: Rates) -> Rates:
    """The same, each holding until the next one begins: of two countries the table names the last day as the end."""
    return {
        country: [
            (since, following[0], percent)
            for (since, _, percent), following in zip(spans, [*spans[1:], (date.max,)], strict=True)
        ]
        for country, spans in published.items()
    }


@dataclass(frozen=True)
class Taxed:
    """A customer in each country, billed in one night for every month since 2008."""

    waiting: list[tuple[Any, ...]]
    lines: list[tuple[Any, ...]]


@pytest.fixture(scope="module")
def taxed(published: Rates, mended: Rates, tmp_path_factory: pytest.TempPathFactory) -> Taxed:
    """With the rates as published, and then with the gaps in them mended."""
    settings = Settings.load(tmp_path_factory.mktemp("vat"), environ={})
    folder = settings.tenants_dir / "vat"
    (folder / "price_books").mkdir(parents=True)
    (folder / "price_books" / "1.yaml").write_text(BOOK, encoding="utf-8")
    at, lake = datetime(2008, 1, 1, tzinfo=UTC), Lake(settings.lake_url)
    customers = [{"customer_id": name, "effective_at": at, "country": name} for name in published]
    events = [
        {
            "event_id": name,
            "subscription_id": name,
            "customer_id": name,
            "type": "created",
            "effective_at": at,
            "data": {"plan": "std"},
        }
        for name in published
    ]
    for stream, facts in (("customers", customers), ("subscription_events", events)):
        assert not land(lake, stream, facts, tenant_id="vat", source="test", batch_id="facts").rejected
    results = []
    for rates in (published, mended):
        (folder / "tenant.yaml").write_text(yaml.safe_dump(tenant(rates)), encoding="utf-8")
        billing.run(settings, BILL_DAY)
        with duckdb.connect(str(settings.serving_path), read_only=True) as serving:
            waiting = "select distinct customer_id from marts.upcoming_invoice_lines where standing = 'due' order by all"
            lines = (
                "select customer_id, service_start, service_end, tax_percent from marts.invoice_lines"
                " where line_type = 'recurring' order by all"
            )
            results.append((serving.execute(waiting).fetchall(), serving.execute(lines).fetchall()))
    return Taxed(results[0][0], results[1][1])


def tenant(rates: Rates) -> dict[str, Any]:
    listed = [
        {
            "code": f"vat_{country}",
            "country": country,
            "percent": f"{percent:f}",
            "since": since.isoformat(),
            **({} if until == date.max else {"until": until.isoformat()}),
        }
        for country, spans in rates.items()
        for since, until, percent in spans
    ]
    return {"tenant": "vat", "currency": "EUR", "tax": {"rates": listed}}


def test_a_day_without_a_rate_holds_the_document_back(taxed: Taxed, published: Rates, mended: Rates) -> None:
    gaps = sorted(country for country in published if published[country] != mended[country])
    assert gaps == ["HR", "LU"]
    assert taxed.waiting == [(country,) for country in gaps]


def test_every_month_is_taxed_at_the_rate_of_its_last_day(taxed: Taxed, mended: Rates) -> None:
    months = (BILL_DAY.year - FIRST.year) * 12 + BILL_DAY.month - FIRST.month + 1
    assert len(taxed.lines) == months * len(mended)
    wrong = []
    for country, _, end, percent in taxed.lines:
        day = min(date.fromordinal(end.toordinal() - 1), BILL_DAY)
        (expected,) = [p for since, until, p in mended[country] if since <= day < until]
        if percent != expected:
            wrong.append((country, day, percent, expected))
    assert not wrong
    # Rates did change: otherwise nothing is shown.
    assert len({(country, percent) for country, _, _, percent in taxed.lines}) > len(mended) + 10


def test_the_month_of_the_bill_is_taxed_as_three_tables_agree(
    taxed: Taxed, agreed: dict[str, Decimal]
) -> None:
    today = {country: percent for country, start, _, percent in taxed.lines if start == BILL_DAY}
    assert today == agreed
