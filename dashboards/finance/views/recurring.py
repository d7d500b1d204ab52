"""Recurring revenue: MRR from month end to month end, what moved it, and who. One currency at a time."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import altair as alt
import pandas as pd
import streamlit as st

from dashboards import data, figures
from dashboards.finance import shell

MOVEMENTS = {
    "new": ("New", "#0f766e"),
    "expansion": ("Expansion", "#5bb5a2"),
    "reactivation": ("Reactivation", "#5b8def"),
    "contraction": ("Contraction", "#d9a441"),
    "churn": ("Churn", "#d0604f"),
}
ZERO = Decimal(0)


def main() -> None:
    """Show the page."""
    tenant = shell.tenant()
    tenant_id = tenant["tenant_id"]
    shell.head("Recurring revenue", shell.clocks(tenant))
    months = data.query("mrr", tenant_id)
    if not months:
        shell.empty(
            "trending_up", "No recurring fee runs yet", "MRR counts recurring fees of active subscriptions."
        )
        return
    currency = shell.choose_currency({row["currency"] for row in months}, tenant["currency"], "recurring")
    months = [row for row in months if row["currency"] == currency]
    _headline(months, currency)
    st.subheader("What moved it", anchor=False)
    _movements(months, currency)
    _bridge(months, currency)
    st.subheader("Who moved it", anchor=False)
    periods = [row["period"] for row in reversed(months)]
    period = str(st.selectbox("Month", periods, key="recurring_period", label_visibility="collapsed"))
    _customers(data.query("mrr_movements", tenant_id, currency=currency, period=period), currency)


def _headline(months: Sequence[data.Row], currency: str) -> None:
    last = months[-1]
    lost = -(last["churn"] + last["contraction"])
    first, second, third, fourth = st.columns(4)
    first.metric(
        "MRR",
        figures.money(last["closing"], currency),
        figures.growth(last["closing"], last["opening"]),
        delta_color="off",
        delta_description="in the month" if last["opening"] > 0 else None,
        help="Recurring fees of active subscriptions brought to a month, before coupons, usage and tax.",
        border=True,
        height="stretch",
    )
    second.metric(
        "ARR",
        figures.money(last["closing"] * 12, currency),
        help="Twelve times MRR.",
        border=True,
        height="stretch",
    )
    third.metric(
        "Net retention",
        _percent(last["opening"] + last["expansion"] - lost, last["opening"]),
        f"gross {_percent(last['opening'] - lost, last['opening'])}",
        delta_color="off",
        delta_arrow="off",
        help="Of the customers at the month's opening: what they pay at its end. Gross leaves expansion out.",
        border=True,
        height="stretch",
    )
    fourth.metric(
        "Customers",
        figures.number(last["customers"]),
        f"{last['customers_lost']} lost" if last["customers_lost"] else None,
        delta_color="off",
        delta_arrow="off",
        border=True,
        height="stretch",
    )


def _percent(part: Decimal, whole: Decimal) -> str:
    return f"{part / whole * 100:.1f}%" if whole > 0 else "\N{EN DASH}"


def _movements(months: Sequence[data.Row], currency: str) -> None:
    frame = pd.DataFrame(
        [
            {
                "month": pd.Timestamp(f"{row['period']}-01"),
                "kind": name,
                "amount": float(row[code]),
                "written": figures.money(row[code], currency),
                "closing": figures.money(row["closing"], currency),
            }
            for row in months
            for code, (name, _) in MOVEMENTS.items()
            if row[code]
        ],
        columns=["month", "kind", "amount", "written", "closing"],
    )
    if frame.empty:
        shell.empty("trending_flat", "Nothing moved", "Every month closed where it opened.")
        return
    names, colours = zip(*MOVEMENTS.values(), strict=True)
    drawn = (
        alt.Chart(frame)
        .mark_bar(size=38)
        .encode(
            x=alt.X("yearmonth(month):O", title=None, axis=alt.Axis(format="%b %Y", labelAngle=0)),
            y=alt.Y("amount:Q", title=currency, axis=alt.Axis(format="~s", tickCount=5)),
            color=alt.Color("kind:N", scale=alt.Scale(domain=names, range=colours), sort=names),
            tooltip=[
                alt.Tooltip("month:T", title="Month", format="%B %Y"),
                alt.Tooltip("kind:N", title="Movement"),
                alt.Tooltip("written:N", title="Amount"),
                alt.Tooltip("closing:N", title="MRR at the end"),
            ],
        )
    )
    shell.chart(drawn, height=260)


def _bridge(months: Sequence[data.Row], currency: str) -> None:
    names = ("opening", *MOVEMENTS, "closing")
    shell.table(
        [
            {**row, **{name: figures.amount(row[name], currency) if row[name] else "" for name in names}}
            for row in reversed(months)
        ],
        {
            "period": shell.text("Month", "small"),
            "opening": shell.figure("Opening"),
            **{code: shell.figure(name) for code, (name, _) in MOVEMENTS.items()},
            "closing": shell.figure(f"Closing, {currency}"),
            "customers": shell.count("Customers"),
        },
    )


def _customers(rows: Sequence[data.Row], currency: str) -> None:
    if not rows:
        shell.empty(
            "trending_flat", "Nobody moved", "Every customer paid at the end what they paid at the start."
        )
        return
    shell.table(
        [
            {
                **row,
                "kind": MOVEMENTS[row["kind"]][0],
                **{name: figures.amount(row[name], currency) for name in ("opening", "movement", "closing")},
            }
            for row in rows
        ],
        {
            "customer": shell.text("Customer"),
            "kind": shell.text("Movement"),
            "opening": shell.figure("Opening"),
            "movement": shell.figure("Moved by"),
            "closing": shell.figure(f"Closing, {currency}"),
        },
    )


main()
