"""Taxes: what was taxed and the tax on it by month, place and rate, as a return adds it up, and who is exempt on what paper.

One currency at a time.
"""

from __future__ import annotations

import json
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
    if rows:
        _summary(rows, tenant)
    else:
        shell.empty("account_balance", "No documents yet", "Tax is summed up from what was issued.")
    st.subheader("Exemption certificates", anchor=False)
    _certificates(data.query("exemption_certificates", tenant_id), tenant_id)


def _summary(rows: Sequence[data.Row], tenant: data.Row) -> None:
    tenant_id = tenant["tenant_id"]
    currency = shell.choose_currency({row["currency"] for row in rows}, tenant["currency"], "taxes")
    rows = [row for row in rows if row["currency"] == currency]
    periods = sorted({row["period"] for row in rows}, reverse=True)
    period = str(st.selectbox("Month", [*periods, EVERY], key="tax_period"))
    shown = [row for row in rows if period in (row["period"], EVERY)]
    _headline(shown, currency)
    if len(periods) > 1 and any(row["tax"] for row in rows):
        st.subheader("Tax by month and place", anchor=False)
        _drawn(rows, currency)
    st.subheader("By place and rate", anchor=False)
    _table(shown, currency)
    shell.download("Summary as CSV", shown, f"{tenant_id}-taxes-{'all' if period == EVERY else period}.csv")
    st.caption(
        "By month of issue where the seller is. A credit note counts in its own month, a void of an unpaid invoice in the "
        "month of the void, so no past month moves. Where a tax provider said the tax, what is taxed by a state and a "
        "county counts in both rows."
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
        help="Before tax, credit notes taken off; where a tax provider said the tax, once for each jurisdiction.",
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
        key = (row["period"], _place(row))
        sums[key] = sums.get(key, ZERO) + row["tax"]
    frame = pd.DataFrame(
        [
            {"month": month, "place": place, "tax": float(tax), "written": figures.money(tax, currency)}
            for (month, place), tax in sums.items()
            if tax
        ]
    )
    shell.chart(
        alt.Chart(frame)
        .mark_bar(size=26)
        .encode(
            x=alt.X("month:O", title=None, axis=alt.Axis(labelAngle=0)),
            y=alt.Y("tax:Q", title=f"Tax, {currency}"),
            color=alt.Color("place:N", title="Place", scale=alt.Scale(range=COLOURS)),
            tooltip=[
                alt.Tooltip("month:O", title="Month"),
                alt.Tooltip("place:N", title="Place"),
                alt.Tooltip("written:N", title="Tax"),
            ],
        )
    )


def _place(row: data.Row) -> str:
    """The country, or the region of it where one is known."""
    return " ".join(filter(None, (row["country"], row["region"]))) or "none"


def _table(rows: Sequence[data.Row], currency: str) -> None:
    amounts = ("invoiced", "credited", "taxable", "tax_invoiced", "tax_credited", "tax")
    shell.table(
        [
            {
                **row,
                "place": _place(row),
                "treatment": figures.label(row["treatment"]),
                "rate": f"{figures.number_text(row['tax_percent'])} %",
                "documents": row["invoices"] + row["credit_notes"] + row["voids"],
                **{name: figures.amount(row[name], currency) if row[name] else "" for name in amounts},
            }
            for row in rows
        ],
        {
            "period": shell.text("Month", "small"),
            "place": shell.text("Place", "small"),
            **(
                {"jurisdiction": shell.text("Jurisdiction")}
                if any(row["jurisdiction"] for row in rows)
                else {}
            ),
            "treatment": shell.text("Treatment"),
            "tax_code": shell.text("Code"),
            "rate": shell.figure("Rate"),
            "documents": shell.count("Documents"),
            "invoiced": shell.figure("Invoiced"),
            "credited": shell.figure("Credited"),
            "taxable": shell.figure(f"Taxable, {currency}"),
            "tax_invoiced": shell.figure("Tax invoiced"),
            "tax_credited": shell.figure("Tax credited"),
            "tax": shell.figure(f"Tax, {currency}"),
        },
        rows_shown=20,
    )


def _certificates(rows: Sequence[data.Row], tenant_id: str) -> None:
    if not rows:
        shell.empty(
            "verified",
            "No certificates",
            "Customers who are exempt somewhere have one; `ratehouse ingest file --stream exemption_certificates` takes them in.",
        )
        return
    soon = [row for row in rows if row["status"] == "expires_soon"]
    late = [row for row in rows if row["documents_after_end"]]
    if soon:
        st.warning(
            f"{_counted(len(soon), 'certificate')} within 60 days of the end: ask for the next one, or tax is charged from "
            "then on.",
            icon=":material/event_upcoming:",
        )
    if late:
        st.warning(
            f"{_counted(len(late), 'certificate')} ended before days that were billed without tax, which was learned too late: "
            "what was issued stays until somebody corrects it.",
            icon=":material/report:",
        )
    shell.table(
        [
            {
                **row,
                "place": _place(row),
                "codes": ", ".join(json.loads(row["tax_codes"])) if row["tax_codes"] else "all",
                "reason": figures.label(row["reason"]),
                "status": figures.label(row["status"]),
            }
            for row in rows
        ],
        {
            "status": shell.text("Status", "small"),
            "customer": shell.text("Customer"),
            "number": shell.text("Number"),
            "place": shell.text("Place", "small"),
            "codes": shell.text("Tax codes", "small"),
            "reason": shell.text("Reason"),
            "valid_from": shell.day("From"),
            "valid_until": shell.day("Until, not including"),
            "revoked_on": shell.day("Revoked"),
            "days_left": shell.count("Days left"),
            "documents": shell.count("Documents"),
        },
        rows_shown=12,
    )
    shell.download("Certificates as CSV", rows, f"{tenant_id}-exemption-certificates.csv")


def _counted(count: int, noun: str) -> str:
    return f"{figures.number(count)} {noun}{'' if count == 1 else 's'}"


main()
