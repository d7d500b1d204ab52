"""Cash: a million payments against a million invoices, from what landed to what matched.

The floor is one hand-written statement that reads the same files, adds up the payments that name an invoice and compares:
what anybody would write who knows that money never goes back, is never for two invoices and always names one. Of
fifty invoices one is paid too little, one too much, one twice and one not at all. Run as a process:
`python -m tests.benchmarks.payments build HOME` or `… floor HOME`; prints one line of JSON.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from ratehouse import billing, warehouse
from ratehouse.configuration import land_configuration, load_configuration
from ratehouse.lake import Lake
from ratehouse.ledger_schema import INVOICES, RUNS
from ratehouse.settings import Settings
from tests.benchmarks.lifecycle import TENANT

LAST_DAY = date(2026, 3, 1)
_INVOICES = """
    select
        'bench' as tenant_id, 'i' || n as invoice_id, 'INV-' || n as invoice_number, 'INV' as series, n as seq, 'invoice' as kind,
        'c' || n % 50000 as customer_id, 'USD' as currency, date '2026-01-01' as bill_date, date '2026-01-01' as issued_on,
        timestamptz '2026-01-01 00:00:00+00' as issued_at, date '2026-01-31' as due_on, n % 900 + 100 as total,
        total as subtotal, total as amount_due, 0 as discount, 0 as tax, 0 as credits_applied, 'UTC' as timezone, 30 as due_days,
        issued_at as billing_as_of, issued_at as known_as_of, 'run' as run_key, 'x' || n as content_hash
    from range(SIZE) as invoices (n)
"""
_PAYMENTS = """
    select
        'bench' as tenant_id, 'p' || n || '-' || copy as payment_id, 'c' || n % 50000 as customer_id, 'i' || n as invoice_id,
        n % 900 + 100 + case n % 50 when 1 then -50 when 2 then 25 else 0 end as amount, 'USD' as currency,
        'succeeded' as status, 'card' as method,
        timestamptz '2026-01-10 00:00:00+00' + to_seconds(n % 1000000) + to_days(cast(copy as int)) as recorded_at,
        recorded_at as attempted_at, recorded_at as settled_at, 'bench' as source, 'bench' as batch_id
    from range(SIZE) as invoices (n), range(2) as copies (copy)
    where n % 50 <> 4 and (copy = 0 or n % 50 = 3)
"""
_RUNS = "select 'run' as run_key, 'bench' as tenant_id, timestamptz '2026-01-01 00:00:00+00' as issued_at, SIZE as documents"
# From the tellings of payments to their matches; what else these stand on is built before.
MODELS = (
    "int_payments__references",
    "int_payments__flows",
    "int_payments__lone_invoices",
    "int_payments__movements",
    "int_payments__postings",
    "int_credits__open_amounts",
    "int_reconciliation__cash",
)
# Matched rows, exceptions, and by how much they are off in sum.
ANSWER = """
    select count(*) filter (where status = 'matched') as matched, count(*) filter (where status <> 'matched') as exceptions,
        sum(difference) as difference
    from {relation}
"""
FLOOR = """
    create or replace table floor as
    with paid as (
        select invoice_id, sum(amount) as amount, count(*) as payments, max(payment_id) as last_payment_id, max(amount) as largest
        from read_parquet('{payments}') where status = 'succeeded' group by invoice_id
    )
    select
        invoices.invoice_id, paid.last_payment_id,
        case
            when paid.invoice_id is null then 'missing_payment'
            when paid.amount < invoices.amount_due then 'amount_mismatch'
            when paid.payments > 1 then 'duplicate_payment'
            when paid.amount > invoices.amount_due then 'overpayment'
            else 'matched'
        end as status,
        coalesce(paid.amount, 0) - invoices.amount_due as difference
    from read_parquet('{invoices}') as invoices
    left join paid on invoices.invoice_id = paid.invoice_id
"""


@dataclass(frozen=True)
class Cash:
    """A generated home with that many invoices."""

    home: Path
    invoices: int

    @property
    def settings(self) -> Settings:
        return Settings.load(self.home, environ={})


def prepare(folder: Path, invoices: int) -> Cash:
    """Generate into `folder`, or take what an earlier call left there."""
    cash = Cash(folder, invoices)
    done = folder / "size.json"
    if done.exists() and json.loads(done.read_text()) == invoices:
        return cash
    shutil.rmtree(folder, ignore_errors=True)
    tenant = cash.settings.tenants_dir / "bench"
    tenant.mkdir(parents=True)
    (tenant / "tenant.yaml").write_text(TENANT)
    lake = Lake(cash.settings.lake_url)
    configuration = land_configuration(cash.settings, lake)
    if configuration.failures:
        raise ValueError(f"the tenant of the benchmark is refused: {configuration.failures}")
    for relation, sql, schema in (
        ("ledger/invoices", _INVOICES, INVOICES),
        ("ledger/runs", _RUNS, RUNS),
        ("raw/payments", _PAYMENTS, None),
    ):
        _write(sql.replace("SIZE", str(invoices)), schema, _file(cash.settings, relation))
    done.write_text(json.dumps(invoices))
    return cash


def _file(settings: Settings, relation: str) -> Path:
    return Path(settings.lake_url) / relation / "run.parquet"


def _write(sql: str, schema: pa.Schema | None, target: Path) -> None:
    """One file of the lake; with a schema its columns are cast to it, and those that the statement leaves out are null."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        if schema is not None:
            columns = {name for name, *_ in connection.execute(f"describe {sql}").fetchall()}
            kinds = connection.from_arrow(schema.empty_table())
            casts = ", ".join(
                f'cast({name if name in columns else "null"} as {kind}) as "{name}"'
                for name, kind in zip(kinds.columns, kinds.types, strict=True)
            )
            sql = f"select {casts} from ({sql})"
        connection.execute(f"copy ({sql}) to '{target}' (format parquet)")


def _build(settings: Settings) -> dict[str, float]:
    lake = Lake(settings.lake_url)
    configuration = load_configuration(settings)
    known = datetime(LAST_DAY.year, LAST_DAY.month, LAST_DAY.day, tzinfo=UTC)
    billing.set_clocks(lake, configuration, list(configuration.tenants), LAST_DAY, known_as_of=known)
    with warehouse.writer(settings):
        if not settings.warehouse_path.exists():
            warehouse.prepare(settings, lake)
            warehouse.seed(settings)
            warehouse.build(settings, command="run", select=("+int_reconciliation__cash",))
        warehouse.prepare(settings, lake)
        warehouse.build(settings, command="run", select=MODELS)
    results = json.loads((settings.warehouse_path.parent / "dbt_target" / "run_results.json").read_text())
    for result in sorted(results["results"], key=lambda result: -result["execution_time"]):
        name = result["unique_id"].split(".")[-1]
        print(f"{result['execution_time']:7.2f} s  {name}", file=sys.stderr)
    with warehouse.connect(settings, read_only=True) as connection:
        answer = _answer(connection, "intermediate.int_reconciliation__cash")
    return {"models_elapsed": results["elapsed_time"], **answer}


def _floor(settings: Settings) -> dict[str, float]:
    path = settings.home / "floor.duckdb"
    path.unlink(missing_ok=True)
    started = time.perf_counter()
    with duckdb.connect(str(path)) as connection:
        files = {"payments": _file(settings, "raw/payments"), "invoices": _file(settings, "ledger/invoices")}
        connection.execute(FLOOR.format(**files))
        answer = _answer(connection, "floor")
    return {"wall": time.perf_counter() - started, **answer}


def _answer(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, float]:
    ((matched, exceptions, difference),) = connection.execute(ANSWER.format(relation=relation)).fetchall()
    return {"matched": matched, "exceptions": exceptions, "difference": float(difference)}


def main(what: str, home: str) -> None:
    settings = Settings.load(Path(home), environ={})
    print(json.dumps(_floor(settings) if what == "floor" else _build(settings)))


if __name__ == "__main__":
    main(*sys.argv[1:])
