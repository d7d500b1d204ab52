"""Usage & completeness: what became of every event, what was refused and why, what waits for a price."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, timedelta

import altair as alt
import pandas as pd
import streamlit as st

from dashboards import data, figures
from dashboards.finance import shell

_SPANS = {"30 days": 30, "90 days": 90, "1 year": 365, "All": None}


def main() -> None:
    """Show the page."""
    tenant = shell.tenant()
    tenant_id = tenant["tenant_id"]
    shell.head("Usage & completeness", shell.clocks(tenant))
    (span,) = data.query("usage_span", tenant_id)
    if span["last"] is None:
        shell.empty(
            "bolt",
            "No usage has arrived",
            "Import a file with `ratehouse ingest file`, or send events to the collector.",
        )
        return
    chosen = st.segmented_control(
        "Received in the last", list(_SPANS), default="All", required=True, key="usage_span"
    )
    length = _SPANS[chosen or "All"]
    first: date = (
        span["first"] if length is None else max(span["first"], span["last"] - timedelta(days=length - 1))
    )
    last: date = span["last"]
    days = data.query("usage_by_day", tenant_id, first=first, last=last)
    _identity(days)
    _daily(days)
    _types(data.query("usage_by_type", tenant_id, first=first, last=last))
    _rejected(tenant_id, first, last)
    _unpriced(data.query("unpriced_usage", tenant_id))


def _identity(days: Sequence[data.Row]) -> None:
    names = (
        "received",
        "accepted",
        "rated",
        "not_billable",
        "duplicates",
        "conflicts",
        "rejected",
        "skipped_values",
    )
    total = {name: sum(row[name] for row in days) for name in names}
    helps = {
        "received": "Every usage row that arrived, good or bad.",
        "rated": "Accepted events that a meter of some subscription counts.",
        "not_billable": "Accepted events of customers, times or types that no meter covers.",
        "duplicates": "Further copies of an event with the same content; they cost nobody anything.",
        "conflicts": "Further copies with other content; the first one counts.",
        "rejected": "Rows that break the contract of the stream; they can be replayed after a fix.",
    }
    columns = st.columns(6)
    for column, (name, words) in zip(columns, helps.items(), strict=True):
        share = f"{total[name] / total['received']:.2%}" if name != "received" and total["received"] else None
        column.metric(
            figures.label(name),
            figures.number(total[name]),
            share,
            delta_color="off",
            delta_arrow="off",
            help=words,
            border=True,
            height="stretch",
        )
    apart = ("accepted", "duplicates", "conflicts", "rejected")
    whole = total["received"] == sum(total[name] for name in apart)
    if whole and total["accepted"] == total["rated"] + total["not_billable"]:
        parts = " + ".join(f"{figures.number(total[name])} {name}" for name in apart)
        words = (
            f"{figures.number(total['received'])} received = {parts}, and accepted = rated + not billable."
        )
        st.markdown(f":green[:material/check_circle:] {words} Nothing is missing.")
    else:
        words = "The counts do not add up: some events are neither rated nor accounted for."
        st.error(f"{words} Rebuild before you close.", icon=":material/error:")
    if total["skipped_values"]:
        skipped = figures.number(total["skipped_values"])
        words = f"{skipped} rated events hold no value that their meter can read; they add nothing."
        st.markdown(f":orange[:material/warning:] {words}")


def _daily(days: Sequence[data.Row]) -> None:
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Received per day", anchor=False)
        _stacked(days, ["rated", "not_billable", "duplicates", "conflicts", "rejected"])
    with right:
        st.subheader("Not rated, per day", anchor=False)
        _stacked(days, ["not_billable", "duplicates", "conflicts", "rejected"])


def _stacked(days: Sequence[data.Row], names: list[str]) -> None:
    frame = pd.DataFrame(
        [
            {
                "day": row["received_on"].isoformat(),
                "outcome": shell.OUTCOMES[name][0],
                "events": row[name],
                "written": figures.number(row[name]),
                "order": names.index(name),
            }
            for row in days
            for name in names
        ]
    )
    labels, colours = [shell.OUTCOMES[name][0] for name in names], [shell.OUTCOMES[name][1] for name in names]
    if frame.empty or not frame["events"].any():
        shell.empty("check_circle", "None", "Nothing of this kind in these days.")
        return
    drawn = (
        alt.Chart(frame)
        .mark_bar()
        .encode(
            x=alt.X(
                "yearmonthdate(day):T", title=None, axis=alt.Axis(format="%-d %b", tickCount=6, grid=False)
            ),
            y=alt.Y("events:Q", title="Events", axis=alt.Axis(format="~s", tickCount=5)),
            color=alt.Color("outcome:N", scale=alt.Scale(domain=labels, range=colours), sort=labels),
            order="order:Q",
            tooltip=[
                alt.Tooltip("day:T", title="Received", format="%-d %b %Y"),
                alt.Tooltip("outcome:N", title="Outcome"),
                alt.Tooltip("written:N", title="Events"),
            ],
        )
    )
    shell.chart(drawn, height=250)


def _types(rows: Sequence[data.Row]) -> None:
    st.subheader("By type of event", anchor=False)
    shown = [
        {
            **row,
            "event_type": row["event_type"] or "none given",
            "share": row["rated"] / row["received"] if row["received"] else 0.0,
        }
        for row in rows
    ]
    shell.table(
        shown,
        {
            "event_type": shell.text("Event type", "medium"),
            "received": shell.count("Received"),
            "share": st.column_config.ProgressColumn(
                "Rated", format="percent", min_value=0, max_value=1, color=shell.ACCENT
            ),
            "not_billable": shell.count("Not billable"),
            "duplicates": shell.count("Duplicates"),
            "conflicts": shell.count("Conflicts"),
            "rejected": shell.count("Rejected"),
            "skipped_values": shell.count("No value", help="Rated events whose value could not be read."),
            "last_event_at": shell.instant("Last event (UTC)"),
        },
    )


def _rejected(tenant_id: str, first: date, last: date) -> None:
    st.subheader("Rejected rows", anchor=False)
    reasons = data.query("rejected_by_reason", tenant_id, first=first, last=last)
    if not reasons:
        shell.empty(
            "check_circle", "Nothing was rejected", "Every row that arrived kept the contract of its stream."
        )
        return
    left, right = st.columns([2, 3], gap="large")
    with left:
        shell.bars(
            [
                {
                    "reason": figures.label(row["reason_code"]),
                    "rows": row["rows"],
                    "written": _with_replays(row),
                }
                for row in _merged(reasons)
            ],
            "reason",
            "rows",
            "written",
        )
    with right:
        codes = list(dict.fromkeys(row["reason_code"] for row in reasons))
        reason = st.selectbox(
            "Reason",
            codes,
            index=None,
            format_func=figures.label,
            placeholder="All reasons",
            key="reject_reason",
        )
        rows = data.query("rejected_rows", tenant_id, first=first, last=last, reason=reason)
        picked = shell.table(
            rows,
            {
                "recorded_at": shell.instant("Arrived (UTC)"),
                "stream": shell.text("Stream"),
                "reason": shell.text("What is wrong", "large"),
                "replayed": st.column_config.CheckboxColumn("Replayed"),
            },
            key=f"rejected_{reason}_{first}",
            opens=True,
            rows_shown=7,
        )
        st.caption("Click a row to see it. `ratehouse rejected` lists and replays them.")
        if picked is not None and picked < len(rows):
            _payload(rows[picked])


def _merged(reasons: Sequence[data.Row]) -> list[data.Row]:
    merged: dict[str, data.Row] = {}
    for row in reasons:
        entry = merged.setdefault(
            row["reason_code"], {"reason_code": row["reason_code"], "rows": 0, "replayed": 0}
        )
        entry["rows"] += row["rows"]
        entry["replayed"] += row["replayed"]
    return sorted(merged.values(), key=lambda row: -row["rows"])


def _with_replays(row: data.Row) -> str:
    return figures.number(row["rows"]) + (
        f" ({figures.number(row['replayed'])} replayed)" if row["replayed"] else ""
    )


def _payload(row: data.Row) -> None:
    place = f" · {row['file']}" + (f", line {row['line']}" if row["line"] else "") if row["file"] else ""
    st.caption(f"{figures.label(row['reason_code'])}{place}")
    try:
        text = json.dumps(json.loads(row["payload"], parse_float=str), indent=2, ensure_ascii=False)
    except json.JSONDecodeError:
        text = row["payload"]
    st.code(text if len(text) <= 4000 else text[:4000] + "\n…", language="json", height=260)


def _unpriced(rows: Sequence[data.Row]) -> None:
    st.subheader("Waiting for a price", anchor=False)
    if not rows:
        shell.empty(
            "check_circle",
            "All metered usage has a price",
            "Usage that no price covers would be listed here instead of being billed at zero.",
        )
        return
    shell.table(
        [
            {
                **row,
                "status": figures.label(row["status"]),
                "service": figures.period(row["service_start"], row["service_end"]),
            }
            for row in rows
        ],
        {
            "reference": shell.text("Subscription / charge / group", "large"),
            "status": shell.text("Why"),
            "service": shell.text("Service", "medium"),
            "currency": shell.text("Currency", "small"),
            "age_days": shell.count("Days since it ended"),
        },
    )


main()
