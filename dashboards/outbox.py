"""The messages to customers as they are now, and asking for another try: both by `ratehouse deliver`.

Mail goes out after a publish, so the serving file would always be a night behind. Belongs here: getting messages to the
page. Does not belong here: what a state means (`deliver/mail/outbox.sql`, which no page imports).
"""

from __future__ import annotations

import json
from datetime import datetime

import streamlit as st

from dashboards import commands
from dashboards.data import Row

TTL_SECONDS = 60
_INSTANTS = ("queued_at", "next_attempt_at", "last_at")


@st.cache_data(ttl=TTL_SECONDS, max_entries=20, show_spinner="Reading the outbox")
def messages(home: str, tenant_id: str) -> list[Row]:
    """Every message of a tenant, as `ratehouse deliver status --json` tells it; instants in UTC.

    Args:
        home: the installation, for the cache.
        tenant_id: whose messages.

    Raises:
        CommandFailed: the outbox cannot be read.
    """
    told = json.loads(commands.run("deliver", "status", "--json", "--tenant", tenant_id))
    return [{**row, **{name: datetime.fromisoformat(row[name]) for name in _INSTANTS}} for row in told]


def retry(tenant_id: str, number: str, recipient: str, *, by: str) -> str:
    """Note that a message is to be sent once more with the next `deliver send`; what the command said.

    Raises:
        CommandFailed: it cannot be as things are, with the reason.
    """
    said = commands.run(
        "deliver", "retry", number, "--tenant", tenant_id, "--to", recipient, "--by", by, "--again"
    )
    messages.clear()
    return said.strip()
