"""`ratehouse deliver tax`: what tax providers are asked and told. Arguments and printing only; see `deliver.tax`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ratehouse.settings import Settings

if TYPE_CHECKING:
    from deliver.tax.dispatch import Dispatched

app = typer.Typer(help="Tax providers: ask, tell, see.", no_args_is_help=True)

STATES = ("due", "committed", "voided", "unknown", "refused")
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


@app.command("check-ids")
def check_ids(tenant: TenantsOption = None) -> None:
    """Ask VIES about the tax ids that documents wait for, or that it could not confirm when it was asked last."""
    from deliver.tax.dispatch import check_tax_ids

    _report(check_tax_ids(Settings.load(), tenants=tenant or ()))


@app.command()
def commit(
    tenant: TenantsOption = None,
    again: Annotated[bool, typer.Option("--again", help="Also tell what was refused before.")] = False,
) -> None:
    """Tell the providers about the documents that were issued, corrected or voided, each once. Run it as often as you like."""
    from deliver.tax.dispatch import commit as commit_all

    _report(commit_all(Settings.load(), tenants=tenant or (), again=again))


@app.command()
def status(tenant: TenantsOption = None) -> None:
    """List the documents that wait for their tax, count what the providers were told, and list what they did not take."""
    from deliver.documents.model import connect_serving
    from deliver.tax.outbox import read_transactions
    from ratehouse.lake import Lake

    settings = Settings.load()
    with connect_serving(settings.serving_path) as serving:
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
    told = read_transactions(settings, Lake(settings.lake_url), tenants=tenant or ())
    counts: Counter[tuple[str, str]] = Counter((one.tenant_id, one.state) for one in told)
    if counts:
        summary = Table("tenant", *STATES, title="told to providers")
        for name in sorted({one.tenant_id for one in told}):
            summary.add_row(name, *(f"{counts[name, state]:,}" for state in STATES))
        console.print(summary)
    for one in told:
        if one.state in ("refused", "unknown"):
            console.print(
                Text(f"{one.tenant_id} {one.invoice_number}: {one.state} ({one.detail})", style="red")
            )


def _report(done: Dispatched) -> None:
    outcomes = ", ".join(f"{count:,} {name}" for name, count in sorted(done.outcomes.items()))
    typer.echo(outcomes or "nothing was due")
    errors = Console(stderr=True, soft_wrap=True)
    for problem in done.problems:
        errors.print(Text(problem, style="red"))
    if done.problems:
        raise typer.Exit(1)
