"""What tax providers were told about issued documents: facts of the stream `tax_transactions`.

Belongs here: reading and appending them. Does not belong here: speaking to a provider (`dispatch`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

import duckdb

from deliver import facts
from deliver.documents.formats import clean
from deliver.documents.model import DocumentError, connect_serving
from deliver.tax.provider import TaxError
from ratehouse.canonical_json import canonical
from ratehouse.lake import Lake
from ratehouse.settings import Settings

STREAM = "tax_transactions"
State = Literal["due", "committed", "refused", "unknown", "voided"]
_TOLD = """
    select tenant_id, code, max(attempt) as attempt, arg_max(event, attempt) as event, arg_max(detail, attempt) as detail
    from tax_transactions
    group by tenant_id, code
"""


@dataclass(frozen=True, slots=True)
class Transaction:
    """A document, or the part of one that a question was about, on its way to its provider.

    Attributes:
        tenant_id: whose document.
        code: our name of it at the provider.
        invoice_id: the document.
        invoice_number: its number.
        type: sale or return.
        provider: whom it is told.
        currency: ISO 4217.
        issued_on: local day of issue.
        tax: on the document, in the currency.
        is_void: the provider must not have it.
        body: what is told, as JSON text.
        state: due (nothing is known to be told), committed, refused, unknown (told, no answer) or voided.
        attempt: how much was noted about it.
        detail: the provider's words to the last of it.
    """

    tenant_id: str
    code: str
    invoice_id: str
    invoice_number: str
    type: str
    provider: str
    currency: str
    issued_on: date
    tax: Decimal
    is_void: bool
    body: str
    state: State
    attempt: int
    detail: str | None

    @property
    def is_settled(self) -> bool:
        """Nothing is to be told any more."""
        return self.state == "voided" or (self.state in ("committed", "refused") and not self.is_void)


def read_transactions(settings: Settings, lake: Lake, *, tenants: Sequence[str] = ()) -> list[Transaction]:
    """Every transaction that the serving file has, with what the facts say became of it; sales before their returns.

    Raises:
        DocumentError: there is no serving file, or it is of another version.
    """
    with connect_serving(settings.serving_path) as serving:
        facts.register(serving, lake, [STREAM])
        try:
            rows = (
                serving.sql(
                    "select due.tenant_id, due.code, due.invoice_id, due.invoice_number, due.type, due.provider, due.currency,"
                    " due.issued_on, due.tax, due.is_void, due.body, coalesce(told.event, 'due') as state,"
                    " coalesce(told.attempt, 0) as attempt, told.detail"
                    f" from marts.tax_transactions as due left join ({_TOLD}) as told using (tenant_id, code)"
                    " order by due.tenant_id, due.type desc, due.issued_on, due.code"
                )
                .to_arrow_table()
                .to_pylist()
            )
        except duckdb.CatalogException as error:
            text = "The serving file does not have what taxes need; build it again."
            raise DocumentError(f"{text} {error}") from error
    return [Transaction(**row) for row in rows if not tenants or row["tenant_id"] in tenants]


def record(
    lake: Lake, transaction: Transaction, event: State, *, at: datetime, detail: str | None = None
) -> bool:
    """Land what became of a transaction; False, and nothing changed, if another process noted something meanwhile."""
    attempt = transaction.attempt + 1
    meaning = canonical([transaction.tenant_id, transaction.code])
    fact = {
        "code": transaction.code,
        "event": event,
        "attempt": attempt,
        "provider": transaction.provider,
        "invoice_id": transaction.invoice_id,
        "type": transaction.type,
        "currency": transaction.currency,
        "tax": transaction.tax,
        "occurred_at": at,
        "recorded_at": at,
        "detail": clean(detail)[:500] if detail else None,
    }
    return facts.append(
        lake,
        STREAM,
        [fact],
        tenant_id=transaction.tenant_id,
        source=transaction.provider,
        name=f"tax-{hashlib.sha256(meaning.encode()).hexdigest()[:40]}-{attempt:04d}",
        error=TaxError,
    )
