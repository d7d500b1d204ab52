"""`ratehouse invoice show | pdf | statement | export`: issued documents in the terminal, or as files.

Belongs here: arguments and terminal output. Does not belong here: reading, wording and rendering, which are
`deliver.documents`. Reads the serving file only.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console, Group
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from ratehouse.settings import Settings

if TYPE_CHECKING:
    from deliver.documents.view import View

app = typer.Typer(help="Issued invoices and credit notes: show one, or write PDFs.", no_args_is_help=True)

TenantOption = Annotated[str, typer.Option("--tenant", "-t", help="The tenant that issued it.")]


@app.command()
def show(
    number: Annotated[str, typer.Argument(help="Invoice or credit note number.")], tenant: TenantOption
) -> None:
    """Show a document with its lines, tiers and totals, in the customer's language."""
    from deliver.documents.formats import catalogue, pick_language
    from deliver.documents.model import connect_serving, find_invoices, load_documents
    from deliver.documents.view import build_view

    with connect_serving(Settings.load().serving_path) as connection:
        documents = load_documents(connection, find_invoices(connection, tenant, numbers=[number]))
    console = Console()
    words = catalogue()
    for document in documents:
        language = pick_language(document.language, words)
        base = words.get(language) or words[language.split("-")[0].lower()]
        console.print(_terminal(build_view(document, base, language), document.currency))


@app.command()
def pdf(
    numbers: Annotated[list[str] | None, typer.Argument(help="Invoice or credit note numbers.")] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", "-t", help="The tenant that issued them.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write to this folder instead of the documents store.")
    ] = None,
    all_since: Annotated[
        str | None, typer.Option(metavar="RUN", help="All documents of this run and of the runs after it.")
    ] = None,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Worker processes; default: one per core.")
    ] = None,
) -> None:
    """Write documents as PDF. Files that are up to date are left alone."""
    from deliver.documents.model import connect_serving, find_invoices
    from deliver.documents.store import render_many

    if bool(numbers) == bool(all_since):
        raise typer.BadParameter("Give invoice numbers, or --all-since RUN.")
    if numbers and tenant is None:
        raise typer.BadParameter("A number means nothing without its tenant.", param_hint="--tenant")
    settings = Settings.load()
    with connect_serving(settings.serving_path) as connection:
        keys = find_invoices(connection, tenant, numbers=numbers, since_run=all_since)
    written, failed = 0, []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    errors = Console(stderr=True)
    with Progress(*columns, console=errors, transient=True) as progress:
        task = progress.add_task("Rendering", total=len(keys))
        for result in render_many(settings, keys, processes=processes, out=out):
            progress.advance(task)
            if result.outcome == "failed":
                failed.append(result)
            else:
                written += result.outcome == "written"
                if numbers:
                    typer.echo(result.path)
    for result in failed:
        errors.print(
            Text(f"{result.tenant_id} {result.number or result.invoice_id}: {result.error}", style="red")
        )
    if not numbers:
        place = str(out) if out is not None else settings.documents_url
        typer.echo(
            f"{written} written, {len(keys) - written - len(failed)} up to date, "
            f"{len(failed)} failed, in {place}"
        )
    if failed:
        raise typer.Exit(1)


@app.command()
def statement(
    customer: Annotated[str, typer.Argument(help="Customer id.")],
    tenant: TenantOption,
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First day shown.")],
    last: Annotated[
        datetime | None,
        typer.Option(
            "--to", formats=["%Y-%m-%d"], help="Last day shown; default: the last day that was billed."
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path(),
) -> None:
    """Write a customer's statement of account as PDF, one file for each currency, in the customer's language."""
    from deliver.documents.model import connect_serving
    from deliver.documents.render import render_statement
    from deliver.documents.statement import billed_day, load_statements
    from deliver.documents.store import file_name

    settings = Settings.load()
    folder = settings.tenants_dir / tenant
    with connect_serving(settings.serving_path) as connection:
        until = last.date() if last else billed_day(connection, tenant)
        statements = load_statements(connection, tenant, customer, first.date(), until)
    out.mkdir(parents=True, exist_ok=True)
    for one in statements:
        name = f"{customer}-{one.first}-{one.last}-{one.currency}"
        path = out / f"{file_name(name)}.pdf"
        path.write_bytes(render_statement(one, folder if folder.is_dir() else None))
        typer.echo(path)


@app.command()
def export(
    number: Annotated[str, typer.Argument(help="Invoice or credit note number.")],
    tenant: TenantOption,
    file_format: Annotated[
        str, typer.Option("--format", help="facturx (a PDF with the XML inside), cii or ubl (XML alone).")
    ] = "facturx",
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path(),
) -> None:
    """Write a document as an e-invoice of EN 16931, valid under the official schemas."""
    from deliver.documents.model import connect_serving, find_invoices, load_documents
    from deliver.documents.store import file_name
    from deliver.einvoices.files import einvoice_xml, facturx_pdf

    settings = Settings.load()
    folder = settings.tenants_dir / tenant
    own = folder if folder.is_dir() else None
    with connect_serving(settings.serving_path) as connection:
        (document,) = load_documents(connection, find_invoices(connection, tenant, numbers=[number]))
    match file_format:
        case "facturx":
            content, ending = facturx_pdf(document, own), "pdf"
        case "cii" | "ubl":
            content, ending = einvoice_xml(document, "cii" if file_format == "cii" else "ubl", own), "xml"
        case _:
            raise typer.BadParameter("use facturx, cii or ubl", param_hint="--format")
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{file_name(number)}.{ending}"
    path.write_bytes(content)
    typer.echo(path)


def _terminal(view: View, currency: str) -> Group:
    head = Table.grid(padding=(0, 4))
    head.add_row(Text(view.words["from"], style="dim"), Text(view.words["bill_to"], style="dim"), "")
    facts = Text("\n".join(f"{label}: {value}" for label, value in view.facts))
    head.add_row(
        Text("\n".join((view.seller_name, *view.seller))),
        Text("\n".join((view.buyer_name, *view.buyer))),
        facts,
    )

    lines = Table(box=None, padding=(0, 2, 0, 0), expand=True, header_style="dim")
    lines.add_column(view.words["description"], ratio=1)
    numbers = [view.words["quantity"], view.words["unit_price"]]
    numbers += [view.words["tax_rate"]] if view.show_tax else []
    for name in (*numbers, view.words["amount"].format(currency=currency)):
        lines.add_column(name, justify="right")
    styles = {"group": "bold", "total": "bold", "tier": "dim"}
    for row in view.rows:
        text = Text(("    " if row.kind == "tier" else "") + row.text)
        if row.note:
            text.append(("  " if row.kind == "group" else "\n") + row.note, style="dim not bold")
        cells = [row.quantity, row.unit_price, *([row.tax] if view.show_tax else []), row.amount]
        lines.add_row(text, *map(Text, cells), style=styles.get(row.kind, ""))

    totals = Table.grid(padding=(0, 2))
    totals.add_column()
    totals.add_column(justify="right")
    for label, value in view.totals:
        totals.add_row(Text(label), Text(value))
    totals.add_row(Text(view.grand_total[0], style="bold"), Text(view.grand_total[1], style="bold"))

    title = Text.assemble(
        (f"{view.title} {view.number}", "bold"), f"   {view.hero[0]} ", (view.hero[1], "bold")
    )
    title.append(f" {view.hero[2]}", style="dim")
    notes = Text("\n".join(view.notes), style="italic")
    return Group(
        title, "", head, "", lines, "", Padding(totals, (0, 0, 0, 4)), *(("", notes) if view.notes else ())
    )
