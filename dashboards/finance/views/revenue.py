"""Revenue: deferred revenue forward and off, contract balances, what remains, revenue by method; down to a contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import altair as alt
import pandas as pd
import streamlit as st

from dashboards import data, figures
from dashboards.finance import contract, made, rollforward, shell

REPORTS = (
    "Roll-forward",
    "Waterfall",
    "Contract balances",
    "Unbilled",
    "Remaining obligations",
    "By method",
    "Judgements",
)
EXCLUDED = {
    "right_to_invoice": "right to invoice (606-10-50-14b)",
    "original_term_one_year": "original term of a year or less (606-10-50-14a)",
    "variable_to_unsatisfied": "variable, of what is not satisfied (606-10-50-14A)",
}
ZERO = Decimal(0)


def main() -> None:
    """Show the page."""
    tenant = shell.tenant()
    tenant_id = tenant["tenant_id"]
    shell.head("Revenue", shell.clocks(tenant))
    months = data.query("deferred_revenue", tenant_id)
    if not months:
        shell.empty(
            "menu_book", "No month is over yet", "Revenue is reported for months whose last day has passed."
        )
        return
    currency = shell.choose_currency({row["currency"] for row in months}, tenant["currency"], "revenue")
    months = [row for row in months if row["currency"] == currency]
    report = st.segmented_control(
        "Report",
        REPORTS,
        default=REPORTS[0],
        required=True,
        key="revenue_report",
        label_visibility="collapsed",
    )
    periods = [row["period"] for row in reversed(months)]
    chosen: str | None
    if report == "Roll-forward":
        chosen = _rollforward(tenant_id, months, currency)
    elif report == "Waterfall":
        chosen = _waterfall(tenant_id, currency)
    else:
        period = str(st.selectbox("Month", periods, key="revenue_period"))
        show = {
            "Contract balances": _balances,
            "Unbilled": _unbilled,
            "Remaining obligations": _remaining,
            "By method": _by_method,
            "Judgements": _judgements,
        }[str(report)]
        chosen = show(tenant_id, period, currency)
    if chosen is not None:
        contract.show(tenant_id, chosen, key="revenue_contract")


def _rollforward(tenant_id: str, months: Sequence[data.Row], currency: str) -> str | None:
    moved = rollforward.moved(months)
    latest_first = months[::-1]
    picked = rollforward.months(latest_first, currency, key="revenue_months", opens=True)
    st.caption(
        "Contract liabilities less contract assets, all contracts together; opening plus movements is closing. "
        "Click a month for its contracts."
    )
    period = latest_first[picked or 0]["period"]
    st.subheader(f"{period} by contract", anchor=False)
    rows = data.query("rollforward_contracts", tenant_id, period=period, currency=currency)
    off = sum((row["difference"] for row in rows), ZERO)
    first, second, third = st.columns(3)
    closing = sum((row["closing"] for row in rows), ZERO)
    first.metric("Closing", figures.money(closing, currency), border=True)
    second.metric(
        "In the books",
        figures.money(closing - off, currency),
        help="Credits less debits of deferred revenue and contract assets up to the month's end.",
        border=True,
    )
    third.metric(
        "Not posted",
        figures.money(off, currency),
        "agrees" if not off else "does not agree",
        delta_color="off",
        delta_arrow="off",
        border=True,
    )
    names = ("opening", *moved, "closing", "books")
    return _contracts(
        rows, names,
        {"opening": "Opening", **{name: rollforward.MOVEMENTS[name] for name in moved},
         "closing": "Closing", "books": "In the books"},
        "rollforward_contracts", ("deferred_revenue_rollforward", "journal_entries"), currency,
        f"{tenant_id}-rollforward-{period}.csv",
    )  # fmt: skip


def _waterfall(tenant_id: str, currency: str) -> str | None:
    rows = data.query("waterfall", tenant_id, currency=currency)
    if not rows:
        shell.empty(
            "waterfall_chart",
            "Nothing is deferred",
            "No contract has a liability at the end of the last complete month.",
        )
        made.behind("deferred_revenue_waterfall", query="waterfall", key="revenue_waterfall")
        return None
    total = sum((row["amount"] for row in rows), ZERO)
    current = sum((row["current_amount"] for row in rows), ZERO)
    first, second, third = st.columns(3)
    first.metric(f"Deferred at the end of {rows[0]['period']}", figures.money(total, currency), border=True)
    second.metric("Recognised within twelve months", figures.money(current, currency), border=True)
    third.metric(
        "Later, or not dated",
        figures.money(total - current, currency),
        help="What waits for use, a delivery or a measure has no date.",
        border=True,
    )
    later = sorted({row["recognised_in"] for row in rows if row["recognised_in"] != "Not dated"})
    frame = pd.DataFrame(
        [
            {
                "month": row["recognised_in"],
                "booked": row["booked"],
                "amount": float(row["amount"]),
                "written": figures.money(row["amount"], currency),
            }
            for row in rows
        ]
    )
    drawn = (
        alt.Chart(frame)
        .mark_bar()
        .encode(
            x=alt.X(
                "month:O",
                title="Recognised in",
                sort=[*later, "Not dated"],
                axis=alt.Axis(labelAngle=0, labelOverlap=True),
            ),
            y=alt.Y("amount:Q", title=currency, axis=alt.Axis(format="~s", tickCount=5)),
            color=alt.Color("booked:N", scale=alt.Scale(scheme="teals"), sort="ascending"),
            tooltip=[
                alt.Tooltip("month:N", title="Recognised in"),
                alt.Tooltip("booked:N", title="Billed in"),
                alt.Tooltip("written:N", title="Amount"),
            ],
        )
    )
    shell.chart(drawn, height=240)
    booked = sorted({row["booked"] for row in rows})
    columns = [*later, *(["Not dated"] if any(row["recognised_in"] == "Not dated" for row in rows) else [])]
    cells = {(row["booked"], row["recognised_in"]): row["amount"] for row in rows}
    table = [
        {
            "booked": name,
            **{
                month: figures.amount(cells[name, month], currency) if (name, month) in cells else ""
                for month in columns
            },
            "total": figures.amount(
                sum((cells.get((name, month), ZERO) for month in columns), ZERO), currency
            ),
        }
        for name in booked
    ]
    table.append(
        {
            "booked": "Total",
            **{
                month: figures.amount(
                    sum((cells.get((name, month), ZERO) for name in booked), ZERO), currency
                )
                for month in columns
            },
            "total": figures.amount(total, currency),
        }
    )
    picked = shell.table(
        table,
        {
            "booked": shell.text("Billed in", "small"),
            **{month: shell.figure(month) for month in columns},
            "total": shell.figure(f"Total, {currency}"),
        },
        key="revenue_booked",
        opens=True,
    )  # fmt: skip
    st.caption(
        "What was billed first is earned first. Rows and columns sum to the deferred revenue of the balance sheet. "
        "Click a row for its contracts."
    )
    name = booked[min(picked or 0, len(booked) - 1)]
    st.subheader(f"Billed in {name}", anchor=False)
    found = data.query("waterfall_contracts", tenant_id, currency=currency, booked=name)
    return _contracts(
        found, ("amount",), {"recognised_in": "Recognised in", "amount": "Amount"}, "waterfall_contracts",
        ("deferred_revenue_waterfall",), currency, f"{tenant_id}-waterfall-{name}.csv",
    )  # fmt: skip


def _balances(tenant_id: str, period: str, currency: str) -> str | None:
    rows = data.query("balances", tenant_id, period=period, currency=currency)
    names = {
        "price": "Price now",
        "billed": "Billed",
        "recognised": "Recognised",
        "receivable": "Receivable",
        "contract_asset": "Contract asset",
        "contract_liability": "Contract liability",
        "liability_current": "Of it current",
        "liability_later": "Of it later",
        "refund_liability": "Refund liability",
    }
    for column, name in zip(
        st.columns(4), ("receivable", "contract_asset", "contract_liability", "refund_liability"), strict=True
    ):
        column.metric(
            names[name],
            figures.money(sum((row[name] for row in rows), ZERO), currency),
            border=True,
            height="stretch",
        )
    chosen = _contracts(
        rows,
        tuple(names),
        names,
        "balances",
        ("contract_balances", "obligation_allocations"),
        currency,
        f"{tenant_id}-balances-{period}.csv",
    )
    st.caption(
        "Each contract is a liability or an asset, never both, and contracts are not netted against each other."
    )
    return chosen


def _unbilled(tenant_id: str, period: str, currency: str) -> str | None:
    rows = data.query("unbilled", tenant_id, period=period, currency=currency)
    ages = {
        "age_0_30": "0-30 days",
        "age_31_60": "31-60 days",
        "age_61_90": "61-90 days",
        "age_over_90": "Over 90 days",
    }
    for column, (name, label) in zip(st.columns(4), ages.items(), strict=True):
        column.metric(
            label,
            figures.money(sum((row[name] for row in rows), ZERO), currency),
            border=True,
            height="stretch",
        )
    names = {
        "opening": "Opening",
        "accrued": "Accrued",
        "invoiced": "Invoiced",
        "other": "Other",
        "closing": "Unbilled",
        **ages,
    }
    return _contracts(
        [{**row, "next_bill_on": figures.day(row["next_bill_on"])} for row in rows],
        tuple(names), {**names, "next_bill_on": "Next bill"}, "unbilled", ("unbilled_revenue",), currency,
        f"{tenant_id}-unbilled-{period}.csv",
    )  # fmt: skip


def _remaining(tenant_id: str, period: str, currency: str) -> str | None:
    rows = data.query("remaining", tenant_id, period=period, currency=currency)
    rows = [
        {**row, "why": EXCLUDED.get(row["excluded_reason"] or "", row["excluded_reason"] or "")}
        for row in rows
    ]
    names = {
        "rpo": "Remaining",
        "rpo_12_months": "Within 12 months",
        "rpo_13_24_months": "In months 13 to 24",
        "rpo_later": "Later",
        "rpo_deferred": "Of it billed",
        "rpo_backlog": "Not billed",
        "excluded": "Left out",
    }
    first_four = ("rpo", "rpo_12_months", "rpo_13_24_months", "rpo_later")
    for column, name in zip(st.columns(4), first_four, strict=True):
        column.metric(
            names[name],
            figures.money(sum((row[name] for row in rows), ZERO), currency),
            border=True,
            height="stretch",
        )
    return _contracts(
        rows, tuple(names), {"obligation_id": "Obligation", **names, "why": "Left out because of"}, "remaining",
        ("remaining_obligations",), currency, f"{tenant_id}-remaining-{period}.csv",
    )  # fmt: skip


def _by_method(tenant_id: str, period: str, currency: str) -> str | None:
    rows = data.query("revenue_by_method", tenant_id, period=period, currency=currency)
    if not rows:
        shell.empty("menu_book", "No revenue", f"Nothing was posted in {period}.")
        return None
    total = sum((row["recognised"] for row in rows), ZERO)
    late = sum((row["prior_performance"] for row in rows), ZERO)
    before = sum((row["month_before"] for row in rows), ZERO)
    first, second, third = st.columns(3)
    first.metric(
        "Recognised",
        figures.money(total, currency),
        figures.growth(total, before),
        delta_color="off",
        delta_description="to the month before",
        border=True,
        height="stretch",
    )
    second.metric(
        "Of earlier months' performance",
        figures.money(late, currency),
        help="606-10-50-12A, IFRS 15.116(c)",
        border=True,
        height="stretch",
    )
    third.metric("Month before", figures.money(before, currency), border=True, height="stretch")
    names = ("recognised", "prior_performance", "month_before", "year_before")
    picked = shell.table(
        [{**row, "method": figures.label(row["method"]), **_amounts(row, names, currency)} for row in rows],
        {
            "method": shell.text("Method"),
            "recognised": shell.figure(f"Recognised, {currency}"),
            "prior_performance": shell.figure("Of earlier months"),
            "month_before": shell.figure("Month before"),
            "year_before": shell.figure("Year before"),
            "contracts": shell.count("Contracts"),
        },
        key="revenue_methods",
        opens=True,
    )
    method = rows[picked or 0]["method"]
    st.subheader(figures.label(method), anchor=False)
    found = data.query("revenue_rows", tenant_id, period=period, currency=currency, method=method)
    return _contracts(
        found, ("recognised", "prior_performance"),
        {"obligation_id": "Obligation", "period": "Performed in", "recognised": "Recognised",
         "prior_performance": "Of earlier months"},
        "revenue_rows", ("revenue_by_period",), currency, f"{tenant_id}-revenue-{period}-{method}.csv",
    )  # fmt: skip


def _judgements(tenant_id: str, period: str, currency: str) -> str | None:
    rows = data.query("judgements", tenant_id, period=period, currency=currency)
    shown = [
        {
            **row,
            "judged_on": figures.day(row["judged_on"]),
            "kind": figures.label(row["kind"]),
            **{name: row[name] or "" for name in ("basis", "reviewed_by", "evidence")},
        }
        for row in rows
    ]
    names = {"estimate": "Estimate", "included": "Included", "constrained": "Constrained"}
    return _contracts(
        shown, tuple(names),
        {"judged_on": "On", "kind": "Judgement", "subject": "Of", "conclusion": "Conclusion", **names,
         "basis": "Basis", "reviewed_by": "Reviewed by", "evidence": "Evidence"},
        "judgements", ("judgements",), currency, f"{tenant_id}-judgements-{period}.csv",
    )  # fmt: skip


def _contracts(
    rows: Sequence[data.Row],
    amounts: tuple[str, ...],
    columns: Mapping[str, str],
    query: str,
    marts: tuple[str, ...],
    currency: str,
    file_name: str,
) -> str | None:
    """Rows of contracts, with their download and their SQL; the contract that was clicked."""
    if not rows:
        shell.empty("inbox", "No contract", "There is none with an amount here.")
        made.behind(*marts, query=query, key=f"revenue_{query}")
        return None
    picked = shell.table(
        [{**row, **_amounts(row, amounts, currency)} for row in rows],
        {
            "customer": shell.text("Customer"),
            "contract_id": shell.text("Contract"),
            **{
                name: shell.figure(label) if name in amounts else shell.text(label)
                for name, label in columns.items()
            },
        },
        key=f"revenue_rows_{query}",
        opens=True,
    )
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.caption("Click a row to open its contract.", width="content")
        shell.download("Rows as CSV", rows, file_name)
    made.behind(*marts, query=query, key=f"revenue_{query}")
    return None if picked is None else str(rows[picked]["contract_id"])


def _amounts(row: data.Row, names: Sequence[str], currency: str) -> dict[str, str]:
    return {name: figures.amount(row[name], currency) if row[name] else "" for name in names}


main()
