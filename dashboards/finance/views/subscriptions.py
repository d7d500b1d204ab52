"""Subscriptions: the list as they stand, and one of them with its life drawn: states, terms, and what each line pays for.

`?tenant=…&subscription=…` is the address of every state.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Literal

import altair as alt
import pandas as pd
import streamlit as st

from dashboards import data, figures
from dashboards.finance import shell

LIST_LIMIT = 1000
_COLOURS: dict[str, Literal["green", "blue", "orange", "red", "gray"]] = {
    "active": "green",
    "trialing": "blue",
    "pending_start": "blue",
    "pending_activation": "orange",
    "expired_activation": "red",
    "ended": "gray",
}
# What is drawn, top down, and in which colour.
_STATES = {"trialing": "#9fc5e8", "active": "#0f766e", "paused": "#d9a441", "ended": "#c3ccd4"}
_LINES = {
    "recurring": "#0f766e",
    "usage": "#4f8fc0",
    "one_time": "#7a5ea8",
    "minimum": "#8a8f3c",
    "adjustment": "#d0604f",
    "credit": "#d0604f",
    "discount": "#d9a441",
}
_ROW_HEIGHT = 26
_MORE = "\u200b"  # tells the further rows of a lane from its first
_SHOWN_MONTHS = 13


def main() -> None:
    """Show the list, or the subscription that the address names."""
    tenant = shell.tenant()
    subscription = st.query_params.get("subscription")
    if subscription is None:
        _list(tenant)
        return
    found = data.query("subscription", tenant["tenant_id"], subscription=subscription)
    if not found:
        _back()
        shell.empty(
            "search_off",
            f"{tenant['name']} has no subscription {subscription}",
            "Another tenant may have; choose it on the left.",
        )
        return
    _subscription(tenant, found[0])


# --- the list ----------------------------------------------------------------------------------------------


def _list(tenant: data.Row) -> None:
    tenant_id = tenant["tenant_id"]
    shell.head("Subscriptions", shell.clocks(tenant))
    found = data.query("subscription_filters", tenant_id)
    if not found:
        shell.empty("autorenew", "No subscriptions yet", "They begin with an event of the type `created`.")
        return
    columns = st.columns([3, 2, 2])
    search = columns[0].text_input("Subscription or customer", placeholder="Any", key="filter_subscription")
    lifecycle = columns[1].selectbox(
        "State",
        sorted({row["lifecycle"] for row in found}),
        index=None,
        format_func=figures.label,
        placeholder="All states",
        key="filter_lifecycle",
    )
    plan = columns[2].selectbox(
        "Plan", sorted({row["plan"] for row in found}), index=None, placeholder="All plans", key="filter_plan"
    )
    rows = data.query(
        "subscriptions",
        tenant_id,
        search=search.strip() or None,
        lifecycle=lifecycle,
        plan=plan,
        limit=LIST_LIMIT,
    )
    if not rows:
        shell.empty("filter_alt_off", "No subscription passes these filters", "Clear one of them.")
        return
    shown = [
        {
            **row,
            "lifecycle": figures.label(row["lifecycle"]),
            "billing": figures.label(row["billing"]),
            "renewal": figures.label(row["renewal"] or ""),
            "collection": figures.label(row["collection"]),
            "mrr": figures.money(row["mrr"], row["currency"]),
        }
        for row in rows
    ]
    visit = st.session_state.setdefault("subscriptions_visit", 0)
    picked = shell.table(
        shown,
        {
            "subscription_id": shell.text("Subscription", 110),
            "customer": shell.text("Customer", 200),
            "plan": shell.text("Plan"),
            "lifecycle": shell.text("State"),
            "billing": shell.text("Billing", "small"),
            "renewal": shell.text("Renewal"),
            "collection": shell.text("Paid"),
            "started_on": shell.day("Started"),
            "current_period_end": shell.day("Period ends"),
            "mrr": shell.figure("Per month", help="Recurring fees, brought to a month."),
        },
        key=f"subscriptions_{visit}",
        opens=True,
        rows_shown=16,
    )
    if picked is not None and picked < len(rows):
        st.session_state["subscriptions_visit"] += 1
        st.query_params["subscription"] = rows[picked]["subscription_id"]
        st.rerun()


def _back() -> None:
    if st.button("All subscriptions", icon=":material/arrow_back:", type="tertiary"):
        st.query_params.pop("subscription", None)
        st.rerun()


# --- one subscription --------------------------------------------------------------------------------------


def _subscription(tenant: data.Row, found: data.Row) -> None:
    tenant_id, subscription_id = tenant["tenant_id"], found["subscription_id"]
    _back()
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.title(subscription_id, anchor=False, width="content")
        st.badge(figures.label(found["lifecycle"]), color=_COLOURS.get(found["lifecycle"], "gray"))
        if found["billing"] == "paused":
            st.badge("Paused", color="orange")
    st.caption(f"**{found['customer']}** ({found['customer_id']}) · days in {found['timezone']}")
    columns = st.columns([3, 3, 4, 4])
    quantities = ", ".join(
        f"{value} {name}" for name, value in json.loads(found["quantities"] or "{}").items()
    )
    columns[0].metric(
        "Plan", found["plan"], quantities or None, delta_color="off", delta_arrow="off", border=True
    )
    columns[1].metric(
        "Per month", figures.money(found["mrr"], found["currency"]), border=True, height="stretch"
    )
    period = figures.period(found["current_period_start"], found["current_period_end"]) or "none"
    columns[2].metric("Running period", period, border=True, height="stretch")
    columns[3].metric("What comes next", _next(found), border=True, height="stretch")

    lines = data.query("subscription_lines", tenant_id, subscription=subscription_id)
    spans = data.query("subscription_timeline", tenant_id, subscription=subscription_id)
    today = tenant["billing_as_of"].date()
    st.subheader("Timeline", anchor=False)
    _timeline(spans, lines, today)
    paid, told = st.tabs([f"What was billed ({len(lines)})", "What was told"])
    with paid:
        _lines(lines)
    with told:
        _changes(data.query("subscription_changes", tenant_id, subscription=subscription_id))


def _next(found: data.Row) -> str:
    if found["lifecycle"] in ("ended", "expired_activation"):
        return f"Ended {figures.day(found['ends_on'])}"
    if found["renewal"] == "will_end":
        return f"Ends {figures.day(found['ends_on'])}"
    if found["renewal"] == "will_change":
        return f"{found['next_plan']}, {figures.day(found['changes_on'])}"
    if found["lifecycle"] == "pending_start":
        return f"Starts {figures.day(found['started_on'])}"
    return f"Renews {figures.day(found['current_period_end'])}"


def _timeline(spans: Sequence[data.Row], lines: Sequence[data.Row], today: date) -> None:
    if not spans:
        return
    first = min(row["starts_on"] for row in spans)
    last = max([today + timedelta(days=31), *(row["service_end"] for row in lines if row["service_end"])])
    first = max(first, last - timedelta(days=31 * _SHOWN_MONTHS))
    bars = [*_span_bars(spans, first, last), *_line_bars(lines, first, last)]
    rows = list(dict.fromkeys(bar["row"] for bar in bars))
    frame = pd.DataFrame(bars)
    for name in ("from", "to"):
        frame[name] = pd.to_datetime(frame[name])
    # A name where there is room for it.
    room = (last - first).days / 110
    frame["named"] = frame["name"].where(
        (frame["to"] - frame["from"]).dt.days > frame["name"].str.len() * room, ""
    )
    base = alt.Chart(frame).encode(
        # The rows of a lane share the name that the first of them shows.
        y=alt.Y(
            "row:N",
            sort=rows,
            title=None,
            axis=alt.Axis(
                labelLimit=190, labelExpr=f"indexof(datum.label, '{_MORE}') < 0 ? datum.label : ''"
            ),
            scale=alt.Scale(paddingInner=0.18),
        ),
        x=alt.X(
            "from:T",
            title=None,
            axis=alt.Axis(format="%-d %b %y", tickCount=8, orient="top"),
            scale=alt.Scale(domain=[str(first), str(last)]),
        ),
    )
    drawn = base.mark_bar(cornerRadius=2, stroke="#ffffff", strokeWidth=1).encode(
        x2="to:T",
        color=alt.Color("colour:N", scale=None),
        tooltip=[
            alt.Tooltip("what:N", title=" "),
            alt.Tooltip("from:T", title="From", format="%-d %b %Y"),
            alt.Tooltip("to:T", title="Up to", format="%-d %b %Y"),
            alt.Tooltip("amount:N", title="Amount"),
            alt.Tooltip("by:N", title="By"),
        ],
    )
    words = base.mark_text(align="left", dx=6, color="#ffffff", fontSize=11).encode(text="named:N")
    now = (
        alt.Chart(pd.DataFrame([{"on": pd.Timestamp(today)}]))
        .mark_rule(color="#16202a", strokeWidth=2)
        .encode(x="on:T")
    )
    shell.chart(_bills(lines, first, last) + drawn + words + now, height=_ROW_HEIGHT * len(rows) + 40)
    shown = [kind for kind in _LINES if any(row["line_type"] == kind for row in lines)]
    legend = " ".join(f'<span style="color:{_LINES[kind]}">■</span> {figures.label(kind)} ' for kind in shown)
    st.html(f'<span style="font-size:0.85rem;color:#5b6874">{legend}</span>')
    st.caption(
        "Each bar is the service that one line pays for; what corrects or lowers it lies under it. Dotted lines are documents,"
        " the strong line is the day up to which was billed."
    )


def _bills(lines: Sequence[data.Row], first: date, last: date) -> alt.Chart:
    documents = sorted({(row["bill_date"], row["invoice_number"]) for row in lines})
    frame = pd.DataFrame(
        [{"on": pd.Timestamp(on), "document": number} for on, number in documents if first <= on <= last],
        columns=["on", "document"],
    )
    return (
        alt.Chart(frame)
        .mark_rule(color="#9aa5ae", strokeDash=[2, 3])
        .encode(
            x="on:T",
            tooltip=[
                alt.Tooltip("document:N", title="Billed"),
                alt.Tooltip("on:T", title="On", format="%-d %b %Y"),
            ],
        )
    )


def _span_bars(spans: Sequence[data.Row], first: date, last: date) -> list[dict[str, Any]]:
    """Two lanes: the states, and the terms where there are any; what goes on unchanged is one bar."""
    bars: list[dict[str, Any]] = []
    for lane in ("State", "Terms"):
        before: dict[str, Any] | None = None
        for row in spans:
            start, end = max(row["starts_on"], first), min(row["ends_on"] or last, last)
            name = figures.label(row["state"]) if lane == "State" else _terms(row)
            if start >= end or (lane == "Terms" and row["state"] not in ("trialing", "active")):
                continue
            if before and before["name"] == name and before["to"] == start:
                before["to"] = end
                continue
            before = {
                "row": lane,
                "name": name,
                "what": name,
                "colour": _STATES[row["state"]] if lane == "State" else "#5b6874",
                "from": start,
                "to": end,
                "amount": "",
                "by": figures.label(row["cause"] or ""),
            }
            bars.append(before)
    return bars


def _terms(row: data.Row) -> str:
    quantities = json.loads(row["quantities"] or "{}")
    words = ", ".join(f"{value} {name}" for name, value in quantities.items())
    return f"{row['plan']} · {words}" if words else str(row["plan"])


def _line_bars(lines: Sequence[data.Row], first: date, last: date) -> list[dict[str, Any]]:
    """A lane for each charge; lines for the same days lie in rows under each other."""
    placed: dict[str, list[tuple[int, dict[str, Any]]]] = {}
    busy: dict[str, list[date]] = {}
    for row in sorted(lines, key=lambda row: (row["charge_position"] or 0, row["bill_date"], row["line_no"])):
        if row["service_start"] is None or row["service_end"] <= first or row["service_start"] >= last:
            continue
        lane = row["charge"]
        ends = busy.setdefault(lane, [])
        place = next((at for at, end in enumerate(ends) if end <= row["service_start"]), len(ends))
        ends[place : place + 1] = [row["service_end"]]
        quantity = "" if row["quantity"] is None else f", {figures.number_text(row['quantity'])}"
        amount = figures.money(row["amount"], row["currency"])
        bar = {
            "row": lane + _MORE * place,
            "name": figures.amount(row["amount"], row["currency"]),
            "what": f"{figures.label(row['line_type'])} of {row['plan']}{quantity}",
            "colour": _LINES.get(row["line_type"], "#5b6874"),
            "from": max(row["service_start"], first),
            "to": min(row["service_end"], last),
            "amount": amount,
            "by": f"{row['invoice_number']}, {figures.day(row['bill_date'])}",
        }
        placed.setdefault(lane, []).append((place, bar))
    return [bar for bars in placed.values() for _, bar in sorted(bars, key=lambda entry: entry[0])]


def _lines(lines: Sequence[data.Row]) -> None:
    if not lines:
        shell.empty("receipt_long", "Nothing was billed yet", "The first run that finds something due does.")
        return
    shown = [
        {
            **row,
            "line_type": figures.label(row["line_type"]),
            "service": figures.period(row["service_start"], row["service_end"]),
            "quantity": "" if row["quantity"] is None else figures.number_text(row["quantity"]),
            "amount": figures.amount(row["amount"], row["currency"]),
        }
        for row in lines
    ]
    visit = st.session_state.setdefault("subscription_lines_visit", 0)
    picked = shell.table(
        shown,
        {
            "service": shell.text("Service", "medium"),
            "charge": shell.text("Charge", "medium"),
            "plan": shell.text("Plan"),
            "line_type": shell.text("Kind"),
            "quantity": shell.figure("Quantity"),
            "amount": shell.figure("Amount"),
            "currency": shell.text("Currency", "small"),
            "invoice_number": shell.text("Document"),
            "bill_date": shell.day("Billed"),
        },
        key=f"subscription_lines_{visit}",
        opens=True,
    )
    if picked is not None and picked < len(lines):
        st.session_state["subscription_lines_visit"] += 1
        st.switch_page(
            "views/invoices.py",
            query_params={
                "tenant": st.session_state["tenant"],
                "invoice": lines[picked]["invoice_number"],
                "line": str(lines[picked]["line_no"]),
            },
        )


def _changes(changes: Sequence[data.Row]) -> None:
    shell.table(
        [
            {**row, "type": figures.label(row["type"]), "verdict": figures.label(row["verdict"])}
            for row in changes
        ],
        {
            "type": shell.text("Event"),
            "effective_at": shell.instant("About (UTC)"),
            "recorded_at": shell.instant("Known (UTC)"),
            "verdict": shell.text("What became of it"),
            "holds_from": shell.day("Holds from"),
        },
    )


main()
