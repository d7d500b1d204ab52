"""The night on which a month is over, with years of closed months before it: what it costs must not depend on how many there are.

Each month as many one-year contracts begin, of ten lines each (tests/benchmarks/revenue.py). Those of the last thirteen months are under way in the month
that is recognised; of all before them everything is earned, and every month before is closed in the ledger. Run as a process:
`python -m tests.benchmarks.closed_months HOME 2026-12-31 --full` builds everything, `… HOME 2027-01-01` the night after.
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from ratehouse import warehouse
from ratehouse.lake import Lake
from ratehouse.settings import Settings
from tests.benchmarks.home import install_tenant, set_night, timings
from tests.benchmarks.measure import Processor, process
from tests.benchmarks.revenue import BOOK, INVOICES, ledger_file

# The last month runs, then it is over.
BEFORE, NIGHT = date(2026, 12, 31), date(2027, 1, 1)
_LIVE = 13
_LINES = """
    select
        'bench' as tenant_id, 'i' || contract || '-' || case when k < 8 then k else 0 end as invoice_id, 'l' || n as line_id,
        k + 1 as line_no, 'c' || contract as customer_id, 's' || contract as subscription_id, 'std' as plan,
        case when k < 8 then 'base' when k = 8 then 'year' else 'setup' end as charge,
        case when k = 9 then 'one_time' else 'recurring' end as line_type, '' as dimensions,
        cast(first_on + to_months(case when k < 8 then k else 0 end) as date) as service_start,
        cast(case when k < 8 then first_on + to_months(k + 1) when k = 8 then first_on + to_months(12) else first_on end as date)
            as service_end,
        cast(1000 + hash(n) % 90000 as decimal(20, 4)) * cast(0.01 as decimal(3, 2)) as exact_amount,
        cast(exact_amount as decimal(20, 4)) as amount, amount as priced_amount, 'USD' as currency,
        cast(service_start as timestamptz) as billing_as_of, billing_as_of as issued_at, 'bench' as run_key
    from (
        select n, contract, n % 10 as k, cast(date '2026-12-01' - to_months(contract // MONTHLY) + to_days(contract % 28) as date) as first_on
        from (select n, n // 10 as contract from range(10 * MONTHLY * MONTHS) as lines (n)) as numbered
    ) as lines
    where service_start <= date '2026-12-31'
"""
_RUNS = """
    select 'bench' as run_key, 'bench' as tenant_id, timestamptz '2026-12-31 00:00:00+00' as billing_as_of,
        billing_as_of as known_as_of, 1 as documents, 1 as lines, billing_as_of as issued_at
"""
# What each month's close would have frozen: cumulative rounding of every line, added up.
_REVENUE = """
    with lines as (
        select
            *, cast(amount * 100 as bigint) as cents, datediff('day', service_start, service_end) as days,
            cast(unnest(generate_series(
                cast(date_trunc('month', service_start) as timestamp),
                cast(least(greatest(service_end - 1, service_start), date '2026-11-30') as timestamp), to_months(1)
            )) as date) as month_start
        from read_parquet('{lines}')
    )
    select
        tenant_id, strftime(month_start, '%Y-%m') as period, period as closed_period, period as posting_period, subscription_id as contract_id,
        charge as obligation_id, min(case charge when 'setup' then 'point_in_time' else 'ratable_day' end) as method,
        cast(sum(case
            when days = 0 then cents
            else (2 * cents * least(datediff('day', service_start, last_day(month_start)) + 1, days) + days) // (2 * days)
                - (2 * cents * greatest(datediff('day', service_start, month_start), 0) + days) // (2 * days)
        end) as decimal(20, 4)) * cast(0.01 as decimal(4, 2)) as exact_recognised,
        cast(exact_recognised as decimal(20, 4)) as recognised, cast(0 as decimal(20, 4)) as breakage,
        cast(0 as decimal(20, 4)) as prior_performance, 'USD' as currency, 'close-' || period as run_key
    from lines
    group by tenant_id, month_start, subscription_id, charge
    having sum(cents) <> 0
    order by period
"""
_BALANCES = """
    with lines as (
        select
            tenant_id, subscription_id as contract_id, customer_id, cast(date_trunc('month', cast(service_start as timestamp)) as date) as month_start,
            amount
        from read_parquet('{lines}')
    ),
    moved as (
        select tenant_id, contract_id, month_start, amount as billed, 0 as recognised from lines
        union all
        select tenant_id, contract_id, cast(period || '-01' as date) as month_start, 0 as billed, recognised from read_parquet('{revenue}')
    ),
    spine as (
        select
            tenant_id, contract_id, customer_id,
            cast(unnest(generate_series(cast(first_month as timestamp), timestamp '2026-11-01', to_months(1))) as date) as month_start
        from (select tenant_id, contract_id, customer_id, min(month_start) as first_month from lines group by all) as contracts
    ),
    to_date as (
        select
            tenant_id, contract_id, customer_id, month_start, sum(sum(moved.billed)) over months as billed,
            sum(sum(moved.recognised)) over months as recognised
        from spine left join moved using (tenant_id, contract_id, month_start)
        group by tenant_id, contract_id, customer_id, month_start
        window months as (partition by tenant_id, contract_id order by month_start)
    )
    select
        tenant_id, strftime(month_start, '%Y-%m') as period, period as closed_period, contract_id, customer_id, cast(billed as decimal(20, 4)) as billed,
        cast(0 as decimal(20, 4)) as credited, credited as refunded, cast(recognised as decimal(20, 4)) as recognised, credited as interest,
        credited as refund_liability, credited as receivable, cast(greatest(billed - recognised, 0) as decimal(20, 4)) as liability_current,
        'USD' as currency, 'close-' || period as run_key
    from to_date
    order by period
"""
_PERIODS = """
    select
        'bench' as tenant_id, strftime(month_start, '%Y-%m') as period, cast(month_start + to_months(1) + to_days(4) as timestamptz) as closed_at,
        closed_at as billing_as_of, closed_at as known_as_of, 'close-' || period as run_key, '' as content_hash, '' as previous_hash
    from (select unnest(generate_series(timestamp '2026-12-01' - to_months(MONTHS - 1), timestamp '2026-11-01', to_months(1))) as month_start)
"""
# The tables of contracts, and the two marts.
_MODELS = (
    "+int_revenue__made_contracts,path:models/revenue",
    "revenue_by_period",
    "deferred_revenue_rollforward",
)
# What a reader sees of all months, to be compared with a warehouse that was built at once.
TABLES = (
    "intermediate.int_revenue__line_schedules",
    "intermediate.int_revenue__balances",
    "marts.revenue_by_period",
    "marts.deferred_revenue_rollforward",
)

# Rows of a table that only one of the two warehouses has.
_DIFFERING = """
    select count(*) from ((from {table} except all from at_once.{table}) union all (from at_once.{table} except all from {table}))
"""


@dataclass(frozen=True)
class History:
    """A generated home: so many contracts begin in a month; so many months of contracts are over."""

    home: Path
    monthly: int
    finished: int

    @property
    def settings(self) -> Settings:
        return Settings.load(self.home, environ={})


def prepare(folder: Path, monthly: int, finished: int) -> History:
    """Generate into `folder`, or take what an earlier call left there."""
    history = History(folder, monthly, finished)
    done = folder / "size.json"
    if done.exists() and json.loads(done.read_text()) == [monthly, finished]:
        return history
    shutil.rmtree(folder, ignore_errors=True)
    install_tenant(history.settings, BOOK)
    files = {
        "lines": ledger_file(history.settings, "invoice_lines"),
        "revenue": ledger_file(history.settings, "closed_revenue"),
    }
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        for relation, sql in {
            "invoice_lines": _LINES,
            "invoices": INVOICES,
            "runs": _RUNS,
            "closed_revenue": _REVENUE,
            "closed_balances": _BALANCES,
            "closed_periods": _PERIODS,
        }.items():
            target = ledger_file(history.settings, relation)
            target.parent.mkdir(parents=True, exist_ok=True)
            query = (
                sql.replace("MONTHLY", str(monthly)).replace("MONTHS", str(finished + _LIVE)).format(**files)
            )
            connection.execute(f"copy ({query}) to '{target}' (format parquet)")
    done.write_text(json.dumps([monthly, finished]))
    return history


def _build(settings: Settings, day: date, *, full: bool) -> dict[str, float]:
    lake = Lake(settings.lake_url)
    set_night(settings, day)
    processor = Processor()
    with warehouse.writer(settings):
        if full:
            warehouse.remove(settings)
        warehouse.prepare(settings, lake)
        if full:
            warehouse.seed(settings)
            warehouse.build(settings, command="run", select=("+int_revenue__made_contracts",))
        else:
            warehouse.build(settings, command="run", select=_MODELS, callbacks=[processor])
    _, elapsed = timings(settings)
    return {"models_elapsed": elapsed, "models_cpu": 0 if full else processor.seconds}


def differing(history: History) -> int:
    """How many rows of what a reader sees are not those of a warehouse that is built at once; leaves that one in its place."""
    night = history.home / "night.duckdb"
    shutil.move(history.settings.warehouse_path, night)
    process("tests.benchmarks.closed_months", str(history.home), str(NIGHT), "--full")
    with duckdb.connect(str(night), read_only=True) as connection:
        connection.execute(f"attach '{history.settings.warehouse_path}' as at_once (read_only)")
        counts = [connection.execute(_DIFFERING.format(table=table)).fetchall()[0][0] for table in TABLES]
    night.unlink()
    return sum(counts)


def main(home: str, day: str, *flags: str) -> None:
    settings = Settings.load(Path(home), environ={})
    print(json.dumps(_build(settings, date.fromisoformat(day), full="--full" in flags)))


if __name__ == "__main__":
    main(*sys.argv[1:])
