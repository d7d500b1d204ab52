"""What changed: two publishes compared, by mart and row, with the facts that were learned in between."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from dashboards import data, figures
from dashboards.finance import made, shell
from ratehouse import publishes
from ratehouse.errors import RatehouseError
from ratehouse.publishes import ChangedRow, Fact, Publish
from ratehouse.settings import Settings

SHOWN = 500
_LONGEST = 160


def main() -> None:
    """Show the page."""
    tenant = shell.tenant()
    tenant_id = tenant["tenant_id"]
    shell.head("What changed", shell.clocks(tenant))
    settings = Settings.load()
    every = [one for one in publishes.listed(settings) if tenant_id in one.clocks]
    if len(every) < 2:
        shell.empty(
            "history",
            "Only one publish is kept",
            "Every run leaves one; with the next there is something to compare with.",
        )
        return
    chosen = _choose(tenant_id, every)
    if chosen is None:
        return
    before, after = chosen
    key = (tenant_id, before.publish_id, after.publish_id)
    try:
        differences = data.remembered(
            ("compare", *key), lambda _: publishes.compare(tenant_id, before, after)
        )
        learned = data.remembered(
            ("facts", *key), lambda _: publishes.facts(settings, tenant_id, before, after)
        )
    except RatehouseError as error:
        st.error(error.message)
        return
    for sentence in publishes.circumstances(tenant_id, before, after, ""):
        st.markdown(f":material/info: {sentence[0].upper()}{sentence[1:]}.")
    moved = [one for one in differences if one.added or one.removed or one.changed]
    if not moved:
        shell.empty("check_circle", "Nothing differs", "Every mart with money in it is the same in both.")
        return
    picked = shell.table(
        [
            {
                "mart": one.mart,
                "added": one.added,
                "removed": one.removed,
                "changed": one.changed,
                "measure": figures.label(publishes.MEASURES[one.mart])
                if publishes.MEASURES[one.mart]
                else "",
                "moved": _moved(one),
                "sql": "other SQL" if one.is_other_sql else "",
            }
            for one in moved
        ],
        {
            "mart": shell.text("Mart"),
            "added": shell.count("Rows added"),
            "removed": shell.count("Removed"),
            "changed": shell.count("Changed"),
            "measure": shell.text("Amount"),
            "moved": shell.text("Before and after", "large"),
            "sql": shell.text("Made by", "small"),
        },
        key="changes_marts",
        opens=True,
        rows_shown=20,
    )
    left, right = st.columns([1, 2])
    names = [one.mart for one in moved]
    mart = str(left.selectbox("Mart", names, index=picked or 0, key=f"changes_mart_{picked or 0}"))
    like = right.text_input(
        "Why did this number move? A contract, customer, document or month", key="changes_like"
    )
    rows = data.remembered(
        ("rows", *key, mart, like),
        lambda _: publishes.changed_rows(tenant_id, before, after, mart, like=like, limit=SHOWN),
    )
    for sentence in publishes.circumstances(tenant_id, before, after, mart):
        if mart in sentence:
            st.warning(f"{sentence[0].upper()}{sentence[1:]}.", icon=":material/code:")
    _rows(tenant_id, mart, rows, learned)
    made.behind(mart, key="changes")


def _choose(tenant_id: str, every: Sequence[Publish]) -> tuple[Publish, Publish] | None:
    ids = [one.publish_id for one in every]
    named = {one.publish_id: _name(tenant_id, one) for one in every}
    closed = every[0].clocks[tenant_id].closed_hash
    with st.container(horizontal=True, vertical_alignment="bottom"):
        earlier = st.selectbox("From", ids[1:], format_func=named.__getitem__, key="changes_from")
        later = st.selectbox("To", ids, format_func=named.__getitem__, key="changes_to")
        since_close = st.toggle("Since the last close", disabled=not closed, key="changes_since_close")
    if since_close:
        try:
            earlier = publishes.of_last_close(Settings.load(), tenant_id).publish_id
        except RatehouseError as error:
            st.error(error.message)
            return None
    by_id = {one.publish_id: one for one in every}
    first, second = sorted((str(earlier), str(later)))
    if first == second:
        shell.empty("compare_arrows", "One and the same", "Choose two publishes.")
        return None
    return by_id[first], by_id[second]


def _name(tenant_id: str, one: Publish) -> str:
    clock = one.clocks[tenant_id]
    closed = f", closed up to {clock.closed_with}" if clock.closed_with else ""
    return f"{figures.instant(one.published_at)} · billed up to {figures.day(clock.billing_as_of.date())}{closed}"


def _moved(one: publishes.Difference) -> str:
    return " · ".join(
        f"{figures.amount(then, code)} \N{RIGHTWARDS ARROW} {figures.money(now, code)}" if code
        else f"{figures.number_text(then)} \N{RIGHTWARDS ARROW} {figures.number_text(now)}"
        for code, (then, now) in one.sums.items()
        if then != now
    )  # fmt: skip


def _rows(tenant_id: str, mart: str, rows: Sequence[ChangedRow], learned: Sequence[Fact]) -> None:
    if not rows:
        shell.empty("search_off", "No such row differs", "Another word, or another mart.")
        return
    measure = publishes.MEASURES[mart]
    table = [
        {
            "kind": figures.label(row.kind),
            "key": ", ".join(
                _value(value) for value in {**row.key, **_names(row)}.values() if value is not None
            ),
            "amount": _value(row.values.get(measure)) if measure else "",
            "what": "; ".join(
                f"{figures.label(name)} {_value(then)} \N{RIGHTWARDS ARROW} {_value(now)}"
                for name, (then, now) in row.changes.items()
            ),
        }
        for row in rows
    ]
    picked = shell.table(
        table,
        {
            "kind": shell.text("Row", "small"),
            "key": shell.text("Which", "large"),
            "amount": shell.figure(figures.label(measure) if measure else " "),
            "what": shell.text("Before and after", "large"),
        },
        key=f"changes_rows_{mart}",
        opens=True,
    )
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        most = f" The largest {SHOWN} are shown." if len(rows) == SHOWN else ""
        st.caption(f"Click a row for the facts behind it.{most}", width="content")
        shell.download("Rows as CSV", table, f"{tenant_id}-changes-{mart}.csv")
    row = rows[picked or 0]
    st.subheader("Learned in between, about this row", anchor=False)
    st.caption(", ".join(f"{name} {_value(value)}" for name, value in row.key.items() if value is not None))
    found = publishes.causes(row, learned)
    if not found:
        shell.empty(
            "schedule",
            "No fact",
            "It follows from time that passed, from what was issued or closed, or from other SQL.",
        )
        return
    shell.table(
        [
            {
                "stream": figures.label(fact.stream),
                "recorded_at": fact.recorded_at,
                "source": fact.source,
                "rows": fact.rows,
                "content": ", ".join(f"{name} {_value(value)}" for name, value in fact.content.items()),
            }
            for fact in found[:SHOWN]
        ],
        {
            "stream": shell.text("Fact"),
            "recorded_at": shell.instant("Recorded (UTC)"),
            "source": shell.text("By", "small"),
            "rows": shell.count("Rows"),
            "content": shell.text("What it says", "large"),
        },
        key=None,
    )


def _names(row: ChangedRow) -> dict[str, Any]:
    """What a person knows a row by, where its key does not say it."""
    return {
        name: row.values.get(name)
        for name in ("invoice_number", "customer_id", "charge")
        if name in row.values
    }


def _value(value: Any) -> str:
    if value is None:
        return "nothing"
    text = figures.number_text(value) if hasattr(value, "as_tuple") else str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


main()
