"""Dunning and recovery: how far the ladder has come, what it does next, and what retries brought. One currency at a time."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboards import data, estimates, figures
from dashboards.finance import shell

ARMS = {
    "planned": "Times chosen by the model",
    "random": "Any allowed time, by lot",
    "fixed": "Fixed schedule",
}


def main() -> None:
    """Show the page."""
    tenant = shell.tenant()
    tenant_id = tenant["tenant_id"]
    shell.head("Dunning and recovery", shell.clocks(tenant))
    aging = data.query("aging", tenant_id)
    currency = tenant["currency"]
    if aging:
        currency = shell.choose_currency({row["currency"] for row in aging}, currency, "dunning")
        st.subheader("How far the ladder has come", anchor=False)
        _funnel(
            data.query("dunning_funnel", tenant_id, currency=currency, as_of=tenant["billing_as_of"]),
            currency,
        )
        st.subheader("What comes next if nothing is paid", anchor=False)
        _outlook(data.query("dunning_outlook", tenant_id, currency=currency), currency)
    else:
        shell.empty(
            "check_circle", "Nothing is open", "Every issued invoice is paid, credited or written off."
        )
    st.subheader("Attempts after a failure", anchor=False)
    _attempts(data.query("recovery_attempts", tenant_id, currency=currency), currency)
    st.subheader("Recovered value versus the fixed schedule, with its interval", anchor=False)
    _gain(data.query("recovery_arms", tenant_id, currency=currency), currency)


def _funnel(rows: Sequence[data.Row], currency: str) -> None:
    if not rows:
        shell.empty("check_circle", "Nothing is overdue", "The ladder begins after the due date.")
        return
    shown = [
        {
            **row,
            "step": f"Step {row['step']}: {_words(row['actions'])}"
            if row["step"]
            else "Overdue, no step yet",
            "open_amount": figures.amount(row["open_amount"], currency),
            "disputed_amount": figures.amount(row["disputed_amount"], currency)
            if row["disputed_amount"]
            else "",
        }
        for row in rows
    ]
    shell.table(
        shown,
        {
            "step": shell.text("Reached", "large"),
            "customers": shell.count("Customers"),
            "invoices": shell.count("Invoices"),
            "open_amount": shell.figure(f"Open, {currency}"),
            "disputed_amount": shell.figure("In dispute", help="Held: no step is taken while it is open."),
            "oldest_days": shell.count("Oldest, days overdue"),
        },
    )


def _outlook(rows: Sequence[data.Row], currency: str) -> None:
    if not rows:
        shell.empty(
            "event_available",
            "No step lies ahead",
            "The ladder in `tenant.yaml` has no later step for what is open, or there is no ladder.",
        )
        return
    horizon = st.select_slider(
        "How far ahead",
        [7, 14, 30, 60, 120],
        value=30,
        format_func=lambda days: f"{days} days",
        key="dunning_horizon",
    )
    first = rows[0]["due_on"]
    shown = [row for row in rows if (row["due_on"] - first).days <= horizon]
    shell.table(
        [
            {
                **row,
                "action": figures.label(row["action"]),
                "amount": figures.amount(row["amount"], currency),
                "held": "Waits while it is held" if row["is_held"] else "",
            }
            for row in shown
        ],
        {
            "due_on": shell.day("Day"),
            "customer": shell.text("Customer"),
            "invoice_number": shell.text("Invoice"),
            "action": shell.text("Action"),
            "step": shell.count("Step"),
            "amount": shell.figure(f"Open now, {currency}"),
            "held": shell.text(""),
        },
    )
    st.caption(
        f"{figures.number(len(shown))} of {figures.number(len(rows))} steps, counted from the next one. Each is taken only"
        " if the invoice is still open and nothing holds it on that day."
    )


def _attempts(rows: Sequence[data.Row], currency: str) -> None:
    if not rows:
        shell.empty(
            "credit_card",
            "Nothing was tried again",
            "A payment that failed and was tried again is shown here.",
        )
        return
    shell.table(
        [
            {
                **row,
                "failure_class": figures.label(row["failure_class"]),
                "recovered_amount": figures.amount(row["recovered_amount"], currency),
            }
            for row in rows
        ],
        {
            "failure_class": shell.text("How the last one failed"),
            "invoices": shell.count("Invoices"),
            "attempts": shell.count("Attempts"),
            "recovered": shell.count("Paid and kept"),
            "recovered_amount": shell.figure(f"Paid and kept, {currency}"),
            "not_closed": shell.count(
                "Not closed yet", help="Their 60 days are not over; the money may still go back."
            ),
        },
    )
    st.caption("No share is shown: most payers who come back would have come back without a retry.")


def _gain(rows: Sequence[data.Row], currency: str) -> None:
    if not rows:
        shell.empty(
            "balance",
            "Nothing to compare yet",
            "With `dunning: {retry: model}` a lot puts each failed invoice into an arm; after 90 days it counts here.",
        )
        return
    totals = {
        arm: (
            sum(row["invoices"] for row in rows if row["arm"] == arm),
            sum(
                (row["recovered_value"] for row in rows if row["arm"] == arm),
                start=0 * rows[0]["recovered_value"],
            ),
        )
        for arm in ARMS
    }
    shell.table(
        [
            {"arm": ARMS[arm], "invoices": invoices, "value": figures.amount(value, currency)}
            for arm, (invoices, value) in totals.items()
            if invoices
        ],
        {
            "arm": shell.text("Arm", "large"),
            "invoices": shell.count("Failed invoices"),
            "value": shell.figure(f"Recovered less cost, {currency}"),
        },
    )
    gain = estimates.difference(rows, "planned", "fixed")
    if gain is None:
        st.markdown(
            f"Fewer than {estimates.LEAST_INVOICES} failed invoices in one of the two arms: no honest interval, so no figure."
        )
        return
    st.markdown(
        f"Per failed invoice the model's times brought **{gain.value:+,.2f} {currency}** compared with the fixed schedule;"
        f" the 95 % interval is {gain.low:+,.2f} to {gain.high:+,.2f} {currency}."
    )
    if gain.is_shown:
        st.markdown(
            "The interval leaves out zero." if gain.low > 0 else "The model's times brought **less**."
        )
    else:
        st.markdown("The interval holds zero: **no gain is shown**, whatever its middle is.")
    st.caption(
        "An estimate of the past from invoices that a lot put into either arm, a customer's invoices taken as one. "
        "`ratehouse recovery evaluate` judges a new model before it is used."
    )


def _words(actions: str | None) -> str:
    return ", ".join(figures.label(action) for action in (actions or "").split(", ") if action)


main()
