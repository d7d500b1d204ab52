"""`ratehouse ingest`: bring facts into the lake. Arguments and printing only; the work is in `ingest/`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from ratehouse.errors import RatehouseError

app = typer.Typer(help="Bring facts into the lake.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Bring facts into the lake."""


@app.command("file")
def file_command(
    files: Annotated[list[Path], typer.Argument(help="CSV, NDJSON or Parquet files, gzipped or not.")],
    tenant: Annotated[str, typer.Option("--tenant", help="Whose facts these are.")],
    stream: Annotated[str, typer.Option("--stream", help="The stream they belong to.")] = "usage_events",
    map_file: Annotated[
        Path | None, typer.Option("--map", help="YAML: which columns of the file make which of the stream.")
    ] = None,
    file_format: Annotated[
        str | None, typer.Option("--format", help="csv, ndjson, parquet or cloudevents; default by name.")
    ] = None,
    source: Annotated[str, typer.Option("--source", help="Written into the rows' source column.")] = "file",
) -> None:
    """Import files: bad rows are rejected one by one, the rest lands, a second import adds nothing."""
    from typing import get_args

    from ingest.files.importer import import_files
    from ingest.files.mapping import FileMap
    from ingest.files.readers import Format
    from ratehouse.lake import Lake
    from ratehouse.settings import Settings
    from ratehouse.streams import STREAMS

    if stream not in STREAMS:
        raise RatehouseError(f"There is no stream {stream}. The streams are {', '.join(STREAMS)}.")
    formats = {name: name for name in get_args(Format)}
    if file_format is not None and file_format not in formats:
        raise RatehouseError(f"There is no format {file_format}; use one of {', '.join(formats)}.")
    settings = Settings.load()
    errors = Console(stderr=True)
    if settings.tenants_dir.is_dir() and not (settings.tenants_dir / tenant / "tenant.yaml").is_file():
        errors.print(f"Note: {settings.tenants_dir} has no tenant {tenant}; its facts wait until it has.")
    results = import_files(
        Lake(settings.lake_url),
        files,
        tenant_id=tenant,
        stream=stream,
        file_map=FileMap.load(map_file, stream) if map_file else None,
        file_format=formats.get(file_format or ""),
        source=source,
    )
    console = Console(soft_wrap=True)
    table = Table("file", "accepted", "rejected", "why", "", title=f"{tenant} · {stream}")
    for result in results:
        why = ", ".join(f"{code} {count}" for code, count in sorted(result.reasons.items()))
        known = result.batches and result.already_landed == result.batches
        table.add_row(
            str(result.file),
            f"{result.accepted:,}",
            f"{result.rejected:,}",
            why,
            "was already imported, nothing added" if known else "",
        )
    console.print(table)
    if any(result.rejected for result in results):
        console.print(f"See the rejected rows: ratehouse rejected list --tenant {tenant} --stream {stream}")


@app.command("stripe")
def stripe_command(
    tenant: Annotated[str, typer.Option("--tenant", help="Whose account it is.")],
    resource: Annotated[
        list[str] | None, typer.Option("--resource", help="Only this resource; may be given several times.")
    ] = None,
) -> None:
    """Pull what is new from Stripe; the key is in the environment, as for collection (RATEHOUSE_STRIPE_<TENANT>_KEY)."""
    import os

    from ingest.stripe.pull import RESOURCES, lister, pull
    from ratehouse.lake import Lake
    from ratehouse.secrets import variable
    from ratehouse.settings import Settings

    unknown = sorted(set(resource or ()) - set(RESOURCES))
    if unknown:
        raise RatehouseError(f"There is no resource {unknown[0]}; use one of {', '.join(RESOURCES)}.")
    name = variable("stripe", tenant, "KEY")
    key = os.environ.get(name)
    if not key:
        raise RatehouseError(
            f"{name} is not set. Put the account's key into the environment of this command."
        )
    landings = pull(
        Lake(Settings.load().lake_url), lister(key), tenant_id=tenant, resources=resource or RESOURCES
    )
    _show_landings(f"{tenant} · Stripe", landings)


def _show_landings(title: str, landings: Mapping[str, Any]) -> None:
    """What became of each resource of a processor."""
    table = Table("resource", "landed", "known", "quarantined", "facts", title=title)
    for name, landing in landings.items():
        why = ", ".join(f"{code} {count}" for code, count in sorted(landing.quarantined.items()))
        made = ", ".join(f"{stream} {count:,}" for stream, count in sorted(landing.rows.items()))
        table.add_row(name, f"{landing.landed:,}", f"{landing.known:,}", why, made)
    Console(soft_wrap=True).print(table)


@app.command("stripe-tables")
def stripe_tables_command(
    folder: Annotated[
        Path, typer.Argument(help="Folder of CSV tables: charge, payment_intent, refund, dispute, …")
    ],
    tenant: Annotated[str, typer.Option("--tenant", help="Whose account it is.")],
) -> None:
    """Import Stripe's tables as a connector replicated them; a second import adds nothing."""
    from ingest.stripe.tables import land_tables
    from ratehouse.lake import Lake
    from ratehouse.settings import Settings

    _show_landings(
        f"{tenant} · Stripe", land_tables(Lake(Settings.load().lake_url), folder, tenant_id=tenant)
    )


@app.command("braintree")
def braintree_command(
    tenant: Annotated[str, typer.Option("--tenant", help="Whose account it is.")],
    resource: Annotated[
        list[str] | None, typer.Option("--resource", help="Only this resource; may be given several times.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Where the first pull starts, as 2026-01-01; default 90 days ago.")
    ] = None,
) -> None:
    """Pull what is new from Braintree; the keys are in the environment, as for collection."""
    from datetime import UTC, datetime

    from ingest.braintree.account import gateway
    from ingest.braintree.pull import RESOURCES, pull
    from ratehouse.lake import Lake
    from ratehouse.settings import Settings

    unknown = sorted(set(resource or ()) - set(RESOURCES))
    if unknown:
        raise RatehouseError(f"There is no resource {unknown[0]}; use one of {', '.join(RESOURCES)}.")
    try:
        start = datetime.fromisoformat(since).replace(tzinfo=UTC) if since else None
    except ValueError as error:
        raise typer.BadParameter(f"{since!r} is no date; write it as 2026-11-01") from error
    landings = pull(
        Lake(Settings.load().lake_url),
        gateway(tenant),
        tenant_id=tenant,
        resources=resource or RESOURCES,
        since=start,
    )
    _show_landings(f"{tenant} · Braintree", landings)


@app.command("ecb")
def ecb_command(
    file: Annotated[
        Path, typer.Argument(help="eurofxref-hist.zip or eurofxref.zip, as the bank publishes it.")
    ],
    tenant: Annotated[
        list[str] | None,
        typer.Option("--tenant", help="Only for this tenant; may be repeated. Default: all."),
    ] = None,
    since: Annotated[str | None, typer.Option(help="Only rates of this day and later.")] = None,
) -> None:
    """Import the euro reference rates of the European Central Bank; a second import adds nothing."""
    from datetime import date

    from ingest.fx.ecb import import_rates
    from ratehouse.lake import Lake
    from ratehouse.settings import Settings

    try:
        start = date.fromisoformat(since) if since else None
    except ValueError as error:
        raise typer.BadParameter(f"{since!r} is no date; write it as 2026-11-01") from error
    settings = Settings.load()
    names = tenant or sorted(found.parent.name for found in settings.tenants_dir.glob("*/tenant.yaml"))
    if not names:
        raise RatehouseError(f"{settings.tenants_dir} has no tenant; name one with --tenant.")
    for name in names:
        landed = import_rates(Lake(settings.lake_url), file, tenant_id=name, since=start)
        note = (
            "was already imported, nothing added"
            if landed.already_landed
            else f"{landed.rejected:,} rejected"
        )
        typer.echo(f"{name}: {landed.accepted:,} rates, {note}")


@app.command("bank")
def bank_command(
    files: Annotated[
        list[Path], typer.Argument(help="MT940, camt.053 or CSV, told by their content; gzipped or not.")
    ],
    tenant: Annotated[str, typer.Option("--tenant", help="Whose account it is.")],
    map_file: Annotated[
        Path | None, typer.Option("--map", help="YAML: what the columns of a CSV export are.")
    ] = None,
) -> None:
    """Import bank statements: all of the files or, if one does not add up, none; a second import adds nothing."""
    from ingest.bank.csv_export import load_map
    from ingest.bank.landing import land_statements
    from ratehouse.lake import Lake
    from ratehouse.settings import Settings

    done = land_statements(
        Lake(Settings.load().lake_url),
        files,
        tenant_id=tenant,
        bank_map=load_map(map_file) if map_file else None,
    )
    table = Table("file", "statement", "opening", "lines", "closing", "", title=f"{tenant} · bank")
    for landing in done:
        statement = landing.statement
        balances = ["" if one is None else f"{one:,f}" for one in (statement.opening, statement.closing)]
        unproven = "" if statement.closing is not None else "without balances, so not proven"
        table.add_row(
            statement.file,
            f"{statement.account} {statement.number or ''} {statement.closed_on}",
            balances[0],
            f"{len(statement.lines):,}",
            f"{balances[1]} {statement.currency}",
            "was already imported, nothing added" if landing.already_landed else unproven,
        )
    Console(soft_wrap=True).print(table)
