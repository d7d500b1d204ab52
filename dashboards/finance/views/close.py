"""Close: whether a month may be closed and why not, what was learned since, deferred revenue, what it posts; down to rows."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import streamlit as st

from dashboards import data, figures
from dashboards.finance import contract, made, rollforward, shell


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
    made.behind("close_checklist", "accounting_periods", query="close_checklist", key="close_checks")
    if any(row["status"] == "closed" for row in checks):
        st.subheader(f"Learned since {period} was closed", anchor=False)
        _since(data.query("learned_since_close", tenant_id, period=period))
        made.behind("revenue_by_period", query="learned_since_close", key="close_since")
        _corrections(data.query("corrections", tenant_id, period=period))
    rows = data.query("deferred_revenue", tenant_id)
    if rows:
        st.subheader("Deferred revenue, less contract assets", anchor=False)
        currency = shell.choose_currency({row["currency"] for row in rows}, tenant["currency"], "close")
        _deferred([row for row in rows if row["currency"] == currency], currency)
    tied = data.query("ledger_tie_out", tenant_id, period=period)
    if tied:
        st.subheader("Journal and sub-ledgers", anchor=False)
        _tied(tied)
    batches = data.query("journal_batches", tenant_id, period=period)
    if batches:
        st.subheader("In the accounting system", anchor=False)
        _batches(batches)
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


def _corrections(rows: Sequence[data.Row]) -> None:
    if not rows:
        return
    shell.table(
        [
            {
                **row,
                "account_role": figures.label(row["account_role"]),
                "debit": _side(row["debit"], row["currency"]),
                "credit": _side(row["credit"], row["currency"]),
                "functional_debit": _side(row["functional_debit"], row["functional_currency"]),
                "functional_credit": _side(row["functional_credit"], row["functional_currency"]),
            }
            for row in rows
        ],
        {
            "posted_in": shell.text("Posted in", "small"),
            "account": shell.text("Account", "small"),
            "account_role": shell.text("Role"),
            "debit": shell.figure("Debit"),
            "credit": shell.figure("Credit"),
            "currency": shell.text("Currency", "small"),
            "functional_debit": shell.figure("Debit, own currency"),
            "functional_credit": shell.figure("Credit, own currency"),
            "entries": shell.count("Entries"),
        },
    )
    st.caption(
        "Corrections: what else the month would post by what is known now, less what it was closed with."
    )
    made.behind("journal_entries", query="corrections", key="close_corrections")


def _side(amount: Decimal | None, currency: str) -> str:
    return figures.amount(amount, currency) if amount else ""


def _tied(rows: Sequence[data.Row]) -> None:
    shell.table(
        [
            {
                **row,
                "account_role": figures.label(row["account_role"]),
                **{
                    name: figures.amount(row[name], row["currency"])
                    for name in ("sub_ledger_balance", "journal_balance", "difference")
                },
                "explained_amount": _side(row["explained_amount"], row["currency"]),
                "explanation": row["explanation"] or "",
            }
            for row in rows
        ],
        {
            "account": shell.text("Account", "small"),
            "account_role": shell.text("Role"),
            "sub_ledger": shell.text("Sub-ledger"),
            "sub_ledger_balance": shell.figure("Sub-ledger"),
            "journal_balance": shell.figure("Journal"),
            "explained_amount": shell.figure("Explained"),
            "explanation": shell.text("By"),
            "difference": shell.figure("Difference"),
            "currency": shell.text("Currency", "small"),
        },
    )
    made.behind("ledger_tie_out", query="ledger_tie_out", key="close_tied")


def _batches(rows: Sequence[data.Row]) -> None:
    shell.table(
        [
            {
                **row,
                "target": figures.label(row["target"]),
                "amount": figures.amount(row["amount"], row["currency"]),
                "unposted_amount": _side(row["unposted_amount"], row["currency"]),
                "first_external_id": row["first_external_id"] or "",
            }
            for row in rows
        ],
        {
            "target": shell.text("System"),
            "entries": shell.count("Entries"),
            "posted_entries": shell.count("Posted"),
            "unposted_entries": shell.count("Not posted"),
            "refused_entries": shell.count("Refused"),
            "amount": shell.figure("Debits"),
            "unposted_amount": shell.figure("Not posted"),
            "currency": shell.text("Currency", "small"),
            "first_external_id": shell.text("First id there"),
        },
    )
    made.behind("journal_batches", query="journal_batches", key="close_batches")


def _deferred(rows: Sequence[data.Row], currency: str) -> None:
    rollforward.months(rows[::-1], currency)
    st.caption(
        "Contract liabilities less contract assets, all contracts together; opening plus movements is closing. The page Revenue "
        "opens each month to its contracts."
    )
    made.behind("deferred_revenue_rollforward", query="deferred_revenue", key="close_deferred")


def _posted(tenant_id: str, period: str) -> None:
    balance = data.query("trial_balance", tenant_id, period=period)
    if not balance:
        shell.empty(
            "menu_book", "Nothing is posted", "No document, payment or schedule falls into this month."
        )
        return
    picked = shell.table(
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
        key="close_accounts",
        opens=True,
        rows_shown=16,
    )
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.caption("Click an account for its lines.", width="content")
        shell.download(
            "Journal as CSV",
            lambda: data.query("journal_lines", tenant_id, period=period),
            f"{tenant_id}-journal-{period}.csv",
        )
    made.behind("journal_entries", query="trial_balance", key="close_posted")
    if picked is not None:
        _account(tenant_id, period, balance[picked]["account_role"])


def _account(tenant_id: str, period: str, role: str) -> None:
    rows = data.query("posted_rows", tenant_id, period=period, role=role)
    st.subheader(f"{figures.label(role)} in {period}", anchor=False)
    picked = _lines(rows, "close_lines")
    shell.download("Rows as CSV", rows, f"{tenant_id}-{role}-{period}.csv")
    if picked is None:
        return
    row = rows[picked]
    st.subheader(f"Entry {row['entry_id'][:12]}: {row['memo']}", anchor=False)
    entry = data.query("entry_lines", tenant_id, entry=row["entry_id"])
    _lines(entry, "close_entry")
    made.behind("journal_entries", query="entry_lines", key="close_entry")
    if row["contract_id"]:
        contract.show(tenant_id, row["contract_id"], key="close_contract")


def _lines(rows: Sequence[data.Row], key: str) -> int | None:
    columns = {
        "posted_on": shell.day("Posted"),
        "performance_period": shell.text("Performed in", "small"),
        "account_role": shell.text("Role"),
        "memo": shell.text("Memo", "large"),
        "debit": shell.figure("Debit"),
        "credit": shell.figure("Credit"),
        "currency": shell.text("Currency", "small"),
        "functional_debit": shell.figure("Debit, own currency"),
        "functional_credit": shell.figure("Credit, own currency"),
        "contract_id": shell.text("Contract"),
        "invoice_id": shell.text("Document"),
    }
    own = all(row["currency"] == row["functional_currency"] for row in rows)
    columns = {
        name: column
        for name, column in columns.items()
        if name in rows[0] and not (own and name.startswith("functional_"))
    }
    return shell.table(
        [
            {
                **row,
                **{name: figures.label(row[name]) for name in ("account_role",) if name in row},
                **{
                    name: figures.amount(row[name], row["currency"]) if row[name] else ""
                    for name in ("debit", "credit")
                },
                **{
                    name: figures.amount(row[name], row["functional_currency"]) if row[name] else ""
                    for name in ("functional_debit", "functional_credit")
                },
            }
            for row in rows
        ],
        columns,
        key=key,
        opens=True,
    )


main()
