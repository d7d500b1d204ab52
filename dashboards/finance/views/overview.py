"""Overview: what was invoiced, what is coming, what needs a look. One currency at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from dashboards import data, figures
from dashboards.finance import shell

KINDS = ["usage", "recurring", "one_time", "minimum", "adjustment", "discount", "credit", "tax"]
COLOURS = ["#0f766e", "#5b8def", "#9b6dd6", "#d9a441", "#d0604f", "#7a8793", "#3c4853", "#b9c2ca"]
ZERO = Decimal(0)


def main() -> None:
    """Show the page."""
    tenant = shell.tenant()
    tenant_id = tenant["tenant_id"]
    shell.head("Overview", shell.clocks(tenant))
    documents = data.query("documents_by_month", tenant_id)
    if not documents:
        shell.empty(
            "receipt_long",
            "No documents yet",
            "The first run that finds something due issues them: `ratehouse run`.",
        )
        return
    currency = shell.choose_currency({row["currency"] for row in documents}, tenant["currency"], "overview")
    documents = [row for row in documents if row["currency"] == currency]
    months = sorted({row["month"] for row in documents})
    month = months[-1]
    upcoming = [row for row in data.query("upcoming", tenant_id) if row["currency"] == currency]

    _headline(documents, months, upcoming, currency)
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.subheader("Invoiced per month", anchor=False)
        _monthly(data.query("invoiced_by_month", tenant_id), currency)
    with right:
        st.subheader(f"Largest customers in {figures.month(month)}", anchor=False)
        top = data.query("top_customers", tenant_id, currency=currency, month=month)
        shell.bars(
            [{**row, "written": figures.amount(row["total"], currency)} for row in top],
            "customer",
            "total",
            "written",
        )
    left, right = st.columns([3, 2], gap="large")
    with left:
        _upcoming(upcoming, currency)
    with right:
        _attention(data.query("attention", tenant_id)[0])


def _headline(
    documents: Sequence[data.Row], months: Sequence[date], upcoming: Sequence[data.Row], currency: str
) -> None:
    totals: dict[date, Decimal] = defaultdict(lambda: ZERO)
    credited: dict[date, Decimal] = defaultdict(lambda: ZERO)
    issued: dict[date, int] = defaultdict(int)
    for row in documents:
        totals[row["month"]] += row["total"]
        issued[row["month"]] += row["documents"]
        if row["kind"] == "credit_note":
            credited[row["month"]] += row["total"]
    month = months[-1]
    before = months[-2] if len(months) > 1 else None
    running = sum((row["amount"] for row in upcoming if row["standing"] == "running"), ZERO)
    due = sum((row["amount"] for row in upcoming if row["standing"] == "due"), ZERO)
    first, second, third, fourth = st.columns(4)
    first.metric(
        f"Invoiced in {month:%B}",
        figures.money(totals[month], currency),
        figures.growth(totals[month], totals[before]) if before else None,
        delta_color="off",
        delta_description=f"on {before:%B}" if before else None,
        help="By bill date, less credit notes.",
        border=True,
        height="stretch",
    )
    second.metric(
        f"Documents in {month:%B}",
        figures.number(issued[month]),
        f"{issued[month] - issued[before]:+,}" if before and issued[month] != issued[before] else None,
        delta_color="off",
        delta_description=f"on {before:%B}" if before and issued[month] != issued[before] else None,
        border=True,
        height="stretch",
    )
    third.metric(
        f"Credit notes in {month:%B}",
        figures.money(credited[month], currency),
        help="Only where the tenant asks for credit notes; elsewhere credits are lines of invoices.",
        border=True,
        height="stretch",
    )
    fourth.metric(
        "Not invoiced yet",
        figures.money(running + due, currency),
        f"{figures.money(due, currency)} due on the next run",
        delta_color="off",
        delta_arrow="off",
        border=True,
        height="stretch",
    )


def _monthly(rows: Sequence[data.Row], currency: str) -> None:
    rows = [row for row in rows if row["currency"] == currency]
    kinds = [kind for kind in KINDS if any(row["line_type"] == kind for row in rows)]
    totals: dict[date, Decimal] = defaultdict(lambda: ZERO)
    for row in rows:
        totals[row["month"]] += row["amount"]
    frame = pd.DataFrame(
        [
            {
                "month": pd.Timestamp(row["month"]),
                "kind": figures.label(row["line_type"]),
                "amount": float(row["amount"]),
                "written": figures.money(row["amount"], currency),
                "total": figures.money(totals[row["month"]], currency),
                "order": kinds.index(row["line_type"]),
            }
            for row in rows
        ]
    )
    names = [figures.label(kind) for kind in kinds]
    drawn = (
        alt.Chart(frame)
        .mark_bar(size=38)
        .encode(
            x=alt.X("yearmonth(month):O", title=None, axis=alt.Axis(format="%b %Y", labelAngle=0)),
            y=alt.Y("amount:Q", title=currency, axis=alt.Axis(format="~s", tickCount=5)),
            color=alt.Color(
                "kind:N",
                scale=alt.Scale(domain=names, range=[COLOURS[KINDS.index(kind)] for kind in kinds]),
                sort=names,
            ),
            order="order:Q",
            tooltip=[
                alt.Tooltip("month:T", title="Month", format="%B %Y"),
                alt.Tooltip("kind:N", title="Lines"),
                alt.Tooltip("written:N", title="Amount"),
                alt.Tooltip("total:N", title="Whole month"),
            ],
        )
    )
    shell.chart(drawn, height=290)


def _upcoming(rows: Sequence[data.Row], currency: str) -> None:
    st.subheader("Coming up", anchor=False)
    rows = [row for row in rows if row["amount"]]
    if not rows:
        shell.empty("check_circle", "Nothing is running up", "Every open period is still at zero.")
        return
    merged: dict[str, dict[str, Any]] = {}
    for row in rows:
        entry = merged.setdefault(row["charge"], {"charge": row["charge"], "amount": ZERO})
        entry["amount"] += row["amount"]
    largest = sorted(merged.values(), key=lambda row: (-row["amount"], row["charge"]))
    shown = largest[:8]
    shell.bars(
        [{**row, "written": figures.amount(row["amount"], currency)} for row in shown],
        "charge",
        "amount",
        "written",
    )
    rest = sum((row["amount"] for row in largest[8:]), ZERO)
    words = "Usage of the open periods at the price it has reached, and what the next run would issue."
    if rest:
        words += f" {len(largest) - 8} further charges come to {figures.money(rest, currency)}."
    st.caption(words)


def _attention(counts: data.Row) -> None:
    st.subheader("Needs a look", anchor=False)
    items = [
        (counts["unpriced"], "usage slices wait for a price", "sell"),
        (counts["rejected"], "rows were rejected and not replayed", "block"),
        (counts["not_billable"], "accepted events match no meter", "help"),
        (counts["skipped"], "metered events hold no readable value", "warning"),
    ]
    open_items = [item for item in items if item[0]]
    if not open_items:
        shell.empty("check_circle", "All clear", "No usage waits for a price, and nothing was rejected.")
        return
    with st.container(border=True):
        for number, words, icon in open_items:
            st.markdown(f":material/{icon}: **{figures.number(int(number))}** {words}")
        if st.button("Open usage", icon=":material/arrow_forward:", type="tertiary"):
            st.switch_page("views/usage.py", query_params={"tenant": st.session_state["tenant"]})


main()
