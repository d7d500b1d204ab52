"""What every page of the finance app shares: the tenant, the head of a page, tables, charts and empty states.

Belongs here: furniture. Does not belong here: what one page shows, and reading (`dashboards.data`).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import altair as alt
import pandas as pd
import streamlit as st

from dashboards import data, figures
from ratehouse.spreadsheets import safe

ACCENT = "#0f766e"
_INK = "#4a5763"
OUTCOMES = {
    "rated": ("Rated", "#0f766e"),
    "not_billable": ("Not billable", "#d9a441"),
    "duplicates": ("Duplicates", "#9fb3c1"),
    "conflicts": ("Conflicts", "#9b6dd6"),
    "rejected": ("Rejected", "#d0604f"),
}
_CSS = """
<style>
.block-container {padding-top: 3.2rem; padding-bottom: 4rem; max-width: 1280px;}
[data-testid="stMetric"] {background: #fff; border-radius: 8px;}
[data-testid="stMetricLabel"] {color: #5b6874;}
h1 {letter-spacing: -0.01em; padding-bottom: 0.1rem !important;}
/* Streamlit's own CSV of a table writes text that a spreadsheet takes for a formula; ours does not. */
[data-testid="stElementToolbarButton"]:has(button[aria-label="Download as CSV"]) {display: none;}
</style>
"""


def style() -> None:
    """The mark, and the few rules that the theme cannot say."""
    st.logo(str(Path(__file__).with_name("logo.svg")), size="large")
    st.html(_CSS)


def choose_tenant() -> None:
    """Let the user choose the tenant that every page is about; stops the page where nothing is published."""
    try:
        tenants = data.tenants()
    except data.NothingPublished:
        _nothing_published()
        st.stop()
    if not tenants:
        _nothing_published()
        st.stop()
    names = {row["tenant_id"]: row["name"] for row in tenants}
    asked = st.query_params.get("tenant")
    if asked in names:
        st.session_state["tenant"] = asked
    elif st.session_state.get("tenant") not in names:
        st.session_state["tenant"] = tenants[0]["tenant_id"]
    if asked is not None and asked not in names:
        st.toast(f"There is no tenant {asked!r}.", icon=":material/error:")
    with st.sidebar:
        st.selectbox(
            "Tenant", list(names), format_func=names.__getitem__, key="tenant", on_change=_tenant_changed
        )
        st.caption(f"Published {ago(data.published_at())}")
    st.query_params["tenant"] = st.session_state["tenant"]


def _tenant_changed() -> None:
    st.query_params.clear()
    st.query_params["tenant"] = st.session_state["tenant"]


def tenant() -> data.Row:
    """The chosen tenant: tenant_id, name, currency, timezone and its two clocks (UTC)."""
    chosen = st.session_state["tenant"]
    return next(row for row in data.tenants() if row["tenant_id"] == chosen)


def choose_currency(found: Iterable[str], own: str, page: str) -> str:
    """One of the currencies that a page has amounts in, since amounts of two are never added; the tenant's own first."""
    codes = sorted(set(found), key=lambda code: (code != own, code))
    if len(codes) == 1:
        return codes[0]
    chosen = st.segmented_control(
        "Currency",
        codes,
        default=codes[0],
        required=True,
        key=f"{page}_currency",
        label_visibility="collapsed",
    )
    return str(chosen or codes[0])


def head(title: str, caption: str = "") -> None:
    """The head of a page."""
    st.title(title, anchor=False)
    if caption:
        st.caption(caption)


def clocks(of: data.Row) -> str:
    """What the numbers of a tenant are as of."""
    billed = of["billing_as_of"].astimezone(ZoneInfo(of["timezone"]))
    known = figures.instant(of["known_as_of"])
    until = f"billed up to {figures.day(billed.date())} ({of['timezone']})"
    return f"{of['name']} · {until} · facts known at {known}"


def empty(icon: str, title: str, text: str) -> None:
    """What stands where there is nothing to show, with what to do about it."""
    with st.container(border=True, horizontal_alignment="center"):
        st.markdown(f"##### :material/{icon}: {title}", width="content")
        st.markdown(f":gray[{text}]", width="content")


def table(
    rows: Sequence[Mapping[str, Any]],
    columns: Mapping[str, Any],
    *,
    key: str | None = None,
    opens: bool = False,
    rows_shown: int = 12,
) -> int | None:
    """Rows as a table of the given columns; text for everything that must be exact.

    Args:
        rows: what to show.
        columns: name -> label or column configuration, in order.
        key: identity of the table, needed where it `opens`.
        opens: a click on a row chooses it.
        rows_shown: longer tables scroll.

    Returns:
        The position of the row that was clicked.
    """
    frame = pd.DataFrame([{name: row[name] for name in columns} for row in rows], columns=list(columns))
    options: dict[str, Any] = {
        "hide_index": True,
        "column_config": dict(columns),
        "height": "content" if len(rows) <= rows_shown else 36 * (rows_shown + 1),
        "placeholder": "",
    }
    if not opens:
        st.dataframe(frame, **options)
        return None
    event = st.dataframe(
        frame, key=key, on_select="rerun", selection_mode=["single-row", "single-cell"], **options
    )
    picked = event.selection
    if picked.rows:
        return int(picked.rows[0])
    return int(picked.cells[0][0]) if picked.cells else None


def text(label: str, width: Any = None, help: str | None = None) -> Any:
    """A column of words."""
    return st.column_config.TextColumn(label, width=width, help=help)


def figure(label: str, width: Any = None, help: str | None = None) -> Any:
    """A column of exact numbers, already written."""
    return st.column_config.TextColumn(label, width=width, help=help, alignment="right")


def count(label: str, help: str | None = None) -> Any:
    """A column of whole numbers."""
    return st.column_config.NumberColumn(label, format="localized", help=help)


def day(label: str) -> Any:
    """A column of days."""
    return st.column_config.DateColumn(label, format="D MMM YYYY")


def instant(label: str) -> Any:
    """A column of instants, in UTC."""
    return st.column_config.DatetimeColumn(label, format="D MMM YYYY HH:mm", timezone="UTC")


def chart(
    drawn: Any,
    *,
    height: int = 260,
    key: str | None = None,
    on_select: Callable[[], None] | str | None = None,
) -> Any:
    """A chart in the style of the app."""
    drawn = (
        drawn.properties(height=height)
        .configure_view(strokeWidth=0)
        .configure_axis(
            labelColor=_INK,
            titleColor=_INK,
            gridColor="#eef1f3",
            domain=False,
            ticks=False,
            labelFontSize=12,
            titleFontSize=12,
            titleFontWeight="normal",
        )
        .configure_legend(
            labelColor=_INK, labelFontSize=12, title=None, orient="top", symbolType="square", symbolSize=90
        )
    )
    if on_select is None:
        return st.altair_chart(drawn, key=key)
    return st.altair_chart(drawn, key=key, on_select=on_select)  # type: ignore[arg-type]


def bars(
    rows: Sequence[Mapping[str, Any]], label: str, value: str, written: str, *, height: int | None = None
) -> None:
    """Horizontal bars with the exact number beside each: `value` draws, `written` is read."""
    frame = pd.DataFrame(
        [{"label": row[label], "value": float(row[value]), "written": row[written]} for row in rows]
    )
    base = alt.Chart(frame).encode(
        y=alt.Y("label:N", sort=None, title=None, axis=alt.Axis(labelLimit=210)),
        x=alt.X("value:Q", title=None, axis=None, scale=alt.Scale(domain=_room(frame["value"]))),
        tooltip=[alt.Tooltip("label:N", title=" "), alt.Tooltip("written:N", title="Amount")],
    )
    marks = base.mark_bar(color=ACCENT, cornerRadiusEnd=3, size=16)
    words = base.mark_text(align="left", dx=6, color=_INK, fontSize=12).encode(text="written:N")
    chart(marks + words, height=height or max(80, 30 * len(frame) + 10))


def _room(values: pd.Series[float]) -> list[float]:
    # Space for the numbers beside the bars.
    low, high = min(0.0, values.min()), max(0.0, values.max())
    return [low, high + 0.42 * ((high - low) or 1.0)]


def download(label: str, rows: Sequence[data.Row] | Callable[[], Sequence[data.Row]], file_name: str) -> None:
    """A button that gives rows as a CSV file, read when it is clicked if they are given as a function."""
    st.download_button(
        label,
        lambda: csv_of(rows() if callable(rows) else rows),
        file_name=file_name,
        mime="text/csv",
        icon=":material/download:",
        type="tertiary",
    )


def csv_of(rows: Sequence[data.Row]) -> bytes:
    """The rows as a table; text that a spreadsheet would take for a formula is made text."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(rows[0])
    for row in rows:
        writer.writerow(safe(value) if isinstance(value, str) else value for value in row.values())
    return out.getvalue().encode()


def person() -> str:
    """Who is signed in, by e-mail address; empty where the app has no sign-in and people say their name themselves."""
    return str(st.user.get("email") or "") if getattr(st.user, "is_logged_in", False) else ""


def ago(instant: datetime) -> str:
    """How long ago an instant was: 'just now', '12 minutes ago', '3 days ago'."""
    seconds = int((datetime.now(UTC) - instant).total_seconds())
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            passed = seconds // size
            return f"{passed} {unit}{'' if passed == 1 else 's'} ago"
    return "just now"


def _nothing_published() -> None:
    head("Ratehouse")
    empty(
        "inventory_2",
        "Nothing published yet",
        "Run `make demo` for a company with six months of invoices, or `ratehouse run` for your own.",
    )
