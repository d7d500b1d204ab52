"""Reconciliation: from usage to the bank line, and whatever does not match on the way, by area and age."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal

import streamlit as st

from dashboards import data, figures
from dashboards.finance import resolve, shell
from ratehouse.acceptances import SETTLED

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
    _proofs(data.query("cash_proofs", tenant_id))
    _ledger(data.query("ledger_proofs", tenant_id))
    _fees(data.query("processor_fees", tenant_id))
    st.subheader("What matches and what does not", anchor=False)
    _areas(totals)
    st.subheader("Exceptions and matches", anchor=False)
    areas = [area for area in AREAS if any(row["area"] == area for row in totals)]
    if not areas:
        shell.empty(
            "check_circle",
            "No exception",
            "Everything that can be held against something else agrees with it.",
        )
        return
    wrong = {row["area"] for row in totals if row["status"] not in SETTLED}
    area = st.segmented_control(
        "Area",
        areas,
        default=next((name for name in areas if name in wrong), areas[0]),
        required=True,
        format_func=lambda code: AREAS[code][0],
        key="reconciliation_area",
        label_visibility="collapsed",
    )
    chosen = str(area or areas[0])
    statuses = sorted({row["status"] for row in totals if row["area"] == chosen})
    _classes(tenant_id, chosen)
    _items(tenant, chosen, statuses)


def _proofs(rows: Sequence[data.Row]) -> None:
    """What processor and bank prove: a residual is what nobody can name, and it is zero or the build fails."""
    if not rows:
        return
    st.subheader("Processor and bank proven", anchor=False)
    amounts = ("found_amount", "expected_amount", "named_amount", "residual")
    names = {
        "processor": "Processor: movements = payouts + not paid out",
        "bank": "Bank: lines = what they should hold",
    }
    shell.table(
        [
            {
                **row,
                "proof": names[row["proof"]],
                **{name: figures.amount(row[name], row["currency"]) for name in amounts},
            }
            for row in rows
        ],
        {
            "proof": shell.text("Proof", "large"),
            "currency": shell.text("Currency", "small"),
            "found_amount": shell.figure("There is"),
            "expected_amount": shell.figure("Should be"),
            "named_amount": shell.figure("Named differences", help="Signed; each is an exception below."),
            "residual": shell.figure(
                "Residual", help="Signed; what nobody can name. Anything but zero fails the build."
            ),
        },
    )


def _ledger(rows: Sequence[data.Row]) -> None:
    """The accounts of money as the journal has them and as everything that is in them says."""
    if not rows:
        return
    st.subheader("Accounts of money proven", anchor=False)
    amounts = ("journal_balance", "sub_ledger_balance", "residual")
    shell.table(
        [
            {
                **row,
                "account_role": figures.label(row["account_role"]),
                **{name: figures.amount(row[name], row["currency"]) for name in amounts},
            }
            for row in rows
        ],
        {
            "account_role": shell.text("Account"),
            "currency": shell.text("Currency", "small"),
            "as_of": shell.day("Last moved"),
            "journal_balance": shell.figure("Journal", help="Debits less credits to date."),
            "sub_ledger_balance": shell.figure(
                "Documents and money", help="What documents, payments, the processor and decisions add up to."
            ),
            "days": shell.count("Days proven"),
            "residual": shell.figure(
                "Residual", help="Signed, of the worst day. Anything but zero fails the build and the close."
            ),
        },
    )


def _fees(rows: Sequence[data.Row]) -> None:
    """What processors took by card type and region, and what of it is not as agreed."""
    if not rows:
        return
    st.subheader("Fees of processors", anchor=False)
    amounts = ("gross_amount", "fee_amount", "variance_amount")
    shell.table(
        [{**row, **{name: figures.amount(row[name], row["currency"]) for name in amounts}} for row in rows],
        {
            "period": shell.text("Month", "small"),
            "provider": shell.text("Processor", "small"),
            "method": shell.text("Card or method", "small"),
            "country": shell.text("Country", "small"),
            "currency": shell.text("Currency", "small"),
            "payments": shell.count("Payments"),
            "gross_amount": shell.figure("Gross"),
            "fee_amount": shell.figure("Fees"),
            "variances": shell.count("Not as agreed"),
            "variance_amount": shell.figure("Taken too much", help="Signed; against `collection.fees`."),
        },
        rows_shown=8,
    )


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
        if row["status"] in SETTLED:
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
            "matched": shell.count("Matched or accepted"),
            "exceptions": shell.count("Exceptions"),
            "oldest": shell.count("Oldest, days"),
        },
    )


def _classes(tenant_id: str, area: str) -> None:
    """What is wrong, by class and age."""
    rows = data.query("reconciliation_classes", tenant_id, area=area, settled=SETTLED)
    if not rows:
        return
    shell.table(
        [
            {
                **row,
                "status": figures.label(row["status"]),
                "difference": _written(row["difference"], row["currency"]),
            }
            for row in rows
        ],
        {
            "status": shell.text("What is wrong"),
            "week": shell.count("Up to 7 days"),
            "month": shell.count("8-30"),
            "quarter": shell.count("31-90"),
            "older": shell.count("Older"),
            "items": shell.count("Items"),
            "difference": shell.figure("Difference, signed"),
        },
    )


def _items(tenant: data.Row, area: str, statuses: Sequence[str]) -> None:
    """The items of an area; a click opens both sides of one."""
    tenant_id = tenant["tenant_id"]
    exceptions = [status for status in statuses if status not in SETTLED]
    choices = ([""] if exceptions else []) + list(statuses)
    status = st.selectbox(
        "Class",
        choices,
        format_func=lambda code: figures.label(code) if code else "Every exception",
        key=f"reconciliation_class_{area}",
    )
    rows = data.query("reconciliation_items", tenant_id, area=area, status=status or "", settled=SETTLED)
    counted = {"event_count": shell.count("Events")} if area == "usage" else {}
    sided = (
        {}
        if area == "usage"
        else {
            "counterpart": shell.text("Matched with"),
            "rule": shell.text("Rule", "small"),
            "reason": shell.text("Reason", "small"),
        }
    )
    picked = shell.table(
        [
            {
                **row,
                "status": figures.label(row["status"]),
                "reason": figures.label(row["reason"]) if row["reason"] else "",
                **{
                    name: _written(row[name], row["currency"])
                    for name in ("expected_amount", "actual_amount", "difference")
                },
            }
            for row in rows
        ],
        {
            "status": shell.text("What is wrong"),
            "reference": shell.text("What it is about", "medium" if sided else "large"),
            **sided,
            "expected_amount": shell.figure("Expected"),
            "actual_amount": shell.figure("Found"),
            "difference": shell.figure("Difference"),
            **counted,
            "age_days": shell.count("Age, days"),
        },
        key=f"reconciliation_items_{area}",
        opens=True,
    )
    asked = st.query_params.get("item")
    item = rows[picked] if picked is not None and picked < len(rows) else None
    item = item or next((row for row in rows if row["reference"] == asked), None)
    if item is None:
        st.caption(f"{AREAS[area][1]} Click one to see both of its sides and to decide.")
    elif area == "usage":
        st.caption("What explains usage is a price, a meter or a customer; add the fact and build again.")
    else:
        resolve.show(tenant, area, item)


def _written(value: Decimal | None, currency: str | None) -> str:
    return "" if value is None or currency is None else figures.money(value, currency)


main()
