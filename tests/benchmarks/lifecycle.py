"""Subscriptions that live: 100,000 of them with three changes each and twelve months, from events to differences.

The floor is one hand-written statement that reads the same files, lays the months out, cuts them at the changes and joins the prices: what
anybody would write who knows that nothing is ever cancelled, paused, corrected or billed before. Run as a process:
`python -m tests.benchmarks.lifecycle build HOME DAY [--full]` or `… floor HOME`; prints one line of JSON.
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

from ratehouse import billing, warehouse
from ratehouse.configuration import land_configuration, load_configuration
from ratehouse.lake import Lake
from ratehouse.settings import Settings

FIRST_DAY = date(2026, 1, 1)
LAST_DAY = date(2027, 1, 1)
NEXT_DAY = date(2027, 1, 2)
TENANT = "tenant: bench\nname: Benchmark\ncurrency: USD\ntimezone: UTC\n"
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
# Everything between the events and the differences, what it reads, and the marks by which the night knows what it need not make again.
MODELS = ("+int_invoicing__differences", "int_subscriptions__made_lives", "int_subscriptions__made_terms")
FLOOR = """
    create or replace table floor as
    with events as (
        select
            subscription_id, cast(effective_at as date) as changes_on, row_number() over own as place,
            last_value(data->>'plan' ignore nulls) over own as plan,
            last_value(cast(data->'quantities'->>'seats' as decimal(28, 10)) ignore nulls) over own as seats,
            first_value(cast(effective_at as date)) over own as started_on,
            lead(cast(effective_at as date)) over own as ends_on
        from (select subscription_id, effective_at, event_id, cast(data as json) as data from read_parquet('{files}'))
        window own as (partition by subscription_id order by effective_at, event_id)
    ),
    prices (plan, charge, price) as (
        values ('small', 'base', 29.00), ('small', 'seats', 7.00), ('large', 'base', 99.00), ('large', 'seats', 5.00)
    ),
    periods as (
        select
            subscription_id, cast(started_on + to_months(k) as date) as period_start,
            cast(started_on + to_months(k + 1) as date) as period_end
        from (select subscription_id, started_on, unnest(range(0, 13)) as k from events where place = 1)
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
        inner join prices on events.plan = prices.plan
    )
    select slices.*, slices.amount - coalesce(billed.amount, 0) as difference
    from slices left join (select 's' as subscription_id, 'x' as charge, date '2000-01-01' as service_start, 0.00 as amount where false) as billed
        using (subscription_id, charge, service_start)
"""


@dataclass(frozen=True)
class Lives:
    """A generated home of that many subscriptions."""

    home: Path
    subscriptions: int

    @property
    def settings(self) -> Settings:
        return Settings.load(self.home, environ={})

    @property
    def night_file(self) -> Path:
        return Path(self.settings.lake_url) / "raw" / "subscription_events" / "night.parquet"


def prepare(folder: Path, subscriptions: int) -> Lives:
    """Generate into `folder`, or take what an earlier call left there."""
    lives = Lives(folder, subscriptions)
    lives.night_file.unlink(missing_ok=True)
    done = folder / "size.json"
    if done.exists() and json.loads(done.read_text()) == subscriptions:
        return lives
    shutil.rmtree(folder, ignore_errors=True)
    tenant = lives.settings.tenants_dir / "bench"
    (tenant / "price_books").mkdir(parents=True)
    (tenant / "tenant.yaml").write_text(TENANT)
    (tenant / "price_books" / "1.yaml").write_text(BOOK)
    configuration = land_configuration(lives.settings, Lake(lives.settings.lake_url))
    if configuration.failures:
        raise ValueError(f"the tenant of the benchmark is refused: {configuration.failures}")
    _write(_EVENTS, subscriptions, lives.night_file.with_name("bench.parquet"))
    done.write_text(json.dumps(subscriptions))
    return lives


def land_night(lives: Lives) -> None:
    """The changes of one night: seats of every fiftieth subscription."""
    _write(_NIGHT, lives.subscriptions, lives.night_file)


def _write(sql: str, subscriptions: int, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(
            f"copy ({sql.replace('SUBSCRIPTIONS', str(subscriptions))}) to '{target}' (format parquet)"
        )


def _build(settings: Settings, day: date, *, full: bool) -> dict[str, float]:
    lake = Lake(settings.lake_url)
    configuration = load_configuration(settings)
    known = datetime(day.year, day.month, day.day, tzinfo=UTC)
    billing.set_clocks(lake, configuration, list(configuration.tenants), day, known_as_of=known)
    started = time.perf_counter()
    with warehouse.writer(settings):
        if full:
            warehouse.remove(settings)
        warehouse.prepare(settings, lake)
        warehouse.seed(settings)
        warehouse.build(settings, command="run", select=MODELS)
    results = json.loads((settings.warehouse_path.parent / "dbt_target" / "run_results.json").read_text())
    slowest = sorted(results["results"], key=lambda result: -result["execution_time"])[:12]
    for result in slowest:
        name = result["unique_id"].split(".")[-1]
        print(f"{result['execution_time']:7.2f} s  {name}", file=sys.stderr)
    with warehouse.connect(settings, read_only=True) as connection:
        ((rows, total),) = connection.execute(
            "select count(*), sum(amount) from intermediate.int_invoicing__differences"
        ).fetchall()
    return {
        "wall": time.perf_counter() - started,
        "models_elapsed": results["elapsed_time"],
        "rows": rows,
        "total": float(total or 0),
    }


def _floor(settings: Settings, day: date) -> dict[str, float]:
    files = f"{settings.lake_url}/raw/subscription_events/bench.parquet"
    path = settings.home / "floor.duckdb"
    path.unlink(missing_ok=True)
    started = time.perf_counter()
    with duckdb.connect(str(path)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(FLOOR.format(files=files, day=day))
        ((rows, total),) = connection.execute("select count(*), sum(difference) from floor").fetchall()
    return {"wall": time.perf_counter() - started, "rows": rows, "total": float(total)}


def main(what: str, home: str, *flags: str) -> None:
    settings = Settings.load(Path(home), environ={})
    if what == "floor":
        told = _floor(settings, LAST_DAY)
    else:
        told = _build(settings, date.fromisoformat(flags[0]), full="--full" in flags)
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
