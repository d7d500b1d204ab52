"""Real usage files through the whole job, from map to PDF, against totals worked out by others."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pypdf
import pytest
import yaml

from ingest.files.importer import Imported, import_files
from ingest.files.mapping import FileMap
from ratehouse import billing
from ratehouse.lake import Lake
from ratehouse.settings import Settings
from ratehouse.streams import land
from tests.conftest import ROOT

# One warehouse serves all of them.
pytestmark = pytest.mark.xdist_group("realdata")

REALDATA = ROOT.parent / "shared" / "realdata"
FIXTURES = Path(__file__).parent / "fixtures"
OWN = FIXTURES / "realdata"
SERVICES = ("code", "conv")
AZURE = {"gpt35": "gpt35", "gpt35-shuffled": "gpt35", "gpt4": "gpt4", "graduated": "graduated"}
SERVEGEN = ("servegen", "servegen-shuffled")
# The prices of fixtures/realdata/price_books/servegen.yaml.
PRICES = {
    "m-large": Decimal("0.25"),
    "m-mid": Decimal("0.01"),
    "m-small": Decimal("0.02"),
    "mm-image": Decimal("1.35"),
    "deepseek-r1": Decimal("0.99"),
}
TRACE_MONTH = (date(2023, 11, 1), date(2023, 12, 1))
FIRST_DAY, BILL_DAY = date(2026, 1, 1), date(2026, 1, 15)  # the day after the last window


@dataclass(frozen=True)
class Billed:
    """The installation in which all real files were billed in one run."""

    settings: Settings
    serving: duckdb.DuckDBPyConnection
    imported: dict[str, list[Imported]]

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self.serving.execute(query, list(parameters)).fetchall()


def truth(folder: str) -> dict[str, Any]:
    file = REALDATA / folder / "ground_truth.json"
    if not file.exists():
        pytest.skip(f"{file.relative_to(ROOT.parent)} is not here")
    loaded: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="session")
def azure() -> dict[str, Any]:
    services: dict[str, Any] = truth("azure_llm_2023")["by_service"]
    return services


@pytest.fixture(scope="session")
def servegen() -> dict[str, Any]:
    models: dict[str, Any] = truth("servegen")["models"]
    return models


@pytest.fixture(scope="session")
def billed(
    azure: dict[str, Any], servegen: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Billed]:
    home = tmp_path_factory.mktemp("realdata")
    settings = Settings.load(home, environ={})
    lake = Lake(settings.lake_url)
    imported: dict[str, list[Imported]] = {}

    for tenant, book in AZURE.items():
        write_tenant(settings, tenant, book)
        imported[tenant] = []
        for service in SERVICES:
            original = REALDATA / "azure_llm_2023" / f"AzureLLMInferenceTrace_{service}.csv"
            files = shuffled_csv(original, home / tenant) if tenant == "gpt35-shuffled" else [original]
            usage_map = OWN / "maps" / f"azure_{service}.yaml"
            imported[tenant] += import_usage(lake, tenant, files, usage_map)
        land_subscriptions(lake, tenant, dict.fromkeys(SERVICES, "tokens"), *TRACE_MONTH)

    original = REALDATA / "servegen" / "servegen_client_10min_requests.parquet"
    clients = {
        f"{m}:{client}": m for m, figures in servegen.items() for client in figures["requests_by_client"]
    }
    for tenant in SERVEGEN:
        write_tenant(settings, tenant, "servegen")
        files = shuffled_parquet(original, home / tenant) if tenant == "servegen-shuffled" else [original]
        imported[tenant] = import_usage(lake, tenant, files, FIXTURES / "maps" / "servegen.yaml")
        land_subscriptions(lake, tenant, clients, FIRST_DAY, BILL_DAY)
    write_tenant(settings, "servegen-models", "servegen_models")
    imported["servegen-models"] = import_usage(
        lake, "servegen-models", [original], OWN / "maps" / "servegen_models.yaml"
    )
    land_subscriptions(lake, "servegen-models", dict.fromkeys(servegen, "model"), FIRST_DAY, BILL_DAY)

    run = billing.run(settings, BILL_DAY)
    assert not run.failures
    with duckdb.connect(str(settings.serving_path), read_only=True) as serving:
        yield Billed(settings, serving, imported)


def write_tenant(settings: Settings, tenant: str, book: str) -> None:
    folder = settings.tenants_dir / tenant
    (folder / "price_books").mkdir(parents=True)
    document = {"tenant": tenant, **yaml.safe_load((OWN / "tenant.yaml").read_text(encoding="utf-8"))}
    (folder / "tenant.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    content = (OWN / "price_books" / f"{book}.yaml").read_text(encoding="utf-8")
    (folder / "price_books" / "1.yaml").write_text(content, encoding="utf-8")


def import_usage(lake: Lake, tenant: str, files: list[Path], usage_map: Path) -> list[Imported]:
    file_map = FileMap.load(usage_map, "usage_events")
    return import_files(lake, files, tenant_id=tenant, stream="usage_events", file_map=file_map)


def land_subscriptions(lake: Lake, tenant: str, plans: dict[str, str], first: date, last: date) -> None:
    """One subscription for each customer, cancelled on `last`, so that everything is due then."""
    at, end = (datetime(d.year, d.month, d.day, tzinfo=UTC) for d in (first, last))
    customers = [{"customer_id": customer, "effective_at": at, "name": customer} for customer in plans]
    events = [
        {
            "event_id": f"{kind}:{customer}",
            "subscription_id": f"sub:{customer}",
            "customer_id": customer,
            "type": kind,
            "effective_at": effective_at,
            "data": data,
        }
        for customer, plan in plans.items()
        for kind, effective_at, data in (
            ("created", at, {"plan": plan}),
            ("cancelled", end, {"when": "immediate"}),
        )
    ]
    for stream, rows in (("customers", customers), ("subscription_events", events)):
        landed = land(lake, stream, rows, tenant_id=tenant, source="test", batch_id=f"{tenant}-{stream}")
        assert landed.rejected == 0


def shuffled(rows: pl.DataFrame) -> list[pl.DataFrame]:
    """The rows in random order in five pieces, and half of them once more in another order in two pieces."""
    once = rows.sample(fraction=1, shuffle=True, seed=1)
    again = rows.sample(n=len(rows) // 2, shuffle=True, seed=2)
    return [*pieces(once, 5), *pieces(again, 2)]


def pieces(rows: pl.DataFrame, count: int) -> list[pl.DataFrame]:
    size = -(-len(rows) // count)
    return [rows.slice(start, size) for start in range(0, len(rows), size)]


def shuffled_csv(file: Path, folder: Path) -> list[Path]:
    folder.mkdir(exist_ok=True)
    files = []
    for number, piece in enumerate(shuffled(pl.read_csv(file, infer_schema=False))):
        files.append(folder / f"{file.stem}-{number}.csv")
        piece.write_csv(files[-1])
    return files


def shuffled_parquet(file: Path, folder: Path) -> list[Path]:
    folder.mkdir(exist_ok=True)
    files = []
    for number, piece in enumerate(shuffled(pl.read_parquet(file))):
        files.append(folder / f"{file.stem}-{number}.parquet")
        piece.write_parquet(files[-1])
    return files


# --- Azure: two services, two meters ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tenant", "prices"),
    [
        ("gpt35", "priced_gpt35turbo4k_0.0015_0.002_per_1k"),
        ("gpt35-shuffled", "priced_gpt35turbo4k_0.0015_0.002_per_1k"),
        ("gpt4", "priced_gpt4_8k_0.03_0.06_per_1k"),
    ],
)
@pytest.mark.parametrize("service", SERVICES)
def test_azure_invoices_are_exact(
    billed: Billed, azure: dict[str, Any], tenant: str, prices: str, service: str
) -> None:
    expected = azure[service][prices]
    query = "select total, amount_due from marts.invoices where tenant_id = ? and customer_id = ?"
    once = Decimal(expected["rounded_once_usd"])
    assert billed.rows(query, tenant, service) == [(once, once)]
    assert once != Decimal(expected["rounded_per_request_then_summed_usd"])
    assert exact(billed, tenant, service) == Decimal(expected["exact_usd"])
    lines = billed.rows(
        "select charge, quantity from marts.invoice_lines where tenant_id = ? and customer_id = ?"
        " order by charge",
        tenant,
        service,
    )
    assert lines == [
        ("context", azure[service]["context_tokens"]),
        ("generated", azure[service]["generated_tokens"]),
    ]


@pytest.mark.parametrize("service", SERVICES)
def test_azure_graduated_tiers_are_exact(billed: Billed, azure: dict[str, Any], service: str) -> None:
    expected = Decimal(azure[service]["graduated_example_context"]["usd"])
    assert exact(billed, "graduated", service) == expected
    query = "select total from marts.invoices where tenant_id = 'graduated' and customer_id = ?"
    assert billed.rows(query, service) == [(expected.quantize(Decimal("0.01"), ROUND_HALF_UP),)]


def exact(billed: Billed, tenant: str, customer: str) -> Decimal:
    ((amount,),) = billed.rows(
        "select sum(amount_exact) from marts.rated_charges where tenant_id = ? and customer_id = ?",
        tenant,
        customer,
    )
    assert isinstance(amount, Decimal)
    return amount


# --- ServeGen: clients are customers, models are plans ------------------------------------------------------


@pytest.mark.parametrize("tenant", SERVEGEN)
def test_servegen_clients_pay_for_their_requests(
    billed: Billed, servegen: dict[str, Any], tenant: str
) -> None:
    expected = {
        f"{model}:{client}": requests * PRICES[model]
        for model, figures in servegen.items()
        for client, requests in figures["requests_by_client"].items()
    }
    invoiced = billed.rows("select customer_id, total from marts.invoices where tenant_id = ?", tenant)
    assert len(invoiced) == len(expected)
    assert dict(invoiced) == expected


@pytest.mark.parametrize("tenant", SERVEGEN)
def test_servegen_days_add_up(billed: Billed, servegen: dict[str, Any], tenant: str) -> None:
    days = billed.rows(
        "select plan, service_start, service_end - service_start, sum(quantity), sum(amount)"
        " from marts.invoice_lines where tenant_id = ? group by all",
        tenant,
    )
    assert {length for _, _, length, _, _ in days} == {1}
    found = {(plan, (day - FIRST_DAY).days): (quantity, amount) for plan, day, _, quantity, amount in days}
    assert found == {
        (model, int(day)): (requests, requests * PRICES[model])
        for model, figures in servegen.items()
        for day, requests in figures["requests_by_day"].items()
    }


def test_servegen_one_line_passes_two_to_the_thirty_first(billed: Billed, servegen: dict[str, Any]) -> None:
    lines = billed.rows(
        "select customer_id, quantity, amount from marts.invoice_lines where tenant_id = 'servegen-models'"
    )
    cent = Decimal("0.01")
    assert {customer: (quantity, amount) for customer, quantity, amount in lines} == {
        model: (f["requests"], (f["requests"] * Decimal("0.000013")).quantize(cent, ROUND_HALF_UP))
        for model, f in servegen.items()
    }
    assert max(quantity for _, quantity, _ in lines) > 2**31


# --- both ---------------------------------------------------------------------------------------------------


def test_every_real_event_is_accounted_for(
    billed: Billed, azure: dict[str, Any], servegen: dict[str, Any]
) -> None:
    rows = {name: sum(azure[service]["rows"] for service in SERVICES) for name in AZURE}
    twice = {"gpt35-shuffled": sum(azure[service]["rows"] // 2 for service in SERVICES)}
    windows = sum(figures["active_windows"] for figures in servegen.values())
    rows |= dict.fromkeys((*SERVEGEN, "servegen-models"), windows)
    twice["servegen-shuffled"] = windows // 2
    found = billed.rows(
        "select tenant_id, sum(received), sum(duplicates), sum(conflicts), sum(rejected), sum(accepted),"
        " sum(rated), sum(not_billable), sum(skipped_values) from marts.usage_completeness group by all"
    )
    assert {tenant: tuple(counts) for tenant, *counts in found} == {
        name: (n + twice.get(name, 0), twice.get(name, 0), 0, 0, n, n, 0, 0) for name, n in rows.items()
    }
    assert billed.rows("select count(*) from marts.reconciliation_items") == [(0,)]


def test_order_and_repeats_change_no_invoice(billed: Billed) -> None:
    for table, columns in (
        ("invoices", "customer_id, kind, bill_date, total"),
        ("invoice_lines", "customer_id, charge, service_start, service_end, quantity, unit_price, amount"),
    ):
        for plain in ("gpt35", "servegen"):
            one, other = (
                billed.rows(f"select {columns} from marts.{table} where tenant_id = ? order by all", tenant)
                for tenant in (plain, f"{plain}-shuffled")
            )
            assert one and one == other


def test_a_pdf_of_a_real_invoice(billed: Billed, tmp_path: Path) -> None:
    ((number,),) = billed.rows(
        "select invoice_number from marts.invoices where tenant_id = 'gpt35' and customer_id = 'conv'"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "ratehouse.cli",
            "invoice",
            "pdf",
            number,
            "--tenant",
            "gpt35",
            "--out",
            tmp_path,
        ],
        env={"RATEHOUSE_HOME": str(billed.settings.home), "PATH": "", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    (file,) = tmp_path.glob("*.pdf")
    text = " ".join(page.extract_text() for page in pypdf.PdfReader(file).pages)
    for expected in (number, "41.72", "22,361,870", "4,088,665", "GPT-3.5 Turbo 4K"):
        assert expected in text, expected
