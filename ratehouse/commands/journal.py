"""`ratehouse journal`: a month's journal for an accounting system. Arguments and output; the work is `deliver.accounting`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from ratehouse.settings import Settings

app = typer.Typer(help="The journal of a month for an accounting system.", no_args_is_help=True)

TenantOption = Annotated[str, typer.Option("--tenant", "-t", help="Whose journal.")]
PeriodOption = Annotated[str, typer.Option("--period", "-p", help="The month of posting, as in 2026-10.")]


@app.command()
def export(
    tenant: TenantOption,
    period: PeriodOption,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            help="csv, parquet, quickbooks-csv, quickbooks-json, xero-csv, xero-json, netsuite-csv, netsuite-json.",
        ),
    ],
    to: Annotated[Path, typer.Option(help="The folder to write to.")],
) -> None:
    """Write the journal of a month as the files that an accounting system imports."""
    from deliver.accounting.export import export as write

    for path in write(Settings.load(), tenant, period, form, to):
        typer.echo(path)


@app.command()
def push(
    tenant: TenantOption,
    period: PeriodOption,
    target: Annotated[str, typer.Option(help="quickbooks, xero or netsuite.")],
    again: Annotated[
        bool, typer.Option("--again", help="Also what was refused, although nothing has changed here.")
    ] = False,
) -> None:
    """Post the journal of a closed month, each entry once. Run it as often as you like."""
    from deliver.accounting.push import push as post

    done = post(Settings.load(), tenant, period, target, again=again)
    outcomes = ", ".join(f"{count:,} {name}" for name, count in sorted(done.outcomes.items()))
    typer.echo(outcomes or "nothing to post")
    errors = Console(stderr=True, soft_wrap=True)
    for problem in done.problems:
        errors.print(Text(problem, style="red"))
    if done.problems:
        raise typer.Exit(1)
