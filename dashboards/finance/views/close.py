"""Close: whether a month may be closed and why not, what was learned since it was, deferred revenue, and what it posts."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboards import data, figures
from dashboards.finance import shell

MOVEMENTS = {
    "billed": "Billed",
    "recognised": "Recognised",
    "modified": "Modified",
    "credited": "Credited",
    "refunded": "Refunded",
    "interest": "Interest",
    "fx": "FX",
}


def main() -> None:
    """Show the page."""
    tenant = shell.tenant()
    tenant_id = tenant["tenant_id"]
    shell.head("Close", shell.clocks(tenant))
    checks = data.query("close_checklist", tenant_id)
    if not checks:
        shell.empty(
            "lock_clock", "No month is over yet", "A month can be closed when its last day has passed."
        )
        return
    periods = sorted({row["period"] for row in checks}, reverse=True)
    period = str(st.selectbox("Month", periods, key="close_period"))
    checks = [row for row in checks if row["period"] == period]
    _gate(checks)
    _checks(checks)
    if any(row["status"] == "closed" for row in checks):
        st.subheader(f"Learned since {period} was closed", anchor=False)
        _since(data.query("learned_since_close", tenant_id, period=period))
    rows = data.query("deferred_revenue", tenant_id)
    if rows:
        st.subheader("Deferred revenue, less contract assets", anchor=False)
        currency = shell.choose_currency({row["currency"] for row in rows}, tenant["currency"], "close")
        _deferred([row for row in rows if row["currency"] == currency], currency)
    st.subheader(f"What {period} posts", anchor=False)
    _posted(tenant_id, period)


def _gate(checks: Sequence[data.Row]) -> None:
    failed = [row["check_name"] for row in checks if row["status"] == "failed"]
    closed = [row for row in checks if row["content_hash"]]
    first, second, third = st.columns(3)
    first.metric(
        "Standing",
        "Closed" if closed else "Not ready" if failed else "Ready to close",
        border=True,
        height="stretch",
    )
    second.metric(
        "Checks passed",
        f"{sum(row['status'] in ('passed', 'closed') for row in checks)} of {len(checks)}",
        border=True,
        height="stretch",
    )
    third.metric(
        "Prepared and approved by",
        " \N{RIGHTWARDS ARROW} ".join(filter(None, (closed[0]["prepared_by"], closed[0]["approved_by"])))
        or "the calendar"
        if closed
        else "nobody yet",
        f"hash {closed[0]['content_hash'][:12]}" if closed else None,
        delta_color="off",
        delta_arrow="off",
        border=True,
        height="stretch",
    )


def _checks(checks: Sequence[data.Row]) -> None:
    shell.table(
        [
            {
                "check": figures.label(row["check_name"]),
                "status": figures.label(row["status"]),
                "difference": figures.number_text(row["difference"]) if row["difference"] else "",
                "evidence": row["evidence"] or "",
            }
            for row in checks
        ],
        {
            "check": shell.text("Check"),
            "status": shell.text("Status", "small"),
            "difference": shell.figure("Difference"),
            "evidence": shell.text("Evidence", "large"),
        },
        rows_shown=16,
    )


def _since(rows: Sequence[data.Row]) -> None:
    if not rows:
        shell.empty("lock", "Nothing", "What is known of the month now is what it was closed with.")
        return
    shell.table(
        [
            {
                **row,
                **{
                    name: figures.amount(row[name], row["currency"])
                    for name in ("closed_with", "since", "known_now")
                },
            }
            for row in rows
        ],
        {
            "customer": shell.text("Customer"),
            "contract_id": shell.text("Contract"),
            "obligation_id": shell.text("Obligation"),
            "closed_with": shell.figure("Closed with"),
            "since": shell.figure("Learned since"),
            "known_now": shell.figure("Known now"),
            "currency": shell.text("Currency", "small"),
            "posted_in": shell.text("Posted in", "small"),
        },
    )
    st.caption(
        "Revenue of the month by what is known now. The closed month does not move: the difference stands where it was posted."
    )


def _deferred(rows: Sequence[data.Row], currency: str) -> None:
    moved = [name for name in MOVEMENTS if any(row[name] for row in rows)]
    names = ("opening", *moved, "closing")
    shell.table(
        [
            {**row, **{name: figures.amount(row[name], currency) if row[name] else "" for name in names}}
            for row in reversed(rows)
        ],
        {
            "period": shell.text("Month", "small"),
            "opening": shell.figure("Opening"),
            **{name: shell.figure(MOVEMENTS[name]) for name in moved},
            "closing": shell.figure(f"Closing, {currency}"),
        },
    )
    st.caption(
        "Contract liabilities less contract assets, all contracts together; opening plus movements is closing."
    )


def _posted(tenant_id: str, period: str) -> None:
    balance = data.query("trial_balance", tenant_id, period=period)
    if not balance:
        shell.empty(
            "menu_book", "Nothing is posted", "No document, payment or schedule falls into this month."
        )
        return
    shell.table(
        [
            {
                **row,
                "account_role": figures.label(row["account_role"]),
                "debit": figures.amount(row["debit"], row["currency"]) if row["debit"] else "",
                "credit": figures.amount(row["credit"], row["currency"]) if row["credit"] else "",
            }
            for row in balance
        ],
        {
            "account": shell.text("Account", "small"),
            "account_role": shell.text("Role"),
            "debit": shell.figure("Debit"),
            "credit": shell.figure("Credit"),
            "currency": shell.text("Currency", "small"),
            "lines": shell.count("Lines"),
        },
        rows_shown=16,
    )
    shell.download(
        "Journal as CSV",
        lambda: data.query("journal_lines", tenant_id, period=period),
        f"{tenant_id}-journal-{period}.csv",
    )


main()
