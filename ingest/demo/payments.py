"""How the customers of the demo pay what they were billed: most of them in time, some late, in part, twice or not at all.

Made from the documents that a run issued, so a demo is billed and paid month by month, and what was not paid meets the
tenant's dunning ladder in the next run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from ingest.demo.dice import Dice
from ingest.demo.plan import DemoPlan
from ratehouse.lake import Lake
from ratehouse.money import in_minor_units, minor_units
from ratehouse.streams import land

Rows = dict[str, list[dict[str, Any]]]

# What becomes of a document, in thousandths.
_STORIES = {
    "paid": 890,
    "late": 50,
    "recovered": 30,
    "failed": 12,
    "partial": 6,
    "twice": 4,
    "disputed": 4,
    "refunded": 4,
}
# The tenant whose customers pay by bank transfer; the others' cards are charged by a processor.
_BY_TRANSFER = "nordlys"
_CARD_FEE = (29, 30)  # thousandths, and minor units a payment
_RETRIES = (0, 2, 5, 9)  # days on which a card that has no money is tried


def land_payments(lake: Lake, plan: DemoPlan, issued: Collection[tuple[str, str]]) -> int:
    """Land the payments of the given documents with what the processor and the bank say of them; a second call adds nothing.

    Args:
        lake: where the documents are and the payments go.
        plan: which demo; nothing is recorded at or after `plan.closes_at`.
        issued: (tenant_id, invoice_id).

    Returns:
        How many payments were landed.
    """
    table = lake.read("ledger/invoices")
    wanted = set(issued)
    documents = [
        row
        for row in (table.to_pylist() if table is not None else [])
        if (row["tenant_id"], row["invoice_id"]) in wanted
        and row["kind"] == "invoice"
        and row["amount_due"] > 0
    ]
    if not documents:
        return 0
    rows: Rows = {}
    for document in sorted(documents, key=lambda row: (row["tenant_id"], row["invoice_number"])):
        for stream, row in _story(plan, document):
            rows.setdefault(stream, []).append(row)
    for stream, row in _payouts(rows):
        rows.setdefault(stream, []).append(row)
    month = min(row["bill_date"] for row in documents)
    for stream, told in rows.items():
        land(
            lake,
            stream,
            [row for row in told if row["recorded_at"] < plan.closes_at],
            tenant_id=None,
            source="demo",
            batch_id=f"demo-{plan.key}-paid-{month}",
            received_at=plan.closes_at,
        )
    return len(rows["payments"])


def _story(plan: DemoPlan, document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The payments of one document, and what followed from them."""
    tenant, number = document["tenant_id"], document["invoice_number"]
    dice = Dice(plan.seed, "payments", tenant, number)
    story = dice.weighted(_STORIES)
    by_card = tenant != _BY_TRANSFER
    # A card is charged as the document goes out; a transfer comes when the payer's clerk gets to it.
    first = document["issued_at"] + timedelta(
        days=0 if by_card else dice.one(3, 20), minutes=dice.one(30, 600)
    )
    due = document["amount_due"]
    if story == "late":
        first += timedelta(days=dice.one(20, 40))
    if story in ("recovered", "failed") and by_card:
        failures = len(_RETRIES) if story == "failed" else dice.one(1, 3)
        for attempt in range(failures):
            yield (
                "payments",
                _payment(document, attempt, due, first + timedelta(days=_RETRIES[attempt]), fails=True),
            )
        if story == "failed":
            return
        yield from _settled(document, failures, due, first + timedelta(days=_RETRIES[failures]))
        return
    if story == "failed":
        return
    paid = _share(due, dice.one(30, 80), document["currency"]) if story == "partial" else due
    yield from _settled(document, 0, paid, first)
    if story == "twice":
        yield from _settled(document, 1, paid, first + timedelta(days=1))
    if story == "disputed" and by_card:
        yield (
            "disputes",
            {
                "tenant_id": tenant,
                "dispute_id": f"dp-{number}",
                "payment_id": f"pay-{number}-0",
                "amount": paid,
                "currency": document["currency"],
                "stage": "open",
                "effective_at": first + timedelta(days=9),
                "recorded_at": first + timedelta(days=9),
            },
        )
    if story == "refunded":
        back = first + timedelta(days=12)
        refund = {
            "tenant_id": tenant,
            "refund_id": f"re-{number}",
            "payment_id": f"pay-{number}-0",
            "amount": _share(paid, 25, document["currency"]),
            "currency": document["currency"],
            "status": "succeeded",
            "effective_at": back,
            "recorded_at": back,
        }
        yield "refunds", refund
        if by_card:
            yield (
                "balance_transactions",
                _transaction(document, refund["refund_id"], "refund", -refund["amount"], 0, back),
            )


def _settled(
    document: dict[str, Any], attempt: int, amount: Decimal, at: datetime
) -> Iterator[tuple[str, dict[str, Any]]]:
    """A payment that succeeded, and the money's way: through the processor's balance, or to the bank at once."""
    payment = _payment(document, attempt, amount, at, fails=False)
    yield "payments", payment
    if payment["provider"]:
        fee = in_minor_units(amount, payment["currency"]) * _CARD_FEE[0] // 1000 + _CARD_FEE[1]
        yield (
            "balance_transactions",
            _transaction(document, payment["provider_id"], "charge", amount, fee, at),
        )
    else:
        yield (
            "bank_lines",
            _bank_line(payment, f"tr-{payment['payment_id']}", amount, at, document["invoice_number"]),
        )


def _payment(
    document: dict[str, Any], attempt: int, amount: Decimal, at: datetime, *, fails: bool
) -> dict[str, Any]:
    by_card = document["tenant_id"] != _BY_TRANSFER
    number = document["invoice_number"]
    return {
        "tenant_id": document["tenant_id"],
        "payment_id": f"pay-{number}-{attempt}",
        "customer_id": document["customer_id"],
        "invoice_number": number,
        "amount": amount,
        "currency": document["currency"],
        "status": "failed" if fails else "succeeded",
        "method": "card" if by_card else "bank_transfer",
        "provider": "stripe" if by_card else None,
        "provider_id": f"ch-{number}-{attempt}" if by_card else None,
        "failure_class": "soft" if fails else None,
        "failure_code": "insufficient_funds" if fails else None,
        "attempted_at": at,
        "settled_at": None if fails else at,
        "recorded_at": at,
    }


def _transaction(
    document: dict[str, Any], source_id: str, category: str, gross: Decimal, fee_minor: int, at: datetime
) -> dict[str, Any]:
    """A movement of the processor's balance, paid out with the others of its month and week on the Tuesday after."""
    fee = Decimal(fee_minor).scaleb(-minor_units(document["currency"]))
    available = at.date() + timedelta(days=2)
    return {
        "tenant_id": document["tenant_id"],
        "balance_transaction_id": f"txn-{source_id}",
        "source_id": source_id,
        "reporting_category": category,
        "gross": gross,
        "fee": fee,
        "net": gross - fee,
        "currency": document["currency"],
        "available_on": available,
        "payout_id": f"po-{document['currency']}-{document['bill_date']:%Y%m}-{_payday(available):%Y%m%d}",
        "recorded_at": at,
    }


def _payouts(rows: Rows) -> Iterator[tuple[str, dict[str, Any]]]:
    """The payouts of what was available, a week's in each currency, and their lines at the bank a day later."""
    sums: dict[tuple[str, str, str, date], Decimal] = {}
    for row in rows.get("balance_transactions", []):
        key = (row["tenant_id"], row["payout_id"], row["currency"], _payday(row["available_on"]))
        sums[key] = sums.get(key, Decimal(0)) + row["net"]
    for (tenant, payout, currency, day), amount in sorted(sums.items()):
        arrives = datetime.combine(day, time(9), UTC)
        known = {"tenant_id": tenant, "currency": currency, "recorded_at": arrives}
        yield (
            "payouts",
            {
                **known,
                "payout_id": payout,
                "amount": amount,
                "arrival_on": day,
                "status": "paid",
                "automatic": True,
            },
        )
        yield "bank_lines", _bank_line(known, f"bl-{payout}", amount, arrives + timedelta(days=1), payout)


def _bank_line(
    of: dict[str, Any], bank_line_id: str, amount: Decimal, at: datetime, reference: str
) -> dict[str, Any]:
    return {
        "tenant_id": of["tenant_id"],
        "bank_line_id": bank_line_id,
        "amount": amount,
        "currency": of["currency"],
        "value_on": at.date(),
        "reference": reference,
        "recorded_at": at,
    }


def _payday(available: date) -> date:
    return available + timedelta(days=8 - available.weekday())


def _share(amount: Decimal, percent: int, currency: str) -> Decimal:
    """A part of an amount in whole minor units."""
    return Decimal(in_minor_units(amount, currency) * percent // 100).scaleb(-minor_units(currency))
