"""What people decide about matches, as facts: `raw/manual_matches`. Pages and the command line append here and nowhere else.

What a decision does is SQL (`dbt_project/models/reconciliation`, `models/payments/int_payments__decisions.sql`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from ratehouse.canonical_json import canonical
from ratehouse.errors import RatehouseError
from ratehouse.lake import Lake
from ratehouse.streams import land

STREAM = "manual_matches"
Area = Literal["cash", "processor", "bank"]
Action = Literal["match", "unmatch"]
# What stands on the left of a match of an area, and what may stand on its right.
SIDES: dict[Area, tuple[str, str]] = {
    "cash": ("payment", "invoice number"),
    "processor": ("movement", "payment, refund or payout"),
    "bank": ("bank line", "payout or payment"),
}


class MatchRefused(RatehouseError):
    """A decision that says nothing: a side, a person or a reason is missing."""


@dataclass(frozen=True)
class Decided:
    """A decision in the lake.

    Attributes:
        match_id: its identity.
        is_new: it was appended; False where the same already stood.
    """

    match_id: str
    is_new: bool


def decide(
    lake: Lake,
    *,
    tenant_id: str,
    area: str,
    left: str,
    right: str,
    action: str,
    by: str,
    reason: str,
    decided_at: datetime | None = None,
) -> Decided:
    """Append that two things belong together, or do not. What already stands is not said again.

    Args:
        lake: where to.
        tenant_id: whose reconciliation.
        area: cash, processor or bank.
        left: a payment, a movement of the processor, a line of the bank.
        right: what it is (not) matched with; see SIDES.
        action: match or unmatch.
        by: who decides.
        reason: why, for whoever asks later.
        decided_at: from when it counts (UTC; default now).

    Raises:
        MatchRefused: something of it is missing or no word of ours.
        LakeNotWritable: the lake takes no files.
    """
    said = {
        "left side": left.strip(),
        "right side": right.strip(),
        "person": by.strip(),
        "reason": reason.strip(),
    }
    for name, value in said.items():
        if not value:
            raise MatchRefused(f"A decision needs its {name}; give one.")
    if area not in get_args(Area):
        raise MatchRefused(f"There is no area {area}; use one of {', '.join(get_args(Area))}.")
    if action not in get_args(Action):
        raise MatchRefused(f"There is no decision {action}; use match or unmatch.")
    now = (decided_at or datetime.now(UTC)).astimezone(UTC)
    pair = {
        "area": area,
        "left_reference": said["left side"],
        "right_reference": said["right side"],
    }
    before = _of_pair(lake, tenant_id, pair)
    if before and before[-1]["action"] == action:
        return Decided(before[-1]["match_id"], is_new=False)
    # Numbered, so that two people who decide the same at once say it once.
    identity = canonical([tenant_id, pair, action, len(before)])
    match_id = "mm_" + hashlib.sha256(identity.encode()).hexdigest()[:24]
    landed = land(
        lake,
        STREAM,
        [
            {
                **pair,
                "match_id": match_id,
                "action": action,
                "decided_by": said["person"],
                "effective_at": now,
                "reason": said["reason"],
            }
        ],
        tenant_id=tenant_id,
        source="person",
        batch_id=f"manual-{match_id}",
        received_at=now,
    )
    return Decided(match_id, is_new=not landed.already_landed)


def _of_pair(lake: Lake, tenant_id: str, pair: dict[str, str]) -> list[dict[str, Any]]:
    """What was decided about the two, in order."""
    table = lake.read(f"raw/{STREAM}")
    rows = [] if table is None else table.to_pylist()
    about = [
        row
        for row in rows
        if row["tenant_id"] == tenant_id and all(row[name] == value for name, value in pair.items())
    ]
    return sorted(about, key=lambda row: (max(row["effective_at"], row["recorded_at"]), row["match_id"]))
