"""Closing a month by two people: one prepares, another approves; a closed month is reopened with a reason, or verified.

What people decide lands as facts in `raw/period_closes`; what a close freezes is the ledger's (`ratehouse.closing`).
Belongs here: who may do what and when, each refusal with its name. Does not belong here: what is posted, and whether a
check holds, which SQL says (`accounting_periods`, `close_checklist`, the identities of `dbt_project/tests`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb

from ratehouse import billing, closing, identities, warehouse
from ratehouse.closing import Row
from ratehouse.errors import RatehouseError
from ratehouse.lake import Lake
from ratehouse.ledger import digest, rows_of
from ratehouse.settings import Settings
from ratehouse.streams import land

STREAM = "period_closes"
_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")


@dataclass(frozen=True)
class Reason:
    """Why something is refused: a stable name, and a sentence for a person."""

    name: str
    text: str

    def __str__(self) -> str:
        """As a person reads it."""
        return f"{self.name}: {self.text}"


class CloseRefused(RatehouseError):
    """A month that is not prepared, closed or reopened as things are; `reasons` has every reason by name."""

    def __init__(self, what: str, reasons: Sequence[Reason]) -> None:
        super().__init__("\n".join([f"{what} is refused; nothing was posted.", *map(str, reasons)]))
        self.reasons = tuple(reasons)


@dataclass(frozen=True)
class Prepared:
    """What was prepared: the hash of its journal, and what would stop its approval today."""

    content_hash: str
    journal_lines: int
    blockers: tuple[Reason, ...]


@dataclass(frozen=True)
class Verified:
    """A closed month compared with what it was.

    Attributes:
        period: the month.
        content_hash: of the close, in the ledger.
        found_hash: of the same content as it is now.
        moved: what differs, a sentence each; none if the hashes are equal.
    """

    period: str
    content_hash: str
    found_hash: str
    moved: tuple[str, ...]


def prepare(
    settings: Settings, tenant_id: str, period: str, *, by: str, now: datetime | None = None
) -> Prepared:
    """Soft-close a month: note who prepared it and the journal they saw, on all that is known now.

    Args:
        settings: the installation.
        tenant_id: whose month.
        period: the month, YYYY-MM.
        by: who prepares it.
        now: when (UTC); default now.

    Raises:
        CloseRefused: the month is not over, or is closed.
    """
    _check_arguments(period, by)
    with _current(settings, tenant_id, now) as (lake, at):
        with warehouse.connect(settings) as connection:
            standing = _standing(connection, tenant_id, period)
            reasons = _not_closable(tenant_id, period, standing)
            if reasons:
                raise CloseRefused(f"Preparing {tenant_id} {period}", reasons)
            journal = _open_journal(connection, tenant_id, period)
            blockers = _blockers(connection, tenant_id, period, standing)
        blockers += _identities(settings, tenant_id)
        prepared_hash = _hash(journal)
        fact = {"period": period, "closed_at": at, "prepared_by": by, "prepared_hash": prepared_hash}
        _land(lake, tenant_id, "prepare", fact, at)
        _show(settings, lake)
    return Prepared(prepared_hash, len(journal), tuple(blockers))


def approve(settings: Settings, tenant_id: str, period: str, *, by: str, now: datetime | None = None) -> str:
    """Close a month that somebody else prepared, at once, with the months before it that were never closed.

    Args:
        settings: the installation.
        tenant_id: whose month.
        period: the month, YYYY-MM.
        by: who approves it, not the one who prepared it.
        now: when (UTC); default now.

    Returns:
        The hash of the close.

    Raises:
        CloseRefused: with every reason; nothing was posted.
    """
    _check_arguments(period, by)
    with _current(settings, tenant_id, now) as (lake, at):
        with warehouse.connect(settings) as connection:
            standing = _standing(connection, tenant_id, period)
            reasons = _not_closable(tenant_id, period, standing)
            if not reasons:
                reasons += _not_approvable(connection, tenant_id, period, by, standing)
                reasons += _blockers(connection, tenant_id, period, standing)
        reasons += _identities(settings, tenant_id)
        if reasons:
            raise CloseRefused(f"Closing {tenant_id} {period}", reasons)
        prepared_by = standing[period]["prepared_by"]
        fact = {"period": period, "closed_at": at, "prepared_by": prepared_by, "approved_by": by}
        # The decision is a fact before it is carried out: should this process die now, the next run carries it out.
        _land(lake, tenant_id, "approve", fact, at)
        warehouse.prepare(settings, lake)
        due = [
            "int_revenue__due_closes",
            "int_revenue__due_closed_revenue",
            "int_revenue__due_closed_balances",
        ]
        warehouse.build(settings, command="run", select=due, flags=warehouse.NO_ARTIFACTS)
        with warehouse.connect(settings) as connection:
            closed = closing.close(connection, lake, tenants=[tenant_id])
        assert closed, "the models close what was approved"
        _show(settings, lake, closing.RELATIONS)
        with warehouse.connect(settings) as connection:
            heads = closing.chain_heads(connection)
    return heads[tenant_id]


def reopen(
    settings: Settings, tenant_id: str, period: str, *, by: str, reason: str, now: datetime | None = None
) -> None:
    """Open the last closed month again: what is earned in it posts to it until it is closed again, by two people.

    Args:
        settings: the installation.
        tenant_id: whose month.
        period: the month, YYYY-MM.
        by: who reopens it.
        reason: why.
        now: when (UTC); default now.

    Raises:
        CloseRefused: the month is not closed, or a later one is.
    """
    _check_arguments(period, by)
    if not reason.strip():
        raise RatehouseError("A month is reopened for a reason; say it with --reason.")
    with _current(settings, tenant_id, now) as (lake, at):
        with warehouse.connect(settings) as connection:
            last = closing.last_closed(connection).get(tenant_id)
        if last is None or period > last:
            raise CloseRefused(
                f"Reopening {tenant_id} {period}",
                [Reason("not_closed", f"{period} is open; the last closed month is {last or 'none'}.")],
            )
        if period < last:
            text = f"{last} was closed after it or with it; reopen {last} first, months are reopened from the last back."
            raise CloseRefused(f"Reopening {tenant_id} {period}", [Reason("later_month_is_closed", text)])
        fact = {"period": period, "closed_at": at, "reopened_by": by, "reason": reason.strip()}
        _land(lake, tenant_id, "reopen", fact, at)
        _show(settings, lake)


def verify(settings: Settings, tenant_id: str, *, periods: Sequence[str] = ()) -> list[Verified]:
    """Build everything again from the lake and compare closed months with what was closed, by their hashes.

    What is learned after a close moves no closed month; what differs here is the ledger's own files, or what models make of them.

    Args:
        settings: the installation.
        tenant_id: whose months.
        periods: which, YYYY-MM; none means every closed one.

    Raises:
        RatehouseError: one of them is not closed.
    """
    lake = Lake(settings.lake_url)
    with warehouse.writer(settings):
        billing.refresh(settings, lake)
        with warehouse.connect(settings) as connection:
            closes = [
                row
                for row in rows_of(connection, "staging.stg_ratehouse__closed_periods", "known_as_of, period")
                if row["tenant_id"] == tenant_id
            ]
            hashes = {
                content_hash
                for (content_hash,) in connection.execute(
                    "select content_hash from ledger.closed_periods where tenant_id = ?", [tenant_id]
                ).fetchall()
            }
            missing = sorted(set(periods) - {row["period"] for row in closes})
            if missing:
                known = ", ".join(row["period"] for row in closes) or "none"
                raise RatehouseError(
                    f"{', '.join(missing)} of {tenant_id} is not closed; closed by themselves are: {known}."
                )
            found = []
            after = ""
            for close in closes:
                if not periods or close["period"] in periods:
                    found.append(_verified(connection, close, after, hashes))
                after = max(after, close["period"])
    return found


def status(settings: Settings, tenant_id: str) -> list[Row]:
    """The months of a tenant as they were published, with the checks that do not hold of those that are open.

    Each row is one of the mart `accounting_periods`, and `failed`: the names of its checks that fail.
    """
    if not settings.serving_path.exists():
        raise RatehouseError(f"Nothing is published at {settings.serving_path}; run `ratehouse run` first.")
    with duckdb.connect(str(settings.serving_path), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        months = connection.sql(
            """
            select
                periods.*,
                coalesce(failed.checks, []) as failed
            from marts.accounting_periods as periods
            left join (
                select tenant_id, period, list(check_name order by check_name) as checks
                from marts.close_checklist
                where status = 'failed'
                group by all
            ) as failed using (tenant_id, period)
            where periods.tenant_id = $tenant_id
            order by periods.period
            """,
            params={"tenant_id": tenant_id},
        )
        rows: list[Row] = list(months.to_arrow_table().to_pylist())
    if not rows:
        raise RatehouseError(f"Tenant {tenant_id} has no complete month yet.")
    return rows


@contextmanager
def _current(settings: Settings, tenant_id: str, now: datetime | None) -> Iterator[tuple[Lake, datetime]]:
    """The warehouse built on everything that is known now and billed so far, under the writer lock.

    What is billed stays where the last run left it: a close issues no document.
    """
    lake = Lake(settings.lake_url)
    lake.check_writable()
    at = now or datetime.now(UTC)
    with warehouse.writer(settings):
        clocks = lake.read("raw/tenant_clocks")
        own = [row for row in (clocks.to_pylist() if clocks else []) if row["tenant_id"] == tenant_id]
        if not own:
            raise RatehouseError(f"Tenant {tenant_id} was never billed here; run `ratehouse run` first.")
        last = max(own, key=lambda row: (row["recorded_at"], row["batch_id"]))
        if at < last["known_as_of"]:
            raise RatehouseError(
                f"Tenant {tenant_id} was billed on what was known at {last['known_as_of']:%Y-%m-%d %H:%M} UTC, which is "
                "later than now; check this machine's clock."
            )
        clock = {"tenant_id": tenant_id, "billing_as_of": last["billing_as_of"], "known_as_of": at}
        batch = f"clocks-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
        land(lake, "tenant_clocks", [clock], tenant_id=None, source="close", batch_id=batch)
        billing.refresh(settings, lake)
        yield lake, at


def _standing(connection: duckdb.DuckDBPyConnection, tenant_id: str, period: str) -> dict[str, Row]:
    """The months of a tenant up to this one, as the mart has them."""
    rows = rows_of(connection, "marts.accounting_periods", "tenant_id, period")
    return {row["period"]: row for row in rows if row["tenant_id"] == tenant_id and row["period"] <= period}


def _not_closable(tenant_id: str, period: str, standing: dict[str, Row]) -> list[Reason]:
    if period not in standing:
        months = f"its last complete one is {max(standing)}" if standing else "it has none yet"
        text = f"{period} is no complete month of {tenant_id} as far as it is billed; {months}."
        return [Reason("month_is_not_over", text)]
    row = standing[period]
    if row["status"] == "closed":
        return [Reason("already_closed", f"{period} was closed with {row['closed_with']}.")]
    return []


def _not_approvable(
    connection: duckdb.DuckDBPyConnection, tenant_id: str, period: str, by: str, standing: dict[str, Row]
) -> list[Reason]:
    prepared_by = standing[period]["prepared_by"]
    if prepared_by is None:
        return [Reason("not_prepared", f"nobody has prepared {period}; do it with --prepare.")]
    if prepared_by == by:
        return [Reason("preparer_is_approver", f"{by} prepared {period}; somebody else approves it.")]
    if standing[period]["prepared_hash"] != _hash(_open_journal(connection, tenant_id, period)):
        text = f"the journal is not the one that {prepared_by} saw; look at it and prepare {period} again."
        return [Reason("moved_since_prepared", text)]
    return []


def _blockers(
    connection: duckdb.DuckDBPyConnection, tenant_id: str, period: str, standing: dict[str, Row]
) -> list[Reason]:
    """What must not be so of any month that would be closed: the one asked for, and open ones before it."""
    reasons = []
    for month, row in standing.items():
        if month < period and row["status"] in ("soft_closed", "reopened"):
            words = row["status"].replace("_", "-")
            text = f"{month} is {words} and is not closed along with a later month; close it first."
            reasons.append(Reason("earlier_month_is_open", text))
    for month, check, difference, evidence in connection.execute(
        "select period, check_name, difference, evidence from marts.close_checklist"
        " where tenant_id = ? and period <= ? and status = 'failed' order by all",
        [tenant_id, period],
    ).fetchall():
        if standing[month]["status"] != "closed":
            text = f"off by {difference.normalize():f} in {month}; see the mart {evidence}."
            reasons.append(Reason(check, text))
    return reasons


def _identities(settings: Settings, tenant_id: str) -> list[Reason]:
    return [
        Reason(name, f"this dbt test of the whole warehouse fails on {rows:,} rows.")
        for name, rows in identities.failing(settings, tenant_id).items()
    ]


def _open_journal(connection: duckdb.DuckDBPyConnection, tenant_id: str, period: str) -> list[Row]:
    """What a close of the month would freeze of the journal."""
    after = closing.last_closed(connection).get(tenant_id, "")
    return closing.journal_of(connection, tenant_id, after=after, until=period)


def _hash(journal: Sequence[Row]) -> str:
    return digest([list(line.values()) for line in journal])


def _land(lake: Lake, tenant_id: str, action: str, fact: dict[str, Any], at: datetime) -> None:
    batch = f"{tenant_id}-{fact['period']}-{action}-{at:%Y%m%dT%H%M%S%f}"
    landed = land(lake, STREAM, [fact], tenant_id=tenant_id, source="close", batch_id=batch, received_at=at)
    if landed.rejected:
        raise RatehouseError(f"The fact of {action} is not in order: {dict(landed.reasons)}.")


def _show(settings: Settings, lake: Lake, appended: Sequence[str] = ()) -> None:
    """Publish what the fact that just landed changes, and what was appended to relations of the ledger with it."""
    warehouse.prepare(settings, lake)
    sources = [f"raw.{STREAM}", *(f"ledger.{name}" for name in appended)]
    select = [f"source:{source}+" for source in sources]
    warehouse.build(settings, command="run", select=select, flags=warehouse.NO_ARTIFACTS)
    warehouse.publish(settings)


def _verified(connection: duckdb.DuckDBPyConnection, close: Row, after: str, hashes: set[str]) -> Verified:
    tenant_id, period, run_key = close["tenant_id"], close["period"], close["run_key"]
    ours = f"(select * from ledger.{{}} where tenant_id = '{tenant_id}' and closed_period = '{period}' and run_key = '{run_key}')"
    revenue = rows_of(connection, ours.format("closed_revenue"), closing.REVENUE_ORDER)
    balances = rows_of(connection, ours.format("closed_balances"), closing.BALANCES_ORDER)
    journal = closing.journal_of(connection, tenant_id, after=after, until=period)
    found = closing.content_hash(close["previous_hash"], close, revenue, balances, journal)
    moved = []
    if found != close["content_hash"]:
        moved.append(
            "the rows that the ledger has of it are not what was closed; restore them from a backup."
        )
    if close["previous_hash"] and close["previous_hash"] not in hashes:
        moved.append(f"the close it is chained to ({close['previous_hash'][:12]}) is not in the ledger.")
    return Verified(period, close["content_hash"], found, tuple(moved))


def _check_arguments(period: str, by: str) -> None:
    if not _MONTH.fullmatch(period):
        raise RatehouseError(f"{period!r} is no month; write it as 2026-10.")
    if not by.strip():
        raise RatehouseError("Say who you are with --by.")
