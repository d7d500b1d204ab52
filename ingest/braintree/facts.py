"""What a Braintree object tells of money, as rows of streams. Nothing is computed: amounts are Braintree's own.

A payment that was asked for here is known by its key, which is the order id; any other by its transaction, since an order may be
paid for more than once. `provider_id` is the transaction. Of a disbursement the API tells only which transactions are in it;
what it came to is in its notice, and both name it by merchant account and day.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

Row = dict[str, Any]
Object = Mapping[str, Any]

_STATUS = {
    "authorizing": "processing",
    "authorized": "processing",
    "settlement_pending": "processing",
    "submitted_for_settlement": "succeeded",
    "settling": "succeeded",
    "settled": "succeeded",
    "settlement_confirmed": "succeeded",
    "voided": "cancelled",
    "authorization_expired": "cancelled",
    "failed": "failed",
    "gateway_rejected": "failed",
    "processor_declined": "failed",
    "settlement_declined": "failed",
    "unrecognized": "unknown",
}
_REFUND_STATUS = {"succeeded": "succeeded", "processing": "pending", "unknown": "pending"}
_CLASSES = {"hard_declined": "hard", "soft_declined": "soft"}
_STAGE = {
    "open": "open",
    "disputed": "open",
    "under_review": "open",
    "won": "won",
    "lost": "lost",
    "accepted": "lost",
    "auto_accepted": "lost",
    "expired": "lost",
}
# The key of an action of ours; no shop numbers its orders so.
_KEY = re.compile(r"[0-9a-f]{32}")


class Unusable(ValueError):
    """An object that contradicts Braintree's own reference; it is quarantined with this sentence."""


def facts(thing: Object) -> Iterator[tuple[str, Row]]:
    """The rows that an object gives, each with its stream.

    Raises:
        Unusable: a status that Braintree does not have, or no amount.
    """
    match thing.get("object"):
        case "transaction":
            yield from _transaction(thing)
        case "dispute":
            yield from _dispute(thing)
        case "disbursement":
            yield from _disbursement(thing)
        case other:
            raise Unusable(f"{other!r} is no object that tells of money")


def payment_id(transaction_id: Any, order_id: Any) -> str:
    """What a payment is known by."""
    return str(order_id) if _KEY.fullmatch(str(order_id or "")) else str(transaction_id)


def payout_id(merchant_account: Any, day: Any) -> str:
    """What a disbursement is known by, in its notice and in its transactions."""
    return f"{merchant_account}:{day}"


def _transaction(thing: Object) -> Iterator[tuple[str, Row]]:
    status = _STATUS.get(str(thing.get("status")))
    if status is None:
        raise Unusable(f"a transaction is in no status {thing.get('status')!r}")
    known = {"amount": _need(thing, "amount"), "currency": _need(thing, "currency_iso_code")}
    is_credit = thing.get("type") == "credit"
    if is_credit and thing.get("refunded_transaction_id"):
        yield (
            "refunds",
            {
                **known,
                "refund_id": payment_id(thing["id"], thing.get("order_id")),
                "payment_id": payment_id(thing["refunded_transaction_id"], thing.get("refunded_order_id")),
                "status": _REFUND_STATUS.get(status, "failed"),
                "effective_at": thing.get("created_at"),
            },
        )
    elif not is_credit:
        yield "payments", {**known, **_payment(thing, status)}
    details = thing.get("disbursement_details") or {}
    if details.get("disbursement_date"):
        yield "balance_transactions", _movement(thing, details, is_credit)


def _payment(thing: Object, status: str) -> Row:
    failed = status == "failed"
    kind = _CLASSES.get(str(thing.get("processor_response_type")), "technical")
    if thing.get("gateway_rejection_reason") == "three_d_secure":
        kind = "authentication"
    brand = thing.get("card_type")
    return {
        "payment_id": payment_id(thing["id"], thing.get("order_id")),
        "customer_id": thing.get("customer_id"),
        # An order that is no key of ours is what the payer was told to pay.
        "reference": None if _KEY.fullmatch(str(thing.get("order_id") or "")) else thing.get("order_id"),
        "status": status,
        "method": brand.lower() if brand else thing.get("payment_instrument_type"),
        "provider": "braintree",
        "provider_id": thing["id"],
        "failure_class": kind if failed else None,
        "failure_code": (
            (thing.get("gateway_rejection_reason") or thing.get("processor_response_code"))
            if failed
            else None
        ),
        "attempted_at": thing.get("created_at"),
        "settled_at": thing.get("created_at") if status == "succeeded" else None,
    }


def _movement(thing: Object, details: Object, is_credit: bool) -> Row:
    """What the transaction moved on the account; Braintree bills its fees apart, so none is in it."""
    amount = str(details.get("settlement_amount") or thing["amount"])
    amount = f"-{amount}" if is_credit else amount
    return {
        "balance_transaction_id": f"{thing['id']}:{details['disbursement_date']}",
        "source_id": payment_id(thing["id"], thing.get("order_id")),
        "reporting_category": "refund" if is_credit else "charge",
        "gross": amount,
        "fee": "0",
        "net": amount,
        "currency": details.get("settlement_currency_iso_code") or thing.get("currency_iso_code"),
        "exchange_rate": details.get("settlement_currency_exchange_rate"),
        "available_on": details["disbursement_date"],
        "payout_id": payout_id(thing.get("merchant_account_id"), details["disbursement_date"]),
    }


def _dispute(thing: Object) -> Iterator[tuple[str, Row]]:
    stage = _STAGE.get(str(thing.get("status")))
    if stage is None:
        raise Unusable(f"a dispute is in no status {thing.get('status')!r}")
    # A request for information takes no money.
    if thing.get("kind") == "retrieval" and stage == "open":
        stage = "warning"
    yield (
        "disputes",
        {
            "dispute_id": _need(thing, "id"),
            "payment_id": payment_id(thing.get("transaction_id"), thing.get("order_id")),
            "amount": _need(thing, "amount_disputed"),
            "currency": _need(thing, "currency_iso_code"),
            "stage": stage,
            "effective_at": _need(thing, "received_date"),
        },
    )


def _disbursement(thing: Object) -> Iterator[tuple[str, Row]]:
    day = _need(thing, "disbursement_date")
    amount = _need(thing, "amount")
    yield (
        "payouts",
        {
            "payout_id": payout_id(_need(thing, "merchant_account_id"), day),
            "amount": f"-{amount}" if thing.get("disbursement_type") == "debit" else amount,
            "currency": _need(thing, "currency_iso_code"),
            "arrival_on": day,
            "status": "paid" if thing.get("success") else "failed",
            "automatic": True,
        },
    )


def _need(thing: Object, name: str) -> str:
    value = thing.get(name)
    if value in (None, ""):
        raise Unusable(f"{thing.get('object')} {thing.get('id')} has no {name}")
    return str(value)
