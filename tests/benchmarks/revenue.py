"""A million issued invoice lines: their schedules, the months' recognition and the roll-forward of what is deferred.

The floor is one hand-written pass over the same file: lay each line out over its months, round cumulatively, add up by charge and month, roll
forward, and write the three down, to the cent what Ratehouse has. It is what anybody would write who knows that all is in cents, and that nothing
is ever voided, credited, closed or late. Run as a process:
`python -m tests.benchmarks.revenue build HOME` or `… floor HOME`; prints one line of JSON.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from ratehouse import warehouse
from ratehouse.lake import Lake
from ratehouse.settings import Settings
from tests.benchmarks.home import install_tenant, set_night, timings
from tests.benchmarks.measure import Processor

LAST_DAY = date(2027, 1, 1)
BOOK = """\
price_book: "1"
effective_from: 2000-01-01
currency: USD
plans:
  std: {charges: {base: {type: recurring, timing: advance, model: flat, amount: "10.00"}}}
"""
# Ten lines of each subscription: eight months, a year, and a fee; the last two stand on the first month's document.
_LINES = """
    select
        'bench' as tenant_id, 'i' || n // 10 || '-' || case when k < 8 then k else 0 end as invoice_id, 'l' || n as line_id,
        k + 1 as line_no, 'c' || n // 10 as customer_id, 's' || n // 10 as subscription_id, 'std' as plan,
        case when k < 8 then 'base' when k = 8 then 'year' else 'setup' end as charge,
        case when k = 9 then 'one_time' else 'recurring' end as line_type, '' as dimensions,
        cast(first_on + to_months(case when k < 8 then k else 0 end) as date) as service_start,
        cast(case when k < 8 then first_on + to_months(k + 1) when k = 8 then first_on + to_months(12) else first_on end as date)
            as service_end,
        cast(1000 + hash(n) % 90000 as decimal(20, 4)) * cast(0.01 as decimal(3, 2)) as exact_amount,
        cast(exact_amount as decimal(20, 4)) as amount, amount as priced_amount, 'USD' as currency,
        timestamptz '2026-12-31 00:00:00+00' as billing_as_of, billing_as_of as issued_at, 'bench' as run_key
    from (
        select n, n % 10 as k, date '2026-01-01' + cast(n // 10 % 28 as int) as first_on from range(LINES) as lines (n)
    )
"""
INVOICES = """
    select
        tenant_id, invoice_id, invoice_id as invoice_number, 'bench' as series, row_number() over (order by invoice_id) as seq,
        'invoice' as kind, any_value(customer_id) as customer_id, 'USD' as currency, min(service_start) as bill_date,
        bill_date as issued_on, cast(bill_date as timestamptz) as issued_at, cast(bill_date + 14 as date) as due_on,
        sum(amount) as subtotal, cast(0 as decimal(20, 4)) as discount, cast(0 as decimal(20, 4)) as tax, sum(amount) as total,
        cast(0 as decimal(20, 4)) as credits_applied, sum(amount) as amount_due, any_value(billing_as_of) as billing_as_of,
        any_value(billing_as_of) as known_as_of, 'bench' as run_key
    from read_parquet('{lines}')
    group by tenant_id, invoice_id
"""
_RUNS = """
    select 'bench' as run_key, 'bench' as tenant_id, timestamptz '2026-12-31 00:00:00+00' as billing_as_of,
        billing_as_of as known_as_of, 1 as documents, 1 as lines, billing_as_of as issued_at
"""
# From issued lines to the month's figures; what else these stand on is built before.
MODELS = (
    "+int_revenue__made_contracts,path:models/revenue",
    "+deferred_revenue_rollforward,path:models/revenue",
    "revenue_by_period",
    "deferred_revenue_rollforward",
)
FLOOR = (
    """
    create or replace table schedules as
    with lines as (
        select
            tenant_id, line_id, subscription_id, charge, service_start, service_end, cast(amount * 100 as bigint) as cents,
            datediff('day', service_start, service_end) as days
        from read_parquet('{lines}')
    ),
    laid_out as (
        select
            *, cast(unnest(generate_series(
                cast(date_trunc('month', service_start) as timestamp),
                cast(least(greatest(service_end - 1, service_start), date '2026-12-31') as timestamp), to_months(1)
            )) as date) as month_start
        from lines
    ),
    served as (
        select
            *, least(datediff('day', service_start, last_day(month_start)) + 1, days) as to_date,
            greatest(datediff('day', service_start, month_start), 0) as before
        from laid_out
    )
    select
        tenant_id, subscription_id, charge, line_id, month_start,
        case
            when days = 0 then cents
            else (2 * cents * to_date + days) // (2 * days) - (2 * cents * before + days) // (2 * days)
        end as cents
    from served
    """,
    """
    create or replace table recognition as
    with monthly as (
        select tenant_id, subscription_id, charge, month_start, cast(sum(cents) as decimal(20, 4)) * cast(0.01 as decimal(4, 2)) as recognised
        from schedules
        group by all
    )
    select *, sum(recognised) over (partition by tenant_id, subscription_id, charge order by month_start) as cumulative from monthly
    """,
    """
    create or replace table rollforward as
    with lines as (
        select tenant_id, subscription_id, cast(date_trunc('month', cast(service_start as timestamp)) as date) as month_start, amount
        from read_parquet('{lines}')
    ),
    moved as (
        select tenant_id, subscription_id, month_start, recognised, 0 as billed from recognition
        union all
        select tenant_id, subscription_id, month_start, 0 as recognised, amount as billed from lines
    ),
    spine as (
        select
            tenant_id, subscription_id,
            cast(unnest(generate_series(timestamp '2026-01-01', timestamp '2026-12-01', to_months(1))) as date) as month_start
        from (select distinct tenant_id, subscription_id from lines)
    ),
    monthly as (
        select
            tenant_id, subscription_id, month_start, coalesce(sum(moved.billed), 0) as billed,
            coalesce(sum(moved.recognised), 0) as recognised
        from spine left join moved using (tenant_id, subscription_id, month_start)
        group by all
    ),
    rolled as (
        select *, sum(billed - recognised) over (partition by tenant_id, subscription_id order by month_start) as closing from monthly
    )
    select *, closing - billed + recognised as opening from rolled
    """,
)
# Rows of the three that are not the same on both sides.
DIFFERING = """
    select
        (select count(*) from (
            (select subscription_id, charge, line_id, strftime(month_start, '%Y-%m') as period, cents from floor.schedules
            except all select contract_id, obligation_id, item_id, period, recognised from intermediate.int_revenue__line_schedules)
            union all
            (select contract_id, obligation_id, item_id, period, recognised from intermediate.int_revenue__line_schedules
            except all select subscription_id, charge, line_id, strftime(month_start, '%Y-%m'), cents from floor.schedules)
        )),
        (select count(*) from (
            (select subscription_id, charge, strftime(month_start, '%Y-%m') as period, recognised, cumulative from floor.recognition
            except all select contract_id, obligation_id, period, recognised, cumulative from marts.revenue_by_period)
            union all
            (select contract_id, obligation_id, period, recognised, cumulative from marts.revenue_by_period
            except all
            select subscription_id, charge, strftime(month_start, '%Y-%m'), recognised, cumulative from floor.recognition)
        )),
        (select count(*) from (
            (select subscription_id, strftime(month_start, '%Y-%m') as period, opening, billed, -recognised, closing from floor.rollforward
            except all select contract_id, period, opening, billed, recognised, closing from marts.deferred_revenue_rollforward)
            union all
            (select contract_id, period, opening, billed, recognised, closing from marts.deferred_revenue_rollforward
            except all
            select subscription_id, strftime(month_start, '%Y-%m'), opening, billed, -recognised, closing from floor.rollforward)
        ))
"""


@dataclass(frozen=True)
class Books:
    """A generated home whose ledger has that many lines."""

    home: Path
    lines: int

    @property
    def settings(self) -> Settings:
        return Settings.load(self.home, environ={})


def prepare(folder: Path, lines: int) -> Books:
    """Generate into `folder`, or take what an earlier call left there."""
    books = Books(folder, lines)
    done = folder / "size.json"
    if done.exists() and json.loads(done.read_text()) == lines:
        return books
    shutil.rmtree(folder, ignore_errors=True)
    install_tenant(books.settings, BOOK)
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        for relation, sql in (("invoice_lines", _LINES), ("invoices", INVOICES), ("runs", _RUNS)):
            target = ledger_file(books.settings, relation)
            target.parent.mkdir(parents=True, exist_ok=True)
            query = sql.replace("LINES", str(lines)).format(
                lines=ledger_file(books.settings, "invoice_lines")
            )
            connection.execute(f"copy ({query}) to '{target}' (format parquet)")
    done.write_text(json.dumps(lines))
    return books


def ledger_file(settings: Settings, relation: str) -> Path:
    return Path(settings.lake_url) / "ledger" / relation / "bench.parquet"


def _build(settings: Settings) -> dict[str, float]:
    lake = Lake(settings.lake_url)
    set_night(settings, LAST_DAY)
    processor = Processor()
    with warehouse.writer(settings):
        if not settings.warehouse_path.exists():
            warehouse.prepare(settings, lake)
            warehouse.seed(settings)
            warehouse.build(settings, command="run", select=("+int_revenue__made_contracts",))
        warehouse.prepare(settings, lake)
        warehouse.build(
            settings, command="run", select=MODELS, flags=("--full-refresh",), callbacks=[processor]
        )
    _, elapsed = timings(settings)
    return {"models_elapsed": elapsed, "models_cpu": processor.seconds}


def _floor(settings: Settings) -> dict[str, float]:
    path = _floor_path(settings)
    path.unlink(missing_ok=True)
    processor = Processor()
    processor.mark()
    started = time.perf_counter()
    with duckdb.connect(str(path)) as connection:
        for statement in FLOOR:
            connection.execute(statement.format(lines=ledger_file(settings, "invoice_lines")))
    processor.mark()
    return {"wall": time.perf_counter() - started, "models_cpu": processor.seconds}


def _floor_path(settings: Settings) -> Path:
    return settings.home / "floor.duckdb"


def differing(settings: Settings) -> list[int]:
    """How many rows of schedules, of recognition and of the roll-forward are not the same in the warehouse and on the floor."""
    with warehouse.connect(settings, read_only=True) as connection:
        connection.execute(f"attach '{_floor_path(settings)}' as floor (read_only)")
        (counts,) = connection.execute(DIFFERING).fetchall()
    return list(counts)


def main(what: str, home: str) -> None:
    settings = Settings.load(Path(home), environ={})
    print(json.dumps(_floor(settings) if what == "floor" else _build(settings)))


if __name__ == "__main__":
    main(*sys.argv[1:])
