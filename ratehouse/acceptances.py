"""What people let stand of items of the reconciliation, as facts: `raw/manual_acceptances`. Pages and commands append here.

A fee of the bank has no document that explains it; a person says which account takes it. What the decision does is SQL
(`int_reconciliation__items`, `int_accounting__cash`). The amount is a part of the fact: what is found later changes no posting.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from ratehouse.decisions import Decisions
from ratehouse.errors import RatehouseError
from ratehouse.lake import Lake
from ratehouse.stream_schema import ACCEPTED_AS

STREAM = "manual_acceptances"
# Areas whose differences an account can take: of the bank against cash, of the processor against clearing.
POSTED = ("bank", "processor")
# What nobody has to look at: nothing of it is left to be explained.
SETTLED = ("matched", "accepted", "written_off", "intercompany")
# Decisions that changed nothing; they are taken back, not accepted.
WITHOUT_EFFECT = ("match_without_effect", "acceptance_without_effect")


class AcceptanceRefused(RatehouseError):
    """A decision that cannot be: no such item, a person or a reason is missing, an account that cannot take it."""


_DECISIONS = Decisions(STREAM, "acceptance_id", "ma_", AcceptanceRefused)


@dataclass(frozen=True)
class Item:
    """An item of the reconciliation as it is published. `difference` is found less expected."""

    area: str
    status: str
    reference: str
    difference: Decimal
    currency: str


@dataclass(frozen=True)
class Accepted:
    """A decision in the lake.

    Attributes:
        acceptance_id: its identity.
        is_new: it was appended; False where the same already stood.
    """

    acceptance_id: str
    is_new: bool


def find(serving: Path, *, tenant_id: str, area: str, reference: str, status: str | None = None) -> Item:
    """The exception that a reference names, as published.

    Raises:
        AcceptanceRefused: nothing is published, or no exception or several have this reference.
    """
    found = _DECISIONS.published(
        serving,
        """
        select status, coalesce(difference, actual_amount), currency
        from marts.reconciliation_items
        where tenant_id = ? and area = ? and reference = ? and not list_contains(?, status)
        order by status
        """,
        [tenant_id, area, reference, list(WITHOUT_EFFECT)],
    )
    settled = [row[0] for row in found if row[0] in SETTLED]
    found = [row for row in found if row[0] not in SETTLED and status in (None, row[0])]
    if settled and not found:
        raise _settled(reference, settled)
    if not found:
        raise AcceptanceRefused(
            f"No exception of {tenant_id} in {area} has the reference {reference}; see the page."
        )
    if len(found) > 1:
        raise AcceptanceRefused(
            f"{reference} is {' and '.join(row[0] for row in found)}; say which with --status."
        )
    (name, difference, currency) = found[0]
    return Item(area, name, reference, difference, currency)


def accept(
    lake: Lake,
    item: Item,
    *,
    tenant_id: str,
    account_role: str | None,
    by: str,
    reason: str,
    decided_at: datetime | None = None,
) -> Accepted:
    """Append that an item stands as it is, and which account takes its difference. What already stands is not said again.

    Args:
        lake: where to.
        item: what it is about.
        tenant_id: whose reconciliation.
        account_role: one of ACCEPTED_AS; None where it is booked elsewhere, or nothing is to be booked.
        by: who decides.
        reason: why, for whoever asks later.
        decided_at: from when it counts (UTC; default now).

    Raises:
        AcceptanceRefused: something of it is missing or cannot be.
        LakeNotWritable: the lake takes no files.
    """
    if item.status in SETTLED:
        raise _settled(item.reference, [item.status])
    if account_role is not None and item.status == "fee_variance":
        raise AcceptanceRefused(
            "The fee is in the books as it was taken; without an account its difference is noted as seen."
        )
    if account_role is not None and item.area not in POSTED:
        raise AcceptanceRefused(
            f"An item of {item.area} is about documents: give a credit, refund or match it. Without an account it is only noted."
        )
    if account_role is not None and account_role not in ACCEPTED_AS:
        raise AcceptanceRefused(
            f"No account {account_role} takes it; use one of {', '.join(sorted(ACCEPTED_AS))}."
        )
    before = _of_item(lake, tenant_id, item)
    standing = before[-1] if before and before[-1]["action"] == "accept" else None
    said = (item.difference, account_role)
    if standing is not None and said == (standing["amount"], standing["account_role"]):
        return Accepted(standing["acceptance_id"], is_new=False)
    if standing is not None:
        raise AcceptanceRefused(
            f"{standing['decided_by']} accepted {standing['amount']:f} {item.currency} of it before; withdraw that first."
        )
    return _append(lake, tenant_id, item, "accept", account_role, by, reason, decided_at, len(before))


def withdraw(
    lake: Lake,
    *,
    tenant_id: str,
    area: str,
    reference: str,
    by: str,
    reason: str,
    status: str | None = None,
    decided_at: datetime | None = None,
) -> Accepted:
    """Take back what stands: the item is an exception again, and what was posted is reversed on the day of the withdrawal.

    Raises:
        AcceptanceRefused: nothing stands about it, or about several classes of it, or a person or a reason is missing.
    """
    classes: dict[str, list[dict[str, Any]]] = {}
    for row in _DECISIONS.about(lake, tenant_id, area=area, reference=reference):
        if status in (None, row["item_status"]):
            classes.setdefault(row["item_status"], []).append(row)
    standing = [rows for rows in classes.values() if rows[-1]["action"] == "accept"]
    if not standing:
        raise AcceptanceRefused(f"Nobody accepted {reference} in {area} of {tenant_id}, or it was withdrawn.")
    if len(standing) > 1:
        names = " and ".join(sorted(rows[-1]["item_status"] for rows in standing))
        raise AcceptanceRefused(f"{reference} is accepted as {names}; say which with --status.")
    (rows,) = standing
    last = rows[-1]
    item = Item(area, last["item_status"], reference, last["amount"], last["currency"])
    return _append(lake, tenant_id, item, "withdraw", last["account_role"], by, reason, decided_at, len(rows))


def _settled(reference: str, statuses: list[str]) -> AcceptanceRefused:
    return AcceptanceRefused(
        f"{reference} is {' and '.join(statuses)}: it is no exception, and there is nothing to accept."
    )


def _append(
    lake: Lake,
    tenant_id: str,
    item: Item,
    action: str,
    account_role: str | None,
    by: str,
    reason: str,
    decided_at: datetime | None,
    number: int,
) -> Accepted:
    about = {"area": item.area, "item_status": item.status, "reference": item.reference}
    fact = {
        **about,
        "action": action,
        "amount": item.difference,
        "currency": item.currency,
        "account_role": account_role,
    }
    return Accepted(
        *_DECISIONS.append(
            lake,
            fact,
            identity=[tenant_id, about, action, number],
            tenant_id=tenant_id,
            by=by,
            reason=reason,
            decided_at=decided_at,
        )
    )


def _of_item(lake: Lake, tenant_id: str, item: Item) -> list[dict[str, Any]]:
    return _DECISIONS.about(
        lake, tenant_id, area=item.area, item_status=item.status, reference=item.reference
    )
