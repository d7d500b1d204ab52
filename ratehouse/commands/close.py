"""`ratehouse close`: prepare, approve, reopen, verify a month. Arguments and output; the work is `ratehouse.period_closes`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ratehouse import period_closes
from ratehouse.settings import Settings

STYLES = {
    "closed": "green",
    "approved": "yellow",
    "soft_closed": "yellow",
    "refused": "red",
    "reopened": "red",
    "open": "",
}


def close(
    tenant: Annotated[str, typer.Option("--tenant", "-t", help="Whose month.")],
    period: Annotated[str | None, typer.Argument(metavar="[MONTH]", help="The month, as in 2026-10.")] = None,
    prepare: Annotated[
        bool, typer.Option("--prepare", help="Soft-close it, for somebody else to approve.")
    ] = False,
    approve: Annotated[bool, typer.Option("--approve", help="Close it for good.")] = False,
    reopen: Annotated[bool, typer.Option("--reopen", help="Open the last closed month again.")] = False,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Build again and compare with what was frozen; no month means all."),
    ] = False,
    status: Annotated[
        bool, typer.Option("--status", help="List the months and what is in their way.")
    ] = False,
    by: Annotated[str, typer.Option("--by", help="Who you are.")] = "",
    reason: Annotated[str, typer.Option("--reason", help="Why it is reopened.")] = "",
) -> None:
    """Close a month with two people: one prepares, another approves."""
    if prepare + approve + reopen + verify + status != 1:
        raise typer.BadParameter("Give one of --prepare, --approve, --reopen, --verify, --status.")
    settings = Settings.load()
    if status:
        _status(settings, tenant, period)
        return
    if verify:
        _verify(settings, tenant, period)
        return
    if period is None:
        raise typer.BadParameter("Give the month, as in 2026-10.")
    if prepare:
        done = period_closes.prepare(settings, tenant, period, by=by)
        typer.echo(
            f"{tenant} {period} is prepared by {by}: {done.journal_lines:,} journal lines, {done.content_hash}"
        )
        for blocker in done.blockers:
            Console(stderr=True, soft_wrap=True).print(Text(f"stops the approval: {blocker}", style="yellow"))
    elif approve:
        content_hash = period_closes.approve(settings, tenant, period, by=by)
        typer.echo(f"{tenant} {period} is closed: {content_hash}")
    else:
        period_closes.reopen(settings, tenant, period, by=by, reason=reason)
        typer.echo(f"{tenant} {period} is open again")


def _status(settings: Settings, tenant: str, period: str | None) -> None:
    table = Table("month", "status", "prepared", "approved", "reopened", "checks that fail", "hash")
    for row in period_closes.status(settings, tenant):
        if period is not None and row["period"] != period:
            continue
        status = (
            row["status"]
            if row["closed_with"] in (None, row["period"])
            else f"closed with {row['closed_with']}"
        )
        reopened = f"{row['reopened_by']}: {row['reopening_reason']}" if row["reopened_by"] else ""
        table.add_row(
            row["period"], Text(status, style=STYLES[row["status"]]), row["prepared_by"], row["approved_by"],
            Text(reopened), ", ".join(row["failed"]), (row["content_hash"] or "")[:12],
        )  # fmt: skip
    Console(soft_wrap=True).print(table)


def _verify(settings: Settings, tenant: str, period: str | None) -> None:
    compared = period_closes.verify(settings, tenant, periods=[period] if period else ())
    if not compared:
        typer.echo(f"{tenant} has closed no month")
    for month in compared:
        typer.echo(f"{month.period}: {'moved' if month.moved else 'as it was closed'}, {month.content_hash}")
        for sentence in month.moved:
            Console(stderr=True, soft_wrap=True).print(Text(f"  {sentence}", style="red"))
    if any(month.moved for month in compared):
        raise typer.Exit(1)
