"""One contract opened: what it promises and earned month by month, its balances, what it posted, the documents behind.

Belongs here: how it is shown. Does not belong here: which rows a contract has (`queries/`).
"""

from __future__ import annotations

import streamlit as st

from dashboards import data, figures
from dashboards.finance import made, shell


def show(tenant_id: str, contract_id: str, *, key: str) -> None:
    """The panel of one contract.

    Args:
        tenant_id: whose.
        contract_id: which; a subscription that no contract names is its own.
        key: identity of the panel on its page.
    """
    with st.container(border=True):
        st.subheader(f"Contract {contract_id}", anchor=False)
        revenue = data.query("contract_revenue", tenant_id, contract=contract_id)
        balances = data.query("contract_months", tenant_id, contract=contract_id)
        journal = data.query("contract_journal", tenant_id, contract=contract_id)
        lines = data.query("contract_lines", tenant_id, contract=contract_id)
        tabs = st.tabs(["Revenue", "Balances", "Journal", "Documents"], key=f"{key}_tabs")
        with tabs[0]:
            _table(
                revenue, ("recognised", "prior_performance", "cumulative"),
                {"obligation_id": "Obligation", "period": "Performed in", "posting_period": "Posted in",
                 "method": "Method", "recognised": "Recognised", "prior_performance": "Of earlier months",
                 "cumulative": "To date", "currency": "Currency"},
                f"{tenant_id}-{contract_id}-revenue.csv",
            )  # fmt: skip
        with tabs[1]:
            names = (
                "billed",
                "recognised",
                "contract_liability",
                "contract_asset",
                "refund_liability",
                "receivable",
                "difference",
            )
            _table(
                balances, names,
                {"period": "Month", **{name: figures.label(name) for name in names}, "currency": "Currency"},
                f"{tenant_id}-{contract_id}-balances.csv",
            )  # fmt: skip
            st.caption(
                "Billed less recognised is liability plus refund liability less asset; the difference is interest that accrues."
            )
        with tabs[2]:
            _table(
                journal, ("debit", "credit"),
                {"posted_on": "Posted", "performance_period": "Performed in", "kind": "Kind", "account": "Account",
                 "account_role": "Role", "debit": "Debit", "credit": "Credit", "currency": "Currency", "entry_id": "Entry"},
                f"{tenant_id}-{contract_id}-journal.csv",
            )  # fmt: skip
        with tabs[3]:
            _table(
                lines, ("amount",),
                {"bill_date": "Billed", "invoice_number": "Document", "line_no": "Line", "charge": "Charge", "line_type": "Kind",
                 "service": "Service", "amount": "Amount", "currency": "Currency"},
                f"{tenant_id}-{contract_id}-documents.csv",
            )  # fmt: skip
            if lines:
                st.caption("A line opens down to its price, usage and events on the page Invoices.")
                numbers = list(dict.fromkeys(row["invoice_number"] for row in lines))
                number = st.selectbox(
                    "Document", numbers, key=f"{key}_document", label_visibility="collapsed"
                )
                st.page_link(
                    "views/invoices.py",
                    label=f"Open {number}",
                    icon=":material/receipt_long:",
                    query_params={"tenant": tenant_id, "invoice": str(number)},
                )
        made.behind("revenue_by_period", "contract_balances", "journal_entries", key=f"{key}_contract")


def _table(rows: list[data.Row], amounts: tuple[str, ...], columns: dict[str, str], file_name: str) -> None:
    if not rows:
        shell.empty("inbox", "Nothing", "There are no such rows of this contract.")
        return
    shell.table(
        [
            {
                **row,
                **{
                    name: figures.amount(row[name], row["currency"]) if row[name] is not None else ""
                    for name in amounts
                },
                **{
                    name: figures.label(row[name])
                    for name in ("account_role", "kind", "method", "line_type")
                    if row.get(name)
                },
            }
            for row in rows
        ],
        {
            name: shell.figure(label) if name in amounts else shell.text(label)
            for name, label in columns.items()
        },
    )
    shell.download("Rows as CSV", rows, file_name)
