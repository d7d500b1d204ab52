"""`ratehouse deliver`: documents by e-mail, payments and taxes. Arguments and terminal output; the work is in `deliver.mail`."""

from __future__ import annotations

import getpass
import json
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ratehouse.commands import payments, tax
from ratehouse.errors import RatehouseError
from ratehouse.settings import Settings

if TYPE_CHECKING:
    from deliver.mail.outbox import Message

app = typer.Typer(help="Documents by e-mail: send, see, send again; payments; taxes.", no_args_is_help=True)
app.add_typer(payments.app, name="payments")
app.add_typer(tax.app, name="tax")

TenantsOption = Annotated[
    list[str] | None, typer.Option("--tenant", "-t", help="Only this tenant; may be repeated.")
]
STYLES = {"sent": "green", "waiting": "", "unknown": "yellow", "failed": "red", "bounced": "red"}


@app.command()
def send(
    tenant: TenantsOption = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many messages.")] = None,
) -> None:
    """Queue the documents that were issued and send every message that is due. Run it as often as you like."""
    from deliver.mail.dispatch import dispatch

    done = dispatch(Settings.load(), tenants=tenant or (), limit=limit)
    outcomes = ", ".join(f"{count:,} {name}" for name, count in sorted(done.outcomes.items()))
    typer.echo(f"{done.queued:,} queued; {outcomes or 'nothing was due'}")
    errors = Console(stderr=True, soft_wrap=True)
    for problem in done.problems:
        errors.print(Text(problem, style="red"))
    if (
        done.outcomes["failed"]
        or done.outcomes["deferred"]
        or done.outcomes["unknown"]
        or done.outcomes["not_ready"]
    ):
        raise typer.Exit(1)


@app.command()
def status(
    tenant: TenantsOption = None,
    state: Annotated[
        str | None,
        typer.Option(help="List the messages in this state: waiting, sent, unknown, failed, bounced."),
    ] = None,
    number: Annotated[str | None, typer.Option(help="List the messages of this document.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print every message as JSON instead.")] = False,
) -> None:
    """Count messages by state, and list those that a person must look at (or those asked for)."""
    from deliver.mail.outbox import read_outbox
    from ratehouse.lake import Lake

    if state is not None and state not in STYLES:
        raise RatehouseError(f"There is no state {state}; use one of {', '.join(STYLES)}.")
    messages = read_outbox(Lake(Settings.load().lake_url), tenants=tenant or ())
    if as_json:
        wanted_ones = [m for m in messages if state in (None, m.state) and number in (None, m.invoice_number)]
        typer.echo(json.dumps([asdict(message) for message in wanted_ones], default=str, ensure_ascii=False))
        return
    console = Console(soft_wrap=True)
    counts: Counter[tuple[str, str]] = Counter((message.tenant_id, message.state) for message in messages)
    table = Table("tenant", *STYLES)
    for name in sorted({tenant_id for tenant_id, _ in counts}):
        table.add_row(name, *(Text(f"{counts[name, s]:,}", style=STYLES[s]) for s in STYLES))
    console.print(table if counts else "The outbox is empty.")
    wanted = {state} if state else set(STYLES) if number else {"unknown", "failed", "bounced"}
    shown = [m for m in messages if m.state in wanted and number in (None, m.invoice_number)]
    if shown:
        console.print(_list(shown))


@app.command()
def retry(
    number: Annotated[str, typer.Argument(help="Invoice or credit note number.")],
    tenant: Annotated[str, typer.Option("--tenant", "-t", help="The tenant that issued it.")],
    recipient: Annotated[str | None, typer.Option("--to", help="Only to this address.")] = None,
    not_received: Annotated[
        bool, typer.Option("--not-received", help="You made sure that the server never had the unknown ones.")
    ] = False,
    received: Annotated[
        bool,
        typer.Option("--received", help="You found the unknown ones at the server: note it, send nothing."),
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="Also those that arrived already.")] = False,
    by: Annotated[
        str | None, typer.Option("--by", help="Who you are; default: the user of this machine.")
    ] = None,
) -> None:
    """Let messages of a document be sent once more with the next `deliver send`, or settle what is unknown."""
    from deliver.mail.dispatch import retry as retry_one
    from deliver.mail.dispatch import settle_received
    from deliver.mail.outbox import read_outbox
    from ratehouse.lake import Lake

    if received and not_received:
        raise typer.BadParameter("Either --received or --not-received.")
    lake = Lake(Settings.load().lake_url)
    found = [
        message
        for message in read_outbox(lake, tenants=[tenant])
        if message.invoice_number == number and recipient in (None, message.recipient)
    ]
    if not found:
        raise RatehouseError(
            f"The outbox of tenant {tenant} has no message with {number} for {recipient or 'anybody'}."
        )
    states = (
        {"unknown"} if received else {"waiting", "unknown", "failed", "bounced", *(["sent"] if again else [])}
    )
    chosen = [message for message in found if message.state in states]
    if not chosen:
        raise RatehouseError(
            f"Every message with {number} is {', '.join(sorted({m.state for m in found}))}; there is nothing to do. "
            "To send what arrived already once more, add --again."
        )
    at, actor = datetime.now(UTC), by or getpass.getuser()
    for message in chosen:
        if received:
            settle_received(lake, message, actor=actor, at=at)
        else:
            retry_one(lake, message, actor=actor, at=at, not_received=not_received)
        typer.echo(
            f"{number} to {message.recipient}: {'settled' if received else 'goes out with the next send'}"
        )


@app.command()
def reports(
    places: Annotated[
        list[Path],
        typer.Argument(help="Maildir, mbox, .eml file or folder of .eml files with delivery reports."),
    ],
) -> None:
    """Note bounces, and what arrived although its answer was lost, from delivery reports."""
    from deliver.mail.reports import note_reports
    from ratehouse.lake import Lake

    counts = note_reports(Lake(Settings.load().lake_url), places)
    typer.echo(", ".join(f"{count:,} {name}" for name, count in sorted(counts.items())) or "no report there")


def _list(messages: list[Message]) -> Table:
    table = Table("tenant", "number", "recipient", "state", "tries", "next try", "answer")
    for message in messages:
        answer = " ".join(filter(None, (message.code, message.detail)))
        again = f"{message.next_attempt_at:%Y-%m-%d %H:%M} UTC" if message.state == "waiting" else ""
        table.add_row(
            Text(message.tenant_id), Text(message.invoice_number), Text(message.recipient, overflow="fold"),
            Text(message.state, style=STYLES[message.state]), str(message.tries), again, Text(answer),
        )  # fmt: skip
    return table
