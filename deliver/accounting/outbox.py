"""What became of every entry that was posted to an accounting system: facts of the stream `journal_postings`.

Belongs here: keys, claims, facts, states. Does not belong here: speaking to a system (`connection`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import duckdb

from deliver import facts
from deliver.accounting.journal import AccountingError
from deliver.documents.formats import clean
from ratehouse.canonical_json import canonical
from ratehouse.lake import Lake

HERE = Path(__file__).parent
STREAM = "journal_postings"

State = Literal["waiting", "unknown", "posted", "refused"]


@dataclass(frozen=True, slots=True)
class Posting:
    """One part of an entry on its way into one accounting system, as the facts have it.

    Attributes:
        tenant_id: whose journal.
        posting_id: the same tenant, system and number have the same one.
        state: waiting, unknown (sent, answer lost), posted or refused.
        target: the system.
        period: the month of posting.
        entry_id: the entry it is of.
        number: our number of it in the system.
        sent_hash: of what was sent last.
        sent: what was sent last, as JSON.
        attempt: how often it was claimed.
        voids: how often it was taken back.
        last_at: when something was last said about it.
        external_id: the system's id of it, while it is posted.
        detail: what the system said last.
    """

    tenant_id: str
    posting_id: str
    state: State
    target: str
    period: str
    entry_id: str
    number: str
    sent_hash: str
    sent: str
    attempt: int
    voids: int
    last_at: datetime
    external_id: str | None
    detail: str | None


def digest(*meaning: object) -> str:
    """40 hexadecimal digits of what something is, never of when."""
    return hashlib.sha256(canonical(list(meaning)).encode()).hexdigest()[:40]


def posting_id(tenant_id: str, target: str, number: str) -> str:
    """The identity of a part in a system."""
    return digest(tenant_id, target, number)


def read_postings(lake: Lake, tenant_id: str, target: str) -> dict[str, Posting]:
    """Every posting of a tenant to a system by its number."""
    with duckdb.connect() as connection:
        facts.register(connection, lake, [STREAM])
        rows = connection.sql((HERE / "outbox.sql").read_text(encoding="utf-8")).to_arrow_table().to_pylist()
    found = [Posting(**row) for row in rows]
    return {one.number: one for one in found if one.tenant_id == tenant_id and one.target == target}


def record(
    lake: Lake,
    posting: Posting,
    event: str,
    *,
    at: datetime,
    external_id: str | None = None,
    detail: str | None = None,
) -> bool:
    """Land one fact about a posting; False, and nothing changed, if that fact is there already.

    Whoever lands `claimed` of an attempt has the right to make it.
    """
    name = f"journal-{posting.posting_id}-{posting.attempt}-{event}"
    fact = {
        "posting_id": posting.posting_id,
        "event": event,
        "attempt": posting.attempt,
        "target": posting.target,
        "period": posting.period,
        "entry_id": posting.entry_id,
        "number": posting.number,
        "sent_hash": posting.sent_hash,
        "sent": posting.sent,
        "external_id": external_id,
        "occurred_at": at,
        "detail": clean(detail)[:500] if detail else None,
    }
    return facts.append(
        lake, STREAM, [fact], tenant_id=posting.tenant_id, source="journal", name=name, error=AccountingError
    )


def idempotency_key(posting: Posting) -> str:
    """The key of a request: the same content of the same part is posted once; taken back, it may be posted anew."""
    return digest(posting.posting_id, posting.sent_hash, posting.voids)
