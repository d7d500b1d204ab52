"""The finance app's router: which pages there are, and the tenant they are about.

Run it with `streamlit run dashboards/finance/app.py`. Belongs here: navigation. Does not belong here: what a
page shows.
"""

from __future__ import annotations

import streamlit as st

from dashboards.finance import shell


def main() -> None:
    """Show the page that was asked for."""
    st.set_page_config(page_title="Ratehouse", page_icon=":material/receipt_long:", layout="wide")
    page = st.navigation(
        {
            "Billing": [
                st.Page("views/overview.py", title="Overview", icon=":material/monitoring:", default=True),
                st.Page("views/invoices.py", title="Invoices", icon=":material/receipt_long:"),
                st.Page("views/credit_notes.py", title="Credit notes", icon=":material/undo:"),
                st.Page("views/subscriptions.py", title="Subscriptions", icon=":material/autorenew:"),
            ],
            "Cash": [
                st.Page(
                    "views/receivables.py", title="Receivables", icon=":material/account_balance_wallet:"
                ),
                st.Page("views/dunning.py", title="Dunning and recovery", icon=":material/notifications:"),
                st.Page("views/reconciliation.py", title="Reconciliation", icon=":material/rule:"),
            ],
            "Revenue": [
                st.Page("views/recurring.py", title="Recurring revenue", icon=":material/trending_up:"),
                st.Page("views/revenue.py", title="Revenue", icon=":material/menu_book:"),
                st.Page("views/flux.py", title="Flux", icon=":material/compare_arrows:"),
                st.Page("views/taxes.py", title="Taxes", icon=":material/account_balance:"),
                st.Page("views/close.py", title="Close", icon=":material/lock_clock:"),
                st.Page("views/changes.py", title="What changed", icon=":material/history:"),
            ],
            "Operations": [
                st.Page("views/outbox.py", title="Outbox", icon=":material/outgoing_mail:"),
                st.Page("views/usage.py", title="Usage", icon=":material/bolt:"),
                st.Page("views/runs.py", title="Runs", icon=":material/schedule:"),
            ],
        },
        expanded=True,
    )
    shell.style()
    shell.choose_tenant()
    page.run()


main()
