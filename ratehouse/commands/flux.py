"""`ratehouse flux`: what changed revenue, and what people say about it. Arguments and output; the work is `ratehouse.flux`."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ratehouse.settings import Settings

app = typer.Typer(help="Why revenue changed between two months, and who says so.", no_args_is_help=True)

TenantOption = Annotated[str, typer.Option("--tenant", "-t", help="Whose revenue.")]
PeriodOption = Annotated[str, typer.Option("--period", "-p", help="The month of posting, as in 2026-10.")]
ChargeArgument = Annotated[str, typer.Argument(help="The charge, or the obligation of a stated contract.")]
CurrencyOption = Annotated[str, typer.Option(help="Of the amounts, where the charge has several.")]
RoleOption = Annotated[str, typer.Option("--account-role", help="revenue or breakage_revenue.")]
ByYearOption = Annotated[
    bool, typer.Option("--year", help="Compared with the same month of the year before.")
]
ByOption = Annotated[str, typer.Option("--by", help="Who you are.")]

DRIVERS = ("price", "volume", "mix", "late", "catch_up", "one_off", "other", "fx")
STYLES = {"open": "red", "moved": "red", "explained": "yellow", "accepted": "green", "below_threshold": "dim"}


@app.command("list")
def list_lines(
    tenant: TenantOption,
    period: PeriodOption,
    year: ByYearOption = False,
) -> None:
    """List the changes of a month, what drove each, in the tenant's own currency where there is a rate, and its status."""
    from ratehouse import flux

    rows = flux.lines(Settings.load(), tenant, period=period, comparison="year" if year else "month")
    table = Table("charge", "currency", "before", "now", "change", *DRIVERS, "status", "owner", "explanation")
    for row in rows:
        own = "functional_" if row["functional_change"] is not None else ""
        amounts = [row[f"{own}{name}"] for name in ("prior_amount", "amount", "change")]
        amounts += [row[f"{own}{name}"] for name in DRIVERS if own or name != "fx"]
        texts = [_text(amount) for amount in amounts] + ([] if own else [""])
        currency = row["currency"] if row["currency"] == row["functional_currency"] or not own else (
            f"{row['currency']} in {row['functional_currency']}"
        )  # fmt: skip
        table.add_row(
            row["charge"], currency, *texts, Text(row["status"], style=STYLES[row["status"]]),
            Text(row["owner"] or ""), Text(row["explanation"] or ""),
        )  # fmt: skip
    if rows:
        console = Console(soft_wrap=True)
        (console if console.is_terminal else Console(soft_wrap=True, width=220)).print(table)
    else:
        typer.echo(f"{tenant} has nothing to compare in {period}")


@app.command()
def explain(
    charge: ChargeArgument,
    tenant: TenantOption,
    period: PeriodOption,
    by: ByOption,
    text: Annotated[str, typer.Option("--text", help="What is behind the change.")],
    owner: Annotated[str, typer.Option(help="Who answers for the line; you, if not given.")] = "",
    currency: CurrencyOption = "",
    account_role: RoleOption = "revenue",
    year: ByYearOption = False,
) -> None:
    """Say what is behind a change. Somebody else accepts it."""
    from ratehouse import flux

    line = flux.Line(period, charge, currency, account_role, "year" if year else "month")
    change = flux.explain(Settings.load(), tenant, line, by=by, explanation=text, owner=owner)
    typer.echo(f"{charge} {period}: {_text(change)} is explained by {by}; the next build shows it")


@app.command()
def accept(
    charge: ChargeArgument,
    tenant: TenantOption,
    period: PeriodOption,
    by: ByOption,
    currency: CurrencyOption = "",
    account_role: RoleOption = "revenue",
    year: ByYearOption = False,
) -> None:
    """Accept what somebody else found."""
    from ratehouse import flux

    line = flux.Line(period, charge, currency, account_role, "year" if year else "month")
    flux.accept(Settings.load(), tenant, line, by=by)
    typer.echo(f"{charge} {period} is accepted by {by}; the next build shows it")


def _text(amount: Decimal) -> str:
    return f"{amount.normalize():,f}" if amount else "0"
