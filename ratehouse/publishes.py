"""Earlier publishes: the marts with money in them as each publish had them, and what made two of them differ.

Every publish leaves its money marts as Parquet beside the serving file (`serving/publishes/<id>/`), written aside and renamed.
How many are kept, and how many bytes, is set (`RATEHOUSE_PUBLISHES`, `RATEHOUSE_PUBLISHES_LIMIT`); the publish that carried out a
tenant's last close stays as long as the bytes allow. Belongs here: keeping, comparing, and the facts in between. Does not belong
here: any rule.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from ratehouse import __version__
from ratehouse.errors import RatehouseError
from ratehouse.lake import Lake
from ratehouse.lineage import Model
from ratehouse.settings import Settings
from ratehouse.stream_schema import STREAMS

MEASURES: dict[str, str] = {
    "invoices": "total",
    "invoice_lines": "amount",
    "receivables": "open_amount",
    "payment_allocations": "amount",
    "credit_balances": "remaining",
    "revenue_by_period": "recognised",
    "contract_balances": "recognised",
    "deferred_revenue_rollforward": "closing",
    "obligation_allocations": "allocated",
    "remaining_obligations": "rpo",
    "contract_costs": "closing",
    "journal_entries": "debit",
    "mrr_by_month": "closing",
    "mrr_to_gaap": "amount",
    "revenue_flux": "change",
    "tax_summary": "tax",
    "close_checklist": "difference",
    "accounting_periods": "",
}
"""The marts that are kept, and the amount that a comparison adds up."""

# What says nothing about a number, or too much to be read: raw texts of processors, and what was done with documents.
_SILENT = (
    "tenant_clocks",
    "usage_events",
    "stripe_objects",
    "stripe_cursors",
    "deliveries",
    "journal_postings",
)
# How a row of a mart and a fact say that they are about the same thing, the closest first. A subscription that no contract
# names is its own contract.
_LINKS = (
    (("contract_id",), ("contract_id", "subscription_id")),
    (("subscription_id",), ("subscription_id", "contract_id")),
    (("invoice_id", "invoice_number"), ("invoice_id", "invoice_number")),
    (("payment_id",), ("payment_id",)),
    (("grant_id",), ("grant_id",)),
    (("customer_id",), ("customer_id",)),
)
_ABOUT_ALL = ("tenants", "price_books", "fx_rates", "period_closes", "flux_explanations")
# Settings and prices count from when they landed, whatever the clock says.
_UNDATED = ("tenants", "price_books", "negotiated_charges")
_WRITING = ".writing-"

Row = dict[str, Any]


class NoPublish(RatehouseError):
    """There is no such earlier publish."""


@dataclass(frozen=True)
class Clock:
    """What a tenant was published as of.

    Attributes:
        billing_as_of: which periods were due.
        known_as_of: which facts counted.
        read_at: when the facts were read.
        closed_with: the last closed month; empty where none is.
        closed_hash: the hash of that close.
    """

    billing_as_of: datetime
    known_as_of: datetime
    read_at: datetime
    closed_with: str
    closed_hash: str


@dataclass(frozen=True)
class Publish:
    """One publish that was kept.

    Attributes:
        publish_id: its instant, as in 20261101T031500123456Z.
        published_at: the same instant.
        code_version: what made it.
        clocks: by tenant.
        sql_hashes: by mart, of its SQL and all that it stands on.
        keys: by mart, the columns that identify a row.
        folder: where it lies.
        bytes: how much it takes.
    """

    publish_id: str
    published_at: datetime
    code_version: str
    clocks: dict[str, Clock]
    sql_hashes: dict[str, str]
    keys: dict[str, tuple[str, ...]]
    folder: Path
    bytes: int


@dataclass(frozen=True)
class Difference:
    """What became of one mart between two publishes.

    Attributes:
        mart: its name.
        added: rows that only the later one has.
        removed: rows that only the earlier one has.
        changed: rows that both have with other values.
        sums: by currency, the mart's amount before and after; of marts without a currency under "".
        is_other_sql: the SQL of the mart, or of something that it stands on, is not the same.
    """

    mart: str
    added: int
    removed: int
    changed: int
    sums: dict[str, tuple[Decimal, Decimal]]
    is_other_sql: bool


@dataclass(frozen=True)
class ChangedRow:
    """One row that differs: `kind` is added, removed or changed; `values` are its columns, `changes` before and after."""

    mart: str
    kind: str
    key: Row
    values: Row
    changes: dict[str, tuple[Any, Any]]


@dataclass(frozen=True)
class Fact:
    """Something learned between two publishes: a landed row; of usage, what one subscription or customer used of one kind."""

    stream: str
    recorded_at: datetime
    source: str
    rows: int
    content: Row


def keep(
    connection: duckdb.DuckDBPyConnection, settings: Settings, models: dict[str, Model], database: str
) -> Path | None:
    """Write the money marts of a file that is being published to a folder of their own; `finish` gives it its name.

    Args:
        connection: the warehouse, with the new serving file attached.
        settings: where to, and whether at all.
        models: of the build, for keys and hashes.
        database: the serving file's name in the connection.
    """
    for abandoned in settings.publishes_dir.glob(f"{_WRITING}*"):
        shutil.rmtree(abandoned)
    if not settings.publishes_kept:
        return None
    folder = settings.publishes_dir / f"{_WRITING}{os.getpid()}"
    folder.mkdir(parents=True)
    present = {
        name
        for (name,) in connection.execute(
            "select table_name from information_schema.tables where table_catalog = ? and table_schema = 'marts'",
            [database],
        ).fetchall()
    }
    marts = sorted(present & MEASURES.keys())
    for mart in marts:
        order = (
            ", ".join(f'"{name}"' for name in models[f"marts.{mart}"].key)
            if f"marts.{mart}" in models
            else ""
        )
        ordered = f" order by {order}" if order else ""
        file = _quoted(folder / f"{mart}.parquet")
        connection.execute(
            f"copy (from {database}.marts.{mart}{ordered}) to '{file}' (format parquet, compression zstd)"
        )
    document = {
        "code_version": __version__,
        "clocks": _clocks(connection),
        "sql_hashes": {mart: models[f"marts.{mart}"].sql_hash for mart in marts if f"marts.{mart}" in models},
        "keys": {mart: models[f"marts.{mart}"].key for mart in marts if f"marts.{mart}" in models},
    }
    (folder / "publish.json").write_text(json.dumps(document, indent=1, default=str), encoding="utf-8")
    return folder


def finish(settings: Settings, folder: Path, *, now: datetime | None = None) -> Publish:
    """Give a kept publish its name, now that readers have it, and remove what is too old or too much."""
    at = now or datetime.now(UTC)
    final = settings.publishes_dir / f"{at:%Y%m%dT%H%M%S%f}Z"
    folder.rename(final)
    _prune(settings)
    return _read(final)


def listed(settings: Settings) -> list[Publish]:
    """The publishes that are kept, newest first."""
    folders = settings.publishes_dir.glob("*T*Z") if settings.publishes_dir.exists() else ()
    return [_read(folder) for folder in sorted(folders, reverse=True)]


def found(settings: Settings, name: str) -> Publish:
    """A publish by its id, or by the beginning of it, or `newest`, `previous`.

    Raises:
        NoPublish: there is none, or several begin like that.
    """
    every = listed(settings)
    if name in ("newest", "previous"):
        place = 0 if name == "newest" else 1
        if len(every) <= place:
            raise NoPublish(
                f"There is no {name} publish; {len(every)} are kept. Every `ratehouse run` leaves one."
            )
        return every[place]
    matching = [one for one in every if one.publish_id.startswith(name)]
    if len(matching) != 1:
        what = "No publish begins" if not matching else f"{len(matching)} publishes begin"
        raise NoPublish(f"{what} with {name!r}; `ratehouse publish list` shows them.")
    return matching[0]


def of_last_close(settings: Settings, tenant_id: str) -> Publish:
    """The publish that carried out the tenant's last close.

    Raises:
        NoPublish: nothing is closed, or it is no longer kept.
    """
    every = [one for one in listed(settings) if tenant_id in one.clocks]
    if not every or not every[0].clocks[tenant_id].closed_hash:
        raise NoPublish(f"{tenant_id} has closed no month.")
    last = every[0].clocks[tenant_id].closed_hash
    with_it = [one for one in every if one.clocks[tenant_id].closed_hash == last]
    if len(with_it) == len(every) and len(every) >= settings.publishes_kept:
        raise NoPublish(f"The publish of the last close of {tenant_id} is no longer kept.")
    return with_it[-1]


def compare(tenant_id: str, before: Publish, after: Publish) -> list[Difference]:
    """What became of each mart between two publishes, in the order of MEASURES; marts that are equal come with zeros."""
    with _opened() as connection:
        return [
            _difference(connection, tenant_id, before, after, mart)
            for mart in MEASURES
            if mart in after.keys and _file(before, mart).exists() and _file(after, mart).exists()
        ]


def changed_rows(
    tenant_id: str, before: Publish, after: Publish, mart: str, *, like: str = "", limit: int = 1000
) -> list[ChangedRow]:
    """The rows of a mart that differ, the largest amounts first.

    Args:
        tenant_id: whose rows.
        before: the earlier publish.
        after: the later one.
        mart: one of MEASURES.
        like: only rows that hold this text in a column of their key or a name.
        limit: at most so many.

    Raises:
        NoPublish: one of the two has no such mart.
    """
    with _opened() as connection:
        columns, key, source = _paired(connection, before, after, mart)
        measure = MEASURES[mart] if MEASURES[mart] in columns else ""
        texts = ", ".join(
            f'cast(coalesce(after_row."{name}", before_row."{name}") as varchar)' for name in columns
        )
        wanted = f" and contains(lower(concat_ws(' ', {texts})), lower($like))" if like else ""
        size = (
            f'abs(coalesce(after_row."{measure}", 0) - coalesce(before_row."{measure}", 0)) desc, '
            if measure
            else ""
        )
        names = ", ".join(
            f'before_row."{name}" as "before {name}", after_row."{name}" as "after {name}"'
            for name in columns
        )
        order = ", ".join(f'coalesce(after_row."{name}", before_row."{name}")' for name in key)
        rows = connection.sql(
            f"select kind, {names} from ({source}) where kind <> 'same'{wanted} order by {size}{order} limit {int(limit)}",
            params={"tenant": tenant_id, **({"like": like} if like else {})},
        ).to_arrow_table().to_pylist()  # fmt: skip
    return [_changed_row(mart, columns, key, row) for row in rows]


def facts(settings: Settings, tenant_id: str, before: Publish, after: Publish) -> list[Fact]:
    """What the later publish counts and the earlier one did not: facts by when they were recorded and when they landed.

    Usage is taken together by who used what.
    """
    lake = Lake(settings.lake_url)
    then, now = before.clocks.get(tenant_id), after.clocks.get(tenant_id)
    if now is None:
        return []
    window = {
        "tenant": tenant_id,
        "known_then": then.known_as_of if then else datetime.min.replace(tzinfo=UTC),
        "read_then": then.read_at if then else datetime.min.replace(tzinfo=UTC),
        "known_now": now.known_as_of,
        "read_now": now.read_at,
    }
    learned: list[Fact] = []
    with _opened() as connection:
        lake.register(connection)
        if not _batches(connection, lake):
            return []
        for stream in STREAMS:
            files = lake.files(f"raw/{stream}")
            if not files or (stream in _SILENT and stream != "usage_events"):
                continue
            learned += _learned(connection, stream, files, window)
    return sorted(learned, key=lambda fact: (fact.recorded_at, fact.stream))


def causes(row: ChangedRow, learned: Sequence[Fact]) -> list[Fact]:
    """The facts that are about what a row is about, the closest kind of tie that has any; else what is about the whole tenant."""
    for ours, theirs in _LINKS:
        values = {str(row.values[name]) for name in ours if row.values.get(name)}
        about = [
            fact
            for fact in learned
            if values & {str(fact.content[name]) for name in theirs if fact.content.get(name)}
        ]
        if about:
            return about
    return [fact for fact in learned if fact.stream in _ABOUT_ALL]


def circumstances(tenant_id: str, before: Publish, after: Publish, mart: str) -> list[str]:
    """What else tells two publishes apart, a sentence each."""
    then, now = before.clocks.get(tenant_id), after.clocks.get(tenant_id)
    said = []
    if now and (then is None or now.billing_as_of > then.billing_as_of):
        start = f"{then.billing_as_of:%Y-%m-%d}" if then else "the beginning"
        said.append(
            f"billed from {start} up to {now.billing_as_of:%Y-%m-%d}: what fell due in between is new"
        )
    if now and then and now.closed_hash != then.closed_hash:
        said.append(
            f"closed up to {now.closed_with or 'no month'}, before up to {then.closed_with or 'no month'}"
        )
    if before.sql_hashes.get(mart) != after.sql_hashes.get(mart):
        said.append(f"the SQL of {mart}, or of something it stands on, is not the same")
    if before.code_version != after.code_version:
        said.append(f"version {before.code_version} made the earlier one, {after.code_version} the later one")
    return said


def _clocks(connection: duckdb.DuckDBPyConnection) -> dict[str, Row]:
    rows = connection.sql(
        """
        with clocks as (
            select tenant_id, billing_as_of, known_as_of, recorded_at as read_at
            from raw.tenant_clocks
            qualify row_number() over (partition by tenant_id order by recorded_at desc, batch_id desc) = 1
        ),
        closes as (
            select tenant_id, max(period) as closed_with, arg_max(content_hash, period) as closed_hash
            from staging.stg_ratehouse__closed_periods
            group by tenant_id
        )
        select clocks.*, coalesce(closed_with, '') as closed_with, coalesce(closed_hash, '') as closed_hash
        from clocks left join closes using (tenant_id)
        """
    ).to_arrow_table()
    return {
        row.pop("tenant_id"): {name: str(value) for name, value in row.items()} for row in rows.to_pylist()
    }


def _read(folder: Path) -> Publish:
    document = json.loads((folder / "publish.json").read_text(encoding="utf-8"))
    clocks = {
        tenant: Clock(
            **{
                name: datetime.fromisoformat(row[name])
                for name in ("billing_as_of", "known_as_of", "read_at")
            },
            closed_with=row["closed_with"],
            closed_hash=row["closed_hash"],
        )
        for tenant, row in document["clocks"].items()
    }
    return Publish(
        publish_id=folder.name,
        published_at=datetime.strptime(folder.name, "%Y%m%dT%H%M%S%fZ").replace(tzinfo=UTC),
        code_version=document["code_version"],
        clocks=clocks,
        sql_hashes=document["sql_hashes"],
        keys={mart: tuple(key) for mart, key in document["keys"].items()},
        folder=folder,
        bytes=sum(file.stat().st_size for file in folder.iterdir()),
    )


def _prune(settings: Settings) -> None:
    """Keep the newest, and those of last closes; beyond the bytes the oldest goes, one of a close last of all."""
    every = listed(settings)
    pinned = set()
    for tenant in every[0].clocks:
        last = every[0].clocks[tenant].closed_hash
        with_it = [one for one in every if tenant in one.clocks and one.clocks[tenant].closed_hash == last]
        if last and with_it:
            pinned.add(with_it[-1].publish_id)
    kept = [
        one for place, one in enumerate(every) if place < settings.publishes_kept or one.publish_id in pinned
    ]
    while len(kept) > 1 and sum(one.bytes for one in kept) > settings.publishes_limit:
        free = [one for one in kept[1:] if one.publish_id not in pinned] or kept[1:]
        kept.remove(free[-1])
    for one in every:
        if one not in kept:
            # Out of the way first, so that nobody finds half of it.
            gone = one.folder.with_name(f"{_WRITING}{one.publish_id}")
            one.folder.rename(gone)
            shutil.rmtree(gone)


def _opened() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(":memory:")
    connection.execute("set TimeZone = 'UTC'")
    return connection


def _file(publish: Publish, mart: str) -> Path:
    return publish.folder / f"{mart}.parquet"


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _paired(
    connection: duckdb.DuckDBPyConnection, before: Publish, after: Publish, mart: str
) -> tuple[list[str], tuple[str, ...], str]:
    """The columns that both have, the key, and SQL that sets each row beside what it was."""
    if mart not in MEASURES or mart not in after.keys:
        raise NoPublish(f"{mart} is not among the marts that are kept: {', '.join(MEASURES)}.")
    columns = []
    for publish in (before, after):
        if not _file(publish, mart).exists():
            raise NoPublish(
                f"The publish {publish.publish_id} has no {mart}; it was removed, or made before there was one."
            )
        described = connection.execute(f"describe from '{_quoted(_file(publish, mart))}'").fetchall()
        columns.append([name for name, *_ in described])
    shared = [name for name in columns[1] if name in columns[0]]
    key = tuple(name for name in after.keys[mart] if name in shared)
    on = " and ".join(f'before_row."{name}" is not distinct from after_row."{name}"' for name in key)
    read = "(select {0} from '{1}' where tenant_id = $tenant)"
    names = ", ".join(f'"{name}"' for name in shared)
    source = f"""
        select
            before_row,
            after_row,
            case
                when before_row is null then 'added'
                when after_row is null then 'removed'
                when before_row is distinct from after_row then 'changed'
                else 'same'
            end as kind
        from (select before_row from {read.format(names, _quoted(_file(before, mart)))} as before_row)
        full outer join (select after_row from {read.format(names, _quoted(_file(after, mart)))} as after_row) on {on}
    """
    return shared, key, source


def _difference(
    connection: duckdb.DuckDBPyConnection, tenant_id: str, before: Publish, after: Publish, mart: str
) -> Difference:
    columns, _, source = _paired(connection, before, after, mart)
    measure = f'"{MEASURES[mart]}"' if MEASURES[mart] in columns else ""
    currency = "currency" if "currency" in columns else ""
    of_currency = f"coalesce(coalesce(after_row.{currency}, before_row.{currency}), '')" if currency else "''"
    amounts = (
        f"coalesce(sum(before_row.{measure}), 0), coalesce(sum(after_row.{measure}), 0)"
        if measure
        else "0, 0"
    )
    rows = connection.execute(
        f"""
        select
            {of_currency} as currency,
            count(*) filter (where kind = 'added'),
            count(*) filter (where kind = 'removed'),
            count(*) filter (where kind = 'changed'),
            {amounts}
        from ({source})
        group by all
        order by all
        """,
        {"tenant": tenant_id},
    ).fetchall()
    added, removed, changed = (sum(row[place] for row in rows) for place in (1, 2, 3))
    sums = {row[0]: (Decimal(row[4]), Decimal(row[5])) for row in rows} if measure else {}
    is_other_sql = before.sql_hashes.get(mart) != after.sql_hashes.get(mart)
    return Difference(mart, added, removed, changed, sums, is_other_sql)


def _changed_row(mart: str, columns: list[str], key: tuple[str, ...], row: Row) -> ChangedRow:
    side = "before" if row["kind"] == "removed" else "after"
    changes = {
        name: (row[f"before {name}"], row[f"after {name}"])
        for name in columns
        if row["kind"] == "changed" and row[f"before {name}"] != row[f"after {name}"]
    }
    values = {name: row[f"{side} {name}"] for name in columns}
    return ChangedRow(
        mart, row["kind"], {name: values[name] for name in key if name != "tenant_id"}, values, changes
    )


def _batches(connection: duckdb.DuckDBPyConnection, lake: Lake) -> bool:
    """Make a table of when each batch landed; False where the lake has none."""
    files = lake.files("raw/batches")
    if not files:
        return False
    connection.execute(
        "create table batches as select stream, batch_id, received_at"
        f" from read_parquet([{_listed(files)}], union_by_name = true, hive_partitioning = false)"
    )
    return True


def _learned(
    connection: duckdb.DuckDBPyConnection, stream: str, files: list[str], window: Row
) -> Iterator[Fact]:
    if stream == "usage_events":
        # Of what is large only the files that may hold something new: received since, or landed since.
        fresh = {
            batch
            for (batch,) in connection.execute(
                "select batch_id from batches where stream = 'usage_events' and received_at > ?",
                [window["read_then"]],
            ).fetchall()
        }
        first = f"received_on={window['known_then']:%Y-%m-%d}"
        files = [
            file
            for file in files
            if file.rsplit("/", 2)[-2] >= first or file.rsplit("/", 1)[-1].removesuffix(".parquet") in fresh
        ]
        if not files:
            return
    source = f"read_parquet([{_listed(files)}], union_by_name = true, hive_partitioning = false)"
    landed = "coalesce(batches.received_at, facts.recorded_at)"
    counted = {
        side: f"{landed} <= $read_{side}"
        + ("" if stream in _UNDATED else f" and facts.recorded_at <= $known_{side}")
        for side in ("then", "now")
    }
    new = (
        f"from {source} as facts left join batches on batches.stream = '{stream}' and facts.batch_id = batches.batch_id"
        f" where facts.tenant_id = $tenant and {counted['now']} and not ({counted['then']})"
    )
    if stream == "usage_events":
        sql = (
            "select facts.customer_id, facts.subscription_id, facts.event_type, sum(facts.quantity) as quantity,"
            " min(facts.occurred_at) as first_occurred_at, max(facts.occurred_at) as last_occurred_at,"
            " max(facts.recorded_at) as recorded_at, any_value(facts.source) as source, count(*) as rows"
            f" {new} group by facts.customer_id, facts.subscription_id, facts.event_type"
        )
    else:
        sql = f"select facts.*, 1 as rows {new}"
    named = {name: value for name, value in window.items() if f"${name}" in sql}
    for row in connection.sql(sql, params=named).to_arrow_table().to_pylist():
        content = {
            name: value
            for name, value in row.items()
            if value is not None
            and name not in ("tenant_id", "batch_id", "recorded_at", "source", "rows", "received_on")
        }
        yield Fact(stream, row["recorded_at"], row["source"], row["rows"], content)


def _listed(files: Sequence[str]) -> str:
    return ", ".join("'" + file.replace("'", "''") + "'" for file in files)
