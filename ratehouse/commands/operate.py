"""Commands that operate an installation: demo, run, backfill, doctor."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import duckdb
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ratehouse.errors import RatehouseError

if TYPE_CHECKING:
    from ratehouse.billing import Run
    from ratehouse.settings import Settings


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no date; write it as 2026-11-01") from error


def serve(
    host: Annotated[str, typer.Option(help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen at.")] = 8080,
) -> None:
    """Take usage events and processors' notices over HTTP, until stopped; see docs/runbooks/front-door.md."""
    from ingest.collector.serve import serve as serve_door
    from ratehouse.settings import Settings

    serve_door(Settings.load(), host, port)


def run(
    on: Annotated[str | None, typer.Option("--date", help="The local day to bill (default: today).")] = None,
    tenant: Annotated[list[str] | None, typer.Option(help="Only this tenant; may be repeated.")] = None,
    known_at_the_time: Annotated[
        bool, typer.Option(help="Count only facts recorded by that day, as that night would have.")
    ] = False,
    pdf: Annotated[bool, typer.Option(help="Render the documents that were issued.")] = True,
) -> None:
    """Bill one day: land tenants and prices, rate, issue what is due, publish, render."""
    from deliver.tax.dispatch import quote_in_run
    from ratehouse import billing
    from ratehouse.settings import Settings

    console = Console()
    settings = Settings.load()
    day = _day(on) if on else datetime.now().astimezone().date()
    with console.status("starting") as status:
        done = billing.run(
            settings,
            day,
            tenants=tenant or (),
            known_at_the_time=known_at_the_time,
            quoter=quote_in_run,
            progress=status.update,
        )
    _report(console, [done])
    # Not only what this process issued: one that was killed may have left documents without their files.
    documents = _billed_on(settings, day) if pdf else []
    if documents:
        console.print(f"PDFs: {_render(console, settings, documents)}")
    if done.failures:
        raise typer.Exit(1)


def backfill(
    first: Annotated[str, typer.Option("--from", help="First local day to bill.")],
    last: Annotated[str, typer.Option("--to", help="Last local day to bill, inclusive.")],
    tenant: Annotated[list[str] | None, typer.Option(help="Only this tenant; may be repeated.")] = None,
) -> None:
    """Bill a range of days in order, each as its own night would have; what is billed already stays as it is."""
    from deliver.tax.dispatch import quote_in_run
    from ratehouse import billing
    from ratehouse.settings import Settings

    console = Console()
    start, end = _day(first), _day(last)
    if end < start:
        raise RatehouseError(f"The range ends ({end}) before it starts ({start}); swap --from and --to.")
    with console.status("starting") as status:
        runs = billing.catch_up(
            Settings.load(),
            start,
            end,
            tenants=tenant or (),
            quoter=quote_in_run,
            progress=status.update,
        )
    _report(console, runs)
    if any(done.failures for done in runs):
        raise typer.Exit(1)


def doctor() -> None:
    """Check that this installation can run (folders, lake, tenants, fonts, libraries for PDF) and that its ledger is intact."""
    from ratehouse import ledger, warehouse
    from ratehouse.configuration import load_configuration
    from ratehouse.lake import Lake
    from ratehouse.settings import Settings

    console = Console()
    settings = Settings.load()
    healthy = True

    def check(what: str, problem: str | None) -> None:
        nonlocal healthy
        healthy = healthy and problem is None
        console.print(
            f"[green]✓[/] {what}" if problem is None else f"[red]✗ {what}[/]: {escape(problem)}",
            soft_wrap=True,
        )

    try:
        Lake(settings.lake_url).check_writable()
        check(f"the lake {settings.lake_url} can be written", None)
    except RatehouseError as error:
        check("the lake can be written", str(error))
    try:
        configuration = load_configuration(settings)
        for name in configuration.tenants:
            check(f"tenant {name} is in order", None)
        for name, failure in configuration.failures.items():
            check(f"tenant {name} is in order", str(failure))
    except RatehouseError as error:
        check("the tenants folder is in order", str(error))
    try:
        import weasyprint  # noqa: F401 - loading it loads Pango

        check("WeasyPrint finds Pango", None)
    except OSError as error:
        check(
            "WeasyPrint finds Pango",
            f"{error}. On Debian: apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0",
        )
    check(
        f"the serving file {settings.serving_path} is published",
        None if settings.serving_path.exists() else "not yet; `ratehouse run` publishes it",
    )
    if settings.warehouse_path.exists():
        try:
            with warehouse.connect(settings, read_only=True) as connection:
                documents = connection.execute("select count(*) from ledger.invoices").fetchall()[0][0]
                altered = ledger.altered(connection)
            check(f"{documents} issued documents are what was issued", "; ".join(altered[:10]) or None)
        except (RatehouseError, duckdb.Error) as error:
            check("issued documents are what was issued", str(error))
    if not healthy:
        raise typer.Exit(1)


def demo(
    events: Annotated[int, typer.Option(help="About how many usage events.")] = 2_000_000,
    customers: Annotated[int, typer.Option(help="About how many customers.")] = 300,
) -> None:
    """Generate the demo company, bill six months of it, and say where everything is."""
    import time

    from ingest.demo import DemoPlan, land_demo, land_payments
    from ratehouse import billing
    from ratehouse.lake import Lake
    from ratehouse.settings import Settings

    console = Console()
    settings = Settings.load()
    lake = Lake(settings.lake_url)
    lake.check_writable()
    plan = DemoPlan(events=events, customers=customers)
    started = time.monotonic()

    def say(step: str) -> None:
        console.print(f"[dim]{time.monotonic() - started:5.1f} s[/]  {step}")

    say(f"generating {events:,} usage events of {customers} customers in three companies")
    land_demo(lake, plan)
    month_starts = [day for day in _days(plan.start, plan.end) if day.day == 1 and day > plan.start]
    runs: list[Run] = []
    for day in month_starts:
        if runs:
            paid = land_payments(lake, plan, runs[-1].issued.invoice_ids)
            say(f"{day}: {paid:,} payments of the last documents")
        runs.append(
            billing.run(
                settings,
                day,
                known_at_the_time=True,
                publish=day == month_starts[-1],
                progress=lambda step, day=day: say(f"{day}: {step}"),  # type: ignore[misc]
            )
        )
    issued = sum(done.issued.documents for done in runs)
    chosen = _showcase(settings)
    say(f"rendering {len(chosen)} of the documents; the others on demand")
    folder = _render(console, settings, chosen)
    say("done")
    _report(console, runs)
    table = Table.grid(padding=(0, 2))
    table.add_row("Invoices", f"{issued:,} documents in the ledger, {settings.lake_url}/ledger")
    table.add_row("PDFs", f"{len(chosen)} rendered, {folder}")
    if chosen:
        tenant, _, number = chosen[0]
        table.add_row("One more PDF", f".venv/bin/ratehouse invoice pdf {number} --tenant {tenant}")
        table.add_row("Why this number", f".venv/bin/ratehouse explain {number} --tenant {tenant}")
    table.add_row("Dashboard", "make dashboard, then open http://localhost:8501")
    table.add_row("Scheduler", "make dagster, then open http://localhost:3000")
    table.add_row("Published marts", f"{settings.serving_path} (any DuckDB client)")
    console.print(table)
    if any(done.failures for done in runs):
        raise typer.Exit(1)


def _billed_on(settings: Settings, day: date) -> list[tuple[str, str]]:
    """The documents (tenant_id, invoice_id) that runs for this day issued, in the order of their numbers."""
    with duckdb.connect(str(settings.serving_path), read_only=True) as connection:
        # A document's date is local to its customer, which may be a day off the tenant's.
        return connection.execute(
            "select tenant_id, invoice_id from marts.invoices"
            " where bill_date between $day - 1 and $day + 1 and invoice_number is not null"
            " order by tenant_id, issued_on, invoice_number",
            {"day": day},
        ).fetchall()


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=offset) for offset in range((last - first).days + 1)]


def _showcase(settings: Settings) -> list[tuple[str, str, str]]:
    """A few documents worth looking at: of each tenant the longest, the largest credit note and one of each currency.

    Returns:
        (tenant_id, invoice_id, invoice_number) of each.
    """
    with duckdb.connect(str(settings.serving_path), read_only=True) as connection:
        return connection.execute(
            """
            with lines as (
                select tenant_id, invoice_id, count(*) as lines from marts.invoice_lines group by all
            ),
            ranked as (
                select
                    tenant_id, invoice_id, invoice_number,
                    row_number() over (partition by tenant_id, kind, currency order by lines desc, invoice_id) as place
                from marts.invoices inner join lines using (tenant_id, invoice_id)
            )
            select tenant_id, invoice_id, invoice_number from ranked where place <= 2 order by all
            """
        ).fetchall()


def _render(console: Console, settings: Settings, documents: Sequence[tuple[str, ...]]) -> str:
    """Render documents (tenant_id, invoice_id, …); a document that cannot be rendered fails the command, not the others."""
    from deliver.documents.store import render_many

    failed = []
    for result in render_many(settings, [(document[0], document[1]) for document in documents]):
        if result.outcome == "failed":
            failed.append(f"{result.tenant_id} {result.number or result.invoice_id}: {result.error}")
    if failed:
        raise RatehouseError("Some documents could not be rendered:\n" + "\n".join(failed))
    return settings.documents_url


def _report(console: Console, runs: Sequence[Run]) -> None:
    for done in runs:
        console.print(
            f"{done.bill_day}: {done.issued.documents:,} documents, {done.issued.lines:,} lines"
            if done.issued.run_key
            else f"{done.bill_day}: nothing was due"
        )
        for name, failure in done.failures.items():
            console.print(f"[red]tenant {name} was left out:[/] {escape(str(failure))}", soft_wrap=True)
        for refusal in done.refused_closes:
            console.print(f"[yellow]{escape(refusal)}[/]", soft_wrap=True)
        for problem in done.problems:
            console.print(f"[red]{escape(problem)}[/]", soft_wrap=True)
