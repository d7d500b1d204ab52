"""`ratehouse adjustment`: ask for a credit by hand, approve, refuse, list. The work is `ratehouse.adjustments`."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ratehouse import adjustments
from ratehouse.commands.options import positive_amount
from ratehouse.explain import amount_text
from ratehouse.settings import Settings

app = typer.Typer(help="Credits and debits by hand: one person asks, another approves.", no_args_is_help=True)

TenantOption = Annotated[str, typer.Option("--tenant", "-t", help="The tenant that issued the document.")]
ByOption = Annotated[str, typer.Option("--by", help="Who you are.")]
IdArgument = Annotated[str, typer.Argument(metavar="ID", help="The adjustment.")]
STYLES = {"waiting": "yellow", "refused": "red", "too_large": "red", "unmatched": "red", "issued": "green"}
_SINCE = {
    "asked": "waiting; the next run shows what it would do",
    "approve": "approved; the next run carries it out",
    "refuse": "refused",
}


@app.command()
def request(
    number: Annotated[str, typer.Argument(metavar="INVOICE", help="Number of the invoice to correct.")],
    tenant: TenantOption,
    by: ByOption,
    reason: Annotated[str, typer.Option("--reason", help="Why, in words.")],
    reason_code: Annotated[
        str, typer.Option("--reason-code", help=f"One of {', '.join(adjustments.REASONS)}.")
    ] = "goodwill",
    line: Annotated[int | None, typer.Option("--line", help="Number of the line.")] = None,
    credit: Annotated[
        str | None, typer.Option("--credit", metavar="AMOUNT", help="Give this much, before tax.")
    ] = None,
    debit: Annotated[
        str | None, typer.Option("--debit", metavar="AMOUNT", help="Take this much, before tax.")
    ] = None,
) -> None:
    """Ask for a credit or debit on a line of an invoice, or (--reason-code void) for it to be void."""
    if credit is not None and debit is not None:
        raise typer.BadParameter("Either --credit or --debit.")
    amount = -positive_amount(credit, "--credit") if credit is not None else None
    if debit is not None:
        amount = positive_amount(debit, "--debit")
    adjustment_id = adjustments.request(
        Settings.load(), tenant, number, by=by, reason_code=reason_code, reason=reason, amount=amount, line_no=line
    )  # fmt: skip
    typer.echo(f"{adjustment_id} waits for somebody else's `ratehouse adjustment approve {adjustment_id}`")


@app.command()
def approve(
    adjustment_id: IdArgument,
    tenant: TenantOption,
    by: ByOption,
    reason: Annotated[str, typer.Option("--reason", help="A word about it.")] = "",
) -> None:
    """Approve what somebody else asked for; the next run carries it out."""
    adjustments.decide(Settings.load(), tenant, adjustment_id, "approve", by=by, reason=reason)
    typer.echo(f"{adjustment_id} is approved by {by}; the next run carries it out")


@app.command()
def refuse(
    adjustment_id: IdArgument,
    tenant: TenantOption,
    by: ByOption,
    reason: Annotated[str, typer.Option("--reason", help="Why.")] = "",
) -> None:
    """Refuse what somebody asked for, or take back what you asked for yourself."""
    adjustments.decide(Settings.load(), tenant, adjustment_id, "refuse", by=by, reason=reason)
    typer.echo(f"{adjustment_id} is refused by {by}")


@app.command("list")
def show(
    tenant: TenantOption,
    everything: Annotated[bool, typer.Option("--all", help="Also those that need nobody any more.")] = False,
) -> None:
    """List the adjustments that wait for somebody or went nowhere."""
    table = Table("id", "status", "on", "amount", "left", "reason", "asked by", "decided by", "document")
    rows = adjustments.listed(Settings.load(), tenant)
    shown = [row for row in rows if everything or row["status"] not in ("issued", "refused", "voided")]
    for row in shown:
        where = f"{row['invoice_number'] or row['invoice_id']}"
        if row.get("line_no"):
            where += f", line {row['line_no']}"
        table.add_row(
            Text(row["adjustment_id"]),
            Text(_SINCE.get(row["since"], row["status"].replace("_", " ")), style=STYLES.get(row["status"], "")),
            Text(where), _money(row, "amount"), _money(row, "left_amount"),
            Text(": ".join(filter(None, (row["reason_code"], row["reason"])))),
            Text(row["requested_by"] or ""), Text(row.get("decided_by") or ""), row.get("note_number") or "",
        )  # fmt: skip
    console = Console(soft_wrap=True)
    if not console.is_terminal:
        # A file or a pipe has no edge to wrap at.
        console = Console(soft_wrap=True, width=240)
    console.print(table if shown else "No adjustment waits.")


def _money(row: dict[str, Any], name: str) -> str:
    value, currency = row.get(name), row.get("currency")
    if value is None:
        return ""
    return f"{amount_text(value, currency)} {currency}" if currency else f"{value.normalize():f}"
