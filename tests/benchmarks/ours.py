"""Ratehouse under measurement: one build in this process, and what it metered.

Run as a process: `python -m tests.benchmarks.ours HOME NIGHT [--full]`; prints one line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import date
from pathlib import Path

import duckdb

from ratehouse import warehouse
from ratehouse.lake import Lake
from ratehouse.settings import Settings
from tests.benchmarks.home import set_night, timings

# What metering and rating end in, with all that they stand on; the marks tell the next night which days it may leave alone.
METERING_AND_RATING = [
    "+usage_completeness",
    "+rated_charges",
    "+rated_tiers",
    "int_metering__made_days",
    "int_metering__made_customers",
    "int_subscriptions__made_lives",
    "int_subscriptions__made_terms",
]
# The totals of the metered states, in the shape of a peer's answer.
METERED = """
    select tenant_id, customer_id, event_type, cast(date_trunc('month', local_day) as date) as month,
        cast(sum(rated_events) as bigint) as events, sum(rated_quantity) as total
    from intermediate.int_metering__states group by all
"""
# The same of one meter, read from what was rated.
RATED = """
    select tenant_id, customer_id, 'storage_gb' as event_type, cast(date_trunc('month', service_start) as date) as month,
        sum(event_count) as events, sum(quantity) as total
    from marts.rated_charges where charge = 'storage' and event_count > 0 group by all
"""


def main(home: str, bill_day: str, *flags: str) -> None:
    settings = Settings.load(Path(home))
    started = time.perf_counter()
    set_night(settings, date.fromisoformat(bill_day))
    lake = Lake(settings.lake_url)
    with warehouse.writer(settings):
        if "--full" in flags:
            warehouse.remove(settings)
        warehouse.prepare(settings, lake)
        warehouse.seed(settings)
        warehouse.build(settings, command="run", select=METERING_AND_RATING)
    wall = time.perf_counter() - started
    models, elapsed = timings(settings)
    print(json.dumps({"wall": wall, "models": models, "models_elapsed": elapsed}))


def metered(settings: Settings, sql: str, target: Path) -> Path:
    """The totals that Ratehouse metered, as Parquet."""
    with duckdb.connect(str(settings.warehouse_path), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"copy ({sql}) to '{target}' (format parquet)")
    return target


if __name__ == "__main__":
    main(*sys.argv[1:])
