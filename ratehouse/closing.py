"""The close step: freezes the months that are due to be closed and appends them to the ledger, once.

SQL decides which months are due (`int_revenue__due_closes`) and what of them is posted
(`int_revenue__due_closed_revenue`); nothing here computes an amount. A close is
visible when its row in `ledger/closed_periods` is: that file is written last.
"""

from __future__ import annotations

from typing import Any

import duckdb
import pyarrow as pa

from ratehouse import __version__, warehouse
from ratehouse.lake import Lake
from ratehouse.ledger import digest, rows_of
from ratehouse.ledger_schema import CLOSED_PERIODS, CLOSED_REVENUE
from ratehouse.settings import Settings

# What a close appends to, in the ledger.
RELATIONS = ("closed_periods", "closed_revenue")

# The journal without what a later build may word differently.
_JOURNAL = """
    select
        period, entry_id, line_no, posted_on, account_role, account, debit, credit, currency,
        functional_debit, functional_credit
    from marts.journal_entries
    where tenant_id = ? and period <= ? and period > ?
    order by entry_id, line_no
"""


def is_due(settings: Settings) -> bool:
    """Whether any month waits to be closed."""
    with warehouse.connect(settings) as connection:
        found = connection.execute("select count(*) from intermediate.int_revenue__due_closes").fetchone()
    return bool(found and found[0])


def close(connection: duckdb.DuckDBPyConnection, lake: Lake) -> int:
    """Close every month that is due on the warehouse as it was built; the documents of the run must be in it.

    The same facts on the same ledger are the same close. What reads `RELATIONS` is to be built again afterwards.

    Returns:
        How many months were closed.
    """
    due = rows_of(connection, "intermediate.int_revenue__due_closes", "tenant_id, period")
    if not due:
        return 0
    revenue = rows_of(
        connection,
        "intermediate.int_revenue__due_closed_revenue",
        "tenant_id, closed_period, posting_period, contract_id, obligation_id, period",
    )
    last = {
        tenant: (period, content_hash)
        for tenant, period, content_hash in connection.execute(
            "select tenant_id, max(period), max_by(content_hash, period) from ledger.closed_periods group by all"
        ).fetchall()
    }
    run_key = digest([due, revenue, sorted(last.items())])
    periods: list[dict[str, Any]] = []
    for row in due:
        tenant, period = row["tenant_id"], row["period"]
        before, previous_hash = last.get(tenant, ("", ""))
        frozen = [one for one in revenue if one["tenant_id"] == tenant and one["closed_period"] == period]
        journal = connection.execute(_JOURNAL, [tenant, period, before]).fetchall()
        content_hash = digest([previous_hash, row, frozen, journal])
        last[tenant] = (max(period, before), content_hash)
        periods.append(
            {
                **{name: row.get(name) for name in CLOSED_PERIODS.names},
                "revenue_rows": len(frozen),
                "journal_lines": len(journal),
                "code_version": __version__,
                "run_key": run_key,
                "content_hash": content_hash,
                "previous_hash": previous_hash,
            }
        )
    frozen = [
        {**{name: row.get(name) for name in CLOSED_REVENUE.names}, "run_key": run_key} for row in revenue
    ]
    if frozen:
        lake.write("ledger/closed_revenue", run_key, pa.Table.from_pylist(frozen, schema=CLOSED_REVENUE))
    lake.write("ledger/closed_periods", run_key, pa.Table.from_pylist(periods, schema=CLOSED_PERIODS))
    return len(periods)
