"""The close step: freezes the months that are due to be closed and appends them to the ledger, once.

SQL decides which months are due (`int_revenue__due_closes`) and what of them is posted (`int_revenue__due_closed_revenue`,
`int_revenue__due_closed_balances`, `journal_entries`); nothing here computes an amount. A close is visible when its row in
`ledger/closed_periods` is: that file is written last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from ratehouse import __version__, warehouse
from ratehouse.lake import Lake
from ratehouse.ledger import digest, rows_of
from ratehouse.ledger_schema import CLOSED_BALANCES, CLOSED_JOURNAL, CLOSED_PERIODS, CLOSED_REVENUE
from ratehouse.settings import Settings

# What a close appends to in the ledger and models read.
RELATIONS = ("closed_periods", "closed_revenue", "closed_balances", "closed_journal")

# What a close freezes of a month: values and dates, not how a build names them.
REVENUE = tuple(name for name in CLOSED_REVENUE.names if name != "run_key")
BALANCES = tuple(name for name in CLOSED_BALANCES.names if name != "run_key")
JOURNAL = tuple(
    name for name in CLOSED_JOURNAL.names if name not in ("tenant_id", "closed_period", "run_key")
)
PERIOD = (
    "tenant_id",
    "period",
    "closed_at",
    "prepared_by",
    "approved_by",
    "billing_as_of",
    "known_as_of",
)

# The order in which the frozen rows of a close are hashed.
REVENUE_ORDER = "tenant_id, closed_period, posting_period, contract_id, obligation_id, period"
BALANCES_ORDER = "tenant_id, closed_period, contract_id, period"

Row = dict[str, Any]


def is_stated(lake: Lake) -> bool:
    """Whether anybody has ever asked for a month to be closed."""
    return bool(lake.files("raw/period_closes"))


def is_due(settings: Settings) -> bool:
    """Whether any month waits to be closed, also one that would be refused as things are: the run may settle that."""
    with warehouse.connect(settings) as connection:
        found = connection.execute("select count(*) from intermediate.int_revenue__due_closes").fetchone()
    return bool(found and found[0])


def close(connection: duckdb.DuckDBPyConnection, lake: Lake, *, tenants: Sequence[str] | None = None) -> int:
    """Close every month that is due and not refused, on the warehouse as it was built; the documents of the run must be in it.

    The same facts on the same ledger are the same close. What reads `RELATIONS` is to be built again afterwards.

    Args:
        connection: the warehouse.
        lake: where the ledger lives.
        tenants: whose months; None means every tenant's.

    Returns:
        How many months were closed.
    """
    due = [row for row in _due(connection) if row["refused_by"] is None]
    revenue = rows_of(connection, "intermediate.int_revenue__due_closed_revenue", REVENUE_ORDER)
    balances = rows_of(connection, "intermediate.int_revenue__due_closed_balances", BALANCES_ORDER)
    if tenants is not None:
        due, revenue, balances = (
            [row for row in rows if row["tenant_id"] in tenants] for rows in (due, revenue, balances)
        )
    if not due:
        return 0
    before = last_closed(connection)
    heads = chain_heads(connection)
    run_key = digest([due, revenue, balances, sorted(heads.items())])
    periods: list[Row] = []
    frozen_journal: list[Row] = []
    for row in due:
        tenant, period = row["tenant_id"], row["period"]
        frozen, standing = (
            [one for one in rows if one["tenant_id"] == tenant and one["closed_period"] == period]
            for rows in (revenue, balances)
        )
        journal = journal_of(connection, tenant, after=before.get(tenant, ""), until=period)
        previous_hash = heads.get(tenant, "")
        heads[tenant] = content_hash(previous_hash, row, frozen, standing, journal)
        before[tenant] = max(period, before.get(tenant, ""))
        frozen_journal += [
            {"tenant_id": tenant, "closed_period": period, **line, "run_key": run_key} for line in journal
        ]
        periods.append(
            {
                **{name: row.get(name) for name in CLOSED_PERIODS.names},
                "revenue_rows": len(frozen),
                "journal_lines": len(journal),
                "code_version": __version__,
                "run_key": run_key,
                "content_hash": heads[tenant],
                "previous_hash": previous_hash,
            }
        )
    for relation, schema, rows in (
        ("closed_revenue", CLOSED_REVENUE, [{**row, "run_key": run_key} for row in revenue]),
        ("closed_balances", CLOSED_BALANCES, [{**row, "run_key": run_key} for row in balances]),
        ("closed_journal", CLOSED_JOURNAL, frozen_journal),
        ("closed_periods", CLOSED_PERIODS, periods),
    ):
        if rows:
            lake.write(f"ledger/{relation}", run_key, pa.Table.from_pylist(rows, schema=schema))
    return len(periods)


def refused(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The months whose close is due and is refused as the warehouse is, each with every reason, a sentence each."""
    return [
        f"closing {row['tenant_id']} {row['period']} is refused: {row['refused_by']}"
        for row in _due(connection)
        if row["refused_by"] is not None
    ]


def _due(connection: duckdb.DuckDBPyConnection) -> list[Row]:
    return rows_of(connection, "intermediate.int_revenue__due_closes", "tenant_id, period")


def journal_of(connection: duckdb.DuckDBPyConnection, tenant_id: str, *, after: str, until: str) -> list[Row]:
    """The journal of the months after `after` up to `until`, both YYYY-MM, as the warehouse has it now."""
    journal = connection.sql(
        f"select {', '.join(JOURNAL)} from marts.journal_entries"
        " where tenant_id = $tenant_id and period > $after and period <= $until order by entry_id, line_no",
        params={"tenant_id": tenant_id, "after": after, "until": until},
    )
    return list(journal.to_arrow_table().to_pylist())


def content_hash(
    previous_hash: str,
    period: Mapping[str, Any],
    revenue: Sequence[Row],
    balances: Sequence[Row],
    journal: Sequence[Row],
) -> str:
    """The hash of a close: who closed what and when, the frozen revenue, balances and journal, and the close before it."""
    return digest(
        [
            previous_hash,
            {name: period[name] for name in PERIOD},
            [{name: row[name] for name in REVENUE} for row in revenue],
            [{name: row[name] for name in BALANCES} for row in balances],
            [[line[name] for name in JOURNAL] for line in journal],
        ]
    )


def last_closed(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """The last closed month of each tenant that has one; a reopened one is not closed."""
    return dict(
        connection.execute(
            "select tenant_id, max(period) from staging.stg_ratehouse__closed_periods group by all"
        ).fetchall()
    )


def chain_heads(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """The hash of each tenant's last close, in the order in which they were carried out, reopened or not."""
    return dict(
        connection.execute(
            "select tenant_id, max_by(content_hash, (known_as_of, period)) from ledger.closed_periods group by all"
        ).fetchall()
    )
