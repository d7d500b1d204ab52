"""What a Stripe object tells of money, as rows of streams. Several API versions; nothing is computed but the unit of an amount.

A payment is known by its payment intent, or by its charge where there is none; `provider_id` is the charge, which is what balance
transactions name. Objects that tell nothing of money (plans, cards, …) give no rows: they are kept verbatim all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from ingest.stripe.amounts import currency_of, money
from ratehouse.stripe_terms import failure_class

Row = dict[str, Any]
Object = Mapping[str, Any]

_INTENT_STATUS = {
    "requires_payment_method": "initiated",
    "requires_source": "initiated",
    "requires_confirmation": "initiated",
    "requires_action": "initiated",
    "requires_source_action": "initiated",
    "requires_capture": "processing",
    "processing": "processing",
    "succeeded": "succeeded",
    "canceled": "cancelled",
}
_CHARGE_STATUS = {"succeeded": "succeeded", "paid": "succeeded", "pending": "processing", "failed": "failed"}
_DISPUTE_STAGE = {
    "warning_needs_response": "warning",
    "warning_under_review": "warning",
    "warning_closed": "won",
    "prevented": "won",
    "needs_response": "open",
    "under_review": "open",
    "charge_refunded": "won",
    "won": "won",
    "lost": "lost",
}


class Unusable(ValueError):
    """An object that contradicts Stripe's own reference; it is quarantined with this sentence."""


def facts(thing: Object, told_at: datetime | None = None) -> Iterator[tuple[str, Row]]:
    """The rows that an object gives, each with its stream.

    Args:
        thing: the object as Stripe sends it.
        told_at: when Stripe told it, if it says so: of a webhook the event's instant, whatever the order of arrival.

    Raises:
        Unusable: a status or a field that no API version has.
        BadAmount: an amount that is no integer.
    """
    reader = _READERS.get(str(thing.get("object")))
    if reader is None or thing.get("deleted"):
        return
    for stream, row in reader(thing):
        if told_at is not None:
            row["recorded_at"] = told_at
        yield stream, row


def instant(seconds: Any) -> datetime | None:
    """Stripe's seconds since 1970 as an instant (UTC)."""
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int):
        raise Unusable(f"{seconds!r} is no instant in whole seconds")
    return datetime.fromtimestamp(seconds, UTC)


def identity(value: Any) -> str | None:
    """The id of a reference, expanded or not."""
    found = value.get("id") if isinstance(value, Mapping) else value
    return str(found) if found else None


def _payment(thing: Object, **own: Any) -> tuple[str, Row]:
    metadata = thing.get("metadata") or {}
    return "payments", {
        "customer_id": metadata.get("customer_id") or identity(thing.get("customer")),
        "invoice_id": metadata.get("invoice_id"),
        "invoice_number": metadata.get("invoice_number"),
        "reference": identity(thing.get("invoice")),
        "currency": currency_of(thing.get("currency")),
        "provider": "stripe",
        **own,
    }


def _charge(thing: Object) -> Iterator[tuple[str, Row]]:
    status = _CHARGE_STATUS.get(str(thing.get("status")))
    if status is None:
        raise Unusable(f"a charge is in no status {thing.get('status')!r}")
    captured = thing.get("captured", True)
    if status == "succeeded" and not captured:
        # Money that is only reserved has not come.
        status = "processing"
    created = instant(thing.get("created"))
    outcome = thing.get("outcome") or {}
    reason = outcome.get("reason")
    code = (thing.get("failure_code") if reason in (None, "") else reason) if status == "failed" else None
    amount = thing.get("amount")
    if status == "succeeded":
        amount = thing.get("amount_captured", amount)
    details = thing.get("payment_method_details") or {}
    kind = details.get("type")
    yield _payment(
        thing,
        payment_id=identity(thing.get("payment_intent")) or identity(thing),
        provider_id=identity(thing),
        amount=money(amount, thing.get("currency")),
        status=status,
        method=((details.get("card") or {}).get("brand") if kind == "card" else kind),
        failure_code=code,
        failure_class=failure_class(code) if status == "failed" else None,
        attempted_at=created,
        settled_at=created if status == "succeeded" else None,
    )
    # Old versions carry their refunds along.
    refunds = thing.get("refunds")
    for refund in (refunds or {}).get("data") or [] if isinstance(refunds, Mapping) else []:
        yield from _refund(
            {"payment_intent": thing.get("payment_intent"), "charge": identity(thing), **refund}
        )


def _payment_intent(thing: Object) -> Iterator[tuple[str, Row]]:
    status = _INTENT_STATUS.get(str(thing.get("status")))
    if status is None:
        raise Unusable(f"a payment intent is in no status {thing.get('status')!r}")
    error = thing.get("last_payment_error") or {}
    if status == "initiated" and error:
        status = "failed"
    code = error.get("decline_code") or error.get("code")
    charges = (thing.get("charges") or {}).get("data") or []
    latest = identity(thing.get("latest_charge")) or (identity(charges[0]) if charges else None)
    amount = (
        thing.get("amount_received")
        if status == "succeeded" and thing.get("amount_received")
        else thing.get("amount")
    )
    created = instant(thing.get("created"))
    yield _payment(
        thing,
        payment_id=identity(thing),
        provider_id=latest,
        amount=money(amount, thing.get("currency")),
        status=status,
        failure_code=code if status == "failed" else None,
        failure_class=failure_class(code) if status == "failed" else None,
        attempted_at=created,
        settled_at=created if status == "succeeded" else None,
    )


def _refund(thing: Object) -> Iterator[tuple[str, Row]]:
    yield (
        "refunds",
        {
            # A refund that was asked for here is known by the identity it was given here.
            "refund_id": (thing.get("metadata") or {}).get("refund_id") or identity(thing),
            "payment_id": identity(thing.get("payment_intent")) or identity(thing.get("charge")),
            "amount": money(thing.get("amount"), thing.get("currency")),
            "currency": currency_of(thing.get("currency")),
            # The first versions had no status: what was there had succeeded.
            "status": {"canceled": "failed", "requires_action": "pending", None: "succeeded"}.get(
                thing.get("status"), thing.get("status")
            ),
            "effective_at": instant(thing.get("created")),
        },
    )


def _dispute(thing: Object) -> Iterator[tuple[str, Row]]:
    stage = _DISPUTE_STAGE.get(str(thing.get("status")))
    if stage is None:
        raise Unusable(f"a dispute is in no status {thing.get('status')!r}")
    currency = thing.get("currency")
    fees = [movement.get("fee") or 0 for movement in thing.get("balance_transactions") or []]
    yield (
        "disputes",
        {
            "dispute_id": identity(thing),
            "payment_id": identity(thing.get("payment_intent")) or identity(thing.get("charge")),
            "amount": money(thing.get("amount"), currency),
            "currency": currency_of(currency),
            "stage": stage,
            "fee": money(sum(fees), currency),
            "effective_at": instant(thing.get("created")),
        },
    )
    for movement in thing.get("balance_transactions") or []:
        yield from _balance_transaction(movement)


def _balance_transaction(thing: Object) -> Iterator[tuple[str, Row]]:
    currency = thing.get("currency")
    available = instant(thing.get("available_on"))
    rate = thing.get("exchange_rate")
    yield (
        "balance_transactions",
        {
            "balance_transaction_id": identity(thing),
            "source_id": identity(thing.get("source")),
            "reporting_category": thing.get("reporting_category") or thing.get("type"),
            "gross": money(thing.get("amount"), currency),
            "fee": money(thing.get("fee") or 0, currency),
            "net": money(thing.get("net"), currency),
            "currency": currency_of(currency),
            # A JSON number; its shortest text is what Stripe wrote.
            "exchange_rate": None if rate is None else str(rate),
            "available_on": available.date().isoformat() if available else None,
            "payout_id": identity(thing.get("payout")),
        },
    )


def _payout(thing: Object) -> Iterator[tuple[str, Row]]:
    arrival = instant(thing.get("arrival_date"))
    yield (
        "payouts",
        {
            "payout_id": identity(thing),
            "amount": money(thing.get("amount"), thing.get("currency")),
            "currency": currency_of(thing.get("currency")),
            "arrival_on": arrival.date().isoformat() if arrival else None,
            "status": thing.get("status"),
            "automatic": None if thing.get("automatic") is None else bool(thing.get("automatic")),
        },
    )


_READERS: dict[str, Callable[[Object], Iterator[tuple[str, Row]]]] = {
    "charge": _charge,
    "payment_intent": _payment_intent,
    "refund": _refund,
    "dispute": _dispute,
    "balance_transaction": _balance_transaction,
    "payout": _payout,
}
