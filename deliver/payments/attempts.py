"""Attempts: what is due to be charged or given back, and what became of it, from the facts of `payments` and `refunds`.

Belongs here: reading both, and appending facts about an attempt. Does not belong here: talking to a gateway.

What is told of a subject (the invoice that is charged, the payment that is refunded) is numbered, one file a telling.
Whoever creates the next file has it, so that of two processes that want to charge an invoice one finds the name taken
and stops.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import duckdb

from deliver import facts
from deliver.documents.model import DocumentError, connect_serving
from deliver.payments.gateway import Answer, Kind, PaymentError
from ratehouse.lake import Lake
from ratehouse.settings import Settings

HERE = Path(__file__).parent
# Facts of this source are tellings: numbered, each the file of its number.
SOURCE = "collection"
STREAMS: dict[Kind, str] = {"charge": "payments", "refund": "refunds"}
# After the claim of an attempt without an answer; then a person has to look.
ASK_AFTER = (timedelta(minutes=5), timedelta(hours=1), timedelta(days=1))

State = Literal["succeeded", "failed", "processing", "unknown", "absent"]


@dataclass(frozen=True, slots=True)
class Due:
    """A charge or a refund that is due and not settled.

    Attributes:
        tenant_id: whose money it will be, or was.
        kind: charge or refund.
        idempotency_key: the key of the action; of a refund, of its part that this payment bears.
        subject: the invoice that is charged, or the payment that is refunded.
        payment_id: the payment that is refunded; None of a charge, which has none yet.
        invoice_id: the invoice, or the credit note that promises the refund.
        invoice_number: its number.
        customer_id: the customer.
        currency: ISO 4217.
        amount: in the currency, rounded to its minor unit.
        due_at: since when (UTC).
        gateway: through which one.
        gateway_customer_id: the payer, in the gateway's ids.
        gateway_method_id: its stored payment method, in the gateway's ids.
        held_by: why it waits; None if it does not.
        attempt: which time it is tried, from 1.
        last_telling_no: how much was told of the subject.
    """

    tenant_id: str
    kind: Kind
    idempotency_key: str
    subject: str
    payment_id: str | None
    invoice_id: str
    invoice_number: str
    customer_id: str
    currency: str
    amount: Decimal
    due_at: datetime
    gateway: str
    gateway_customer_id: str | None
    gateway_method_id: str | None
    held_by: str | None
    attempt: int
    last_telling_no: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """An action that was taken up, as the facts have it; the columns are described in `attempts.sql`."""

    tenant_id: str
    kind: Kind
    idempotency_key: str
    subject: str
    state: State
    payment_id: str
    invoice_id: str | None
    customer_id: str | None
    amount: Decimal
    currency: str
    gateway: str | None
    provider_id: str | None
    method: str | None
    failure_code: str | None
    attempt: int
    claimed_at: datetime
    asks: int
    last_at: datetime
    last_telling_no: int

    @property
    def ask_at(self) -> datetime | None:
        """When the gateway is to be asked what became of it; None when that is known, or was asked often enough."""
        if self.state not in ("unknown", "processing") or self.asks >= len(ASK_AFTER):
            return None
        return self.claimed_at + ASK_AFTER[self.asks]

    @property
    def needs_person(self) -> bool:
        """Nobody knows what became of it, and asking has not helped."""
        return self.state == "unknown" and self.ask_at is None


def read_due(settings: Settings, lake: Lake, *, tenants: Sequence[str], now: datetime) -> list[Due]:
    """What is due, oldest first, as the serving file says and the facts since then allow.

    Raises:
        DocumentError: there is no serving file, or it is of another version.
    """
    with connect_serving(settings.serving_path) as connection:
        _prepare(connection, lake)
        try:
            found = connection.sql((HERE / "due.sql").read_text(encoding="utf-8"), params={"now": now})
        except (duckdb.CatalogException, duckdb.BinderException) as error:
            text = "The serving file does not have what payments need; build it again."
            raise DocumentError(f"{text} {error}") from error
        rows = found.to_arrow_table().to_pylist()
    return [Due(**row) for row in rows if not tenants or row["tenant_id"] in tenants]


def read_attempts(lake: Lake, *, tenants: Sequence[str] = ()) -> list[Attempt]:
    """Every action that was taken up, with its state, oldest first."""
    with duckdb.connect() as connection:
        _prepare(connection, lake)
        rows = connection.sql("from attempts order by tenant_id, claimed_at").to_arrow_table().to_pylist()
    return [Attempt(**row) for row in rows if not tenants or row["tenant_id"] in tenants]


def claim(lake: Lake, due: Due, payment_id: str, *, at: datetime) -> bool:
    """Take the right to move this money now; False if anything was told of its subject since it was read.

    A claim is the fact that nobody knows what becomes of the payment. So nothing has to be written for an answer that
    never comes.
    """
    return _append(lake, due, payment_id, Answer("unknown"), due.last_telling_no + 1, at=at, attempted_at=at)


def conclude(
    lake: Lake,
    about: Due | Attempt,
    payment_id: str,
    answer: Answer,
    *,
    number: int,
    at: datetime,
    attempted_at: datetime,
) -> None:
    """Land what became of an attempt as the telling `number`, or as the first free one after it."""
    while not _append(lake, about, payment_id, answer, number, at=at, attempted_at=attempted_at):
        # Somebody asked the gateway meanwhile and told it first.
        number += 1


def _append(
    lake: Lake,
    about: Due | Attempt,
    payment_id: str,
    answer: Answer,
    number: int,
    *,
    at: datetime,
    attempted_at: datetime,
) -> bool:
    fact: dict[str, Any] = {
        "payment_id": payment_id,
        "amount": about.amount if answer.amount is None else answer.amount,
        "currency": about.currency,
        "idempotency_key": about.idempotency_key,
        "recorded_at": at,
    }
    if about.kind == "charge":
        fact |= {
            "status": "cancelled" if answer.status == "absent" else answer.status,
            "customer_id": about.customer_id,
            "invoice_id": about.invoice_id,
            "method": answer.method,
            "provider": about.gateway,
            "provider_id": answer.provider_id,
            "failure_class": answer.failure_class,
            "failure_code": answer.failure_code,
            "attempted_at": attempted_at,
            "settled_at": at if answer.status == "succeeded" else None,
        }
    else:
        words = {"absent": "cancelled", "processing": "pending"}
        fact |= {
            "refund_id": about.idempotency_key,
            "status": words.get(answer.status, answer.status),
            "effective_at": attempted_at,
        }
    return _write(lake, about, fact, number)


def _write(lake: Lake, about: Due | Attempt, fact: Mapping[str, Any], number: int) -> bool:
    """Write one fact as the file of its number; False if there is one of that name already."""
    meaning = json.dumps([about.tenant_id, about.kind, about.subject], ensure_ascii=False)
    name = f"{about.kind}-{hashlib.sha256(meaning.encode()).hexdigest()[:40]}-{number:04d}"
    return facts.append(
        lake,
        STREAMS[about.kind],
        [fact],
        tenant_id=about.tenant_id,
        source=SOURCE,
        name=name,
        error=PaymentError,
    )


def _prepare(connection: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    """The relations that both queries read: `payments`, `refunds` and `attempts`."""
    facts.register(connection, lake, list(STREAMS.values()))
    sql = (HERE / "attempts.sql").read_text(encoding="utf-8")
    connection.register("attempts", connection.sql(sql).to_arrow_table())
