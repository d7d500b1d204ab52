"""Cash: a million payments against a million invoices, from what landed to what matched.

The floor is one hand-written statement that reads the same files, takes what was told last of each payment, lets each pay
what the ones before it left of its invoice, and writes down what matched and what did not, to the row what Ratehouse has:
what anybody would write who knows that money never goes back, is never for two invoices and always names one by its id. Of
fifty invoices one is paid too little, one too much, one twice and one not at all. Run as a process:
`python -m tests.benchmarks.payments build HOME` or `… floor HOME`; prints one line of JSON.
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
from ratehouse.ledger_schema import INVOICES, RUNS
from ratehouse.settings import Settings
from ratehouse.stream_schema import empty
from tests.benchmarks.files import write
from tests.benchmarks.home import install_tenant, set_night, timings
from tests.benchmarks.measure import Processor

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
# From the tellings of payments to what matched and what did not; what else these stand on is built before.
MODELS = (
    "stg_ratehouse__payment_histories",
    "stg_ratehouse__payment_states",
    "stg_ratehouse__payments",
    "int_payments__named_invoices",
    "int_payments__found_invoices",
    "int_payments__references",
    "int_payments__changes",
    "int_payments__flows",
    "int_payments__decisions",
    "int_payments__shortfalls",
    "int_payments__judgements",
    "int_payments__tied_invoices",
    "int_payments__lone_invoices",
    "int_payments__movements",
    "int_payments__ordered_postings",
    "int_payments__postings",
    "int_credits__ordered_amounts",
    "int_credits__open_amounts",
    "int_payments__write_offs",
    "int_payments__given_up",
    "int_payments__withholdings",
    "int_payments__receivables",
    "withholding_taxes",
    "int_reconciliation__invoices",
    "int_reconciliation__cash",
)
FLOOR = """
    create or replace table reconciled as
    with payments as (
        select tenant_id, payment_id, customer_id, invoice_id, amount, currency, recorded_at, status
        from read_parquet('{payments}')
        where recorded_at <= timestamptz '2026-03-01 00:00:00+00'
        qualify row_number() over (partition by tenant_id, payment_id order by recorded_at desc) = 1
    ),
    received as (
        select
            *, coalesce(sum(amount) over (
                partition by tenant_id, invoice_id order by recorded_at rows between unbounded preceding and 1 preceding
            ), 0) as paid_before
        from payments
        where status = 'succeeded'
    ),
    applied as (
        select
            received.*, invoices.invoice_number,
            least(received.amount, greatest(invoices.amount_due - received.paid_before, 0)) as applied
        from received
        left join read_parquet('{invoices}') as invoices
            on received.tenant_id = invoices.tenant_id and received.invoice_id = invoices.invoice_id
    ),
    paid as (
        select tenant_id, invoice_id, sum(amount) as amount from received group by all
    )
    select
        tenant_id,
        case
            when applied is null then 'unapplied'
            when applied = amount then 'matched'
            when applied > 0 then 'overpayment'
            else 'duplicate_payment'
        end as status,
        payment_id as reference, case when applied >= 0 then 'invoice_id' end as rule,
        case when applied > 0 then invoice_number end as counterpart, customer_id,
        cast(null as varchar) as invoice_id, payment_id, applied as expected_amount, amount as actual_amount,
        amount - applied as difference, currency, datediff('day', cast(recorded_at as date), date '2026-03-01') as age_days
    from applied
    union all
    select
        invoices.tenant_id, case when paid.amount > 0 then 'amount_mismatch' else 'missing_payment' end as status,
        invoices.invoice_number as reference, null as rule, null as counterpart, invoices.customer_id, invoices.invoice_id,
        null as payment_id,
        invoices.amount_due as expected_amount, coalesce(paid.amount, 0) as actual_amount,
        coalesce(paid.amount, 0) - invoices.amount_due as difference, invoices.currency,
        datediff('day', invoices.due_on, date '2026-03-01') as age_days
    from read_parquet('{invoices}') as invoices
    left join paid on invoices.tenant_id = paid.tenant_id and invoices.invoice_id = paid.invoice_id
    where coalesce(paid.amount, 0) < invoices.amount_due
"""
COLUMNS = (
    "tenant_id, status, reference, rule, counterpart, customer_id, invoice_id, payment_id, expected_amount, actual_amount,"
    " difference, currency, age_days"
)
DIFFERING = f"""
    select count(*) from (
        (select {COLUMNS} from floor.reconciled except all select {COLUMNS} from intermediate.int_reconciliation__cash)
        union all
        (select {COLUMNS} from intermediate.int_reconciliation__cash except all select {COLUMNS} from floor.reconciled)
    )
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
    install_tenant(cash.settings)
    with duckdb.connect() as connection:
        for relation, sql, schema in (
            ("ledger/invoices", _INVOICES, INVOICES),
            ("ledger/runs", _RUNS, RUNS),
            ("raw/payments", _PAYMENTS, empty("payments").schema),
        ):
            write(connection, sql.replace("SIZE", str(invoices)), schema, _file(cash.settings, relation))
    done.write_text(json.dumps(invoices))
    return cash


def _file(settings: Settings, relation: str) -> Path:
    return Path(settings.lake_url) / relation / "run.parquet"


def _build(settings: Settings) -> dict[str, float]:
    lake = Lake(settings.lake_url)
    set_night(settings, LAST_DAY)
    processor = Processor()
    with warehouse.writer(settings):
        if not settings.warehouse_path.exists():
            warehouse.prepare(settings, lake)
            warehouse.seed(settings)
            warehouse.build(settings, command="run", select=("+int_reconciliation__cash",))
        warehouse.prepare(settings, lake)
        warehouse.build(settings, command="run", select=MODELS, callbacks=[processor])
    _, elapsed = timings(settings)
    return {"models_elapsed": elapsed, "models_cpu": processor.seconds}


def _floor(settings: Settings) -> dict[str, float]:
    path = _floor_path(settings)
    path.unlink(missing_ok=True)
    processor = Processor()
    processor.mark()
    started = time.perf_counter()
    with duckdb.connect(str(path)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        files = {"payments": _file(settings, "raw/payments"), "invoices": _file(settings, "ledger/invoices")}
        connection.execute(FLOOR.format(**files))
    processor.mark()
    return {"wall": time.perf_counter() - started, "models_cpu": processor.seconds}


def _floor_path(settings: Settings) -> Path:
    return settings.home / "floor.duckdb"


def differing(settings: Settings) -> int:
    """How many rows are not the same in the warehouse and on the floor."""
    with warehouse.connect(settings, read_only=True) as connection:
        connection.execute(f"attach '{_floor_path(settings)}' as floor (read_only)")
        ((rows,),) = connection.execute(DIFFERING).fetchall()
    return int(rows)


def main(what: str, home: str) -> None:
    settings = Settings.load(Path(home), environ={})
    print(json.dumps(_floor(settings) if what == "floor" else _build(settings)))


if __name__ == "__main__":
    main(*sys.argv[1:])
