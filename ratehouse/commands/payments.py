"""`ratehouse deliver payments`: charges and refunds. Arguments and terminal output; the work is in `deliver.payments`."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ratehouse.errors import RatehouseError
from ratehouse.settings import Settings

if TYPE_CHECKING:
    from deliver.payments.attempts import Attempt
    from deliver.payments.dispatch import Dispatched

app = typer.Typer(help="Charges and refunds: make, see, ask after.", no_args_is_help=True)

TenantsOption = Annotated[
    list[str] | None, typer.Option("--tenant", "-t", help="Only this tenant; may be repeated.")
]
STYLES = {"succeeded": "green", "processing": "", "unknown": "yellow", "failed": "red", "absent": ""}


@app.command()
def send(
    tenant: TenantsOption = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many charges and refunds.")] = None,
) -> None:
    """Ask after what is unknown, then charge and give back what is due. Run it as often as you like."""
    from deliver.payments.dispatch import dispatch

    _report(dispatch(Settings.load(), tenants=tenant or (), limit=limit))


@app.command()
def ask(
    tenant: TenantsOption = None,
    subject: Annotated[
        str | None,
        typer.Option(
            "--about", help="Ask now about this invoice (its id), or this payment that was refunded."
        ),
    ] = None,
) -> None:
    """Ask the gateways what became of charges and refunds without an answer, when their time has come. Charges nothing."""
    from deliver.payments.dispatch import ask as ask_all

    _report(ask_all(Settings.load(), tenants=tenant or (), subject=subject))


@app.command()
def status(
    tenant: TenantsOption = None,
    state: Annotated[str | None, typer.Option(help=f"List those in this state: {', '.join(STYLES)}.")] = None,
) -> None:
    """Count charges and refunds by state, and list those that a person must look at (or those asked for)."""
    from deliver.payments.attempts import read_attempts
    from ratehouse.lake import Lake

    if state is not None and state not in STYLES:
        raise RatehouseError(f"There is no state {state}; use one of {', '.join(STYLES)}.")
    attempts = read_attempts(Lake(Settings.load().lake_url), tenants=tenant or ())
    counts: Counter[tuple[str, str]] = Counter((attempt.tenant_id, attempt.state) for attempt in attempts)
    console = Console(soft_wrap=True)
    table = Table("tenant", *STYLES)
    for name in sorted({tenant_id for tenant_id, _ in counts}):
        table.add_row(name, *(Text(f"{counts[name, s]:,}", style=STYLES[s]) for s in STYLES))
    console.print(table if counts else "Nothing was charged or given back yet.")
    shown = [a for a in attempts if (a.state == state if state else a.state in ("unknown", "failed"))]
    if shown:
        console.print(_list(shown))


def _report(done: Dispatched) -> None:
    outcomes = ", ".join(f"{count:,} {name}" for name, count in sorted(done.outcomes.items()))
    typer.echo(outcomes or "nothing was due")
    errors = Console(stderr=True, soft_wrap=True)
    for problem in done.problems:
        errors.print(Text(problem, style="red"))
    if any(done.outcomes[name] for name in ("failed", "unknown", "not ready", "out of reach")):
        raise typer.Exit(1)


def _list(attempts: list[Attempt]) -> Table:
    table = Table("tenant", "what", "about", "payment", "amount", "state", "since", "next ask", "answer")
    now = datetime.now(UTC)
    for attempt in attempts:
        asked = f"{attempt.ask_at:%Y-%m-%d %H:%M} UTC" if attempt.ask_at else ""
        overdue = " (now)" if attempt.ask_at and attempt.ask_at <= now else ""
        table.add_row(
            Text(attempt.tenant_id), attempt.kind, Text(attempt.subject, overflow="fold"),
            Text(attempt.payment_id, overflow="fold"), f"{attempt.amount:f} {attempt.currency}",
            Text(attempt.state, style=STYLES[attempt.state]), f"{attempt.claimed_at:%Y-%m-%d %H:%M} UTC",
            "a person" if attempt.needs_person else asked + overdue, Text(attempt.failure_code or ""),
        )  # fmt: skip
    return table
