"""What people decide about matches, as facts: `raw/manual_matches`. Pages and the command line append here and nowhere else.

What a decision does is SQL (`dbt_project/models/reconciliation`, `models/payments/int_payments__decisions.sql`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from ratehouse.decisions import Decisions
from ratehouse.errors import RatehouseError
from ratehouse.lake import Lake

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


_DECISIONS = Decisions(STREAM, "match_id", "mm_", MatchRefused)


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
    _DECISIONS.require({"left side": left, "right side": right, "person": by, "reason": reason})
    if area not in get_args(Area):
        raise MatchRefused(f"There is no area {area}; use one of {', '.join(get_args(Area))}.")
    if action not in get_args(Action):
        raise MatchRefused(f"There is no decision {action}; use match or unmatch.")
    pair = {"area": area, "left_reference": left.strip(), "right_reference": right.strip()}
    before = _DECISIONS.about(lake, tenant_id, **pair)
    if before and before[-1]["action"] == action:
        return Decided(before[-1]["match_id"], is_new=False)
    return Decided(
        *_DECISIONS.append(
            lake,
            {**pair, "action": action},
            identity=[tenant_id, pair, action, len(before)],
            tenant_id=tenant_id,
            by=by,
            reason=reason,
            decided_at=decided_at,
        )
    )
