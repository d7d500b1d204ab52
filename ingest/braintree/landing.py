"""Landing of Braintree's objects: what is kept of each, and the facts it tells. The same content twice changes nothing.

An object that cannot be read is quarantined as a reject of `braintree_objects`, with the reason.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from ingest.braintree.facts import Object, Unusable, facts
from ingest.stripe.landing import Landing
from ratehouse.canonical_json import canonical
from ratehouse.lake import Lake
from ratehouse.streams import land

# What is kept of a transaction: what tells of money, and nothing of who paid or with which card but the brand.
_TRANSACTION = (
    "id", "type", "status", "amount", "currency_iso_code", "order_id", "merchant_account_id",
    "refunded_transaction_id", "gateway_rejection_reason", "processor_response_code", "processor_response_type",
    "payment_instrument_type", "created_at", "updated_at",
)  # fmt: skip
_DETAILS = (
    "disbursement_date", "settlement_amount", "settlement_currency_iso_code",
    "settlement_currency_exchange_rate", "success",
)  # fmt: skip
_DISPUTE = (
    "id", "status", "kind", "amount_disputed", "amount_won", "currency_iso_code", "merchant_account_id",
    "reason", "received_date", "reply_by_date",
)  # fmt: skip
_DISBURSEMENT = (
    "id", "amount", "disbursement_date", "disbursement_type", "success", "retry", "exception_message",
)  # fmt: skip


def transaction(read: Any, refunded: Any = None) -> dict[str, Any]:
    """What is kept of the SDK's transaction.

    Args:
        read: the transaction.
        refunded: the transaction that it refunds, if it is a refund.
    """
    kept = _kept(read, _TRANSACTION)
    details = getattr(read, "disbursement_details", None)
    kept["disbursement_details"] = _kept(details, _DETAILS) if details else {}
    kept["customer_id"] = getattr(getattr(read, "customer_details", None), "id", None)
    kept["card_type"] = getattr(getattr(read, "credit_card_details", None), "card_type", None)
    if refunded is not None:
        kept["refunded_order_id"] = refunded.order_id
    return {"object": "transaction", **kept}


def dispute(read: Any) -> dict[str, Any]:
    """What is kept of the SDK's dispute."""
    of = getattr(read, "transaction", None)
    kept = _kept(read, _DISPUTE)
    kept |= {"transaction_id": getattr(of, "id", None), "order_id": getattr(of, "order_id", None)}
    return {"object": "dispute", **kept}


def disbursement(read: Any) -> dict[str, Any]:
    """What is kept of the SDK's disbursement."""
    account = read.merchant_account
    kept = _kept(read, _DISBURSEMENT)
    kept |= {"merchant_account_id": account.id, "currency_iso_code": account.currency_iso_code}
    return {"object": "disbursement", **kept}


def land_objects(
    lake: Lake,
    objects: Iterable[Object],
    *,
    tenant_id: str,
    source: str,
    received_at: datetime | None = None,
) -> Landing:
    """Land objects one by one, each a batch of its own, known by its content.

    Args:
        lake: where to.
        objects: as `transaction`, `dispute` and `disbursement` make them.
        tenant_id: whose account it is.
        source: the `source` of the rows.
        received_at: when they arrived (UTC; default now).

    Raises:
        LakeNotWritable: the lake takes no files; land them again once it does.
    """
    result = Landing()
    for thing in objects:
        content = canonical(thing)
        digest = hashlib.sha256(canonical([tenant_id, content]).encode()).hexdigest()[:32]
        options: dict[str, Any] = {
            "tenant_id": tenant_id,
            "source": source,
            "batch_id": f"braintree-{digest}",
            "received_at": received_at,
        }
        row: dict[str, Any] = {
            "object_id": thing.get("id"), "object": thing.get("object"), "payload": content
        }  # fmt: skip
        try:
            rows = list(facts(thing))
        except Unusable as error:
            row, rows = {"_code": "bad_json", "_reason": str(error), "_raw": content}, []
        landed = land(lake, "braintree_objects", [row], **options)
        if landed.rejected:
            result.quarantined += landed.reasons
            continue
        if landed.already_landed:
            result.known += 1
        else:
            result.landed += 1
        for stream, fact in rows:
            stated = land(lake, stream, [fact], **options)
            if not stated.already_landed:
                result.rows[stream] += stated.accepted
    return result


def _kept(read: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: _plain(getattr(read, name, None)) for name in names}


def _plain(value: Any) -> Any:
    """As JSON has it: amounts as exact text, instants in UTC."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        # The SDK's instants are UTC and do not say so.
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return value
