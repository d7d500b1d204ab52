"""What people say of money, as facts: whose a payment is, and that a customer has proven a tax that it kept.

Pages and commands append to `raw/intercompany_claims` and `raw/withholding_certificates` here; what that does is SQL
(`models/payments`, `int_accounting__cash`).
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

CLAIMS = "intercompany_claims"
CERTIFICATES = "withholding_certificates"


class DecisionRefused(RatehouseError):
    """A decision that cannot be: something that it needs is missing, or what it is about is not there."""


_CLAIMS = Decisions(CLAIMS, "claim_id", "ic_", DecisionRefused)
_CERTIFICATES = Decisions(CERTIFICATES, "certificate_id", "wc_", DecisionRefused)


@dataclass(frozen=True)
class Said:
    """A decision in the lake.

    Attributes:
        fact_id: its identity.
        is_new: it was appended; False where the same already stood.
    """

    fact_id: str
    is_new: bool


@dataclass(frozen=True)
class Withheld:
    """What a customer kept of an invoice, as published: `waiting` is what no certificate proves yet."""

    invoice_number: str
    waiting: Decimal
    currency: str


def hold(
    lake: Lake,
    *,
    tenant_id: str,
    payment_id: str,
    entity: str,
    by: str,
    reason: str,
    decided_at: datetime | None = None,
) -> Said:
    """Say that a payment's money is another legal entity's: what of it waits is kept for that entity.

    Raises:
        DecisionRefused: a word of it is missing, or it is held for another entity.
        LakeNotWritable: the lake takes no files.
    """
    _CLAIMS.require({"payment": payment_id, "entity": entity})
    before = _CLAIMS.about(lake, tenant_id, payment_id=payment_id)
    standing = before[-1] if before and before[-1]["action"] == "hold" else None
    if standing is not None and standing["entity"] == entity.strip():
        return Said(standing["claim_id"], is_new=False)
    if standing is not None:
        raise DecisionRefused(f"{payment_id} is held for {standing['entity']}; release it first.")
    about = {"payment_id": payment_id, "entity": entity.strip(), "action": "hold"}
    return _say(_CLAIMS, lake, about, len(before), tenant_id, by, reason, decided_at)


def release(
    lake: Lake, *, tenant_id: str, payment_id: str, by: str, reason: str, decided_at: datetime | None = None
) -> Said:
    """Take a hold back: the money waits on the customer's account again.

    Raises:
        DecisionRefused: the payment is not held, or a person or a reason is missing.
        LakeNotWritable: the lake takes no files.
    """
    before = _CLAIMS.about(lake, tenant_id, payment_id=payment_id)
    if not before or before[-1]["action"] != "hold":
        raise DecisionRefused(f"Nobody holds {payment_id} of {tenant_id}, or it was released.")
    about = {"payment_id": payment_id, "entity": before[-1]["entity"], "action": "release"}
    return _say(_CLAIMS, lake, about, len(before), tenant_id, by, reason, decided_at)


def find_withheld(serving: Path, *, tenant_id: str, invoice_number: str) -> Withheld:
    """What waits for a certificate of an invoice, as published.

    Raises:
        DecisionRefused: nothing is published, or nothing waits of this invoice.
    """
    found = _CERTIFICATES.published(
        serving,
        "select waiting_amount, currency from marts.withholding_taxes"
        " where tenant_id = ? and invoice_number = ? and waiting_amount > 0",
        [tenant_id, invoice_number],
    )
    if not found:
        raise DecisionRefused(f"No tax kept of {invoice_number} of {tenant_id} waits for a certificate.")
    ((waiting, currency),) = found
    return Withheld(invoice_number, waiting, currency)


def certify(
    lake: Lake,
    withheld: Withheld,
    *,
    tenant_id: str,
    status: str,
    by: str,
    reason: str,
    amount: Decimal | None = None,
    number: str | None = None,
    decided_at: datetime | None = None,
) -> Said:
    """Say that the certificate came, or that none will come: then what was kept is open again.

    Args:
        lake: where to.
        withheld: what it is about.
        tenant_id: whose receivable.
        status: received or refused.
        by: who says so.
        reason: why, for whoever asks later.
        amount: what it is over, in the invoice's currency; None is all that waits.
        number: the certificate's own number.
        decided_at: from when it counts (UTC; default now).

    Raises:
        DecisionRefused: something of it is missing, or it is over more than waits.
        LakeNotWritable: the lake takes no files.
    """
    over = withheld.waiting if amount is None else amount
    if not 0 < over <= withheld.waiting:
        raise DecisionRefused(
            f"Of {withheld.invoice_number} {withheld.waiting:f} {withheld.currency} wait; the certificate is over {over:f}."
        )
    about = {
        "invoice_number": withheld.invoice_number,
        "status": status,
        "amount": over,
        "currency": withheld.currency,
        "number": number,
    }
    before = _CERTIFICATES.about(lake, tenant_id, invoice_number=withheld.invoice_number)
    same = [row for row in before if number and (row["number"], row["status"]) == (number, status)]
    if same:
        return Said(same[-1]["certificate_id"], is_new=False)
    return _say(_CERTIFICATES, lake, about, len(before), tenant_id, by, reason, decided_at)


def _say(
    decisions: Decisions,
    lake: Lake,
    about: dict[str, Any],
    number: int,
    tenant_id: str,
    by: str,
    reason: str,
    decided_at: datetime | None,
) -> Said:
    identity = [tenant_id, {name: str(value) for name, value in about.items()}, number]
    return Said(
        *decisions.append(
            lake, about, identity=identity, tenant_id=tenant_id, by=by, reason=reason, decided_at=decided_at
        )
    )
