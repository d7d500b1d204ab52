"""Reconciliation: from usage to the bank line, and whatever does not match on the way, by area and age."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal

import streamlit as st

from dashboards import data, figures
from dashboards.finance import shell

# Area -> its name and what is held against what.
AREAS = {
    "usage": ("Usage", "Accepted events against meters and prices."),
    "cash": ("Cash", "Payments, refunds and disputes against invoices."),
    "processor": ("Processor", "The processor's balance against its payouts."),
    "bank": ("Bank", "Payouts and transfers against the lines of the bank."),
    "ledger": ("Ledger", "Issued documents against what their facts say now."),
    "revenue": ("Revenue", "Schedules against what they are schedules of."),
}


def main() -> None:
    """Show the page."""
    tenant = shell.tenant()
    tenant_id = tenant["tenant_id"]
    shell.head("Reconciliation", shell.clocks(tenant))
    st.subheader("From usage to cash", anchor=False)
    _chain(data.query("usage_to_cash", tenant_id))
    totals = data.query("reconciliation_totals", tenant_id)
    st.subheader("What matches and what does not", anchor=False)
    _areas(totals)
    open_areas = [
        area for area in AREAS if any(row["area"] == area and row["status"] != "matched" for row in totals)
    ]
    st.subheader("Exceptions", anchor=False)
    if not open_areas:
        shell.empty(
            "check_circle",
            "No exception",
            "Everything that can be held against something else agrees with it.",
        )
        return
    area = st.segmented_control(
        "Area",
        open_areas,
        default=open_areas[0],
        required=True,
        format_func=lambda code: AREAS[code][0],
        key="reconciliation_area",
        label_visibility="collapsed",
    )
    _exceptions(tenant_id, str(area or open_areas[0]))


def _chain(rows: Sequence[data.Row]) -> None:
    if not rows:
        shell.empty("bolt", "Nothing was rated yet", "Usage and fees are rated by every run.")
        return
    amounts = ("rated", "upcoming", "invoiced", "tax", "paid", "open_amount")
    shell.table(
        [{**row, **{name: figures.amount(row[name], row["currency"]) for name in amounts}} for row in rows],
        {
            "currency": shell.text("Currency", "small"),
            "rated": shell.figure("Rated", help="Usage and fees of every period begun so far."),
            "upcoming": shell.figure(
                "Not invoiced yet", help="What the next run would issue, and open periods so far."
            ),
            "invoiced": shell.figure(
                "Invoiced before tax", help="Lines of issued documents, discounts and credits in them."
            ),
            "tax": shell.figure("Tax"),
            "paid": shell.figure("Paid", help="Payments allocated to documents."),
            "open_amount": shell.figure("Open"),
        },
    )


def _areas(totals: Sequence[data.Row]) -> None:
    matched: dict[str, int] = defaultdict(int)
    exceptions: dict[str, int] = defaultdict(int)
    oldest: dict[str, int] = defaultdict(int)
    for row in totals:
        if row["status"] == "matched":
            matched[row["area"]] += row["items"]
        else:
            exceptions[row["area"]] += row["items"]
            oldest[row["area"]] = max(oldest[row["area"]], row["oldest_days"] or 0)
    shell.table(
        [
            {
                "area": name,
                "about": about,
                "matched": matched[code],
                "exceptions": exceptions[code],
                "oldest": oldest[code] if exceptions[code] else None,
            }
            for code, (name, about) in AREAS.items()
        ],
        {
            "area": shell.text("Area", "small"),
            "about": shell.text("What is held against what", "large"),
            "matched": shell.count("Matched"),
            "exceptions": shell.count("Exceptions"),
            "oldest": shell.count("Oldest, days"),
        },
    )


def _exceptions(tenant_id: str, area: str) -> None:
    rows = data.query("reconciliation_items", tenant_id, area=area)
    counted = {"event_count": shell.count("Events")} if area == "usage" else {}

    def written(value: Decimal | None, currency: str | None) -> str:
        return "" if value is None or currency is None else figures.money(value, currency)

    shell.table(
        [
            {
                **row,
                "status": figures.label(row["status"]),
                **{
                    name: written(row[name], row["currency"])
                    for name in ("expected_amount", "actual_amount", "difference")
                },
            }
            for row in rows
        ],
        {
            "status": shell.text("What is wrong"),
            "reference": shell.text("What it is about", "large"),
            "expected_amount": shell.figure("Expected"),
            "actual_amount": shell.figure("Found"),
            "difference": shell.figure("Difference"),
            **counted,
            "age_days": shell.count("Age, days"),
        },
    )
    st.caption(
        f"{AREAS[area][1]} What explains an exception is a fact: a payment, a credit note, a bank line."
    )


main()
