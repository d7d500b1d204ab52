"""The command line, assembled. Each area's commands live in `ratehouse/commands/`; nothing here does work of its own."""

from __future__ import annotations

import sys

import typer
from rich.console import Console

from ratehouse import __version__
from ratehouse.commands import (
    adjustment,
    close,
    deliver,
    explain,
    flux,
    ingest,
    invoice,
    journal,
    operate,
    preview,
    price_book,
    publish,
    reconcile,
    recovery,
    rejected,
    scenario,
)
from ratehouse.errors import RatehouseError

app = typer.Typer(
    name="ratehouse",
    help="Billing from usage events to issued invoices, in a warehouse you can read.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("demo")(operate.demo)
app.command("run")(operate.run)
app.command("backfill")(operate.backfill)
app.command("serve")(operate.serve)
app.command("doctor")(operate.doctor)
app.command("close")(close.close)
app.command("explain")(explain.explain)
app.command("sql")(publish.sql)
app.add_typer(adjustment.app, name="adjustment")
app.add_typer(ingest.app, name="ingest")
app.add_typer(preview.app, name="preview")
app.add_typer(price_book.app, name="price-book")
app.add_typer(scenario.app, name="scenario")
app.add_typer(invoice.app, name="invoice")
app.add_typer(deliver.app, name="deliver")
app.add_typer(reconcile.app, name="reconcile")
app.add_typer(recovery.app, name="recovery")
app.add_typer(journal.app, name="journal")
app.add_typer(flux.app, name="flux")
app.add_typer(publish.app, name="publish")
app.add_typer(rejected.app, name="rejected")


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def main() -> None:
    """Run the command line; an error that a person can fix is printed as its message, with exit code 1."""
    try:
        app()
    except RatehouseError as error:
        Console(stderr=True).print(
            f"[bold red]Error:[/] {error}", soft_wrap=True, markup=True, highlight=False
        )
        sys.exit(1)


if __name__ == "__main__":
    main()
