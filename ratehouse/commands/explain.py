"""`ratehouse explain`: an invoice line opened down to its events, in the terminal. The chain itself is `ratehouse.explain`."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text
from rich.tree import Tree

if TYPE_CHECKING:
    from ratehouse.explain import Correction, Document, Event, Explanation, Line, Rated, Tier, Usage


def explain(
    number: Annotated[str, typer.Argument(metavar="INVOICE", help="Invoice or credit note number.")],
    tenant: Annotated[str, typer.Option("--tenant", "-t", help="The tenant that issued it.")],
    line: Annotated[
        int | None, typer.Argument(metavar="LINE", help="Only this line; default: every line.")
    ] = None,
    events: Annotated[
        str, typer.Option(metavar="N or all", help="How many events to list under each line.")
    ] = "5",
) -> None:
    """Show why every number of an invoice is what it is: price book, tiers, usage, events, corrections."""
    from ratehouse.explain import connect, explain_line, load_document
    from ratehouse.settings import Settings

    if events != "all" and not (events.isascii() and events.isdigit()):
        raise typer.BadParameter(f"{events!r} is neither a number nor all", param_hint="--events")
    listed = None if events == "all" else int(events)
    with connect(Settings.load().serving_path) as connection:
        document = load_document(connection, tenant, number)
        tree = Tree(_heading(document), guide_style="dim")
        for wanted in document.lines if line is None else (document.line(line),):
            _add_line(tree, explain_line(connection, document, wanted, events=listed))
    console = Console()
    # A file or a pipe has no edge to wrap at.
    console.print(tree, width=console.width if console.is_terminal else 240)


def _heading(document: Document) -> Text:
    from ratehouse.explain import amount_text

    text = Text.assemble(
        (document.number, "bold"), f"  {document.kind.replace('_', ' ')} to {document.customer_name}"
    )
    text.append(f"  {amount_text(document.total, document.currency)} {document.currency}", "bold")
    text.append(
        f"\nbilled {document.bill_date} in {document.timezone}, with the facts known at {_instant(document.known_as_of)}",
        "dim",
    )
    if document.corrects_number:
        text.append(f"\ncorrects {document.corrects_number}", "dim")
    return text


def _add_line(tree: Tree, explanation: Explanation) -> None:
    from ratehouse.explain import amount_text, number_text

    line = explanation.line
    title = Text.assemble((f"{line.line_no}  ", "dim"), (line.description, "bold"))
    title.append("".join(f"  {name}: {value}" for name, value in line.groups.items()))
    title.append(f"  {amount_text(line.amount, line.currency)} {line.currency}", "bold")
    branch = tree.add(title)
    branch.add(Text(_about(line), "dim"))
    if explanation.correction:
        _add_correction(branch, explanation, explanation.correction)
    if explanation.rated:
        _add_rated(branch, explanation, explanation.rated)
    if explanation.usage:
        _add_usage(branch, line, explanation.usage)
    elif line.quantity is not None:
        branch.add(f"quantity {number_text(line.quantity)}")


def _about(line: Line) -> str:
    parts = [line.line_type]
    if line.plan:
        parts.append(f"plan {line.plan}, charge {line.charge}")
    if line.subscription_id:
        parts.append(f"subscription {line.subscription_id}")
    if line.service_start:
        parts.append(f"service {line.service_start} up to, not with, {line.service_end}")
    return " · ".join(parts)


def _add_correction(branch: Tree, explanation: Explanation, correction: Correction) -> None:
    from ratehouse.explain import amount_text, number_text

    line = explanation.line
    corrected = (
        f"corrects line {correction.corrected[1]} of {correction.corrected[0]}"
        if correction.corrected
        else "a correction"
    )
    node = branch.add(Text(corrected, "yellow"))
    for billed in correction.before:
        quantity = f"  quantity {number_text(billed.quantity)}" if billed.quantity is not None else ""
        node.add(
            f"billed {billed.bill_date} on {billed.number}, line {billed.line_no}: {amount_text(billed.amount, line.currency)}{quantity}"
        )
    node.add(
        f"owed now {amount_text(explanation.owed, line.currency)} − billed before"
        f" {amount_text(correction.billed_before, line.currency)} = {amount_text(line.amount, line.currency)} {line.currency}"
    )
    for reason in correction.reasons:
        node.add(f"because: {reason}")
    if correction.late_count:
        late = node.add(
            f"late events: {correction.late_count:,}, their values sum to {number_text(correction.late_total)}"
        )
        _add_events(late, correction.late, correction.late_count)


def _add_rated(branch: Tree, explanation: Explanation, rated: Rated) -> None:
    from ratehouse.explain import amount_text, number_text

    line = explanation.line
    node = branch.add(f"rated by price book {rated.price_book}, model {rated.model or 'none'}")
    if explanation.later:
        numbers = ", ".join(billed.number for billed in explanation.later)
        node.add(Text(f"corrected since on {numbers}; what follows is the charge as it stands now", "yellow"))
    if rated.included_quantity:
        node.add(f"included: {number_text(rated.included_quantity)} of {number_text(rated.quantity)}")
    for tier in explanation.tiers:
        node.add(tier_text(tier, line.currency))
    for name, limit in (("minimum", rated.minimum), ("maximum", rated.maximum)):
        if limit is not None:
            node.add(f"{name} of the whole charge: {number_text(limit)} {line.currency}")
    beside = rated.amount_exact - sum((tier.amount_exact for tier in explanation.tiers), Decimal(0))
    if explanation.tiers and beside:
        node.add(f"share of the period, discount, minimum and maximum: {number_text(beside)}")
    node.add(
        f"exactly {number_text(rated.amount_exact)}, rounded once to {amount_text(rated.amount, line.currency)} {line.currency}"
    )


def tier_text(tier: Tier, currency: str) -> str:
    """One tier as a sum that a reader can check."""
    from ratehouse.explain import number_text

    reach = f"above {number_text(tier.lower_bound or Decimal(0))}"
    if tier.up_to is not None:
        reach += f" up to {number_text(tier.up_to)}"
    parts = []
    if tier.unit_price is not None:
        per = tier.package_size or (tier.per if tier.per and tier.per != 1 else None)
        unit = "" if per is None else f" per {'started ' if tier.package_size else ''}{number_text(per)}"
        parts.append(f"{number_text(tier.units)} × {number_text(tier.unit_price)}{unit}")
    if tier.flat_fee:
        parts.append(f"{number_text(tier.flat_fee)} flat")
    return f"tier {tier.number} ({reach}): {' + '.join(parts) or 'nothing'} = {number_text(tier.amount_exact)} {currency}"


def _add_usage(branch: Tree, line: Line, usage: Usage) -> None:
    from ratehouse.explain import number_text

    quantity = line.quantity or Decimal(0)
    node = branch.add(f"usage of meter {line.meter}: {usage.aggregation} = {number_text(quantity)}")
    count = (
        f"{usage.event_count:,} {'event' if usage.event_count == 1 else 'events'} on {len(usage.days)} days"
    )
    if usage.skipped:
        count += f", {usage.skipped:,} without a value that can be read"
    if usage.adds_up:
        count += f", their values sum to {number_text(usage.total)}"
        agrees = usage.total == quantity
        node.add(
            Text(
                count + (" ✓" if agrees else f", the line says {number_text(quantity)}"),
                "green" if agrees else "red",
            )
        )
    else:
        node.add(count)
    _add_events(node, usage.first, usage.event_count)


def _add_events(node: Tree, events: tuple[Event, ...], total: int) -> None:
    from ratehouse.explain import number_text

    for event in events:
        value = "no value" if event.value is None else number_text(event.value)
        text = Text.assemble((event.event_id, "cyan"), f"  {_instant(event.occurred_at)}  {value}")
        node.add(text.append(f"  recorded {_instant(event.recorded_at)}", "dim"))
    if total > len(events):
        node.add(Text(f"… and {total - len(events):,} more (--events all)", "dim"))


def _instant(value: object) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S} UTC"
