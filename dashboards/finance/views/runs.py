"""Runs: what was issued when and with which clocks, the last publish, and tenants a run would leave out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from zoneinfo import ZoneInfo

import altair as alt
import pandas as pd
import streamlit as st

from dashboards import data, figures
from dashboards.finance import shell
from ratehouse.configuration import load_configuration
from ratehouse.errors import RatehouseError
from ratehouse.settings import Settings


def main() -> None:
    """Show the page."""
    tenant = shell.tenant()
    shell.head("Runs", shell.clocks(tenant))
    _left_out()
    runs = data.query("runs", tenant["tenant_id"])
    if not runs:
        shell.empty(
            "schedule",
            "Nothing was issued yet",
            "`ratehouse run` bills today; `ratehouse backfill` bills a range of days.",
        )
        return
    zone = ZoneInfo(tenant["timezone"])
    latest = runs[0]
    columns = st.columns(4)
    columns[0].metric(
        "Last billed day", figures.day(latest["billing_as_of"].astimezone(zone).date()), border=True
    )
    columns[1].metric("Documents of that run", figures.number(latest["documents"]), border=True)
    columns[2].metric("Runs that issued something", figures.number(len(runs)), border=True)
    columns[3].metric(
        "Published", shell.ago(data.published_at()), help=figures.instant(data.published_at()), border=True
    )
    st.subheader("Lines issued per run", anchor=False)
    _drawn(runs, zone)
    st.subheader("All runs", anchor=False)
    _all(tenant["tenant_id"], runs, zone)


def _left_out() -> None:
    try:
        failures = load_configuration(Settings.load()).failures
    except RatehouseError as error:
        st.warning(f"The tenants' settings cannot be read here: {error}", icon=":material/folder_off:")
        return
    for name, failure in failures.items():
        st.error(f"**{name}** would be left out of the next run: {failure}", icon=":material/error:")


def _drawn(runs: Sequence[data.Row], zone: ZoneInfo) -> None:
    frame = pd.DataFrame(
        [
            {
                "day": row["billing_as_of"].astimezone(zone).date().isoformat(),
                "lines": row["lines"],
                "documents": figures.number(row["documents"]),
            }
            for row in reversed(runs)
        ]
    )
    drawn = (
        alt.Chart(frame)
        .mark_bar(color=shell.ACCENT, size=max(4, min(38, 800 // max(1, len(frame)))))
        .encode(
            x=alt.X(
                "day:O",
                title=None,
                axis=alt.Axis(
                    labelExpr="timeFormat(toDate(datum.value + 'T00:00'), '%-d %b %Y')",
                    labelAngle=0,
                    labelOverlap=True,
                ),
            ),
            y=alt.Y("lines:Q", title="Lines", axis=alt.Axis(format="~s", tickCount=4)),
            tooltip=[
                alt.Tooltip("day:O", title="Billed day"),
                alt.Tooltip("documents:N", title="Documents"),
                alt.Tooltip("lines:Q", title="Lines", format=","),
            ],
        )
    )
    shell.chart(drawn, height=200)


def _all(tenant_id: str, runs: Sequence[data.Row], zone: ZoneInfo) -> None:
    totals: dict[str, list[str]] = defaultdict(list)
    for row in data.query("run_totals", tenant_id):
        totals[row["run_key"]].append(figures.money(row["total"], row["currency"]))
    shown = [
        {
            **row,
            "billed_day": row["billing_as_of"].astimezone(zone).date(),
            "totals": "  +  ".join(totals[row["run_key"]]),
            "run": row["run_key"][:12],
        }
        for row in runs
    ]
    visit = st.session_state.setdefault("runs_visit", 0)
    picked = shell.table(
        shown,
        {
            "billed_day": shell.day("Billed day"),
            "documents": shell.count("Documents"),
            "lines": shell.count("Lines"),
            "totals": shell.figure("Issued", "large"),
            "known_as_of": shell.instant("Facts known at (UTC)"),
            "run": shell.text("Run"),
            "code_version": shell.text("Version", "small"),
        },
        key=f"runs_{visit}",
        opens=True,
    )
    st.caption("Click a run to see its documents.")
    if picked is not None and picked < len(runs):
        st.session_state["runs_visit"] += 1
        st.switch_page(
            "views/invoices.py", query_params={"tenant": tenant_id, "run": runs[picked]["run_key"]}
        )


main()
