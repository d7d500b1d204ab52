"""Recurring revenue: MRR from month end to month end, who moved it, what became of cohorts, how it leads to revenue."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import altair as alt
import pandas as pd
import streamlit as st

from dashboards import data, figures
from dashboards.finance import made, shell

MOVEMENTS = {
    "new": ("New", "#0f766e"),
    "expansion": ("Expansion", "#5bb5a2"),
    "reactivation": ("Reactivation", "#5b8def"),
    "contraction": ("Contraction", "#d9a441"),
    "churn": ("Churn", "#d0604f"),
}
# The steps from MRR to revenue as a person reads them.
STEPS = {
    "mrr": "MRR at the month's end",
    "proration": "Proration of what moved in the month",
    "timing": "Timing: days of the month, fees that contracts earn",
    "discounts": "Discounts",
    "credits": "Credits",
    "minimums": "Minimums",
    "usage": "Usage",
    "one_time": "One-time fees",
    "allocation": "Allocation between charges",
    "other": "Other",
    "contracts": "Contracts",
    "late": "Late, of months that were closed",
    "learned_later": "Learned after the month was closed",
    "revenue": "Revenue recognised",
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
    made.behind("mrr_by_month", query="mrr", key="recurring_bridge")
    st.subheader("Who moved it", anchor=False)
    periods = [row["period"] for row in reversed(months)]
    period = str(st.selectbox("Month", periods, key="recurring_period", label_visibility="collapsed"))
    moved = data.query("mrr_movements", tenant_id, currency=currency, period=period)
    _customers(moved, currency)
    if moved:
        shell.download("Rows as CSV", moved, f"{tenant_id}-mrr-{period}.csv")
    st.subheader("What became of the customers of each month", anchor=False)
    _cohorts(data.query("retention", tenant_id, currency=currency))
    made.behind("retention_by_cohort", query="retention", key="recurring_cohorts")
    steps = data.query("mrr_to_gaap", tenant_id, currency=currency)
    if steps:
        st.subheader("From MRR to revenue", anchor=False)
        _revenue(tenant_id, steps, currency)
        made.behind("mrr_to_gaap", query="mrr_to_gaap_customers", key="recurring_revenue")


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


def _cohorts(rows: Sequence[data.Row]) -> None:
    kinds = {"Net retention": "mrr", "Gross retention": "retained_mrr"}
    chosen = str(
        st.segmented_control(
            "Retention", list(kinds), default="Net retention", required=True, key="recurring_retention",
            label_visibility="collapsed",
        )
    )  # fmt: skip
    numerator = kinds[chosen]
    frame = pd.DataFrame(
        [
            {
                "cohort": row["cohort"],
                "months": row["months_since"],
                # Only the colour is a binary fraction; what is written comes from the exact amounts.
                "share": float(row[numerator] / row["starting_mrr"]),
                "written": _percent(row[numerator], row["starting_mrr"]),
                "customers": f"{row['customers_retained']} of {row['customers']}",
                "month": row["period"],
            }
            for row in rows
            if row["starting_mrr"] > 0
        ],
        columns=["cohort", "months", "share", "written", "customers", "month"],
    )
    base = alt.Chart(frame).encode(
        x=alt.X("months:O", title="Months since", axis=alt.Axis(labelAngle=0)),
        y=alt.Y("cohort:O", title="First month"),
        tooltip=[
            alt.Tooltip("cohort:N", title="First month"),
            alt.Tooltip("month:N", title="Month"),
            alt.Tooltip("written:N", title=chosen),
            alt.Tooltip("customers:N", title="Customers retained"),
        ],
    )
    squares = base.mark_rect(cornerRadius=3).encode(
        color=alt.Color(
            "share:Q",
            scale=alt.Scale(domain=[0, 1, 1.5], range=["#f7e3df", "#bfe3da", "#0f766e"], clamp=True),
            legend=None,
        )
    )
    texts = base.mark_text(fontSize=11).encode(
        text="written:N",
        color=alt.condition(alt.datum.share > 1.25, alt.value("white"), alt.value("#1f2933")),
    )
    shell.chart(squares + texts, height=60 + 26 * frame["cohort"].nunique())
    st.caption(
        "MRR at each month's end of the customers that first had MRR in a month, of what they started with. Gross counts no "
        "customer above its start."
    )


def _revenue(tenant_id: str, steps: Sequence[data.Row], currency: str) -> None:
    periods = sorted({row["period"] for row in steps}, reverse=True)
    left, right = st.columns(2)
    period = str(left.selectbox("Month of revenue", periods, key="recurring_revenue_period"))
    found = {row["step"]: row for row in steps if row["period"] == period}
    shell.table(
        [
            {
                "step": STEPS[code],
                # The mart takes the revenue off, so that its rows add up to nothing.
                "amount": figures.amount(-row["amount"] if code == "revenue" else row["amount"], currency),
                "customers": row["customers"],
            }
            for code, row in found.items()
        ],
        {
            "step": shell.text("Step", "large"),
            "amount": shell.figure(f"Amount, {currency}"),
            "customers": shell.count("Customers"),
        },
        rows_shown=16,
    )
    step = right.selectbox("Open a step", list(found), format_func=STEPS.__getitem__, key="recurring_step")
    rows = data.query("mrr_to_gaap_customers", tenant_id, currency=currency, period=period, step=str(step))
    shell.table(
        [
            {
                **row,
                "amount": figures.amount(-row["amount"] if step == "revenue" else row["amount"], currency),
            }
            for row in rows
        ],
        {"customer": shell.text("Customer"), "amount": shell.figure(f"{STEPS[str(step)]}, {currency}")},
    )


main()
