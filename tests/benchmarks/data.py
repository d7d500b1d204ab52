"""The data of the benchmarks: four companies with five meters, their usage events in a lake, and the true totals.

Belongs here: generating, the same for the same sizes. Does not belong here: measuring.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb

from ratehouse.configuration import land_configuration
from ratehouse.lake import Lake
from ratehouse.settings import Settings
from ratehouse.streams import land

FIRST_DAY = date(2026, 3, 2)
TENANTS = ("bench-a", "bench-b", "bench-c", "bench-d")
EVENT_TYPES = ("api_call", "storage_gb", "message", "compute", "seat_change")
TENANT = """\
tenant: {name}
name: Benchmark {name}
currency: USD
timezone: UTC
"""
BOOK = """\
price_book: "2026-01"
effective_from: 2026-01-01
currency: USD
meters:
  calls: {event_type: api_call, aggregation: sum}
  storage: {event_type: storage_gb, aggregation: sum}
  messages: {event_type: message, aggregation: count}
  compute: {event_type: compute, aggregation: sum}
  seats: {event_type: seat_change, aggregation: max}
plans:
  standard:
    name: Standard
    interval: month
    anchor: calendar
    charges:
      calls: {type: usage, meter: calls, model: graduated, tiers: [{up_to: "1000", unit_price: "0"}, {up_to: "10000", unit_price: "0.002"}, {up_to: null, unit_price: "0.001"}]}
      storage: {type: usage, meter: storage, model: per_unit, unit_price: "0.0235"}
      messages: {type: usage, meter: messages, model: package, package_size: "100", package_price: "1.50"}
      compute: {type: usage, meter: compute, model: volume, tiers: [{up_to: "5000", unit_price: "0.031"}, {up_to: null, unit_price: "0.024"}]}
      seats: {type: usage, meter: seats, model: per_unit, unit_price: "9"}
"""


@dataclass(frozen=True)
class Size:
    """How much: events that land in `days` days, copies included, and the customers they belong to."""

    events: int
    customers: int = 20_000
    days: int = 30


@dataclass(frozen=True)
class Data:
    """A generated home: `days` days in the lake, one more held back beside it."""

    home: Path
    size: Size

    @property
    def settings(self) -> Settings:
        return Settings.load(self.home, environ={})

    @property
    def files(self) -> str:
        """The glob of the history's events, also while the held back day is in the lake."""
        days = [FIRST_DAY + timedelta(days=offset) for offset in range(self.size.days)]
        return (
            f"{self.settings.lake_url}/raw/usage_events/received_on={{{','.join(map(str, days))}}}/*.parquet"
        )

    @property
    def paths(self) -> list[str]:
        """The history's files."""
        held_back = f"received_on={FIRST_DAY + timedelta(days=self.size.days)}"
        return [
            path for path in Lake(self.settings.lake_url).files("raw/usage_events") if held_back not in path
        ]

    def truth(self, *, with_next_day: bool = False) -> Path:
        """Parquet: tenant_id, customer_id, event_type, month, events, units (of 0.0001)."""
        return self.home / ("truth_next.parquet" if with_next_day else "truth.parquet")

    def land_next_day(self) -> None:
        day = self.home / "next"
        lake = Path(self.settings.lake_url) / "raw" / "usage_events"
        shutil.copytree(day, lake, dirs_exist_ok=True)

    def remove_next_day(self) -> None:
        lake = Path(self.settings.lake_url) / "raw" / "usage_events"
        for folder in (self.home / "next").iterdir():
            shutil.rmtree(lake / folder.name, ignore_errors=True)


def prepare(folder: Path, size: Size) -> Data:
    """Generate into `folder`, or take what an earlier call left there."""
    data = Data(folder, size)
    done = folder / "size.json"
    if done.exists() and json.loads(done.read_text()) == asdict(size):
        data.remove_next_day()
        return data
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _configure(data)
    _events(data)
    done.write_text(json.dumps(asdict(size)))
    return data


def _configure(data: Data) -> None:
    for name in TENANTS:
        folder = data.settings.tenants_dir / name
        (folder / "price_books").mkdir(parents=True)
        (folder / "tenant.yaml").write_text(TENANT.format(name=name))
        (folder / "price_books" / "2026-01.yaml").write_text(BOOK)
    lake = Lake(data.settings.lake_url)
    configuration = land_configuration(data.settings, lake)
    if configuration.failures:
        raise ValueError(f"the tenants of the benchmark are refused: {configuration.failures}")
    start = datetime(FIRST_DAY.year, FIRST_DAY.month, 1, tzinfo=UTC)
    for name in TENANTS:
        ids = [f"cus_{number:06d}" for number in range(data.size.customers // len(TENANTS))]
        land(
            lake,
            "customers",
            [
                {"customer_id": customer, "effective_at": start, "name": customer, "recorded_at": start}
                for customer in ids
            ],
            tenant_id=name,
            source="bench",
            batch_id=f"customers-{name}",
        )
        land(
            lake,
            "subscription_events",
            [
                {
                    "event_id": f"sub-{customer}",
                    "subscription_id": f"sub_{customer}",
                    "customer_id": customer,
                    "type": "created",
                    "effective_at": start,
                    "recorded_at": start,
                    "data": {"plan": "standard"},
                }
                for customer in ids
            ],
            tenant_id=name,
            source="bench",
            batch_id=f"subscriptions-{name}",
        )


def _events(data: Data) -> None:
    """Day by day: the day's own events and the copies that arrive on it, of events of up to three days before.

    1 % of the events have a copy, of which a tenth has another quantity; 2 % are up to ten days late; half of the usage is that of
    a quarter of the customers.
    """
    size = data.size
    per_day = round(size.events * 0.99 / size.days)
    customers = size.customers // len(TENANTS)
    with duckdb.connect() as connection:
        connection.execute(
            "set TimeZone = 'UTC'; set preserve_insertion_order = false; set enable_progress_bar = false"
        )
        connection.execute(
            f"""
            create macro originals(first, past) as table
            select
                'bench-' || chr(cast(97 + h % 4 as int)) as tenant_id,
                'evt_' || substr(md5(cast(i as varchar)), 1, 18) as event_id,
                'cus_' || lpad(cast(cast(floor({customers} * pow((h2 % 1000000) / 1e6, 2)) as int) as varchar), 6, '0') as customer_id,
                {list(EVENT_TYPES)}[1 + cast(h3 % 5 as int)] as event_type,
                timestamptz '{FIRST_DAY}' + to_days(cast(i // {per_day} as int)) + to_microseconds(cast(h3 // 7 % 86400000000 as bigint)) as recorded_at,
                greatest(
                    recorded_at - to_seconds(cast(case when h2 % 50 = 0 then h // 11 % 864000 else h // 11 % 300 end as bigint)),
                    timestamptz '{FIRST_DAY.replace(day=1)}'
                ) as occurred_at,
                cast(case when h3 % 5 in (1, 3) then 1 + h2 // 13 % 1000000 else (1 + h2 // 13 % 20) * 10000 end as bigint) as units,
                case when h3 % 5 = 3 then '{{"region":"' || ['eu', 'us', 'ap'][1 + cast(h % 3 as int)] || '","size":"' || ['s', 'm', 'l', 'xl'][1 + cast(h2 % 4 as int)] || '"}}' else '{{}}' end as properties,
                i, h, h2
            from (select i, hash(i) as h, hash(i + 1000000007) as h2, hash(i + 3000000019) as h3 from range(first, past) as numbers (i))
            """
        )
        connection.execute(
            """
            create macro arrivals(first, past) as table
            select * from originals(first, past)
            union all
            select * replace (
                units + case when h2 // 17 % 10 = 0 then 10000 else 0 end as units,
                recorded_at + to_microseconds(cast(1 + case when h % 2 = 0 then 60000000 else h2 // 3 % 259200000000 end as bigint)) as recorded_at
            )
            from originals(greatest(0, first - 3 * (past - first)), past) where i % 100 = 37
            """
        )
        connection.execute(
            "create table truth (tenant_id varchar, customer_id varchar, event_type varchar, month date, events bigint, units hugeint)"
        )
        for offset in range(size.days + 1):
            day = FIRST_DAY + timedelta(days=offset)
            is_held_back = offset == size.days
            lake = Lake(str(data.home / "held_back")) if is_held_back else Lake(data.settings.lake_url)
            if is_held_back:
                _write_truth(connection, data.truth())
            connection.execute(
                f"""
                insert into truth
                select tenant_id, customer_id, event_type, cast(date_trunc('month', occurred_at) as date), count(*), sum(units)
                from originals({offset * per_day}, {(offset + 1) * per_day}) group by all
                """
            )
            for name in TENANTS:
                rows = connection.sql(
                    f"""
                    select
                        tenant_id, event_id, customer_id, cast(null as varchar) as subscription_id, event_type, occurred_at,
                        cast(units * 0.0001 as decimal(28, 10)) as quantity, properties, recorded_at,
                        cast(recorded_at as date) as received_on, 'bench' as source, '{name}' as batch_id
                    from arrivals({offset * per_day}, {(offset + 1) * per_day})
                    where tenant_id = '{name}' and cast(recorded_at as date) = date '{day}'
                    """
                ).to_arrow_table()
                lake.write("raw/usage_events", name, rows, partition=f"received_on={day}")
        _write_truth(connection, data.truth(with_next_day=True))
    (data.home / "held_back" / "raw" / "usage_events").rename(data.home / "next")


def _write_truth(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    connection.execute(
        f"""
        copy (
            select tenant_id, customer_id, event_type, month, sum(events) as events, cast(sum(units) as bigint) as units
            from truth group by all
        ) to '{path}' (format parquet)
        """
    )
