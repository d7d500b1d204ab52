"""Outbox: documents on their way by e-mail, what arrived, what did not and why, and sending once more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import altair as alt
import pandas as pd
import streamlit as st

from dashboards import data, figures, outbox
from dashboards.commands import CommandFailed
from dashboards.finance import shell
from ratehouse.settings import Settings

STATES = {
    "waiting": ("Waiting", "#9fb3c1"),
    "sent": ("Sent", "#0f766e"),
    "unknown": ("Unknown", "#d9a441"),
    "failed": ("Failed", "#d0604f"),
    "bounced": ("Bounced", "#8f2f2f"),
}
HELP = {
    "waiting": "Queued, or put off after a temporary failure.",
    "unknown": "Handed over, and the answer was lost; never sent again by itself.",
    "failed": "Refused for good, or eight tries came to nothing.",
    "bounced": "A delivery report came back.",
}


def main() -> None:
    """Show the page."""
    tenant = shell.tenant()
    tenant_id = tenant["tenant_id"]
    shell.head("Outbox", f"{tenant['name']} · messages as they are now")
    try:
        messages = outbox.messages(str(Settings.load().home), tenant_id)
    except CommandFailed as error:
        st.error(f"The outbox cannot be read: {error}", icon=":material/error:")
        return
    if not messages:
        shell.empty(
            "outgoing_mail",
            "The outbox is empty",
            "Set `mail.since` in `tenant.yaml`; `ratehouse deliver send` queues and sends what was issued since.",
        )
        return
    counts = Counter(row["state"] for row in messages)
    for column, (state, (name, _)) in zip(st.columns(len(STATES)), STATES.items(), strict=True):
        column.metric(
            name, figures.number(counts[state]), help=HELP.get(state), border=True, height="stretch"
        )
    _by_day(messages)
    problems = [row for row in messages if row["state"] in ("unknown", "failed", "bounced")]
    if problems:
        st.subheader("Needs a look", anchor=False)
        _table(problems)
        _retry(tenant_id, [row for row in problems if row["state"] != "unknown"])
    st.subheader("All messages", anchor=False)
    chosen = st.segmented_control(
        "State",
        list(STATES),
        selection_mode="multi",
        format_func=lambda state: STATES[state][0],
        key="outbox_states",
        label_visibility="collapsed",
    )
    shown = [row for row in messages if not chosen or row["state"] in chosen]
    _table(list(reversed(shown)))
    if shown:
        shell.download("Messages as CSV", shown, f"{tenant_id}-outbox.csv")


def _by_day(messages: Sequence[data.Row]) -> None:
    found = Counter((row["queued_at"].date(), row["state"]) for row in messages)
    if len({day for day, _ in found}) < 2:
        return
    frame = pd.DataFrame(
        [
            {"day": str(day), "state": STATES[state][0], "messages": count}
            for (day, state), count in found.items()
        ]
    )
    names, colours = zip(*STATES.values(), strict=True)
    shell.chart(
        alt.Chart(frame)
        .mark_bar()
        .encode(
            x=alt.X("day:T", title="Queued"),
            y=alt.Y("messages:Q", title="Messages", axis=alt.Axis(tickMinStep=1)),
            color=alt.Color("state:N", scale=alt.Scale(domain=names, range=colours)),
            tooltip=["day:T", "state:N", "messages:Q"],
        ),
        height=200,
    )


def _table(rows: Sequence[data.Row]) -> None:
    shell.table(
        [
            {
                **row,
                "state": STATES[row["state"]][0],
                "kind": figures.label(row["kind"]),
                "answer": " ".join(filter(None, (row["code"], row["detail"]))),
                "next": row["next_attempt_at"] if row["state"] == "waiting" else None,
            }
            for row in rows
        ],
        {
            "invoice_number": shell.text("Document"),
            "kind": shell.text("Kind"),
            "recipient": shell.text("To"),
            "state": shell.text("State", "small"),
            "queued_at": shell.instant("Queued (UTC)"),
            "tries": shell.count("Tries"),
            "next": shell.instant("Next try (UTC)"),
            "answer": shell.text("Last answer", "large"),
        },
    )


def _retry(tenant_id: str, rows: Sequence[data.Row]) -> None:
    if said := st.session_state.pop("outbox_said", None):
        st.success(said, icon=":material/check:")
    if not rows:
        return
    with st.form("retry", border=True):
        first, second = st.columns([3, 1])
        row = first.selectbox(
            "Message",
            rows,
            format_func=lambda one: f"{one['invoice_number']} to {one['recipient']}",
            key="retry_message",
        )
        by = second.text_input(
            "Your name", value=shell.person(), disabled=bool(shell.person()), key="retry_by"
        )
        pressed = st.form_submit_button("Send once more", type="primary", icon=":material/redo:")
    if not pressed or row is None:
        return
    if not by.strip():
        st.error("Say who you are.", icon=":material/block:")
        return
    try:
        said = outbox.retry(tenant_id, row["invoice_number"], row["recipient"], by=by.strip())
    except CommandFailed as error:
        st.error(str(error), icon=":material/block:")
        return
    st.session_state["outbox_said"] = said
    st.rerun()


main()
