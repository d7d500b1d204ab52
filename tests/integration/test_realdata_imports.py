"""A year of a retailer's invoices as another system issued them, against totals worked out by others."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ingest.files.importer import Imported, import_files
from ingest.files.mapping import FileMap
from ratehouse import billing
from ratehouse.lake import Lake
from ratehouse.settings import Settings

FOLDER = Path(__file__).parents[3] / "shared" / "realdata" / "uci_online_retail"
MAP = Path(__file__).parent / "fixtures" / "realdata" / "maps" / "uci_online_retail.yaml"
STREAM = "imported_invoice_lines"

pytestmark = pytest.mark.skipif(not FOLDER.exists(), reason="needs ../shared/realdata/uci_online_retail")


@pytest.fixture(scope="module")
def truth() -> dict[str, Any]:
    return dict(json.loads((FOLDER / "ground_truth.json").read_text(), parse_float=Decimal))


def bring(settings: Settings) -> Imported:
    (done,) = import_files(
        Lake(settings.lake_url),
        [FOLDER / "online_retail.csv.gz"],
        tenant_id="retailer",
        stream=STREAM,
        file_map=FileMap.load(MAP, STREAM),
    )
    return done


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = Settings.load(tmp_path_factory.mktemp("retail"), environ={})
    folder = settings.tenants_dir / "retailer"
    folder.mkdir(parents=True)
    (folder / "tenant.yaml").write_text(
        "tenant: retailer\ncurrency: GBP\ntimezone: Europe/London\nimports: {credit_note_prefix: C}\n"
    )
    return settings


@pytest.fixture(scope="module")
def first(settings: Settings) -> Imported:
    return bring(settings)


@pytest.fixture(scope="module")
def serving(settings: Settings, first: Imported) -> duckdb.DuckDBPyConnection:
    bring(settings)
    assert billing.run(settings, date(2026, 1, 1)).issued.documents == 0
    return duckdb.connect(str(settings.serving_path), read_only=True)


def test_every_line_lands_once(settings: Settings, first: Imported, truth: dict[str, Any]) -> None:
    assert (first.accepted, first.rejected) == (truth["rows"], 0)
    again = bring(settings)
    assert again.already_landed == again.batches > 0


def test_documents_totals_and_copies_are_those_of_the_ground_truth(
    serving: duckdb.DuckDBPyConnection, truth: dict[str, Any]
) -> None:
    ((documents, notes, lines, copies, without, exact, rounded),) = serving.execute(
        "select count(*), count(*) filter (where kind = 'credit_note'), sum(lines), sum(repeated_lines),"
        " sum(lines_without_customer), sum(total_exact), sum(total) from marts.imported_invoices"
    ).fetchall()
    assert (documents, notes) == (truth["invoice_numbers"], truth["credit_note_invoice_numbers_C"])
    assert (lines, copies) == (truth["rows"], truth["exact_duplicate_rows_beyond_first"])
    assert without == truth["rows_customer_null"]
    assert exact == Decimal(truth["gross_total_all_rows_gbp"])
    assert rounded == Decimal(truth["sum_of_line_rounded_half_up_gbp"])
    by_kind = dict(
        serving.execute("select kind, sum(total_exact) from marts.imported_invoices group by 1").fetchall()
    )
    assert by_kind == {
        "invoice": Decimal(truth["sales_total_non_C_gbp"]),
        "credit_note": Decimal(truth["credit_total_C_gbp"]),
    }


def test_months_and_customers_are_those_of_the_ground_truth(
    serving: duckdb.DuckDBPyConnection, truth: dict[str, Any]
) -> None:
    months = serving.execute(
        "select strftime(issued_on, '%Y-%m'), sum(total_exact) from marts.imported_invoices group by 1"
    ).fetchall()
    assert dict(months) == {month: Decimal(total) for month, total in truth["by_month_gbp"].items()}
    customers = serving.execute(
        "select customer_id, sum(total_exact) from marts.imported_invoices where customer_id is not null group by 1"
    ).fetchall()
    expected = json.loads((FOLDER / "ground_truth_customer_totals.json").read_text())
    assert dict(customers) == {customer: Decimal(total) for customer, total in expected.items()}
