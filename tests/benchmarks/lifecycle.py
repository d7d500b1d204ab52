"""Subscriptions that live: 100,000 of them with three changes each and twelve months, of which eleven were billed, from events to differences.

The floor is one hand-written statement that reads the same files, lays the months out, cuts them at the changes, joins the prices and takes off
what was billed: what anybody would write who knows that nothing is ever cancelled, paused, priced anew or billed in parts. Run as a process:
`python -m tests.benchmarks.lifecycle build HOME DAY [--full]` or `… floor HOME`; prints one line of JSON.
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
from ratehouse.ledger_schema import INVOICE_LINES, INVOICES, RUNS
from ratehouse.settings import Settings
from ratehouse.stream_schema import empty
from tests.benchmarks.files import write
from tests.benchmarks.home import install_tenant, set_night, timings
from tests.benchmarks.measure import Processor

FIRST_DAY = date(2026, 1, 1)
BILLED_DAY = date(2026, 12, 1)
LAST_DAY = date(2027, 1, 1)
NEXT_DAY = date(2027, 1, 2)
BOOK = """\
price_book: "1"
effective_from: 2000-01-01
currency: USD
plans:
  small: {charges: {base: {type: recurring, timing: advance, model: flat, amount: "29.00"}, seats: {type: recurring, timing: advance, quantity: seats, model: per_unit, unit_price: "7.00"}}}
  large: {charges: {base: {type: recurring, timing: advance, model: flat, amount: "99.00"}, seats: {type: recurring, timing: advance, quantity: seats, model: per_unit, unit_price: "5.00"}}}
"""
# Of each subscription: a start in the first month, then a plan, seats and a plan again, months apart.
_EVENTS = """
    select
        'bench' as tenant_id, 'e' || n || '-' || change as event_id, 's' || n as subscription_id, 'c' || n as customer_id,
        case change when 0 then 'created' when 2 then 'quantity_changed' else 'plan_changed' end as type,
        timestamptz '2026-01-01 09:00:00+00' + to_days(cast(n % 28 + change * 97 + hash(n + change) % 20 as int)) as effective_at,
        effective_at as recorded_at, 'bench' as source, 'bench' as batch_id, cast(null as varchar) as actor,
        case change
            when 0 then '{"plan":"small","quantities":{"seats":"' || (n % 9 + 1) || '"}}'
            when 1 then '{"plan":"large"}'
            when 2 then '{"quantities":{"seats":"' || (n % 7 + 1) || '"}}'
            else '{"plan":"small"}'
        end as data
    from range(SUBSCRIPTIONS) as subscriptions (n), range(4) as changes (change)
"""
_NIGHT = """
    select
        'bench' as tenant_id, 'night' || n as event_id, 's' || n as subscription_id, 'c' || n as customer_id,
        'quantity_changed' as type, timestamptz '2027-01-01 12:00:00+00' as effective_at, effective_at as recorded_at,
        'bench' as source, 'night' as batch_id, cast(null as varchar) as actor, '{"quantities":{"seats":"20"}}' as data
    from range(SUBSCRIPTIONS) as subscriptions (n)
    where n % 50 = 0
"""
# The ledger as the months before would have left it: one document a customer.
_LINES = """
    select
        * exclude (line_type, amount), line_type, amount, amount as priced_amount, 'i-' || customer_id as invoice_id, rated_id as line_id,
        timestamptz 'BILLED 00:00:00+00' as billing_as_of, billing_as_of as issued_at, 'run' as run_key,
        row_number() over (partition by customer_id order by rated_id) as line_no
    from warehouse.intermediate.int_invoicing__differences
"""
_INVOICES = """
    select
        tenant_id, invoice_id, customer_id, currency, 'INV' as series, row_number() over (order by customer_id) as seq,
        'INV-' || seq as invoice_number, 'invoice' as kind, sum(amount) as total, total as subtotal, total as amount_due, 0 as discount,
        0 as tax, 0 as credits_applied, date 'BILLED' as bill_date, bill_date as issued_on, bill_date + 30 as due_on, 30 as due_days,
        'UTC' as timezone, any_value(billing_as_of) as billing_as_of, any_value(billing_as_of) as known_as_of,
        any_value(issued_at) as issued_at, 'run' as run_key, 'x' || customer_id as content_hash
    from (LINES_SQL)
    group by tenant_id, invoice_id, customer_id, currency
"""
_RUNS = """
    select 'run' as run_key, 'bench' as tenant_id, any_value(issued_at) as issued_at, count(*) as documents from (INVOICES_SQL)
"""
# Everything between the events and the differences, what it reads, and the marks by which the night knows what it need not make again.
MODELS = ("+int_invoicing__differences", "int_subscriptions__made_lives", "int_subscriptions__made_terms")
FLOOR = """
    create or replace table floor as
    with events as (
        select
            subscription_id, charge, cast(effective_at as date) as changes_on, row_number() over own as place,
            last_value(data->>'plan' ignore nulls) over own as plan,
            last_value(cast(data->'quantities'->>'seats' as decimal(28, 10)) ignore nulls) over own as seats,
            first_value(cast(effective_at as date)) over own as started_on,
            lead(cast(effective_at as date)) over own as ends_on
        from (select subscription_id, effective_at, event_id, type, cast(data as json) as data from read_parquet('{files}'))
        cross join (values ('base'), ('seats')) as charges (charge)
        where charge = 'seats' or type <> 'quantity_changed'
        window own as (partition by subscription_id, charge order by effective_at, event_id)
    ),
    prices (plan, charge, price) as (
        values ('small', 'base', 29.00), ('small', 'seats', 7.00), ('large', 'base', 99.00), ('large', 'seats', 5.00)
    ),
    periods as (
        select
            subscription_id, cast(started_on + to_months(k) as date) as period_start,
            cast(started_on + to_months(k + 1) as date) as period_end
        from (select subscription_id, started_on, unnest(range(0, 13)) as k from events where place = 1 and charge = 'base')
        where cast(started_on + to_months(k) as date) <= date '{day}'
    ),
    slices as (
        select
            events.subscription_id, events.plan, prices.charge,
            greatest(periods.period_start, events.changes_on) as service_start,
            least(periods.period_end, coalesce(events.ends_on, periods.period_end)) as service_end,
            round(cast(prices.price * case prices.charge when 'seats' then events.seats else 1 end
                * datediff('day', service_start, service_end) as decimal(28, 6))
                * cast(1.0 / datediff('day', periods.period_start, periods.period_end) as decimal(18, 12)), 2) as amount
        from events
        inner join periods
            on events.subscription_id = periods.subscription_id
            and events.changes_on < periods.period_end and coalesce(events.ends_on > periods.period_start, true)
        inner join prices on events.plan = prices.plan and events.charge = prices.charge
    ),
    billed as (
        select subscription_id, plan, charge, service_start, sum(priced_amount) as amount
        from read_parquet('{lines}')
        group by all
    )
    select
        subscription_id, plan, charge, service_start, slices.service_end,
        coalesce(slices.amount, 0) - coalesce(billed.amount, 0) as difference
    from slices full join billed using (subscription_id, plan, charge, service_start)
"""


@dataclass(frozen=True)
class Lives:
    """A generated home of that many subscriptions."""

    home: Path
    subscriptions: int

    @property
    def settings(self) -> Settings:
        return Settings.load(self.home, environ={})

    def events_file(self, name: str) -> Path:
        return Path(self.settings.lake_url) / "raw" / "subscription_events" / f"{name}.parquet"


def prepare(folder: Path, subscriptions: int) -> Lives:
    """Generate into `folder`, or take what an earlier call left there."""
    lives = Lives(folder, subscriptions)
    lives.events_file("night").unlink(missing_ok=True)
    done = folder / "size.json"
    if done.exists() and json.loads(done.read_text()) == subscriptions:
        return lives
    shutil.rmtree(folder, ignore_errors=True)
    install_tenant(lives.settings, BOOK)
    _land(_EVENTS, lives, "bench")
    _bill(lives)
    done.write_text(json.dumps(subscriptions))
    return lives


def land_night(lives: Lives) -> None:
    """The changes of one night: seats of every fiftieth subscription."""
    _land(_NIGHT, lives, "night")


def _land(sql: str, lives: Lives, name: str) -> None:
    schema = empty("subscription_events").schema
    with duckdb.connect() as connection:
        write(
            connection,
            sql.replace("SUBSCRIPTIONS", str(lives.subscriptions)),
            schema,
            lives.events_file(name),
        )


def _bill(lives: Lives) -> None:
    """Build the months before, and write down as billed what they owe."""
    settings = lives.settings
    _build(settings, BILLED_DAY, full=True)
    lines = _LINES.replace("BILLED", str(BILLED_DAY))
    documents = _INVOICES.replace("BILLED", str(BILLED_DAY)).replace("LINES_SQL", lines)
    with duckdb.connect() as connection:
        connection.execute(f"attach '{settings.warehouse_path}' as warehouse (read_only)")
        for relation, sql, schema in (
            ("invoice_lines", lines, INVOICE_LINES),
            ("invoices", documents, INVOICES),
            ("runs", _RUNS.replace("INVOICES_SQL", documents), RUNS),
        ):
            write(connection, sql, schema, _ledger(settings, relation))


def _ledger(settings: Settings, relation: str) -> Path:
    return Path(settings.lake_url) / "ledger" / relation / "run.parquet"


def _build(settings: Settings, day: date, *, full: bool) -> dict[str, float]:
    lake = Lake(settings.lake_url)
    set_night(settings, day)
    processor = Processor()
    with warehouse.writer(settings):
        if full:
            warehouse.remove(settings)
        warehouse.prepare(settings, lake)
        warehouse.seed(settings)
        warehouse.build(settings, command="run", select=MODELS, callbacks=[processor])
    _, elapsed = timings(settings)
    with warehouse.connect(settings, read_only=True) as connection:
        ((rows, total),) = connection.execute(
            "select count(*), sum(amount) from intermediate.int_invoicing__differences"
        ).fetchall()
    return {
        "models_elapsed": elapsed,
        "models_cpu": processor.seconds,
        "rows": rows,
        "total": float(total or 0),
    }


def _floor(settings: Settings, day: date) -> dict[str, float]:
    files = f"{settings.lake_url}/raw/subscription_events/bench.parquet"
    path = settings.home / "floor.duckdb"
    path.unlink(missing_ok=True)
    processor = Processor()
    processor.mark()
    started = time.perf_counter()
    with duckdb.connect(str(path)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(FLOOR.format(files=files, lines=_ledger(settings, "invoice_lines"), day=day))
        ((rows, total),) = connection.execute("select count(*), sum(difference) from floor").fetchall()
    processor.mark()
    return {
        "wall": time.perf_counter() - started,
        "models_cpu": processor.seconds,
        "rows": rows,
        "total": float(total),
    }


def main(what: str, home: str, *flags: str) -> None:
    settings = Settings.load(Path(home), environ={})
    if what == "floor":
        told = _floor(settings, LAST_DAY)
    else:
        told = _build(settings, date.fromisoformat(flags[0]), full="--full" in flags)
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
