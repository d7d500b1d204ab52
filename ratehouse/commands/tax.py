"""`ratehouse deliver tax`: questions to tax providers. Arguments and terminal output; the work is in `deliver.tax`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ratehouse.settings import Settings

if TYPE_CHECKING:
    from deliver.tax.dispatch import Dispatched

app = typer.Typer(help="Tax providers: ask, see.", no_args_is_help=True)

TenantsOption = Annotated[
    list[str] | None, typer.Option("--tenant", "-t", help="Only this tenant; may be repeated.")
]


@app.command()
def quote(
    tenant: TenantsOption = None,
    again: Annotated[
        bool,
        typer.Option("--again", help="Also ask what was refused, or answered in numbers that do not add up."),
    ] = False,
) -> None:
    """Ask about the documents that wait for their tax; the next `ratehouse run` issues those that were answered."""
    from deliver.tax.dispatch import quote as quote_all

    _report(quote_all(Settings.load(), tenants=tenant or (), again=again))


@app.command()
def status(tenant: TenantsOption = None) -> None:
    """List the documents that wait for their tax, and why."""
    from deliver.documents.model import connect_serving

    with connect_serving(Settings.load().serving_path) as serving:
        rows = serving.execute(
            "select tenant_id, customer_id, kind, bill_date, amount, currency, status, reason from marts.tax_requests"
            " where status <> 'quoted' and (len($1) = 0 or list_contains($1, tenant_id)) order by all",
            [tenant or []],
        ).fetchall()
    console = Console(soft_wrap=True)
    table = Table("tenant", "customer", "kind", "bill date", "amount", "status", "why")
    for tenant_id, customer, kind, bill_date, amount, currency, state, reason in rows:
        table.add_row(
            Text(tenant_id),
            Text(customer),
            kind,
            f"{bill_date}",
            f"{amount:f} {currency}",
            state,
            Text(reason or ""),
        )
    console.print(table if rows else "No document waits for its tax.")


def _report(done: Dispatched) -> None:
    outcomes = ", ".join(f"{count:,} {name}" for name, count in sorted(done.outcomes.items()))
    typer.echo(outcomes or "nothing was due")
    errors = Console(stderr=True, soft_wrap=True)
    for problem in done.problems:
        errors.print(Text(problem, style="red"))
    if done.problems:
        raise typer.Exit(1)
