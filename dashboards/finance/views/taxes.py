"""Taxes: what was taxed and the tax on it by month, country and rate, as a return adds it up. One currency at a time."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import altair as alt
import pandas as pd
import streamlit as st

from dashboards import data, figures
from dashboards.finance import shell

ZERO = Decimal(0)
COLOURS = ["#0f766e", "#d9a441", "#9b6dd6", "#d0604f", "#9fb3c1", "#4f86c6"]
EVERY = "Every month"


def main() -> None:
    """Show the page."""
    tenant = shell.tenant()
    tenant_id = tenant["tenant_id"]
    shell.head("Tax summary", shell.clocks(tenant))
    rows = data.query("tax_summary", tenant_id)
    if not rows:
        shell.empty("account_balance", "No documents yet", "Tax is summed up from what was issued.")
        return
    currency = shell.choose_currency({row["currency"] for row in rows}, tenant["currency"], "taxes")
    rows = [row for row in rows if row["currency"] == currency]
    periods = sorted({row["period"] for row in rows}, reverse=True)
    period = str(st.selectbox("Month", [*periods, EVERY], key="tax_period"))
    shown = [row for row in rows if period in (row["period"], EVERY)]
    _headline(shown, currency)
    if len(periods) > 1 and any(row["tax"] for row in rows):
        st.subheader("Tax by month and country", anchor=False)
        _drawn(rows, currency)
    st.subheader("By country and rate", anchor=False)
    _table(shown, currency)
    shell.download("Summary as CSV", shown, f"{tenant_id}-taxes-{'all' if period == EVERY else period}.csv")
    st.caption(
        "By month of issue where the seller is. A credit note counts in its own month, a void of an unpaid invoice in the "
        "month of the void, so no past month moves."
    )


def _headline(rows: Sequence[data.Row], currency: str) -> None:
    without = [row for row in rows if row["treatment"] != "taxed"]
    first, second, third = st.columns(3)
    first.metric("Tax", figures.money(_sum(rows, "tax"), currency), border=True, height="stretch")
    second.metric(
        "Taxed at a rate",
        figures.money(_sum(rows, "taxable") - _sum(without, "taxable"), currency),
        border=True,
        height="stretch",
        help="Before tax, credit notes taken off.",
    )
    third.metric(
        "Without tax",
        figures.money(_sum(without, "taxable"), currency),
        border=True,
        height="stretch",
        help="Reverse charge, exempt customers, a rate of 0 %, and countries without a rate.",
    )


def _sum(rows: Sequence[data.Row], name: str) -> Decimal:
    return sum((row[name] for row in rows), ZERO)


def _drawn(rows: Sequence[data.Row], currency: str) -> None:
    sums: dict[tuple[str, str], Decimal] = {}
    for row in rows:
        key = (row["period"], row["country"] or "none")
        sums[key] = sums.get(key, ZERO) + row["tax"]
    frame = pd.DataFrame(
        [
            {"month": month, "country": country, "tax": float(tax), "written": figures.money(tax, currency)}
            for (month, country), tax in sums.items()
            if tax
        ]
    )
    shell.chart(
        alt.Chart(frame)
        .mark_bar(size=26)
        .encode(
            x=alt.X("month:O", title=None, axis=alt.Axis(labelAngle=0)),
            y=alt.Y("tax:Q", title=f"Tax, {currency}"),
            color=alt.Color("country:N", scale=alt.Scale(range=COLOURS)),
            tooltip=[
                alt.Tooltip("month:O", title="Month"),
                alt.Tooltip("country:N", title="Country"),
                alt.Tooltip("written:N", title="Tax"),
            ],
        )
    )


def _table(rows: Sequence[data.Row], currency: str) -> None:
    amounts = ("invoiced", "credited", "taxable", "tax")
    shell.table(
        [
            {
                **row,
                "country": row["country"] or "none",
                "treatment": figures.label(row["treatment"]),
                "rate": f"{figures.number_text(row['tax_percent'])} %",
                "documents": row["invoices"] + row["credit_notes"] + row["voids"],
                **{name: figures.amount(row[name], currency) if row[name] else "" for name in amounts},
            }
            for row in rows
        ],
        {
            "period": shell.text("Month", "small"),
            "country": shell.text("Country", "small"),
            "treatment": shell.text("Treatment"),
            "tax_code": shell.text("Code"),
            "rate": shell.figure("Rate"),
            "documents": shell.count("Documents"),
            "invoiced": shell.figure("Invoiced"),
            "credited": shell.figure("Credited"),
            "taxable": shell.figure(f"Taxable, {currency}"),
            "tax": shell.figure(f"Tax, {currency}"),
        },
        rows_shown=20,
    )


main()
