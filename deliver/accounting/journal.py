"""The journal of one tenant and month as it was published.

Belongs here: reading entries, and the tenant's settings for the system they go to. Does not belong here: what is
posted (SQL), how a system writes it (`targets`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import groupby
from typing import Any

import duckdb
import pyarrow as pa

from deliver.documents.model import DocumentError
from deliver.facts import tenant_document
from ratehouse.errors import RatehouseError

_LINES = """
    select
        journal.entry_id, journal.kind, journal.posted_on, journal.performance_period, journal.memo,
        journal.account_role,
        journal.functional_debit - journal.functional_credit as amount,
        journal.functional_currency as currency,
        journal.currency as transaction_currency,
        invoices.bill_to_name as customer
    from marts.journal_entries as journal
    left join marts.invoices as invoices
        on journal.tenant_id = invoices.tenant_id and journal.invoice_id = invoices.invoice_id
    where journal.tenant_id = $tenant_id and journal.period = $period
    order by journal.posted_on, journal.entry_id, journal.line_no
"""


class AccountingError(RatehouseError):
    """A journal that cannot be written or posted as things are; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Line:
    """One side of an entry: `amount` in the tenant's currency, debits above zero, credits below.

    `account` is the system's own, where it is not the one that the role has today.
    """

    account_role: str
    amount: Decimal
    customer: str | None = None
    account: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry; its lines add up to zero.

    Attributes:
        entry_id: the same facts give the same id for ever.
        kind: what is posted.
        posted_on: the day of posting.
        performance_period: the month of performance, YYYY-MM.
        currency: the tenant's.
        memo: what a reader of the ledger sees.
        lines: debits first.
    """

    entry_id: str
    kind: str
    posted_on: date
    performance_period: str
    currency: str
    memo: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Books:
    """A tenant's settings for one system: `document` is its normalised tenant.yaml, `file` where a person finds it."""

    tenant_id: str
    document: dict[str, Any]

    @property
    def file(self) -> str:
        """The file that a person mends."""
        return f"tenants/{self.tenant_id}/tenant.yaml"

    def setting(self, target: str, name: str) -> str | None:
        """`accounting.<target>.<name>`, None where it is not set."""
        value = ((self.document.get("accounting") or {}).get(target) or {}).get(name)
        return str(value) if value is not None else None

    def account(self, role: str, target: str, mapping: str = "accounts", *, own: bool = True) -> str:
        """The account of a role in a system.

        Args:
            role: the account role.
            target: the system.
            mapping: the mapping of the system that is asked first.
            own: whether the tenant's own number will do; an internal id of a system is no number of the tenant.

        Raises:
            AccountingError: the role has none; with the role, the file and the key.
        """
        found = self.has_account(role, target, mapping, own=own)
        if not found:
            raise AccountingError(
                f"The role {role} has no account of {target}: add accounting.{target}.{mapping}.{role} to {self.file}. "
                "Nothing was written."
            )
        return found

    def has_account(
        self, role: str, target: str, mapping: str = "accounts", *, own: bool = True
    ) -> str | None:
        """As `account`, None where the role has none."""
        mapped = ((self.document.get("accounting") or {}).get(target) or {}).get(mapping) or {}
        found = mapped.get(role) or ((self.document.get("accounts") or {}).get(role) if own else None)
        return str(found) if found else None


def load_books(connection: duckdb.DuckDBPyConnection, tenant_id: str) -> Books:
    """The settings of a tenant as they were published.

    Raises:
        AccountingError: there is no such tenant.
    """
    document = tenant_document(connection, tenant_id)
    if document is None:
        raise AccountingError(f"There is no tenant {tenant_id} in the serving file.")
    return Books(tenant_id, document)


def load_entries(connection: duckdb.DuckDBPyConnection, tenant_id: str, period: str) -> list[Entry]:
    """The entries of a month in the tenant's currency, in the order of their days.

    Raises:
        AccountingError: an amount has no rate, or an entry does not balance.
    """
    rows = _select(connection, _LINES, tenant_id, period)
    without = sorted({row["transaction_currency"] for row in rows if row["amount"] is None})
    if without:
        raise AccountingError(
            f"The journal of {tenant_id} {period} has lines in {', '.join(without)} without a rate to the tenant's "
            "currency: land the rates (`ratehouse ingest ecb`) and run again."
        )
    entries = []
    for _, own in groupby(rows, key=lambda row: (row["posted_on"], row["entry_id"])):
        lines = list(own)
        first = lines[0]
        entries.append(
            Entry(
                first["entry_id"],
                first["kind"],
                first["posted_on"],
                first["performance_period"],
                first["currency"],
                first["memo"] or first["kind"],
                tuple(
                    Line(line["account_role"], line["amount"], line["customer"])
                    for line in lines
                    if line["amount"]
                ),
            )
        )
    unbalanced = [entry.entry_id for entry in entries if sum(line.amount for line in entry.lines)]
    if unbalanced:
        raise AccountingError(
            f"Entry {unbalanced[0]} of {tenant_id} {period} does not balance; see the identity journal_entries_balance."
        )
    return [entry for entry in entries if entry.lines]


def load_table(connection: duckdb.DuckDBPyConnection, tenant_id: str, period: str) -> pa.Table:
    """The rows of the mart `journal_entries` of a month, all its columns."""
    query = (
        "select * from marts.journal_entries where tenant_id = $tenant_id and period = $period"
        " order by posted_on, entry_id, line_no"
    )
    return connection.sql(query, params={"tenant_id": tenant_id, "period": period}).to_arrow_table()


def _select(
    connection: duckdb.DuckDBPyConnection, query: str, tenant_id: str, period: str
) -> Sequence[dict[str, Any]]:
    try:
        relation = connection.sql(query, params={"tenant_id": tenant_id, "period": period})
        return list(relation.to_arrow_table().to_pylist())
    except (duckdb.CatalogException, duckdb.BinderException) as error:
        raise DocumentError(
            f"The serving file does not have what the journal needs; build it again. {error}"
        ) from error
