"""`ratehouse preview`: what a change would bill, before it is made."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from ratehouse.errors import RatehouseError

app = typer.Typer(help="What a change would bill, before it is made.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep `change` a command of its own, though there is only one."""


@app.command()
def change(
    subscription: Annotated[str, typer.Argument(help="The subscription.")],
    tenant: Annotated[str, typer.Option(help="Whose subscription it is.")],
    plan: Annotated[str | None, typer.Option(help="Change to this plan.")] = None,
    quantity: Annotated[
        list[str] | None, typer.Option(help="Change a quantity, as in seats=7; may be repeated.")
    ] = None,
    cancel: Annotated[bool, typer.Option("--cancel", help="Cancel it.")] = False,
    event: Annotated[str | None, typer.Option(help="Any other event, as in paused or resumed.")] = None,
    data: Annotated[str, typer.Option(help="Further data of the event, JSON.")] = "{}",
    at_period_end: Annotated[
        bool, typer.Option("--at-period-end", help="When the period ends, not at once.")
    ] = False,
    on: Annotated[
        str | None,
        typer.Option(help="The day on which it is to hold (default: the day up to which was billed)."),
    ] = None,
) -> None:
    """What one change of one subscription would bill, computed by the same SQL as the bill itself."""
    from ratehouse.preview import preview_change
    from ratehouse.settings import Settings

    kind, content = _event(plan, quantity or [], cancel, event, data)
    if at_period_end:
        content["when"] = "period_end"
    try:
        day = date.fromisoformat(on) if on else None
    except ValueError as error:
        raise typer.BadParameter(f"{on!r} is no date; write it as 2026-11-01") from error
    preview = preview_change(Settings.load(), tenant, subscription, kind, content, on=day)
    console = Console()
    state = preview.state
    words = f"{state['plan']}, {state['lifecycle']}, billing {state['billing']}"
    if state["next_plan"]:
        words += f", changes to {state['next_plan']} on {state['changes_on']}"
    if state["ends_on"]:
        words += f", ends on {state['ends_on']}"
    console.print(f"{subscription} from {preview.effective_on}: {words}", highlight=False)
    if not preview.documents:
        console.print("Nothing is due for it now.")
        return
    table = Table("Charge", "Line", "From", "To", "Quantity", "Amount", box=None)
    for line in preview.lines:
        table.add_row(
            line["charge"] or line["tax_code"] or "",
            line["line_type"],
            str(line["service_start"] or ""),
            str(line["service_end"] or ""),
            "" if line["quantity"] is None else f"{line['quantity'].normalize():f}",
            f"{line['amount']:,.2f} {line['currency']}",
        )
    console.print(table)
    for document in preview.documents:
        console.print(
            f"{document['kind'].replace('_', ' ')}: total {document['total']:,.2f} {document['currency']},"
            f" due {document['amount_due']:,.2f}",
            highlight=False,
        )


def _event(
    plan: str | None, quantities: list[str], cancel: bool, event: str | None, data: str
) -> tuple[str, dict[str, Any]]:
    import json

    asked = [bool(plan), bool(quantities), cancel, bool(event)]
    if sum(asked) != 1:
        raise RatehouseError("Say one change: --plan, --quantity, --cancel or --event.")
    try:
        content = json.loads(data)
    except json.JSONDecodeError as error:
        raise RatehouseError(f"--data is no JSON: {error}") from error
    if not isinstance(content, dict):
        raise RatehouseError("--data must be a JSON object.")
    if plan:
        return "plan_changed", {**content, "plan": plan}
    if cancel:
        return "cancelled", content
    if event:
        return event, content
    stated: dict[str, str] = {}
    for part in quantities:
        name, _, value = part.partition("=")
        if not value:
            raise RatehouseError(f"--quantity {name} needs a number, as in {name}=7.")
        stated[name] = value
    return "quantity_changed", {**content, "quantities": stated}
