"""Receivables: what is open, how long, with whom, and what the dunning ladders do about it. One currency at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import altair as alt
import pandas as pd
import streamlit as st

from dashboards import data, figures
from dashboards.finance import shell

BUCKETS = {
    "not_due": ("Not due", "#9fb3c1"),
    "1-30": ("1-30 days", "#d9a441"),
    "31-60": ("31-60 days", "#e08a4f"),
    "61-90": ("61-90 days", "#d0604f"),
    "90+": ("Over 90 days", "#8f2f2f"),
}
ZERO = Decimal(0)


def main() -> None:
    """Show the page."""
    tenant = shell.tenant()
    tenant_id = tenant["tenant_id"]
    shell.head("Receivables", shell.clocks(tenant))
    aging = data.query("aging", tenant_id)
    if not aging:
        shell.empty(
            "check_circle", "Nothing is open", "Every issued invoice is paid, credited or written off."
        )
        _withholdings(data.query("withholding_taxes", tenant_id))
        return
    currency = shell.choose_currency({row["currency"] for row in aging}, tenant["currency"], "receivables")
    aging = [row for row in aging if row["currency"] == currency]
    actions = data.query("dunning_actions", tenant_id, currency=currency)

    months = data.query("receivables_by_month", tenant_id, currency=currency)

    _headline(aging, actions, months, currency)
    left, right = st.columns([1, 2], gap="large")
    with left:
        st.subheader("By age", anchor=False)
        _ages(aging, currency)
    with right:
        st.subheader("By customer", anchor=False)
        _customers(data.query("aging_by_customer", tenant_id, currency=currency), currency)
    st.subheader("Month by month", anchor=False)
    _months(months, currency)
    st.subheader("Open invoices", anchor=False)
    _invoices(tenant_id, data.query("open_invoices", tenant_id, currency=currency), currency)
    _withholdings(data.query("withholding_taxes", tenant_id))
    st.subheader("Dunning", anchor=False)
    _dunning(actions, tenant["billing_as_of"], currency)


def _headline(
    aging: Sequence[data.Row], actions: Sequence[data.Row], months: Sequence[data.Row], currency: str
) -> None:
    total = sum((row["open_amount"] for row in aging), ZERO)
    overdue = sum((row["open_amount"] for row in aging if row["bucket"] != "not_due"), ZERO)
    disputed = sum((row["disputed_amount"] for row in aging), ZERO)
    first, second, third = st.columns(3)
    fourth, fifth, sixth = st.columns(3)
    first.metric("Open", figures.money(total, currency), border=True, height="stretch")
    second.metric(
        "Overdue",
        figures.money(overdue, currency),
        f"{overdue / total * 100:.0f}% of what is open" if total > 0 else None,
        delta_color="off",
        delta_arrow="off",
        border=True,
        height="stretch",
    )
    third.metric("In dispute", figures.money(disputed, currency), border=True, height="stretch")
    outstanding, allowance = _latest(months, currency)
    fourth.metric(
        "Days of sales outstanding",
        outstanding,
        help="The days whose sales are unpaid: what is open against what was billed in the last ninety days.",
        border=True,
        height="stretch",
    )
    fifth.metric(
        "Allowance for bad debt",
        allowance,
        help="The share of what is open, by its age, that `receivables.allowance` in tenant.yaml says will not be paid.",
        border=True,
        height="stretch",
    )
    sixth.metric(
        "Dunning actions due",
        figures.number(sum(row["status"] == "due" for row in actions)),
        help="Reminders, retries and limits of service that the ladders of the tenant ask for now.",
        border=True,
        height="stretch",
    )


def _latest(months: Sequence[data.Row], currency: str) -> tuple[str, str]:
    """Today's days of sales and allowance, in words."""
    now = months[0] if months else {}
    days, allowance = now.get("days_sales_outstanding"), now.get("allowance")
    return (
        "Nothing billed" if days is None else f"{days:,}",
        "Not stated" if allowance is None else figures.money(allowance, currency),
    )


def _months(rows: Sequence[data.Row], currency: str) -> None:
    amounts = ("open_amount", "overdue_amount", "allowance")
    shell.table(
        [
            {
                **row,
                **{
                    name: "" if row[name] is None else figures.amount(row[name], currency) for name in amounts
                },
                "days_sales_outstanding": ""
                if row["days_sales_outstanding"] is None
                else f"{row['days_sales_outstanding']:,}",
            }
            for row in rows
        ],
        {
            "period": shell.text("Month", "small"),
            "as_of": shell.day("As of"),
            "open_amount": shell.figure(f"Open, {currency}"),
            "overdue_amount": shell.figure("Overdue"),
            "days_sales_outstanding": shell.figure("Days of sales"),
            "allowance": shell.figure("Allowance"),
        },
        rows_shown=6,
    )


def _ages(aging: Sequence[data.Row], currency: str) -> None:
    found = {row["bucket"]: row for row in aging}
    shown = [(name, found[code]) for code, (name, _) in BUCKETS.items() if code in found]
    frame = pd.DataFrame(
        [
            {
                "age": name,
                "amount": float(row["open_amount"]),
                "written": figures.amount(row["open_amount"], currency),
                "invoices": row["invoices"],
            }
            for name, row in shown
        ]
    )
    base = alt.Chart(frame).encode(
        y=alt.Y("age:N", sort=None, title=None),
        x=alt.X("amount:Q", axis=None, scale=alt.Scale(domain=[0, float(frame["amount"].max()) * 1.45 or 1])),
        tooltip=[
            alt.Tooltip("age:N", title="Overdue"),
            alt.Tooltip("written:N", title=currency),
            alt.Tooltip("invoices:Q", title="Invoices"),
        ],
    )
    names, colours = zip(*BUCKETS.values(), strict=True)
    marks = base.mark_bar(cornerRadiusEnd=3, size=20).encode(
        color=alt.Color("age:N", scale=alt.Scale(domain=names, range=colours), legend=None)
    )
    shell.chart(
        marks + base.mark_text(align="left", dx=6).encode(text="written:N"), height=38 * len(frame) + 10
    )


def _customers(rows: Sequence[data.Row], currency: str) -> None:
    amounts = ("open_amount", "not_due", "days_30", "days_60", "days_90", "older")
    shown = [
        {**row, **{name: figures.amount(row[name], currency) if row[name] else "" for name in amounts}}
        for row in rows
    ]
    shell.table(
        shown,
        {
            "customer": shell.text("Customer"),
            "open_amount": shell.figure(f"Open, {currency}"),
            "not_due": shell.figure("Not due"),
            "days_30": shell.figure("1-30"),
            "days_60": shell.figure("31-60"),
            "days_90": shell.figure("61-90"),
            "older": shell.figure("90+"),
        },
        rows_shown=8,
    )


def _invoices(tenant_id: str, rows: Sequence[data.Row], currency: str) -> None:
    shown = [
        {
            **row,
            "total": figures.amount(row["total"], currency),
            "open_amount": figures.amount(row["open_amount"], currency),
            "standing": "In dispute" if row["disputed"] else "",
        }
        for row in rows
    ]
    visit = st.session_state.setdefault("receivables_visit", 0)
    picked = shell.table(
        shown,
        {
            "invoice_number": shell.text("Invoice"),
            "customer": shell.text("Customer"),
            "due_on": shell.day("Due"),
            "days_overdue": shell.count("Days overdue"),
            "total": shell.figure(f"Total, {currency}"),
            "open_amount": shell.figure(f"Open, {currency}"),
            "standing": shell.text("Standing"),
        },
        key=f"receivables_{visit}",
        opens=True,
    )
    st.caption("Click an invoice to open it.")
    if picked is not None and picked < len(rows):
        st.session_state["receivables_visit"] += 1
        st.switch_page(
            "views/invoices.py", query_params={"tenant": tenant_id, "invoice": rows[picked]["invoice_number"]}
        )


def _withholdings(rows: Sequence[data.Row]) -> None:
    """Taxes that customers kept, and whether their certificates have come."""
    if not rows:
        return
    st.subheader("Withholding tax", anchor=False)
    amounts = ("withheld_amount", "certified_amount", "waiting_amount")
    shell.table(
        [{**row, **{name: figures.amount(row[name], row["currency"]) for name in amounts}} for row in rows],
        {
            "invoice_number": shell.text("Invoice"),
            "customer": shell.text("Customer"),
            "currency": shell.text("Currency", "small"),
            "withheld_on": shell.day("Kept since"),
            "age_days": shell.count("Days"),
            "withheld_amount": shell.figure("Kept"),
            "certified_amount": shell.figure("Certified"),
            "waiting_amount": shell.figure("Waits for a certificate"),
            "certificate_numbers": shell.text("Certificates"),
        },
    )


def _dunning(rows: Sequence[data.Row], billing_as_of: datetime, currency: str) -> None:
    if not rows:
        shell.empty(
            "check_circle",
            "No action was ever due",
            "The ladder in `tenant.yaml` begins when an invoice is overdue.",
        )
        return
    shown = [
        {
            **row,
            "action": figures.label(row["action"]),
            "amount": figures.amount(row["amount"], currency),
            "status": "Planned"
            if row["status"] == "due" and row["due_at"] > billing_as_of
            else figures.label(row["status"]),
        }
        for row in rows
    ]
    shell.table(
        shown,
        {
            "due_at": shell.instant("Due (UTC)"),
            "customer": shell.text("Customer"),
            "invoice_number": shell.text("Invoice"),
            "step": shell.text("Step"),
            "action": shell.text("Action"),
            "amount": shell.figure(f"Amount, {currency}"),
            "status": shell.text("Status"),
        },
    )


main()
