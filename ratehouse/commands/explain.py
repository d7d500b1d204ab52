"""`ratehouse explain`: an invoice line opened down to its events, in the terminal.

Belongs here: arguments and what is printed. Does not belong here: the chain itself (`ratehouse.explain`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated

import duckdb
import typer
from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from ratehouse.explain import (
    ByHand,
    Correction,
    Document,
    Event,
    Explanation,
    Line,
    Rated,
    Tier,
    Usage,
    amount_text,
    connect,
    explain_line,
    load_document,
    number_text,
)
from ratehouse.settings import Settings


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
    if events != "all" and not (events.isascii() and events.isdigit()):
        raise typer.BadParameter(f"{events!r} is neither a number nor all", param_hint="--events")
    listed = None if events == "all" else int(events)
    with connect(Settings.load().serving_path) as connection:
        document = load_document(connection, tenant, number)
        tree = Tree(_heading(document), guide_style="dim")
        for wanted in document.lines if line is None else (document.line(line),):
            explanation = explain_line(connection, document, wanted, events=listed)
            branch = _add_line(tree, document, explanation)
            if explanation.by_hand:
                _add_by_hand(connection, branch, tenant, explanation.by_hand, listed)
        _add_uses(tree, document)
    console = Console()
    # A file or a pipe has no edge to wrap at.
    console.print(tree, width=console.width if console.is_terminal else 240)


def _heading(document: Document) -> Text:
    kind = document.kind.replace("_", " ")
    text = Text.assemble((document.number, "bold"), f"  {kind} to {document.customer_name}")
    text.append(f"  {amount_text(document.total, document.currency)} {document.currency}", "bold")
    text.append(f"\nbilled {document.bill_date} in {document.timezone}, ", "dim")
    text.append(f"with the facts known at {_instant(document.known_as_of)}", "dim")
    if document.corrects_number:
        text.append(f"\ncorrects {document.corrects_number}", "dim")
    return text


def _add_by_hand(
    connection: duckdb.DuckDBPyConnection, branch: Tree, tenant: str, by_hand: ByHand, events: int | None
) -> None:
    """Who decided it and why, and the line that it corrects with all that is behind that."""
    why = ": ".join(filter(None, (by_hand.reason_code, by_hand.reason)))
    node = _add(branch, f"by hand, {by_hand.adjustment_id}  {why}", "yellow")
    if by_hand.requested_by:
        _add(node, f"asked for by {by_hand.requested_by}, {_instant(by_hand.requested_at)}")
    if by_hand.decided_by and by_hand.decided_at:
        said = f": {by_hand.decision_reason}" if by_hand.decision_reason else ""
        _add(node, f"approved by {by_hand.decided_by}, {_instant(by_hand.decided_at)}{said}")
    if by_hand.corrected_number and by_hand.corrected_line_no:
        corrected = load_document(connection, tenant, by_hand.corrected_number)
        original = _add(node, f"of line {by_hand.corrected_line_no} of {corrected.number}")
        line = corrected.line(by_hand.corrected_line_no)
        _add_line(original, corrected, explain_line(connection, corrected, line, events=events))


def _add_uses(tree: Tree, document: Document) -> None:
    if document.kind != "credit_note":
        return
    node = _add(tree, "where its value went", "bold")
    words = {
        "open_invoice": "taken off {}, which was open",
        "drawn": "drawn by {}",
        "sent_back": "sent back of payment {}",
    }
    for use in document.uses:
        amount = f"{amount_text(use.amount, document.currency)} {document.currency}"
        _add(node, f"{amount}  {words[use.use].format(use.number or use.payment_id)}, {use.used_on}")
    if document.left:
        _add(
            node,
            f"{amount_text(document.left, document.currency)} {document.currency}  are left for later invoices",
        )


def _add_line(tree: Tree, document: Document, explanation: Explanation) -> Tree:
    line = explanation.line
    title = Text.assemble((f"{line.line_no}  ", "dim"), (line.description, "bold"))
    title.append("".join(f"  {name}: {value}" for name, value in line.groups.items()))
    title.append(f"  {amount_text(line.amount, line.currency)} {line.currency}", "bold")
    branch = tree.add(title)
    _add(branch, _about(line), "dim")
    if explanation.correction:
        _add_correction(branch, explanation, explanation.correction)
    if explanation.rated:
        _add_rated(branch, explanation, explanation.rated)
    if explanation.usage:
        _add_usage(branch, line, explanation.usage)
    elif line.line_type == "tax" and line.tax_percent is not None:
        taxed = amount_text(document.taxed(line), line.currency)
        _add(branch, f"{number_text(line.tax_percent)}% ({line.tax_code}) of {taxed} {line.currency}")
    elif line.quantity is not None:
        _add(branch, f"quantity {number_text(line.quantity)}")
    return branch


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
    line = explanation.line
    words = "a correction"
    if correction.corrected:
        words = f"corrects line {correction.corrected[1]} of {correction.corrected[0]}"
    node = _add(branch, words, "yellow")
    for billed in correction.before:
        words = f"billed {billed.bill_date} on {billed.number}, line {billed.line_no}:"
        words += f" {amount_text(billed.amount, line.currency)}"
        if billed.quantity is not None:
            words += f"  quantity {number_text(billed.quantity)}"
        _add(node, words)
    owed, before = (
        amount_text(amount, line.currency) for amount in (explanation.owed, correction.billed_before)
    )
    difference = f"{amount_text(line.amount, line.currency)} {line.currency}"
    _add(node, f"owed now {owed} less billed before {before} = {difference}")
    for reason in correction.reasons:
        _add(node, f"because: {reason}")
    if correction.late_count:
        total = number_text(correction.late_total)
        late = _add(node, f"late events: {correction.late_count:,}, their values sum to {total}")
        _add_events(late, correction.late, correction.late_count)


def _add_rated(branch: Tree, explanation: Explanation, rated: Rated) -> None:
    currency = explanation.line.currency
    node = _add(branch, f"rated by price book {rated.price_book}, model {rated.model or 'none'}")
    if explanation.later:
        numbers = ", ".join(billed.number for billed in explanation.later)
        words = f"corrected since on {numbers}; what follows is the charge as it stands now"
        _add(node, words, "yellow")
    if rated.included_quantity:
        included, quantity = number_text(rated.included_quantity), number_text(rated.quantity)
        _add(node, f"included: {included} of {quantity}")
    for tier in explanation.tiers:
        _add(node, _tier(tier, currency))
    for name, limit in (("minimum", rated.minimum), ("maximum", rated.maximum)):
        if limit is not None:
            _add(node, f"{name} of the whole charge: {number_text(limit)} {currency}")
    beside = rated.amount_exact - sum((tier.amount_exact for tier in explanation.tiers), Decimal(0))
    if explanation.tiers and beside:
        _add(node, f"share of the period, discount, minimum and maximum: {number_text(beside)}")
    rounded = amount_text(rated.amount, currency)
    _add(node, f"exactly {number_text(rated.amount_exact)}, rounded once to {rounded} {currency}")


def _tier(tier: Tier, currency: str) -> str:
    reach = f"above {number_text(tier.lower_bound or Decimal(0))}"
    if tier.up_to is not None:
        reach += f" up to {number_text(tier.up_to)}"
    parts = []
    if tier.unit_price is not None:
        per = tier.package_size or (tier.per if tier.per and tier.per != 1 else None)
        unit = "" if per is None else f" per {'started ' if tier.package_size else ''}{number_text(per)}"
        parts.append(f"{number_text(tier.units)} at {number_text(tier.unit_price)}{unit}")
    if tier.flat_fee:
        parts.append(f"{number_text(tier.flat_fee)} flat")
    made = " + ".join(parts) or "nothing"
    return f"tier {tier.number} ({reach}): {made} = {number_text(tier.amount_exact)} {currency}"


def _add_usage(branch: Tree, line: Line, usage: Usage) -> None:
    quantity = line.quantity or Decimal(0)
    node = _add(branch, f"usage of meter {line.meter}: {usage.aggregation} = {number_text(quantity)}")
    count = f"{usage.event_count:,} {'event' if usage.event_count == 1 else 'events'}"
    count += f" on {len(usage.days)} {'day' if len(usage.days) == 1 else 'days'}"
    if usage.skipped:
        count += f", {usage.skipped:,} without a value that can be read"
    if usage.carries:
        count += ", and the level at which the period began"
    if not usage.adds_up:
        _add(node, count)
    elif usage.total == quantity:
        _add(node, f"{count}, their values sum to {number_text(usage.total)} ✓", "green")
    else:
        said = f"the line says {number_text(quantity)}"
        _add(node, f"{count}, their values sum to {number_text(usage.total)}, {said}", "red")
    _add_events(node, usage.first, usage.event_count)


def _add_events(node: Tree, events: Sequence[Event], total: int) -> None:
    for event in events:
        value = "no value" if event.value is None else number_text(event.value)
        text = Text.assemble((event.event_id, "cyan"), f"  {_instant(event.occurred_at)}  {value}")
        node.add(text.append(f"  recorded {_instant(event.recorded_at)}", "dim"))
    if total > len(events):
        _add(node, f"… and {total - len(events):,} more (--events all)", "dim")


def _add(node: Tree, words: str, style: str = "") -> Tree:
    # As Text: what came from outside is not markup.
    return node.add(Text(words, style))


def _instant(value: datetime) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S} UTC"
