"""What Ratehouse is measured against: programs that de-duplicate the same events and sum them, and do nothing else.

Each answers with Parquet: tenant_id, customer_id, event_type, month, events, total. Run as a process:
`python -m tests.benchmarks.peers NAME HOME EVENTS TARGET`; a peer prints nothing, or one line of JSON with parts of its time.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from tests.benchmarks.data import Data, Size

# The event of a key is the copy recorded first.
FLOOR = """
    select tenant_id, customer_id, event_type, month, count(*) as events, sum(quantity) as total
    from (
        select
            tenant_id,
            arg_min(customer_id, recorded_at) as customer_id,
            arg_min(event_type, recorded_at) as event_type,
            cast(date_trunc('month', arg_min(occurred_at, recorded_at)) as date) as month,
            arg_min(quantity, recorded_at) as quantity
        from read_parquet({files})
        group by tenant_id, event_id
    )
    group by all
"""
# The same by someone who knows that copies are few: an 8-byte hash finds the keys that may have copies, only those are grouped.
HASH_SET = """
    with events as (
        select tenant_id, event_id, customer_id, event_type, occurred_at, quantity, recorded_at, hash(tenant_id, event_id) as key
        from read_parquet({files})
    ),
    repeated as materialized (
        select key from (select hash(tenant_id, event_id) as key from read_parquet({files})) group by key having count(*) > 1
    ),
    accepted as (
        select tenant_id, customer_id, event_type, occurred_at, quantity
        from events where not exists (select 1 from repeated where repeated.key = events.key)
        union all
        select
            tenant_id,
            arg_min(customer_id, recorded_at),
            arg_min(event_type, recorded_at),
            arg_min(occurred_at, recorded_at),
            arg_min(quantity, recorded_at)
        from events where exists (select 1 from repeated where repeated.key = events.key)
        group by tenant_id, event_id
    )
    select tenant_id, customer_id, event_type, cast(date_trunc('month', occurred_at) as date) as month,
        count(*) as events, sum(quantity) as total
    from accepted group by all
"""


def floor(data: Data, target: Path) -> None:
    _duckdb(FLOOR, data, target)


def hash_set(data: Data, target: Path) -> None:
    _duckdb(HASH_SET, data, target)


def polars(data: Data, target: Path) -> None:
    import polars as pl

    columns = ["customer_id", "event_type", "occurred_at", "quantity"]
    first = (
        pl.scan_parquet(data.paths, hive_partitioning=False)
        .group_by("tenant_id", "event_id")
        .agg(pl.col(column).min_by("recorded_at") for column in columns)
    )
    totals = first.group_by(
        "tenant_id",
        "customer_id",
        "event_type",
        pl.col("occurred_at").dt.truncate("1mo").dt.date().alias("month"),
    ).agg(pl.len().cast(pl.Int64).alias("events"), pl.col("quantity").sum().alias("total"))
    totals.collect(engine="streaming").write_parquet(target)


def chdb(data: Data, target: Path) -> None:
    import chdb as engine

    columns = "customer_id, event_type, occurred_at, quantity"
    engine.query(
        f"""
        select tenant_id, e.1 as customer_id, e.2 as event_type, toDate32(toStartOfMonth(e.3)) as month,
            count() as events, sum(e.4) as total
        from (
            select tenant_id, argMin(tuple({columns}), recorded_at) as e
            from file('{data.files}', Parquet,
                'tenant_id String, event_id String, customer_id String, event_type String,
                 occurred_at DateTime64(6, \\'UTC\\'), recorded_at DateTime64(6, \\'UTC\\'), quantity Decimal(28, 10)')
            group by tenant_id, event_id
        )
        group by all
        into outfile '{target}' format Parquet
        """
    )


def postgres(data: Data, target: Path) -> None:
    import psycopg

    # Not part of the time: the lake as the text that COPY reads, in the order in which it was recorded, as a writer would see it.
    text = target.with_suffix(".csv")
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(
            f"""
            copy (
                select tenant_id, event_id, customer_id, event_type, occurred_at, quantity, recorded_at
                from read_parquet({data.paths}) order by recorded_at
            ) to '{text}' (header false)
            """
        )
    with server() as address, psycopg.connect(address, autocommit=True) as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute(
            """
            create unlogged table landed (
                tenant_id text, event_id text, customer_id text, event_type text, occurred_at timestamptz,
                quantity numeric(28, 10), recorded_at timestamptz
            );
            create table events (like landed);
            create unique index on events (tenant_id, event_id);
            """
        )
        started = time.perf_counter()
        with (
            text.open("rb") as source,
            connection.cursor().copy("copy landed from stdin (format csv)") as copy,
        ):
            while block := source.read(1 << 20):
                copy.write(block)
        copied = time.perf_counter()
        connection.execute("insert into events select * from landed on conflict do nothing")
        inserted = time.perf_counter()
        rows = connection.execute(
            """
            select tenant_id, customer_id, event_type, date_trunc('month', occurred_at)::date, count(*), sum(quantity)::text
            from events group by 1, 2, 3, 4
            """
        ).fetchall()
        summed = time.perf_counter()
    _write(rows, target)
    text.unlink()
    print(json.dumps({"copy": copied - started, "insert": inserted - copied, "sum": summed - inserted}))


@contextmanager
def server() -> Iterator[str]:
    """A PostgreSQL of its own in a temporary folder, reached through a socket there, gone afterwards.

    Raises:
        RuntimeError: PostgreSQL is not installed, or this is root and there is no user `postgres` to run it.
    """
    candidates = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    found = shutil.which("initdb")
    if not candidates and not found:
        raise RuntimeError("PostgreSQL is not installed; on Debian: apt-get install postgresql")
    binaries = candidates[-1] if candidates else Path(str(found)).parent
    # PostgreSQL refuses to run as root.
    user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    if user not in {entry.pw_name for entry in pwd.getpwall()}:
        raise RuntimeError(
            "PostgreSQL does not run as root; make a user `postgres`, or start as another user"
        )
    folder = Path(tempfile.mkdtemp(prefix="bench-postgres-"))
    if os.geteuid() == 0:
        shutil.chown(folder, user)

    def call(*command: str) -> None:
        subprocess.run(
            command,
            check=True,
            user=user if os.geteuid() == 0 else None,
            cwd=folder,
            stdout=subprocess.DEVNULL,
        )

    memory = "-c shared_buffers=1GB -c work_mem=256MB -c maintenance_work_mem=512MB -c max_wal_size=8GB -c synchronous_commit=off"
    control = str(binaries / "pg_ctl")
    try:
        call(
            str(binaries / "initdb"),
            "-D",
            f"{folder}/db",
            "-A",
            "trust",
            "-U",
            user,
            "--no-sync",
            "-E",
            "UTF8",
        )
        call(
            control,
            "-D",
            f"{folder}/db",
            "-w",
            "-l",
            f"{folder}/log",
            "-o",
            f"-k {folder} -h '' {memory}",
            "start",
        )
        try:
            yield f"host={folder} user={user} dbname=postgres"
        finally:
            call(control, "-D", f"{folder}/db", "-m", "fast", "-w", "stop")
    finally:
        shutil.rmtree(folder)


PEERS: dict[str, Callable[[Data, Path], None]] = {
    "floor": floor,
    "hash_set": hash_set,
    "polars": polars,
    "chdb": chdb,
    "postgres": postgres,
}


def _duckdb(sql: str, data: Data, target: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute(
            "set TimeZone = 'UTC'; set preserve_insertion_order = false; set enable_progress_bar = false"
        )
        connection.execute(f"copy ({sql.format(files=data.paths)}) to '{target}' (format parquet)")


def _write(rows: list[tuple[object, ...]], target: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = ["tenant_id", "customer_id", "event_type", "month", "events", "total"]
    pq.write_table(pa.table(dict(zip(names, zip(*rows, strict=True), strict=True))), target)


if __name__ == "__main__":
    _, name, home, events, target = sys.argv
    PEERS[name](Data(Path(home), Size(int(events))), Path(target))
