"""Credit notes: what waits for a second person, what was given back and why, and where each note's value went."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import altair as alt
import pandas as pd
import streamlit as st

from dashboards import data, figures
from dashboards.finance import shell
from ratehouse import adjustments
from ratehouse.adjustments import REASONS, AdjustmentRefused, Decision
from ratehouse.settings import Settings

ZERO = Decimal(0)
COLOURS = ["#0f766e", "#d9a441", "#9b6dd6", "#d0604f", "#9fb3c1", "#4f86c6", "#8f2f2f", "#6b7a86"]
_WHY = {**REASONS, "difference": "Terms or usage changed"}


def main() -> None:
    """Show the page."""
    tenant = shell.tenant()
    tenant_id = tenant["tenant_id"]
    shell.head("Credit notes", shell.clocks(tenant))
    notes = data.query("credit_notes", tenant_id)
    waiting = data.query("adjustments", tenant_id, statuses="waiting")
    nowhere = data.query("adjustments", tenant_id, statuses="approved too_large unmatched")
    if not notes and not waiting and not nowhere:
        shell.empty(
            "task_alt",
            "Nothing was credited",
            "Differences become credit notes by themselves; `ratehouse adjustment request` asks for one by hand.",
        )
        return
    st.subheader("Waiting for a second person", anchor=False)
    _waiting(tenant_id, waiting)
    if nowhere:
        st.subheader("Not carried out", anchor=False)
        _nowhere(nowhere)
    if notes:
        st.subheader("Register", anchor=False)
        currency = shell.choose_currency({row["currency"] for row in notes}, tenant["currency"], "notes")
        notes = [row for row in notes if row["currency"] == currency]
        _headline(notes, currency)
        _by_month([row for row in data.query("credited_by_month", tenant_id) if row["currency"] == currency])
        _register(tenant_id, notes, currency)


def _waiting(tenant_id: str, rows: Sequence[data.Row]) -> None:
    decided: dict[tuple[str, str], str] = st.session_state.setdefault("adjustments_decided", {})
    for told in (decided[key] for key in decided if key[0] == tenant_id):
        st.success(told, icon=":material/check:")
    rows = [row for row in rows if (tenant_id, row["adjustment_id"]) not in decided]
    if not rows:
        shell.empty("task_alt", "Nothing waits", "Every credit that somebody asked for is decided.")
        return
    shell.table(
        [
            {
                **row,
                "amount": _written(row, "amount"),
                "left_amount": _written(row, "left_amount"),
                "reason_code": _WHY.get(row["reason_code"], row["reason_code"] or ""),
            }
            for row in rows
        ],
        {
            "requested_at": shell.instant("Asked (UTC)"),
            "requested_by": shell.text("By"),
            "customer": shell.text("Customer"),
            "invoice_number": shell.text("Invoice"),
            "charge": shell.text("Line"),
            "amount": shell.figure("Amount"),
            "left_amount": shell.figure("Left of the line", help="After discounts and earlier corrections."),
            "reason_code": shell.text("Reason"),
            "reason": shell.text("In words", "large"),
        },
        rows_shown=8,
    )
    _decide(tenant_id, {row["adjustment_id"]: row for row in rows})


def _decide(tenant_id: str, rows: dict[str, data.Row]) -> None:
    with st.form("decide", border=True):
        first, second, third = st.columns([2, 1, 2])
        chosen = first.selectbox(
            "Adjustment", list(rows), format_func=lambda one: _title(rows[one]), key="decide_adjustment"
        )
        by = second.text_input(
            "Your name", value=shell.person(), disabled=bool(shell.person()), key="decide_by"
        )
        reason = third.text_input("A word about it", key="decide_reason")
        with st.container(horizontal=True):
            approved = st.form_submit_button("Approve", type="primary", icon=":material/check:")
            refused = st.form_submit_button("Refuse", icon=":material/close:")
    if not (approved or refused) or chosen is None:
        return
    decision: Decision = "approve" if approved else "refuse"
    try:
        adjustments.decide(Settings.load(), tenant_id, chosen, decision, by=by, reason=reason)
    except AdjustmentRefused as error:
        st.error(str(error), icon=":material/block:")
        return
    words = "approved; the next run carries it out" if approved else "refused"
    st.session_state["adjustments_decided"][tenant_id, chosen] = f"{_title(rows[chosen])} is {words}."
    st.rerun()


def _title(row: data.Row) -> str:
    return f"{_written(row, 'amount') or 'Void'} on {row['invoice_number']}, asked by {row['requested_by'] or 'nobody'}"


def _written(row: data.Row, name: str) -> str:
    return figures.money(row[name], row["currency"]) if row[name] is not None and row["currency"] else ""


def _nowhere(rows: Sequence[data.Row]) -> None:
    standing = {
        "approved": "Approved; the next run carries it out",
        "too_large": "Takes off more than is left of the line",
        "unmatched": "Points at no issued line",
    }
    shell.table(
        [{**row, "amount": _written(row, "amount"), "standing": standing[row["status"]]} for row in rows],
        {
            "adjustment_id": shell.text("Adjustment"),
            "invoice_number": shell.text("Invoice"),
            "amount": shell.figure("Amount"),
            "requested_by": shell.text("Asked by"),
            "decided_by": shell.text("Approved by"),
            "standing": shell.text("Standing", "large"),
        },
        rows_shown=8,
    )


def _headline(notes: Sequence[data.Row], currency: str) -> None:
    latest = max(row["issued_on"] for row in notes)
    month = [
        row for row in notes if (row["issued_on"].year, row["issued_on"].month) == (latest.year, latest.month)
    ]
    first, second, third = st.columns(3)
    first.metric(
        f"Credited in {latest:%B}",
        figures.money(-sum((row["total"] for row in month), ZERO), currency),
        border=True,
        height="stretch",
        help="With tax.",
    )
    second.metric("Credit notes", figures.number(len(notes)), border=True, height="stretch")
    third.metric(
        "Left for later invoices",
        figures.money(sum((row["left_amount"] for row in notes), ZERO), currency),
        border=True,
        height="stretch",
    )


def _by_month(rows: Sequence[data.Row]) -> None:
    if len({row["period"] for row in rows}) < 2:
        return
    frame = pd.DataFrame(
        [
            {
                "month": row["period"],
                "reason": _WHY.get(row["reason_code"], row["reason_code"]),
                "amount": float(row["amount"]),
                "written": figures.money(row["amount"], row["currency"]),
            }
            for row in rows
        ]
    )
    names = list(dict.fromkeys(frame["reason"]))
    shell.chart(
        alt.Chart(frame)
        .mark_bar(size=26)
        .encode(
            x=alt.X("month:O", title=None, axis=alt.Axis(labelAngle=0)),
            y=alt.Y("amount:Q", title="Given back before tax"),
            color=alt.Color("reason:N", scale=alt.Scale(domain=names, range=COLOURS[: len(names)])),
            tooltip=[
                alt.Tooltip("month:O", title="Month"),
                alt.Tooltip("reason:N", title="Reason"),
                alt.Tooltip("written:N", title="Amount"),
            ],
        )
    )


def _register(tenant_id: str, notes: Sequence[data.Row], currency: str) -> None:
    shown = [
        {
            **row,
            "why": ", ".join(
                _WHY.get(code, code) for code in (row["reason_codes"] or "difference").split(", ")
            ),
            "total": figures.amount(row["total"], currency),
            "left_amount": figures.amount(row["left_amount"], currency) if row["left_amount"] else "",
        }
        for row in notes
    ]
    visit = st.session_state.setdefault("notes_visit", 0)
    picked = shell.table(
        shown,
        {
            "invoice_number": shell.text("Credit note"),
            "customer": shell.text("Customer"),
            "issued_on": shell.day("Issued"),
            "corrects": shell.text("Corrects"),
            "why": shell.text("Why"),
            "requested_by": shell.text("Asked by"),
            "decided_by": shell.text("Approved by"),
            "total": shell.figure(f"Total, {currency}"),
            "left_amount": shell.figure("Left"),
        },
        key=f"notes_{visit}",
        opens=True,
    )
    shell.download("Register as CSV", notes, f"{tenant_id}-credit-notes.csv")
    if picked is not None and picked < len(notes):
        st.session_state["notes_visit"] += 1
        st.switch_page(
            "views/invoices.py",
            query_params={"tenant": tenant_id, "invoice": notes[picked]["invoice_number"]},
        )


main()
