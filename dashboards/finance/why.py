"""One invoice line opened: what it corrects, the price and tiers that made it, the usage by day, the events.

Belongs here: how an explanation is shown. Does not belong here: what is in it (`ratehouse.explain`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

import altair as alt
import pandas as pd
import streamlit as st

from dashboards import data, figures
from dashboards.finance import shell
from ratehouse.explain import Correction, Document, Event, Explanation, Line, Rated, Tier, Usage, line_events

EVENT_LIMIT = 200
_ZERO = Decimal(0)
_COUNTED = ("unique_count", "latest", "average", "time_weighted")
_LONGEST_CHART = 400


def show(document: Document, explanation: Explanation) -> None:
    """The panel of one line."""
    line = explanation.line
    with st.container(border=True):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.subheader(f"Line {line.line_no}: {title(line)}", anchor=False, width="content")
            st.markdown(f"#### {figures.money(line.amount, line.currency)}", width="content")
        words = [figures.label(line.line_type), line.subscription_id or ""]
        words.insert(1, f"plan {line.plan_name or line.plan}" if line.plan else "")
        words += [f"{name}: {value}" for name, value in line.groups.items()]
        words.append(figures.period(line.service_start, line.service_end))
        st.caption(" · ".join(word for word in words if word))
        if explanation.correction:
            _correction(explanation, explanation.correction)
        if explanation.rated:
            _price(explanation, explanation.rated)
        if explanation.usage:
            _usage(document, line, explanation.usage)
        if line.line_type == "tax" and line.tax_percent is not None:
            taxed = figures.money(document.taxed(line), line.currency)
            st.markdown(f"**{figures.number_text(line.tax_percent)}%** ({line.tax_code}) of **{taxed}**")


def title(line: Line) -> str:
    """What a line is for, in words."""
    return line.description if line.charge else figures.label(line.line_type)


def _correction(explanation: Explanation, correction: Correction) -> None:
    line = explanation.line
    st.markdown("##### What it corrects")
    rows = [
        {
            "billed": billed.bill_date,
            "number": billed.number,
            "line": billed.line_no,
            "kind": figures.label(billed.line_type),
            "quantity": "" if billed.quantity is None else figures.number_text(billed.quantity),
            "amount": figures.amount(billed.amount, line.currency),
        }
        for billed in correction.before
    ]
    columns = {
        "billed": shell.day("Billed"),
        "number": shell.text("Document"),
        "line": shell.count("Line"),
        "kind": shell.text("Kind"),
        "quantity": shell.figure("Quantity"),
        "amount": shell.figure(f"Amount ({line.currency})"),
    }
    shell.table(rows, columns)
    owed = figures.amount(explanation.owed, line.currency)
    before = figures.amount(correction.billed_before, line.currency)
    difference = figures.money(line.amount, line.currency)
    st.markdown(f"Owed now **{owed}** less billed before **{before}** is **{difference}**")
    for reason in correction.reasons:
        st.markdown(f":material/subdirectory_arrow_right: {reason}")
    if correction.late_count:
        total = figures.number_text(correction.late_total)
        events = "late event" if correction.late_count == 1 else "late events"
        title = f"{figures.number(correction.late_count)} {events}, {total} in all"
        with st.expander(title, icon=":material/history:"):
            _event_table(correction.late)
            if correction.late_count > len(correction.late):
                st.caption(f"The first {len(correction.late)} are shown.")


def _price(explanation: Explanation, rated: Rated) -> None:
    line = explanation.line
    st.markdown("##### How it is priced")
    if explanation.later:
        numbers = ", ".join(dict.fromkeys(billed.number for billed in explanation.later))
        words = f"Corrected since on {numbers}. The price below is the charge as it stands now."
        st.info(words, icon=":material/history:")
    facts = {
        "Price book": rated.price_book,
        "model": figures.label(rated.model).lower() if rated.model else "none",
        "quantity": figures.number_text(rated.quantity),
        "of which included": figures.number_text(rated.included_quantity) if rated.included_quantity else "",
        "minimum": "" if rated.minimum is None else figures.number_text(rated.minimum),
        "maximum": "" if rated.maximum is None else figures.number_text(rated.maximum),
    }
    st.markdown(" · ".join(f"{name} **{value}**" for name, value in facts.items() if value))
    rows = [_tier_row(tier) for tier in explanation.tiers]
    beside = rated.amount_exact - sum((tier.amount_exact for tier in explanation.tiers), _ZERO)
    if beside and rows:
        rows.append({**dict.fromkeys(rows[0], ""), "tier": "Share of the period, discount, minimum, maximum"})
        rows[-1]["amount"] = figures.number_text(beside)
    if rows:
        columns = {
            "tier": shell.text("Tier", "medium"),
            "units": shell.figure("Units"),
            "price": shell.figure("Price"),
            "flat": shell.figure("Flat fee"),
            "amount": shell.figure(f"Exact amount ({line.currency})", "medium"),
        }
        if not any(row["flat"] for row in rows):
            del columns["flat"]
        shell.table(rows, columns)
    exact, rounded = figures.number_text(rated.amount_exact), figures.money(rated.amount, line.currency)
    st.markdown(f"Exactly {exact}, rounded once to **{rounded}**")


def _tier_row(tier: Tier) -> dict[str, str]:
    reach = f"{tier.number}: above {figures.number_text(tier.lower_bound or _ZERO)}"
    if tier.up_to is not None:
        reach += f" up to {figures.number_text(tier.up_to)}"
    per = tier.package_size or (tier.per if tier.per and tier.per != 1 else None)
    price = "" if tier.unit_price is None else figures.number_text(tier.unit_price)
    if per is not None:
        price += f" per {'started ' if tier.package_size else ''}{figures.number_text(per)}"
    return {
        "tier": reach,
        "units": figures.number_text(tier.units),
        "price": price,
        "flat": figures.number_text(tier.flat_fee) if tier.flat_fee else "",
        "amount": figures.number_text(tier.amount_exact),
    }


def _usage(document: Document, line: Line, usage: Usage) -> None:
    st.markdown("##### What was used")
    quantity = line.quantity or _ZERO
    words = f"Meter **{line.meter}**, {figures.label(usage.aggregation).lower()}:"
    words += f" **{figures.number_text(quantity)}** from **{figures.number(usage.event_count)}** events"
    if usage.carries:
        words += " and the level at which the period began"
    if usage.skipped:
        words += f", {figures.number(usage.skipped)} of them without a value that can be read"
    if usage.adds_up:
        agrees = usage.total == quantity
        total = figures.number_text(usage.total)
        words += (
            " :green[:material/check: their values add up to the line]"
            if agrees
            else f" :red[their values sum to {total}]"
        )
    st.markdown(words)
    if not usage.days:
        return
    picked = _daily(line, usage)
    events, total_events = list(usage.first), usage.event_count
    if picked is not None:
        events, total_events = _events_of(document, line, usage, picked)
    shown = figures.number(total_events)
    if total_events > len(events):
        shown = f"the first {figures.number(len(events))} of {shown}"
    about = (
        f"Events of {figures.day(picked)}: {shown}"
        if picked
        else f"Events: {shown}. Click a day for its own."
    )
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.caption(about, width="content")
        st.download_button(
            "All events as CSV",
            lambda: _csv(document, line),
            f"{document.number}-{line.line_no}-events.csv",
            "text/csv",
            icon=":material/download:",
            on_click="ignore",
            type="tertiary",
        )
    _event_table(events)


def _events_of(document: Document, line: Line, usage: Usage, day: date) -> tuple[list[Event], int]:
    count = sum(entry.events for entry in usage.days if entry.day == day)
    events = data.remembered(
        ("events", line.tenant_id, line.line_id, day),
        lambda cursor: line_events(
            cursor, line, known_until=document.known_as_of, day=day, limit=EVENT_LIMIT
        ),
    )
    return events, count


def _daily(line: Line, usage: Usage) -> date | None:
    counted = usage.aggregation in _COUNTED
    by_day = {entry.day: entry for entry in usage.days}
    rows = []
    for day in _all_days(line, usage):
        entry = by_day.get(day)
        value = _ZERO
        if entry is not None and counted:
            value = Decimal(entry.events)
        elif entry is not None:
            reads = {"max": entry.highest, "min": entry.lowest}.get(usage.aggregation, entry.total)
            value = reads or _ZERO
        rows.append(
            {
                "day": day.isoformat(),
                "value": float(value),
                "written": figures.number_text(value),
                "events": figures.number(entry.events if entry else 0),
            }
        )
    of_day = {"max": "highest of the day", "min": "lowest of the day"}.get(usage.aggregation, "per day")
    title = "Events per day" if counted else f"{line.meter}, {of_day}"
    picked = alt.selection_point(name="picked", fields=["day"], on="click", empty=True)
    axis = alt.Axis(
        labelExpr="timeFormat(toDate(datum.value + 'T00:00'), '%-d %b')", labelAngle=0, labelOverlap=True
    )
    scale = (
        alt.Axis(format="~s", tickCount=4, tickMinStep=1) if counted else alt.Axis(format="~s", tickCount=4)
    )
    drawn = (
        alt.Chart(pd.DataFrame(rows))
        .mark_bar(color=shell.ACCENT, cursor="pointer")
        .encode(
            x=alt.X("day:O", title=None, axis=axis),
            y=alt.Y("value:Q", title=title, axis=scale),
            opacity=alt.condition(picked, alt.value(1), alt.value(0.35)),
            tooltip=[
                alt.Tooltip("day:O", title="Day"),
                alt.Tooltip("written:N", title=title),
                alt.Tooltip("events:N", title="Events"),
            ],
        )
        .add_params(picked)
    )
    event = shell.chart(drawn, height=190, key=f"days_{line.line_id}", on_select="rerun")
    selected = event.selection.get("picked") or []
    return date.fromisoformat(selected[0]["day"]) if selected else None


def _all_days(line: Line, usage: Usage) -> list[date]:
    used = [entry.day for entry in usage.days]
    first, last = min(line.service_start or used[0], used[0]), used[-1]
    if line.service_end is not None:
        last = max(last, line.service_end - timedelta(days=1))
    count = (last - first).days + 1
    return [first + timedelta(days=offset) for offset in range(count)] if count <= _LONGEST_CHART else used


def _event_table(events: Sequence[Event]) -> None:
    rows = [
        {
            "event_id": event.event_id,
            "occurred_at": event.occurred_at,
            "value": "no value" if event.value is None else figures.number_text(event.value),
            "recorded_at": event.recorded_at,
            "properties": _properties(event.properties),
        }
        for event in events
    ]
    columns = {
        "event_id": shell.text("Event", "medium"),
        "occurred_at": shell.instant("Occurred (UTC)"),
        "value": shell.figure("Value"),
        "recorded_at": shell.instant("Recorded (UTC)"),
        "properties": shell.text("Properties", "large"),
    }
    shell.table(rows, columns, rows_shown=8)


def _properties(text: str) -> str:
    properties = json.loads(text, parse_float=str, parse_int=str)
    return ", ".join(f"{name} {value}" for name, value in properties.items())


def _csv(document: Document, line: Line) -> str:
    events = line_events(data.cursor(), line, known_until=document.known_as_of)
    rows = [
        {
            "event_id": event.event_id,
            "event_type": event.event_type,
            "occurred_at": event.occurred_at.isoformat(),
            "local_day": event.local_day.isoformat(),
            "recorded_at": event.recorded_at.isoformat(),
            "value": "" if event.value is None else f"{event.value:f}",
            "properties": event.properties,
        }
        for event in events
    ]
    return str(pd.DataFrame(rows).to_csv(index=False))
